"""Tables on a terminal: columns fitted to its width."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

_MEASURED = 1000  # rows by which a table's columns are fitted: there may be a million


def write_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, shrink: Sequence[str], right: Sequence[str] = ()
) -> None:
    """Print to stdout, separated by tabs, or on a terminal fitted to its width.

    Columns in `shrink` may lose characters there, those in `right` are numbers.
    """
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in chain([titles], rows))
        return
    width = shutil.get_terminal_size().columns
    for line in fitted_table(titles, rows, width=width, shrink=shrink, right=right or _RIGHT):
        sys.stdout.write(line + "\n")


def fitted_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int,
    shrink: Sequence[str],
    right: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of a table, the titles first, that fill no more than `width` columns of a terminal."""
    from rich.cells import cell_len  # for terminals only

    rows = iter(rows)
    head = [titles, *islice(rows, _MEASURED)]
    natural = [max(map(cell_len, column)) for column in zip(*head, strict=True)]
    may = [title in shrink for title in titles]
    widths = _fit_widths(natural, may, width)
    for row in chain(head, rows):
        yield _align_row(titles, row, widths, may, right)


def _fit_widths(natural: Sequence[int], may: Sequence[bool], width: int) -> list[int]:
    """Widths of columns, two blanks apart, that fill no more than `width`: the widest give first.

    Only those that may, and none below 8 characters: on a very narrow terminal lines are longer than it.
    """
    widths = list(natural)
    while any(may) and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max((n for n in range(len(widths)) if may[n]), key=widths.__getitem__)
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    return widths


def _align_row(
    titles: Sequence[str],
    row: Sequence[str],
    widths: Sequence[int],
    may: Sequence[bool],
    right: Sequence[str],
) -> str:
    from rich.cells import cell_len

    cells = []
    for title, text, width, short in zip(titles, row, widths, may, strict=True):
        cell = cut(text, width, end=title in _FROM_THE_END) if short else text
        blanks = " " * (width - cell_len(cell))
        cells.append(blanks + cell if title in right else cell + blanks)
    return "  ".join(cells).rstrip()


_RIGHT = ("CALL", "#", "REPEAT", "TIME", "ATTEMPTS", "TOKENS OUT", "COST", "CALLS", "FAILED")
_FROM_THE_END = ("MESSAGE", "STATUS", "KIND", "ANSWER", "SCORES", "REASON")


def cut(text: str, width: int, *, end: bool) -> str:
    """At most `width` columns wide, `…` where something is missing: at the end, or between both ends.

    The names of files often differ at their ends.
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    tail = 0 if end else (width - 1) // 2
    back = set_cell_size(text[::-1], tail)[::-1].lstrip()
    return set_cell_size(text, width - 1 - tail).rstrip() + "…" + back
