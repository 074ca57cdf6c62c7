"""Values and small stores for the tests of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from umwelten.identity import content_hash
from umwelten.records import AttemptRecord, CallRecord, StoredSpec
from umwelten.store.database import APPLICATION_ID
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS
from umwelten.types import (
    Call,
    Failure,
    FailureKind,
    FinishReason,
    FoundInput,
    ModelRef,
    Outcome,
    Prompt,
    Reply,
    RequestSettings,
    Timing,
    Usage,
)

A, B, C = ModelRef("google", "gemini"), ModelRef("ollama", "gemma3:12b"), ModelRef("openai", "gpt/4o")
BROKEN = Failure(kind=FailureKind.SERVER, message="it broke", status=500)


def spec(
    *models: ModelRef,
    kind: str = "batch",
    prompt: str = "Describe it.",
    prompts: tuple[Prompt, ...] = (),
    repeats: int = 1,
    coerce: bool = False,
    **request: object,
) -> StoredSpec:
    settings = RequestSettings(prompts=prompts or (Prompt(name="", text=prompt),), **request)  # type: ignore[arg-type]
    return StoredSpec(
        id="x", kind=kind, models=models or (A,), request=settings, repeats=repeats, coerce=coerce
    )


def files(*names: str, stamp: str = "1", folder: str = "/in") -> list[FoundInput]:
    return [FoundInput(name=name, path=f"{folder}/{name}", size=3, stamp=stamp) for name in names]


def never(path: str, *_: str) -> bytes:
    raise AssertionError(f"{path} was read")


def reply(text: str = "An answer.") -> Reply:
    return Reply(
        text=text,
        finish_reason=FinishReason.STOP,
        usage=Usage(input_tokens=7, output_tokens=2),
        request_id="r",
    )


def records(
    call: Call, outcome: Outcome, content: bytes = b"", cost: int | None = 5
) -> tuple[AttemptRecord, CallRecord]:
    timing = Timing(started_at=1000.0, latency_s=0.5, ttft_s=0.1)
    attempt = AttemptRecord(call=call, number=1, outcome=outcome, timing=timing, cost_nusd=cost)
    ended = CallRecord(
        call=call,
        key=f"u1:{call.id}",
        content=content_hash(content),
        outcome=outcome,
        timing=timing,
        attempts=1,
        time_s=0.5,
        cost_nusd=cost,
    )
    return attempt, ended


def record(store: Store, pairs: Iterable[tuple[Call, Outcome]], content: bytes = b"") -> None:
    """A whole run in which these calls end so."""
    store.start_run({})
    for call, outcome in pairs:
        for value in records(call, outcome, content):
            store.submit(value)
    store.end_run("complete", None, 1)
    assert store.error is None


def answer_all(store: Store, content: bytes = b"") -> list[Call]:
    """A whole run in which every pending call succeeds with a text that names it."""
    calls = [call for model in store.models for call in store.lease(model, 10_000)]
    record(store, [(call, reply(f"answer {call.id}")) for call in calls], content)
    return calls


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        return connection.execute(sql).fetchall()


def texts(folder: Path) -> set[str]:
    """All files that are not the store's own."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith("evaluation.")}


def repair(store: Store) -> int:
    """How many text files a run without calls writes again."""

    def stamps() -> set[tuple[str, int]]:
        return {(name, (store.folder / name).stat().st_mtime_ns) for name in texts(store.folder)}

    before = stamps()
    store.start_run({})
    store.end_run("complete", None, 0)
    return len({name for name, _ in stamps() - before if name.endswith(".txt")})


def downgrade(folder: Path, version: int) -> None:
    """Make the evaluation one as an earlier umwelten left it: its tables, and what they can hold."""
    path = folder / "evaluation.db"
    path.rename(path.with_suffix(".new"))
    with closing(sqlite3.connect(path)) as connection:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute("ATTACH ? AS new", (str(path.with_suffix(".new")),))
        tables = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall()
        for (table,) in tables:
            find = "SELECT name FROM pragma_table_info(?, ?)"
            ours, theirs = (
                {name for (name,) in connection.execute(find, (table, schema))} for schema in ("main", "new")
            )
            columns = ", ".join(f'"{name}"' for name in sorted(ours & theirs))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.execute(f"PRAGMA main.application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA main.user_version = {version}")
        connection.commit()
        connection.execute("DETACH new")
    path.with_suffix(".new").unlink()
