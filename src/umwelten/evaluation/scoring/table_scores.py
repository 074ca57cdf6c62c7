"""Scores that people or another tool gave, read from a table: a scorer of type `table`."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Self

from umwelten.errors import InputError
from umwelten.inputs.tables.json_values import as_text
from umwelten.inputs.tables.row_names import find_column
from umwelten.inputs.tables.rows import columns, read_rows
from umwelten.scoring.definition import Definition
from umwelten.scoring.score import Result, Score, Unscored
from umwelten.text.names import alike
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct
from umwelten.user_folders import expand_home

_KEYS = ("file", "model", "prompt", "repeat")
_WORDS = {"pass": 1.0, "true": 1.0, "yes": 1.0, "fail": 0.0, "false": 0.0, "no": 0.0}
_ALLOWED = "A value is a number from 0 to 1, or one of pass, fail, true, false, yes, no; empty: not scored."
_SHOWN = 3

_Key = tuple[str, str, str, str]
_ReadCell = Callable[[str, str], tuple[float | None, bool | None]]
ReadLabel = Callable[[str, str], float]
"""Returns the value of a cell in the column of that name. Errors: `ValueError`."""


class AnswerName(FrozenStruct):
    """What a row may name an answer by."""

    file: str
    model: str
    prompt: str = ""
    repeat: int = 1


class _Row(FrozenStruct):
    """`value` is `None` where the cell is empty; `passed` where it is a number."""

    place: str
    value: float | None
    passed: bool | None
    reason: str | None


class TableScores:
    """The scores of a table. Relative paths are meant from `base`.

    The column `file` must be there; `model`, `prompt` and `repeat` tell answers apart as far as they are
    there, and an empty cell stands for all. The more a row names, the more it counts. Errors: `InputError`
    for a table without the columns, a value that is none, and two rows about the same, which names both.
    """

    def __init__(self, definition: Definition, base: Path = Path()) -> None:
        self._open_table(definition, base / expand_home(Path(definition.settings["value"])), _value)
        value = find_column(definition.settings.get("column", "value"), columns(self._path), self._path)
        self._load(value)

    @classmethod
    def of_labels(cls, definition: Definition, path: Path, read: ReadLabel) -> Self:
        """Return what people said of the answers that a judge scores.

        `read` gives the value of a cell, by the column's name: `value`, else `label`. Raises `ValueError`.
        """

        def reading(text: str, place: str) -> tuple[float | None, bool | None]:
            if not text.strip():
                return None, None
            try:
                return read(column, text.strip()), None
            except ValueError as error:
                raise InputError(f"{place}: the {column} {error}") from None

        made = cls.__new__(cls)
        made._open_table(definition, path, reading)
        known = columns(path)
        column = next((name for name in ("value", "label") if _column(name, known)), "value")
        made._load(find_column(column, known, path))
        return made

    def _open_table(self, definition: Definition, path: Path, read_cell: _ReadCell) -> None:
        self.definition, self._path, self._read_cell = definition, path, read_cell

    def _load(self, value: str) -> None:
        known = columns(self._path)
        keys = [_column(name, known) for name in _KEYS]
        if keys[0] is None:
            raise InputError(f"{self._path} has no column 'file'; it has {', '.join(known[:40])}", _HINT)
        self._rows = self._read(keys, value, _column("reason", known))
        # Of four columns, those that some row leaves empty or the table lacks: 2 ** of them are looked up.
        self._open = [at for at in range(len(_KEYS)) if any(not key[at] for key in self._rows)]

    @property
    def digest(self) -> str:
        """The scorer's digest. What the table holds counts by `reference`, a row at a time."""
        return self.definition.digest

    def score(self, name: AnswerName) -> Result:
        """Return the score of an answer: `no_reference` where the table has none."""
        row = self._find(name)
        if row is None or row.value is None:
            what = "no row of the table is about it" if row is None else f"{row.place}: no value"
            return Unscored(kind="no_reference", message=what)
        least = self.definition.at_least
        return Score(
            value=row.value,
            passed=row.passed if least is None else row.value >= least,
            reason=row.reason,
        )

    def reference(self, name: AnswerName) -> Mapping[str, Any]:
        """Return what the score of an answer depends on: its row's value and reason, empty without one."""
        row = self._find(name)
        return {} if row is None else {"value": row.value, "passed": row.passed, "reason": row.reason}

    def check(self, answers: Iterable[AnswerName]) -> Iterator[str]:
        """Yield notes on rows that are about no answer. Errors: `InputError` if all are."""
        seen: set[_Key] = set()
        names: dict[str, None] = {}
        models: set[str] = set()
        count = 0
        for answer in answers:
            count += 1
            seen.update(self._keys_of(answer))
            models.add(_plain(answer.model))
            if len(names) < _SHOWN:
                names[_described(answer)] = None
        unused = [key for key in self._rows if key not in seen]
        if unused and len(unused) == len(self._rows):
            raise InputError(
                f"no row of {self._path} is about an answer of the evaluation",
                f"It has {_some(map(_shown, unused), len(unused))}; the answers are {_some(names, count)}.",
            )
        strangers = {key[1]: None for key in unused if key[1] and key[1] not in models}
        for model in list(strangers)[:_SHOWN]:
            near = did_you_mean(closest(model, models))
            yield sentences(f"{self._path.name}: no answer is by model {model}.", near) or ""
        if unused:
            share = f"{len(unused):,} of {len(self._rows):,} rows are about no answer"
            yield f"{self._path.name}: {share}: {_some(map(_shown, unused), len(unused))}"

    def _find(self, name: AnswerName) -> _Row | None:
        for key in self._keys_of(name):
            if (row := self._rows.get(key)) is not None:
                return row
        return None

    def _keys_of(self, name: AnswerName) -> Iterator[_Key]:
        """Yield what a row may name the answer by, most first."""
        full = (_plain(name.file), _plain(name.model), _plain(name.prompt), str(name.repeat))
        for left_out in range(1 << len(self._open)):
            # The file is never left out: no row lacks it.
            hidden = {at for bit, at in enumerate(reversed(self._open)) if left_out >> bit & 1}
            file, model, prompt, repeat = ("" if at in hidden else full[at] for at in range(len(full)))
            yield file, model, prompt, repeat

    def _read(self, keys: list[str | None], value: str, reason: str | None) -> dict[_Key, _Row]:
        found: dict[_Key, _Row] = {}
        for place, row in read_rows(self._path):
            cells = ["" if column is None else _plain(as_text(row.get(column))) for column in keys]
            if not cells[0]:
                raise InputError(f"{place}: the column 'file' is empty", _HINT)
            file, model, prompt, repeat = cells
            key = (file, model, prompt, repeat.removesuffix(".0"))
            if key in found:
                raise InputError(
                    f"{place}: there is a score of {_shown(key)} already, in {found[key].place}",
                    "Remove one of them.",
                )
            number, passed = self._read_cell(as_text(row.get(value)), place)
            said = None if reason is None else as_text(row.get(reason)).strip() or None
            found[key] = _Row(place=place, value=number, passed=passed, reason=said)
        if not found:
            raise InputError(f"{self._path} has no rows")
        return found


_HINT = "It must name the inputs that answers are about."


def _column(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(alike(name, known)), None)


def _plain(text: str) -> str:
    # Names of files come from disks that compose letters in one way or the other.
    return unicodedata.normalize("NFC", text).strip()


def _value(text: str, place: str) -> tuple[float | None, bool | None]:
    word = text.strip().casefold()
    if not word or word == "nan":  # an empty cell of a data frame
        return None, None
    if word in _WORDS:
        return _WORDS[word], _WORDS[word] == 1
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise InputError(f"{place}: {text.strip()[:80]!r} is no score", _ALLOWED)
    return number, None


def _described(name: AnswerName) -> str:
    return f"{name.file} ({name.model})"


def _shown(key: _Key) -> str:
    more = ", ".join(part for part in key[1:] if part)
    return f"{key[0]} ({more})" if more else key[0]


def _some(names: Iterable[str], count: int) -> str:
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return ", ".join(map(repr, islice(names, _SHOWN))) + more
