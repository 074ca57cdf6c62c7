"""The report as CSV: a row a call, or a row a model when short. Spreadsheets open it safely.

UTF-8, comma, quotes where needed, one header row. Text that a spreadsheet would take for a formula gets
an apostrophe in front; control characters are shown as escapes. JSON and Parquet keep texts as they are.
The fields of a schema follow the answer; lists and objects in them are JSON.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from umwelten.report import tabular
from umwelten.report.queries import overviews
from umwelten.report.schema_fields import compact
from umwelten.store.reader import Reader
from umwelten.text.sanitize import json_safe, safe

BOM = "\ufeff"

# Excel, LibreOffice and Google Sheets start a formula at these; full-width forms are turned into them.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?(e[+-]?\d+)?%?", re.IGNORECASE)


def render_csv(
    readers: Sequence[Reader], out: TextIO, *, short: bool = False, bom: bool = False, full: bool = False
) -> None:
    """Write the rows of all evaluations under one header; `evaluation` is the first column.

    `bom` begins with the mark by which Excel knows UTF-8. `full` as in `tabular.layout`.
    """
    shape = tabular.layout(readers, short=short, full=full)
    out.write(BOM if bom else "")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(harmless, shape.names))
    for reader in readers:
        with overviews.snapshot(reader):
            for row, values in tabular.rows(reader, shape, short=short):
                writer.writerow([*csv_cells(row), *map(_field, values)])


def csv_cells(row: Iterable[object]) -> Iterable[object]:
    """Return values as a row of CSV: texts that no spreadsheet computes, numbers written out."""
    return [harmless(value) if isinstance(value, str) else _number(value) for value in row]


def _number(value: object) -> object:
    """Costs of a millionth of a dollar are written out, not as `1e-06`; unknown is empty."""
    if isinstance(value, float):
        return format(value, ".9f").rstrip("0").rstrip(".")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _field(value: object) -> str:
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else json_safe(compact(value))


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet computes; plain numbers stay."""
    shown = safe(text)
    return f"'{shown}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else shown
