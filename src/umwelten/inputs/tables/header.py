"""Names for the columns of a csv file whose header lacks some, or has one twice.

`,a,b` is what pandas writes with its index; R writes row names without a header of their own; spreadsheets
add empty columns. A column without a name is called by its position, `column_1`; of two with one name, the
second is `a_2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from umwelten.text.names import folded

_SHOWN = 5
_FEWEST = 2
"""Rows, all of them with one value more than the header, that make its first column row names: a single one
may as well hold a delimiter that should have been quoted."""


class Header(NamedTuple):
    """The columns' names, each once, and what was done to the header to get them, "" if nothing."""

    columns: tuple[str, ...]
    note: str


def name_columns(found: Sequence[str], sample: Sequence[Sequence[str]]) -> Header:
    """Return the columns of a header. `sample` are the values of the first rows."""
    names, notes = [name.strip() for name in found], list[str]()
    if _has_row_names(len(names), sample):
        names.insert(0, "")
        notes.append("its rows have one value more than its header, so the first are row names")
    else:
        names = names[: _width(names, sample)]
    columns, changed = _unique(names)
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        notes.append(", ".join(changed[:_SHOWN]) + more)
    return Header(columns, "; ".join(notes))


def _has_row_names(width: int, sample: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows have one value more, and it looks like R's: first, not empty, not twice.

    A last value that is empty everywhere is a delimiter at the end of each line.
    """
    firsts = {row[0] for row in sample if len(row) == width + 1 and row[0].strip()}
    return (
        len(firsts) == len(sample) >= _FEWEST
        and any(row[-1] for row in sample)
        # A blank after the delimiter: words with a comma, not values.
        and not any(value.startswith(" ") for row in sample for value in row)
    )


def _width(names: Sequence[str], sample: Sequence[Sequence[str]]) -> int:
    """Return how many columns there are without those at the end that have neither name nor values."""
    filled = max((at for row in sample for at, value in enumerate(row, 1) if value.strip()), default=0)
    named = max((at for at, name in enumerate(names, 1) if folded(name)), default=1)
    return max(named, min(filled, len(names)))


def _unique(names: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names, each once, and what was done to the others. A name that is in the file is kept."""
    names = list(names)
    given = {name for name in names if folded(name)}
    columns: dict[str, None] = {}
    numbers: dict[str, int] = {}
    changed = []
    for position, name in enumerate(names, 1):
        blank = not folded(name)
        column = wanted = f"column_{position}" if blank else name
        while column in columns or (column in given and (blank or column != name)):
            numbers[wanted] = number = numbers.get(wanted, 1) + 1
            column = f"{wanted}_{number}"
        columns[column] = None
        if blank:
            changed.append(f"column {position} has no name and is called {column}")
        elif column != name:
            changed.append(f"column {position} is called {column}, for there is another {name}")
    return tuple(columns), changed
