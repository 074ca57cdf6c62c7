"""What an answer should be, as the scorers take it."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from umwelten.scoring.json_text import NotJson, parse_json

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
EXPECTED = "expected"
"""The key of a reference in the mapping that a scorer gets; the others are fields."""


def path_of(where: str) -> str | None:
    """Return the file that a form of references reads, or the folder of its files; None if it reads none."""
    text = where.strip()
    if text.startswith("@"):
        written, values, _ = text[1:].partition("{{")
        if not values:
            return written
        folder, slash, _ = written.rpartition("/")
        return folder + slash or "."
    is_table = text.lower().endswith(TABLES) and not text.startswith("=") and text[:3].upper() != "ID:"
    return text if is_table else None


def is_missing(value: Any) -> bool:
    """Return whether a reference says nothing: null, NaN (an empty cell of a data frame), an empty text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_text(value: Any) -> str:
    """Return a value as a text scorer compares it. A whole number is written without a point."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and value.bit_length() > 10_000:
        return hex(value)  # Python refuses to write so many decimal digits
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)


def alternatives(value: Any, several: str | None) -> list[str]:
    """Return the references that a value holds, of which the best counts; none if it says nothing.

    A list, a JSON list, or with `several` a text that it parts.
    """
    return [as_text(item) for item in items_of(value, several) if not is_missing(item)]


def items_of(value: Any, several: str | None = None) -> Sequence[Any]:
    """Return the items of a list, of a JSON list or of a text with a separator; else the value alone."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, str):
        if several is not None and several in value:
            return [part.strip() for part in value.split(several)]
        if value.lstrip().startswith("["):
            try:
                found = parse_json(value)
            except NotJson:
                return [value]
            return found if isinstance(found, list) else [value]
    return [value]


def record_path(record: Any, path: str) -> Any:
    """Return the value at a path such as `lines.0.total` in a record, `None` if there is none."""
    for step in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(step)
        elif isinstance(record, list) and step.isascii() and step.isdecimal() and len(step) < 10:
            record = record[int(step)] if int(step) < len(record) else None
        else:
            return None
    return record
