"""Rows that a program gives, as inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from umwelten.errors import UsageError
from umwelten.inputs.given.kept_rows import RowFile
from umwelten.inputs.given.values import encode_row, row_values
from umwelten.inputs.given.walk import GivenData
from umwelten.inputs.tables import json_values
from umwelten.inputs.tables.row_names import Labels
from umwelten.inputs.tables.rows import PART, row_stamp
from umwelten.phrases import Phrase
from umwelten.text.names import alike, value_of
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FoundInput

_SAMPLED = 100
"""Rows whose columns are known before the first call, as of a table on disk."""


class GivenRows:
    """The rows, and their `columns`: of the first hundred, or of as many as have those that prompts name.

    Of an iterator no more is taken than that takes, as nobody knows how long it needs.
    Raises `UsageError` for what is no row or has a value that can't be sent, and where there are none.
    """

    def __init__(
        self, given: GivenData, *, wanted: Collection[str], name_column: str | None, most: int | None
    ) -> None:
        self._items = islice(given.items(), most)
        ahead: list[dict[str, Any]] = []
        columns: dict[str, None] = {}
        needed = [name for name in wanted if name] + ([name_column] if name_column else [])
        while len(ahead) < _SAMPLED and (
            given.is_at_hand or not ahead or not all(alike(name, tuple(columns)) for name in needed)
        ):
            item = next(self._items, None)
            if item is None:
                break
            ahead.append(row_values(item, len(ahead) + 1))
            columns.update(dict.fromkeys(ahead[-1]))
        if not ahead:
            raise UsageError(
                Phrase("{option:rows} is empty"), "An iterator can be used only once.", argument="rows"
            )
        self.columns = tuple(columns)
        self._ahead = ahead
        self._name_column = None if name_column is None else self._find(name_column)
        for number, row in enumerate(ahead, 1):
            encode_row(row, number)  # what is wrong with these is told before anything starts

    def keep(self, folder: Path) -> Iterator[FoundInput]:
        """Yield the rows as inputs; each is in the evaluation's folder before it is yielded. Once."""
        labels = None if self._name_column is None else Labels()
        file = RowFile(folder.absolute())
        try:
            for number, row in enumerate(self._rows(), 1):
                record = encode_row(row, number)
                offset = file.add(record)
                name = f"row-{number}"
                if labels is not None and self._name_column is not None:
                    value = value_of(self._name_column, row, None)
                    name = labels.unique(json_values.as_text(value), number)
                yield FoundInput(
                    name=name,
                    path=str(file.path),
                    size=len(record),
                    stamp=row_stamp(record),
                    part=f"{PART}{number} {offset} {len(record)} {number}",
                )
            file.end()
        finally:
            file.close()

    def _rows(self) -> Iterator[dict[str, Any]]:
        known = len(self._ahead)
        while self._ahead:
            yield self._ahead.pop(0)
        for number, item in enumerate(self._items, known + 1):
            yield row_values(item, number)

    def _find(self, name: str) -> str:
        found = alike(name, self.columns)
        if len(found) != 1:
            raise UsageError(
                Phrase(
                    "{option:rows} have no column {name!r}; they have {columns}",
                    name=name,
                    columns=", ".join(self.columns[:40]),
                ),
                did_you_mean(closest(name, self.columns, ignore_case=True), "{!r}") or None,
                argument="row_name",
            )
        return found[0]
