"""Answers of an earlier evaluation as inputs of a new one.

Those count that its report counts: of its latest files, models and repeats, about the files' bytes of then.
Failed and pending calls have no answer and are left out. Its database is only read, in small windows, so a
run that is still at work on it is not held up. An answer's part is `answer CALL`, its stamp a hash of its
text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from umwelten.errors import InputError, StoreError
from umwelten.identity import content_hash
from umwelten.inputs.content import Content, framed
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.filters import ANY_PATH, JSON, Compared, Predicate, comparisons, parse_where, path_value
from umwelten.phrases import Phrase
from umwelten.store.database import database, store_errors
from umwelten.store.inputs import has_input
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredCall, answer_text, stored_answers
from umwelten.store.variants import first_variant
from umwelten.text.suggestions import closest, did_you_mean, did_you_mean_clause
from umwelten.types import NANO, FoundInput, Text

_NAMES = ("model", "provider", "prompt", "file")
_SHOWN = 10
_LOOKED_AT = 1_000
PART = "answer "

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
_REPEAT_END = re.compile(r"\.r[0-9]+\Z", re.IGNORECASE)


class _Fields(Mapping[str, object]):
    """The fields of one answer. Its JSON is decoded when a filter asks for it."""

    def __init__(self, call: StoredCall) -> None:
        self._call, self._text = call, call.text or ""
        self._data: object = None
        self._decoded = False

    def __getitem__(self, name: str) -> object:
        if name.startswith(JSON):
            return path_value(self._json(), name.removeprefix(JSON))
        match name:
            case "status":
                return "succeeded"
            case "answer":
                return self._text
            case "length":
                return len(self._text)
            case "cost_usd":
                return None if self._call.cost_nusd is None else self._call.cost_nusd / NANO
        if name not in FIELDS:
            raise KeyError(name)
        value: object = getattr(self._call, name)
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
                self._data = json.loads(self._call.data or self._text)
            except (ValueError, RecursionError):
                self._data = None
        return self._data


def answers(folder: Path, *, where: str | None = None, most: int | None = None) -> Iterator[FoundInput]:
    """Yield the answers of the evaluation in that folder which fit the filter, by file, model and repeat.

    Names are those of its inputs, with `.<slug>` for all models and prompts but the first it ever had, and
    `.rN` for a repeat from 2 on: what is added to it later renames none. `most`: the first so many. Errors:
    `InputError` at once when there is no such evaluation, later when no answer fits; `UsageError` at once
    for a broken filter.
    """
    fits = parse_where(where, FIELDS, numbers=_NUMBERS) if where is not None else None
    if not database(folder).is_file():
        near = _nearest(folder)
        raise InputError(
            f"there is no evaluation {folder.name!r} in {folder.parent}",
            did_you_mean(near, "{!r}") or "umwelten eval list shows those there are.",
            argument="from_",
        )
    with _reading(folder):
        return islice(_fitting(folder, fits, where or ""), most)


def read_answer(path: str | Path, *, name: str, part: str, stamp: str = "") -> Content:
    """Read an answer to be sent, framed like a text file; also as `answer`, with its file's name and path.

    `stamp` is that of `answers`, empty to not compare. Errors: `InputError` when it is no longer there.
    """
    folder, number = Path(path).parent, int(part.removeprefix(PART))
    with _input_errors():
        answer = answer_text(folder, number)
    if answer is None:
        raise InputError(f"the answer {name!r} is no longer in {path}", Phrase("Go on with {option:resume}."))
    return Content(
        digest=content_hash(answer.text.encode()),
        parts=(Text(text=framed(answer.text, name)),),
        changed=stamp not in ("", _stamp(answer.text)),
        values={"answer": answer.text, "file.name": answer.file or "", "file.path": answer.path},
    )


def _fitting(folder: Path, fits: Predicate | None, where: str) -> Iterator[FoundInput]:
    seen, some = 0, False
    path = str(database(folder))
    with _reading(folder) as reader:
        name = _namer(reader)
        for call in stored_answers(reader):
            seen += 1
            if fits is None or fits(_Fields(call)):
                some = True
                yield _scanned(call, name(call), path)
    if not some:
        raise _nothing(folder, seen, where)


def _scanned(call: StoredCall, name: str, path: str) -> FoundInput:
    text = call.text or ""
    return FoundInput(name=name, path=path, size=len(text.encode()), stamp=_stamp(text), part=_part(call))


def _part(call: StoredCall) -> str:
    return f"{PART}{call.id}"


def _stamp(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _nothing(folder: Path, seen: int, where: str) -> InputError:
    if seen == 0:
        return InputError(f"evaluation {folder.name!r} has no answers", "Failed and pending calls have none.")
    return InputError(
        Phrase(
            "none of the {seen:,} answers of evaluation {name!r} fits {option:where={where}}",
            seen=seen,
            name=folder.name,
            where=where,
        ),
        _meant(folder, where),
        argument="where",
    )


def _meant(folder: Path, where: str) -> str | None:
    """Hints for a filter that nothing fits: what the fields that it compares hold."""
    compared = comparisons(where)
    hints = []
    if any(one.field == "status" for one in compared):
        hints.append("Failed and pending calls have no answer, so only status=succeeded can fit.")
    with _reading(folder) as reader:
        # A thousand show what there is; reading all again would take long.
        rows = [_Fields(call) for call in islice(stored_answers(reader), _LOOKED_AT)]
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


def _namer(reader: Reader) -> Callable[[StoredCall], str]:
    # The first keeps the bare names, in the plan or not: a name that changed would be asked about anew.
    first = first_variant(reader.connection)

    def name(call: StoredCall) -> str:
        parts = (call.file, None if call.file and call.model_id == first else call.slug)
        base = ".".join(part for part in parts if part)
        # A file may be called like a repeat of another one, or like another one with its model.
        base += "_" if _REPEAT_END.search(base) else ""
        while base != call.file and has_input(reader.connection, base):
            base += f"-{_stamp(_part(call))}"
        return base if call.repeat == 1 else f"{base}.r{call.repeat}"

    return name


def _nearest(folder: Path) -> str | None:
    """The closest name of a folder that does hold an evaluation."""
    sibling = nearest_name(folder)
    return sibling.name if sibling is not None and database(sibling).is_file() else None


# --- the database ----------------------------------------------------------------------------


@contextmanager
def _reading(folder: Path) -> Iterator[Reader]:
    """The evaluation, to be read. Whatever is wrong with it comes out as `InputError`."""
    with _input_errors(), Reader.open(folder) as reader, store_errors(folder):
        yield reader


@contextmanager
def _input_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise InputError(error.wording, error.hint_wording, argument=error.argument) from error
