"""Rows of a spreadsheet or a slide as a table in markdown."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.inputs.content import UnsupportedInput
from umwelten.phrases import Phrase


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a table, the first one as its header, without empty columns."""
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell})
    lines = ["| " + " | ".join(_escape(row, column) for column in used) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(used), *lines[1:]]) if used else ""


def sheet(name: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a sheet's table under its name."""
    return f"## {name}\n\n{table(rows)}"


def too_much_text(name: str) -> UnsupportedInput:
    """Return the error for a workbook that holds more text than any model can read."""
    return UnsupportedInput(
        Phrase(
            "{name} holds more text than any model can read. Save its sheets as csv and use {option:rows}.",
            name=name,
        )
    )


def _escape(row: Sequence[str], column: int) -> str:
    text = row[column] if column < len(row) else ""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", "<br>")
