"""The same command with its calls made by this process and by workers, and what the two left behind."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from forked import FORKS
from provider import Provider, Ran
from umwelten.simulate.faultserver import Profile

WORKERS = Path(__file__).with_name("forked_workers.py")
ENGINE = ("--engine", "ray", "--workers", "2")

# What no two runs have in common.
_TIMES = {
    *("started_at", "response_s", "ttft_s", "time_s", "latency_s", "created_at", "at", "seen_at", "ended_at"),
    *("took_s", "tool_s", "pid", "peak_in_flight", "request_id", "worker", "stamp"),
}
_LEFT_OUT = {"workers", "attributions", "limit_changes", "recording", "runs"}
_UNORDERED = {"attempts", "contents"}
_NOTES_OF_WORKERS = re.compile(r"^(note|warning): .*\bworkers?\b.*\n", re.MULTILINE)
_FIGURES = re.compile(r"\d+(\.\d+)? ?(s|ms|min|calls/s|tokens/s|×)\b|\d+(\.\d+)?×")


class Left(NamedTuple):
    """What a command printed, and what it left in its folder: tables, and texts by their names."""

    ran: Ran
    notes: list[str]
    tables: dict[str, list[tuple[Any, ...]]]
    texts: dict[str, bytes]


def both(
    tmp_path: Path,
    server: Provider,
    arguments: Sequence[str],
    *,
    make: Callable[[Path], None] = lambda folder: None,
    profile: Profile | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    id: str = "e",
) -> tuple[Left, Left]:
    """Run a command here and by workers, in a folder each that `make` filled; the server knows neither."""
    found = []
    for name, engine in (("here", ()), ("away", ENGINE)):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        make(folder)
        server.use(profile or Profile())
        server.reset()
        ran = run(folder, [*arguments, *engine], env={**server.env(), **(env or {})}, stdin=stdin)
        found.append(left(folder, ran, id))
    return found[0], found[1]


def run(folder: Path, arguments: Sequence[str], *, env: Mapping[str, str], stdin: str = "") -> Ran:
    """Run `umwelten`; `--engine ray` has the calls made by forks of the process."""
    words = ["-m", "umwelten", *arguments] if "ray" not in arguments else [str(WORKERS), *arguments]
    return FORKS.run(words, cwd=folder, env=env, stdin=stdin)


def left(folder: Path, ran: Ran, id: str = "e") -> Left:
    """Return what is comparable of what a command left."""
    ran = Ran(ran.code, ran.out.replace(str(folder), "@"), ran.err.replace(str(folder), "@"))
    err = _NOTES_OF_WORKERS.sub("", ran.err)
    notes = sorted(_FIGURES.sub("#", line) for line in err.splitlines() if line.startswith(("note", "warn")))
    database = folder / "output" / id / "evaluation.db"
    if not database.exists():
        return Left(ran, notes, {}, {})
    texts = {
        str(path.relative_to(database.parent)): path.read_bytes()
        for path in sorted(database.parent.rglob("*.txt"))
    }
    return Left(ran, notes, tables(database, folder), texts)


def tables(database: Path, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of a store, without times and what else differs between any two runs."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if name in _LEFT_OUT or name.startswith("sqlite_"):
                continue
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})") if row[1] not in _TIMES]
            if name in _UNORDERED:
                columns.remove("id")
            if name == "calls":
                columns.remove("sent")  # the number of its row in contents
            db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            rows = db.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            found[name] = sorted((tuple(_plain(v, folder) for v in row) for row in rows), key=repr)
        found["asked"] = sorted(
            db.execute("SELECT c.id, k.hash FROM calls c LEFT JOIN contents k ON k.id = c.sent"), key=repr
        )
    return found


def _plain(value: Any, folder: Path) -> Any:
    return value.replace(str(folder), "@") if isinstance(value, str) else value


def differences(here: Left, away: Left) -> list[str]:
    """Return in words what differs."""
    found = []
    if here.ran.code != away.ran.code:
        found.append(f"code {here.ran.code} / {away.ran.code}: {away.ran.err}")
    if here.notes != away.notes:
        found.append(f"notes {here.notes} / {away.notes}")
    for name in {**here.tables, **away.tables}:
        one, other = here.tables.get(name, []), away.tables.get(name, [])
        if one != other:
            gone, new = [row for row in one if row not in other], [row for row in other if row not in one]
            rows = f"{len(one)} / {len(other)} rows"
            found.append(f"{name}: {gone} / {new}" if gone or new else f"{name}: {rows}")
    if here.texts != away.texts:
        found.append(f"texts {sorted(here.texts)} / {sorted(away.texts)}")
    return found
