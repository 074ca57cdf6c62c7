"""Values of Python as they are kept: as JSON, or an error that names row and column."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from umwelten.errors import InputError, UsageError
from umwelten.inputs.tables.csv import MAX_RECORD
from umwelten.inputs.tables.json_values import encode_value
from umwelten.phrases import Phrase

_AS_THEY_ARE = frozenset((str, int, bool, type(None)))
_TIMES = (datetime.datetime, datetime.date, datetime.time)
_AS_TEXT = (datetime.timedelta, UUID, PurePath)
_TABLES = "Rows are dicts from column to value, dataclasses, named tuples, or Pydantic or msgspec objects."


class _Refused(Exception):
    """Why a value can't be kept, and where in its row it is."""

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(why)
        self.why, self.where = why, where


def row_values(item: object, number: int) -> dict[str, Any]:
    """Return a row's values as JSON holds them, by column. Raises `UsageError` that names row and column.

    `None`, NaN and the missing values of pandas become null; numbers and `Decimal` stay as they are written;
    dates and times are text in ISO 8601; enums are their values, NumPy's and nested values what they hold.
    """
    values: dict[str, Any] = {}
    fields = _fields(item)
    if fields is None:
        raise UsageError(
            Phrase("{option:rows}: row {number} is {what}", number=number, what=_described(item)),
            _TABLES,
            argument="rows",
        )
    for key, value in fields:
        name = _name(key)
        if name is None or name in values:
            what = (
                f"{key!r} is no name of a column" if name is None else f"the column {name!r} is there twice"
            )
            raise UsageError(
                Phrase("{option:rows}: row {number}: {what}", number=number, what=what), argument="rows"
            )
        try:
            values[name] = value if type(value) in _AS_THEY_ARE else _plain(value)
        except _Refused as refused:
            raise _cannot(number, name + refused.where, refused.why) from None
        except RecursionError:
            raise _cannot(number, name, "it is nested too deeply") from None
    if not values:
        raise UsageError(
            Phrase("{option:rows}: row {number} has no columns", number=number), _TABLES, argument="rows"
        )
    return values


def encode_row(values: Mapping[str, Any], number: int) -> bytes:
    """Return a row as a line of JSON without its end. Raises `UsageError`."""
    try:
        record = encode_value(values).encode()
    except (InputError, OverflowError) as error:
        problem = Phrase("{option:rows}: row {number}: {why}", number=number, why=str(error))
        raise UsageError(problem, argument="rows") from None
    if len(record) > MAX_RECORD:
        raise UsageError(
            Phrase(
                "{option:rows}: row {number} is larger than {most} MB", number=number, most=MAX_RECORD >> 20
            ),
            argument="rows",
        )
    return record


def _cannot(number: int, column: str, why: str) -> UsageError:
    hint = Phrase("Give files and pictures as {option:inputs}, or turn the value into text.")
    return UsageError(
        Phrase(
            "{option:rows}: row {number}, column {column!r}: {why}", number=number, column=column, why=why
        ),
        hint,
        argument="rows",
    )


def _fields(item: object) -> Iterable[tuple[object, object]] | None:
    """Return the fields of what may be a row, `None` for anything else."""
    if isinstance(item, Mapping):
        return item.items()
    if isinstance(item, msgspec.Struct):
        return [(name, getattr(item, name)) for name in item.__struct_fields__]
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    if isinstance(item, type):
        return None
    named = getattr(type(item), "model_fields", None) or getattr(item, "_fields", None)
    if named:  # Pydantic, named tuples
        return [(name, getattr(item, name)) for name in named]
    keys = getattr(item, "keys", None)
    if callable(keys) and hasattr(item, "__getitem__"):  # rows of sqlite3
        return [(key, item[key]) for key in keys()]
    return None


def _name(key: object) -> str | None:
    """Return a column's name: a text, or a number, as pandas numbers columns without names."""
    if isinstance(key, str):
        return str(key)
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else None


def _plain(value: Any) -> Any:
    match value:
        case enum.Enum():
            return _plain(value.value)
        case None | bool() | str() | int():
            return value if type(value) in _AS_THEY_ARE else _base(value)
        case float():
            return _number(float(value))
        case Decimal():
            return None if value.is_nan() else _finite(value, value.is_infinite())
        case bytes() | bytearray() | memoryview():
            raise _Refused("bytes can't be put into a prompt")
        case set() | frozenset():
            raise _Refused("a set has no order: give a list")
    if isinstance(value, _TIMES):
        return value.isoformat() if value == value else None  # pandas' missing time is not equal to itself
    if isinstance(value, _AS_TEXT):
        return str(value) if value == value else None
    return _nested(value)


def _nested(value: Any) -> Any:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_at(f"[{index}]", each) for index, each in enumerate(value)]
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    dtype = getattr(value, "dtype", None)
    if dtype is not None and callable(getattr(value, "tolist", None)):  # a value, or an array, of NumPy
        if getattr(dtype, "kind", "") in "Mm" and getattr(value, "ndim", 1) == 0:
            return None if str(value) == "NaT" else str(value)
        return _plain(value.tolist())
    fields = _fields(value)
    if fields is None:
        raise _Refused(f"{_described(value)} can't be put into a prompt")
    found: dict[str, Any] = {}
    for key, each in fields:
        name = _name(key)
        if name is None:
            raise _Refused(f"{key!r} is no name of a field")
        found[name] = _at(f".{name}", each)
    return found


def _at(where: str, value: Any) -> Any:
    try:
        return value if type(value) in _AS_THEY_ARE else _plain(value)
    except _Refused as refused:
        raise _Refused(refused.why, where + refused.where) from None


def _base(value: Any) -> Any:
    """Return the value of a subclass of str or int as one of these, whatever its own `str` says."""
    return str.__str__(value) if isinstance(value, str) else int(value)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else _finite(value, math.isinf(value))


def _finite(value: Any, infinite: bool) -> Any:
    if infinite:
        raise _Refused("infinity is not a number that JSON has")
    return value


def _described(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"a value of type {module}{kind.__qualname__}"
