"""Keep an answer whose other fields are not what they should be.

Servers that imitate a wire format write numbers, lists or nothing where it has a text. Fields of our structs
that an answer can do without are `Loose`: a value that does not fit counts as not stated. All others are
strict, so that no answer is put together from a reply of which a piece could not be read.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

LOOSE = msgspec.Meta(extra={"loose": True})
"""Marks a field, or the items of a list, that may be left out."""

Loose = Annotated[T, LOOSE]
LooseText = Annotated[str | None, LOOSE]
LooseCount = Annotated[Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None, LOOSE]
"""No more than a store can hold."""

_LONGEST_INT = 400
"""Digits. Python refuses to read integers of thousands; no field of ours needs more than 20."""

_UNFIT = object()
_NO_NUMBER = object()


def reread(text: str, expected: Any) -> str:
    """Return JSON without what does not fit into loose fields of a type; the rest stays.

    A number that no machine can hold is no number, and fits nowhere; where anything goes, it becomes false.
    Raises `ValueError` or `RecursionError` for what is no JSON.
    """
    value = json.loads(text, parse_float=_float, parse_int=_int, parse_constant=_no_number)
    fitted = _fit(value, _type(expected))
    return json.dumps(value if fitted is _UNFIT else fitted, ensure_ascii=False, default=_is_number)


@cache
def _type(expected: Any) -> inspect.Type:
    return inspect.type_info(expected)


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else _NO_NUMBER


def _int(text: str) -> Any:
    return int(text) if len(text) <= _LONGEST_INT else _NO_NUMBER


def _no_number(text: str) -> Any:
    return _NO_NUMBER


def _is_number(value: object) -> bool:
    return value is not _NO_NUMBER


def _fit(value: Any, kind: inspect.Type) -> Any:
    match kind:
        case inspect.Metadata():
            return _fit(value, kind.type)
        case inspect.UnionType():
            fitted = (_fit(value, each) for each in kind.types)
            return next((each for each in fitted if each is not _UNFIT), _UNFIT)
        case inspect.ListType():
            return _fit_items(value, kind.item_type) if isinstance(value, list) else _UNFIT
        case inspect.StructType():
            return _fit_fields(value, kind) if isinstance(value, dict) else _UNFIT
        case inspect.AnyType() | inspect.RawType():
            return value
    return value if _is_plain(value, kind) else _UNFIT


def _fit_items(items: list[Any], kind: inspect.Type) -> Any:
    fitted = [_fit(item, kind) for item in items]
    if _is_loose(kind):
        return [item for item in fitted if item is not _UNFIT]
    return _UNFIT if any(item is _UNFIT for item in fitted) else fitted


def _fit_fields(value: dict[str, Any], kind: inspect.StructType) -> Any:
    fields: dict[str, Any] = {}
    for field in kind.fields:
        if field.encode_name not in value:
            if field.required:
                return _UNFIT
            continue
        item = value[field.encode_name]
        fitted = _fit(item, field.type)
        if fitted is not _UNFIT:
            fields[field.encode_name] = fitted
        elif not _is_loose(field.type) or (isinstance(item, dict) and _holds_struct(field.type)):
            # An object that is the right one, but for a strict field in it.
            return _UNFIT
    return fields


def _is_loose(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("loose"))


def _holds_struct(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.Metadata):
        return _holds_struct(kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(map(_holds_struct, kind.types))
    return isinstance(kind, inspect.StructType)


def _is_plain(value: Any, kind: inspect.Type) -> bool:
    match kind:
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType(ge=least, le=most) if isinstance(value, int) and not isinstance(value, bool):
            return (least is None or value >= least) and (most is None or value <= most)
        case inspect.NoneType():
            return value is None
        case inspect.DictType():
            return isinstance(value, dict)
    return False
