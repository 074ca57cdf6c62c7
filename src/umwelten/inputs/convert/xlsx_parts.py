"""Readings of the large parts of a workbook: the rows of a sheet, and the texts that cells share."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from umwelten.inputs.convert.xml_reading import Reading, check_depth

MAX_COLUMNS = 16_384
"""Excel's own limit; a cell beyond it means a damaged file."""

TRUE = ("1", "true")

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CELL = re.compile(r"([A-Z]{1,3})\d+")

Value = Callable[[dict[str, str], str | None, str | None], str]
"""Returns what a cell shows, of its attributes, its stored value and its formula."""


class Strings(Reading):
    """The texts that cells share, in order. Cells show them without white space around them."""

    def __init__(self) -> None:
        super().__init__("si")
        self.found: list[str] = []
        self._runs = _Runs(self.texts)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a text, or a part of it."""
        self._runs.begin(self.local[name])

    def end(self, name: str) -> None:
        """End it."""
        if self._runs.end():
            self.found.append(self._runs.take().strip())
            self.leave()


class Rows(Reading):
    """The rows of a sheet, in order: the `value` of each cell. Whoever reads them empties `found`."""

    def __init__(self, value: Value) -> None:
        super().__init__("row", "col")
        self.found: list[list[str]] = []
        self.has_hidden = False
        """Whether a row or a column is hidden."""
        self._value = value
        self._shared: dict[str, str] = {}  # formulas that several cells have, by their number
        self._depth = 0  # 1 in a row, 2 in a cell, 3 in a part of it
        self._row: list[str] = []
        self._cell: dict[str, str] | None = None  # its attributes
        self._stored: str | None = None
        self._formula: str | None = None
        self._part: dict[str, str] = {}  # its attributes
        self._text: str | None = None  # that of the part, if another element follows it
        self._runs: _Runs | None = None  # of a text that the cell itself has
        self._has_runs = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a row, a cell, or something in it."""
        self._depth = depth = self._depth + 1
        if depth == 3:
            self._part, self._text = attributes, None
            self.texts.clear()
        elif depth == 2:
            self._cell = attributes if self.local[name] == "c" else None
            self._stored = self._formula = None
            self._runs = _Runs(self.texts) if attributes.get("t") == "inlineStr" else None
            self._has_runs = False
        elif depth == 1:
            self._row = []
            self.has_hidden = self.has_hidden or attributes.get("hidden") in TRUE
        else:
            check_depth(depth)
            if self._text is None:
                self._text = "".join(self.texts)
        if self._runs is not None:
            self._runs.begin(self.local[name])

    def end(self, name: str) -> None:
        """End it."""
        depth, self._depth = self._depth, self._depth - 1
        if self._runs is not None:
            self._runs.end()
        if depth == 3:
            self._end_part(self.local[name])
        elif depth == 2:
            if self._cell is not None:
                self._end_cell(self._cell)
            self._runs = None
        elif depth == 1:
            if self.local[name] == "row":
                self.found.append(self._row)
            self.leave()

    def _end_part(self, local: str) -> None:
        if local == "v":
            self._stored = "".join(self.texts) if self._text is None else self._text
        elif local == "f":
            self._formula = self._read_formula("".join(self.texts) if self._text is None else self._text)
        elif local == "is":
            self._has_runs = True

    def _end_cell(self, cell: dict[str, str]) -> None:
        row = self._row
        column = _column(cell.get("r", ""), len(row))
        if self._runs is not None and self._has_runs:
            value = self._runs.take().strip()
        else:
            value = self._value(cell, self._stored, self._formula)
        if column == len(row):
            row.append(value)
        else:
            row += [""] * (column - len(row))
            row[column:] = [value]

    def _read_formula(self, written: str) -> str:
        """Return a formula as `=A1+A2`."""
        text = f"={written}" if written else ""
        number = self._part.get("si", "")
        if number and text:
            self._shared[number] = f"{text} as in {self._part.get('ref', '').partition(':')[0]}".strip()
        return text or self._shared.get(number, "")


class _Runs:
    """The runs of a text, without the phonetic guides of East Asian text."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts  # what has been read, since it was emptied
        self._depth = 0
        self._deepest = 1  # of the elements that are open, these hold runs
        self._run = 0  # the depth of a run that is open
        self._text: str | None = None  # that of the run, if an element follows it
        self._found: list[str] = []

    def begin(self, local: str) -> None:
        """Begin the text, or an element in it."""
        self._depth = depth = self._depth + 1
        check_depth(depth)
        if self._run:
            if self._text is None:
                self._text = "".join(self._texts)
        elif depth == self._deepest + 1:
            if local == "t":
                self._run, self._text = depth, None
                self._texts.clear()
            elif local in ("r", "is"):
                self._deepest = depth

    def end(self) -> bool:
        """End an element, and return whether it was the text."""
        depth, self._depth = self._depth, self._depth - 1
        if self._run == depth:
            self._run = 0
            self._found.append(unescaped("".join(self._texts) if self._text is None else self._text))
        elif self._deepest == depth > 1:
            self._deepest -= 1
        return depth == 1

    def take(self) -> str:
        """Return the text so far, and forget it."""
        text = "".join(self._found)
        self._found.clear()
        return text


def unescaped(text: str) -> str:
    """Return a text with its control characters, which XML can't hold and are written as `_x000D_`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _column(reference: str, following: int) -> int:
    """Return a cell's column: 2 for `C7`; `following` if it has no reference."""
    match = _CELL.match(reference)
    if match is None:
        return following
    column = _column_of(match[1])
    if column > MAX_COLUMNS or column <= following - 1:
        raise ValueError(reference)
    return column - 1


@lru_cache(maxsize=MAX_COLUMNS)
def _column_of(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return column
