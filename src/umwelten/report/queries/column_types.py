"""The values of a schema's fields with the types of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import msgspec

from umwelten.report.schema_fields import Field, FieldType, Record, compact, record_of
from umwelten.store.reader import Reader

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INT64 = 1 << 63
_LARGEST = 1e308


def records(reader: Reader) -> Iterator[Record]:
    """Yield the records of all current answers, one at a time."""
    rows = reader.connection.execute("SELECT data FROM current_answers WHERE data IS NOT NULL")
    return (record_of(data) for (data,) in rows)


def records_by_input(reader: Reader) -> Iterator[dict[tuple[int, int], Record]]:
    """Yield the records of the current answers to one input by number of model and repeat, input by input."""
    rows = reader.connection.execute(
        """SELECT input_id, model_id, repeat, data FROM current_answers WHERE data IS NOT NULL ORDER BY id"""
    )
    for _, own in groupby(rows, key=lambda row: row[0]):
        yield {(row[1], row[2]): record_of(row[3]) for row in own}


def fit_types(fields: Sequence[Field], readers: Iterable[Reader]) -> tuple[Field, ...]:
    """Return the fields with types that all values have: else text for dates, and JSON.

    Reads every record once.
    """
    if not fields:
        return ()
    left = {field.name: field for field in fields if _settle(field) != "json"}
    unfit: dict[str, Field] = {}
    for record in (record for reader in readers for record in records(reader)):
        for name in [name for name, field in left.items() if not fits(record.get(name), field)]:
            unfit[name] = left.pop(name)
    return tuple(_retype(field, unfit) for field in fields)


def fits(value: Any, field: Field) -> bool:
    """Return whether a column of the field's type can hold the value; null always fits."""
    if value is None:
        return True
    if field.type == "array":
        return isinstance(value, list) and all(one is None or _is(one, field.items) for one in value)
    return _is(value, field.type)


def convert(value: Any, field: Field) -> Any:
    """Return the value for a column of the field's type, which it fits."""
    if value is None:
        return None
    if field.type == "array":
        return [None if one is None else _plain(one, field.items) for one in value]
    return _plain(value, field.type)


def _settle(field: Field) -> FieldType:
    """An array of what has no plain type is JSON."""
    return "json" if field.type == "array" and field.items is None else field.type


def _retype(field: Field, unfit: dict[str, Field]) -> Field:
    if field.name not in unfit:
        return msgspec.structs.replace(field, type=_settle(field))
    return msgspec.structs.replace(field, type="string" if field.type == "date" else "json")


def _is(value: Any, kind: FieldType | None) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        whole = kind == "number" or (isinstance(value, int | float) and value == int(value))
        return whole and is_number(value) and (kind == "number" or -_INT64 <= value < _INT64)
    return isinstance(value, str) and (kind != "date" or day(value) is not None)


def is_number(value: Any) -> bool:
    """Return whether it is a number that a double can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def day(text: str) -> date | None:
    """Return the date that a text such as `2026-11-24` means, if it is one."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _plain(value: Any, kind: FieldType | None) -> Any:
    match kind:
        case "integer":
            return int(value)
        case "number":
            return float(value)
        case "date":
            return day(value)
        case "json":
            return compact(value)
    return value
