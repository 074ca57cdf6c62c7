"""Tables on a terminal: columns fitted to its width."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from os.path import commonprefix

_LEAST = 8  # characters of a column that may lose some
_ENDING = 8  # characters that names of files end with: a common .txt is no reason to cut it
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
    last: str = "",
    keep: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of a table, the titles first, that fill no more than `width` columns of a terminal.

    The column `last`, of texts that are longer than any terminal, gets what the others leave, and they leave
    it two fifths of the width. Columns in `keep` may lose characters as well, once those in `shrink` can lose
    no more: what is typed again should be there whole.
    """
    from rich.cells import cell_len  # for terminals only

    rows = iter(rows)
    head = [titles, *islice(rows, _MEASURED)]
    natural = [max(map(cell_len, column)) for column in zip(*head, strict=True)]
    may = [title in (*shrink, *keep) for title in titles]
    if last in titles:
        place = titles.index(last)
        natural[place] = min(natural[place], max(_LEAST, width * 2 // 5))
    widths = _fit_widths(natural, [title in shrink for title in titles], width)
    widths = _fit_widths(widths, [title in keep for title in titles], width)
    if last in titles:
        widths[place] += max(width - sum(widths) - 2 * (len(widths) - 1), 0)
    shared = [
        (0, 0) if title in _FROM_THE_END or not short else _shared_ends([row[n] for row in head[1:]])
        for n, (title, short) in enumerate(zip(titles, may, strict=True))
    ]
    yield _align_row(titles, titles, widths, may, right, [(0, 0)] * len(titles))
    for row in chain(head[1:], rows):
        yield _align_row(titles, row, widths, may, right, shared)


def _shared_ends(values: Sequence[str]) -> tuple[int, int]:
    """How many characters all of several values begin and end with."""
    if len(set(values)) < 2:
        return 0, 0
    first = len(commonprefix(values))  # noqa: RUF071 - of characters, not of folders
    rest = [value[first:][::-1] for value in values]
    return first, len(commonprefix(rest))  # noqa: RUF071


def _fit_widths(natural: Sequence[int], may: Sequence[bool], width: int) -> list[int]:
    """Widths of columns, two blanks apart, that fill no more than `width`: the widest give first.

    Only those that may, and none below 8 characters: on a very narrow terminal lines are longer than it.
    """
    widths = list(natural)
    while any(may) and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max((n for n in range(len(widths)) if may[n]), key=widths.__getitem__)
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
    return widths


def _align_row(
    titles: Sequence[str],
    row: Sequence[str],
    widths: Sequence[int],
    may: Sequence[bool],
    right: Sequence[str],
    shared: Sequence[tuple[int, int]],
) -> str:
    from rich.cells import cell_len

    cells = []
    for title, text, width, short, ends in zip(titles, row, widths, may, shared, strict=True):
        cell = cut(text, width, end=title in _FROM_THE_END, shared=ends) if short else text
        blanks = " " * (width - cell_len(cell))
        cells.append(blanks + cell if title in right else cell + blanks)
    return "  ".join(cells).rstrip()


_RIGHT = ("CALL", "#", "REPEAT", "TIME", "ATTEMPTS", "TOKENS OUT", "COST", "CALLS", "FAILED")
_FROM_THE_END = ("MESSAGE", "STATUS", "KIND", "ANSWER", "MODELS", "REASON", "WAITS", "NOTE", "PHASE")


def cut(text: str, width: int, *, end: bool, shared: tuple[int, int] = (0, 0)) -> str:
    """At most `width` columns wide, `…` where something is missing: at the end, or between both ends.

    The names of files often differ at their ends. `shared`: so many characters at either end all texts of the
    column have, so what is between them is kept.
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    if shared[0] > 1:
        text = f"…{text[shared[0] :]}"
        if cell_len(text) <= width:
            return text
    end = end or shared[1] > _ENDING
    tail = 0 if end else (width - 1) // 2
    back = set_cell_size(text[::-1], tail)[::-1].lstrip()
    return set_cell_size(text, width - 1 - tail).rstrip() + "…" + back
