"""Columns of scores made in a line, for tests."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from umwelten.scoring.columns import Column, ColumnName, Files

ONE, TWO, THREE = (ColumnName(model=f"openai:m{number}") for number in (1, 2, 3))


def right(passed: Sequence[bool | None], files: Files | None = None) -> Column:
    """A column of one yes or no a file; None has no answer."""
    column = Column(files or Files(range(len(passed))), yes_no=True)
    for file, one in enumerate(passed):
        column.add(file, None if one is None else float(one), one, None if one is not None else "no_answer")
    return column


def graded(
    values: Mapping[int, Sequence[float | None]], clusters: Mapping[int, Hashable] | None = None
) -> Column:
    """A column of values by file; None has no reference."""
    column = Column(Files(values, clusters))
    for file, repeats in values.items():
        for value in repeats:
            column.add(file, value, None, "no_reference" if value is None else None)
    return column
