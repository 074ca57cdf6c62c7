"""Answers of an earlier evaluation as inputs of a new one.

Those count that its report counts: of its latest files, models and repeats, about the files' bytes of then.
Failed and pending calls have no answer and are left out. Its database is only read, in small windows, so a
run that is still at work on it is not held up. An answer's part is `answer CALL`, its stamp a hash of its
text.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs.content import Content, framed
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.filters import ANY_PATH, JSON, Compared, Predicate, comparisons, parse_where, path_value
from umwelten.phrases import Phrase
from umwelten.text.suggestions import closest, did_you_mean, did_you_mean_clause
from umwelten.types import FoundInput, Text

_NAMES = ("model", "provider", "prompt", "file")
_SHOWN = 10
_LOOKED_AT = 1_000
PART = "answer "
DATABASE = "evaluation.db"

FIELDS = (
    "status",
    "model",
    "provider",
    "file",
    "prompt",
    "repeat",
    "finish_reason",
    "attempts",
    "response_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "answer",
    "length",
    ANY_PATH,
)
"""What `--where` may name. `length` counts characters; `json.…` is inside the answer's record, or inside the
answer itself where that is JSON."""

_NUMBERS = (
    "repeat",
    "attempts",
    "response_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "length",
)
_WINDOW = 500
_APPLICATION = 0x756D7774
_WITH_DATA = 3
"""The version of the schema from which on answers have records, and models prompts."""

# As in a report: CROSS JOIN keeps SQLite from sorting what is in order already.
_CURRENT = """FROM calls c
    CROSS JOIN models m ON m.id = c.model_id AND m.active
    CROSS JOIN inputs i ON i.id = c.input_id AND i.active
    CROSS JOIN answers a ON a.call_id = c.id
    WHERE c.status = 1 AND c.input_version = i.version AND c.repeat <= (SELECT repeats FROM evaluation)"""
_REPEAT_END = re.compile(r"\.r[0-9]+\Z", re.IGNORECASE)


class _Fields(Mapping[str, object]):
    """The fields of one answer. Its JSON is decoded when a filter asks for it."""

    def __init__(self, row: sqlite3.Row) -> None:
        self._row = row
        self._data: object = None
        self._decoded = False

    def __getitem__(self, name: str) -> object:
        if name.startswith(JSON):
            return path_value(self._json(), name.removeprefix(JSON))
        if name == "length":
            return len(self._row["answer"])
        if name not in FIELDS:
            raise KeyError(name)
        value: object = self._row[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(name for name in FIELDS if name != ANY_PATH)

    def __len__(self) -> int:
        return len(FIELDS) - 1

    def keys_of_record(self) -> Iterable[str]:
        """The names at the top of its JSON."""
        data = self._json()
        return data.keys() if isinstance(data, dict) else ()

    def _json(self) -> object:
        if not self._decoded:
            self._decoded = True
            try:
                self._data = json.loads(self._row["data"] or self._row["answer"])
            except (ValueError, RecursionError):
                self._data = None
        return self._data


def answers(folder: Path, *, where: str | None = None, most: int | None = None) -> Iterator[FoundInput]:
    """The answers of the evaluation in that folder which fit the filter, by file, model and repeat.

    Names are those of its inputs, with `.<slug>` for all models and prompts but the first it ever had, and
    `.rN` for a repeat from 2 on: what is added to it later renames none. `most`: the first so many. Errors:
    `InputError` at once when there is no such evaluation, later when no answer fits; `UsageError` at once
    for a broken filter.
    """
    fits = parse_where(where, FIELDS, numbers=_NUMBERS) if where is not None else None
    path = folder / DATABASE
    if not path.is_file():
        near = _nearest(folder)
        raise InputError(
            f"there is no evaluation {folder.name!r} in {folder.parent}",
            did_you_mean(near, "{!r}") or "umwelten eval list shows those there are.",
            argument="from",
        )
    with _reading(path):
        return islice(_fitting(path, fits, where or ""), most)


def read_answer(path: str | Path, *, name: str, part: str, stamp: str = "") -> Content:
    """An answer to be sent, framed like a text file; also as `answer`, with its file's name and path.

    `stamp` is that of `answers`, empty to not compare. Errors: `InputError` when it is no longer there.
    """
    number = int(part.removeprefix(PART))
    with _reading(Path(path)) as connection:
        row = connection.execute(
            f"SELECT {_columns(connection)} {_CURRENT} AND c.id = ?", (number,)
        ).fetchone()
    if row is None:
        raise InputError(f"the answer {name!r} is no longer in {path}", Phrase("Go on with {option:resume}."))
    text: str = row["answer"]
    return Content(
        digest=content_hash(text.encode()),
        parts=(Text(text=framed(text, name)),),
        changed=stamp not in ("", _stamp(text)),
        values={"answer": text, "file.name": row["file"] or "", "file.path": row["path"]},
    )


def _fitting(path: Path, fits: Predicate | None, where: str) -> Iterator[FoundInput]:
    seen, found = 0, False
    with _reading(path) as connection:
        name = _namer(connection)
        for row in _rows(connection):
            seen += 1
            if fits is None or fits(_Fields(row)):
                found = True
                yield _scanned(row, name(row), path)
    if not found:
        raise _nothing(path, seen, where)


def _scanned(row: sqlite3.Row, name: str, path: Path) -> FoundInput:
    text: str = row["answer"]
    return FoundInput(name=name, path=str(path), size=len(text.encode()), stamp=_stamp(text), part=_part(row))


def _part(row: sqlite3.Row) -> str:
    return f"{PART}{row['id']}"


def _stamp(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _nothing(path: Path, seen: int, where: str) -> InputError:
    name = path.parent.name
    if seen == 0:
        return InputError(f"evaluation {name!r} has no answers", "Failed and pending calls have none.")
    return InputError(
        Phrase(
            "none of the {seen:,} answers of evaluation {name!r} fits {option:where={where}}",
            seen=seen,
            name=name,
            where=where,
        ),
        _meant(path, where),
        argument="where",
    )


def _meant(path: Path, where: str) -> str | None:
    """Hints for a filter that nothing fits: what the fields that it compares hold."""
    compared = comparisons(where)
    hints = []
    if any(one.field == "status" for one in compared):
        hints.append("Failed and pending calls have no answer, so only status=succeeded can fit.")
    with _reading(path) as connection:
        # A thousand show what there is; reading all again would take long.
        rows = [_Fields(row) for row in islice(_rows(connection), _LOOKED_AT)]
    hints += [hint for one in compared if one.field in _NAMES and (hint := _other_names(one, rows))]
    paths = [one.field for one in compared if one.field.startswith(JSON)]
    hints += [hint for path in paths if (hint := _other_paths(path, rows))]
    return "\n".join(dict.fromkeys(hints)) or None


def _other_names(one: Compared, rows: list[_Fields]) -> str | None:
    there = list(dict.fromkeys(str(row[one.field]) for row in rows if row[one.field] is not None))
    if one.sign not in ("=", "==", "in") or not there or any(value in there for value in one.values):
        return None
    return f"{one.field}s there: {_first(there)}"


def _other_paths(path: str, rows: list[_Fields]) -> str | None:
    if any(row.get(path) is not None for row in rows):
        return None
    keys = dict.fromkeys(key for row in rows for key in row.keys_of_record())
    if not keys:
        return "The answers there are no records: json.… is nowhere."
    first = path.removeprefix(JSON).partition(".")[0]
    name = None if first in keys else closest(first, keys)
    return f"The records have {_first(list(keys))}{did_you_mean_clause(name, 'json.{}') or '.'}"


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _namer(connection: sqlite3.Connection) -> Callable[[sqlite3.Row], str]:
    # The first keeps the bare names, in the plan or not: a name that changed would be asked about anew.
    first = connection.execute("SELECT min(id) FROM models").fetchone()[0]

    def taken(name: str) -> bool:
        return connection.execute("SELECT 1 FROM inputs WHERE name = ?", (name,)).fetchone() is not None

    def name(row: sqlite3.Row) -> str:
        parts = (row["file"], None if row["file"] and row["model_id"] == first else row["slug"])
        base = ".".join(part for part in parts if part)
        # A file may be called like a repeat of another one, or like another one with its model.
        base += "_" if _REPEAT_END.search(base) else ""
        while base != row["file"] and taken(base):
            base += f"-{_stamp(_part(row))}"
        return base if row["repeat"] == 1 else f"{base}.r{row['repeat']}"

    return name


def _nearest(folder: Path) -> str | None:
    """The closest name of a folder that does hold an evaluation."""
    found = nearest_name(folder)
    return found.name if found is not None and (found / DATABASE).is_file() else None


# --- the database ----------------------------------------------------------------------------


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, read only. Whatever is wrong with it comes out as `InputError`."""
    try:
        with closing(_open(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri() + "?mode=ro"
    try:
        return _checked(_connect(address), path)
    except sqlite3.OperationalError:
        # A folder that can't be written to has no place for the index of the journal; without a journal
        # the file itself has everything.
        journal = path.with_name(path.name + "-wal")
        if journal.exists() and journal.stat().st_size:
            raise
        return _checked(_connect(address + "&immutable=1"), path)


def _connect(address: str) -> sqlite3.Connection:
    # Answers may be asked for by one thread after the other.
    connection = sqlite3.connect(
        address, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != _APPLICATION or not _version(connection):
            raise InputError(f"{path} is not an evaluation of umwelten, or one that was never started")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    """The answers in windows: a statement that stays open would keep the journal of a run from being cut."""
    query = f"SELECT {_columns(connection)} {_CURRENT} AND c.id > ? ORDER BY c.id LIMIT {_WINDOW}"
    last = -1
    while found := connection.execute(query, (last,)).fetchall():
        yield from found
        last = found[-1]["id"]


def _columns(connection: sqlite3.Connection) -> str:
    latest = _version(connection) >= _WITH_DATA
    prompt = "(SELECT p.name FROM prompts p WHERE p.id = m.prompt_id)" if latest else "NULL"
    return f"""c.id, c.model_id, c.repeat, m.slug, i.path, nullif(i.name, '') AS file, 'succeeded' AS status,
        m.name AS model, m.provider, c.finish_reason, c.attempts, c.response_s, c.input_tokens,
        c.output_tokens, c.cost_nusd / 1e9 AS cost_usd, a.text AS answer,
        {"a.data" if latest else "NULL"} AS data, {prompt} AS prompt"""
