"""Rows of a file that is one JSON object: a list in a wrapper, what pandas and Polars write, or one row.

    {"data": [{…}, {…}]}                         the list's objects, also in wrappers in wrappers
    {"columns": […], "data": [[…], […]]}         pandas, orient="split"
    {"ada": {…}, "grace": {…}}                   an object a row, its key in the column `key` ("index")
    {"title": {"0": …, "1": …}, "year": {…}}     an object a column, what pandas writes if told nothing
    {"title": ["A", "B"], "year": [1, 2]}        a list a column
    {"title": "A", "year": 1}                    the only row

What may be read in two ways is an error that says what to save instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from umwelten.errors import InputError, read_error
from umwelten.inputs.tables.json_values import decode_object, encode_value
from umwelten.inputs.tables.parts_of_files import MAX_JSON, read_bytes, text_of
from umwelten.phrases import Phrase

WRAPPERS = frozenset(
    ("data", "rows", "records", "items", "results", "entries", "examples", "documents", "values", "list")
)
"""Keys that say that the rows are in them, whatever else is beside them."""

_SAVE_A_LIST = "Save it as a list of objects, or as jsonl with an object on each line."
_MOST_DEEP = 20
_SAMPLED = 100

_Object = Mapping[str, Any]


class Found(NamedTuple):
    """The rows of an object, and how it was read."""

    rows: list[Any]
    note: str


class ObjectRows(NamedTuple):
    """The rows of a file that is one JSON object: each as compact JSON. `columns`: of the first 100."""

    records: tuple[bytes, ...]
    columns: tuple[str, ...]
    note: str


def read_object(path: str, start: int, encodings: tuple[str, ...]) -> ObjectRows:
    """Return the rows of a file that is one object from this offset on. Raises `InputError`."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise read_error(path, error) from error
    return _read_object(path, start, encodings, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=2)
def _read_object(
    path: str, start: int, encodings: tuple[str, ...], size: int, mtime_ns: int, inode: int
) -> ObjectRows:
    """Read the file; the last three parameters make the cache miss when it changes."""
    if size > MAX_JSON:
        raise InputError(f"{path} is too large for one object; at most {MAX_JSON >> 20} MB are read")
    text = text_of(read_bytes(path, start, MAX_JSON), encodings)
    try:
        rows, note = rows_of(decode_object(text))
        records = tuple(encode_value(row).encode() for row in rows)
    except InputError as error:
        raise InputError(
            Phrase("{path}: {problem}", path=path, problem=error.wording), error.hint_wording
        ) from error
    if not records:
        raise InputError(f"{path} has no rows")
    sampled = (row for row in rows[:_SAMPLED] if isinstance(row, dict))
    return ObjectRows(records=records, columns=tuple(dict.fromkeys(chain.from_iterable(sampled))), note=note)


def rows_of(value: _Object, *, depth: int = 0) -> Found:
    """Return the rows of a decoded object. Raises `InputError` for one that may be read in two ways."""
    if depth > _MOST_DEEP:
        raise InputError("it is nested too deeply", _SAVE_A_LIST)
    split = _split(value)
    if split is not None:
        return split
    key = _wrapper(value)
    if key is not None:
        inner = value[key]
        if isinstance(inner, list):
            return Found(inner, f"its rows are the list {key!r}")
        found = rows_of(inner, depth=depth + 1)
        return Found(found.rows, f"in {key!r}, {found.note}")
    values = list(value.values())
    if len(values) > 1 and all(isinstance(item, dict) for item in values):
        table = _objects(value)
        if table is not None:
            return table
    if values and _are_columns(values):
        rows = [dict(zip(value, row, strict=True)) for row in zip(*values, strict=True)]
        return Found(rows, "each of its lists is a column")
    return Found([dict(value)], "the object is the only row")


def _wrapper(value: _Object) -> str | None:
    """Return the key of what holds the rows; `None` if there is no such key. Raises `InputError`."""
    named = [key for key, item in value.items() if key.casefold() in WRAPPERS and _is_wrapped(item)]
    lists = [key for key, item in value.items() if _is_rows(item)]
    if len(named) == 1:
        return named[0]
    if len(value) == 1 and (lists or isinstance(next(iter(value.values())), dict)):
        return next(iter(value))
    if len(lists) > 1:
        keys = ", ".join(map(repr, lists))
        raise InputError(f"it is an object with several lists of objects: {keys}", _SAVE_A_LIST)
    if lists:
        raise InputError(
            f"it is an object that may be one row, or hold rows in its list {lists[0]!r}",
            "Save the list alone for its rows, or name the file .jsonl for the object as the only row.",
        )
    return None


def _is_wrapped(item: object) -> bool:
    return isinstance(item, dict) or _is_rows(item) or item == []


def _is_rows(item: object) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], dict)


def _split(value: _Object) -> Found | None:
    columns, data = value.get("columns"), value.get("data")
    if not (
        isinstance(columns, list) and isinstance(data, list) and value.keys() <= {"columns", "index", "data"}
    ):
        return None
    names = [name for name in columns if isinstance(name, str)]
    if len(set(names)) < len(columns) or not all(
        isinstance(row, list) and len(row) == len(names) for row in data
    ):
        return None
    return Found([dict(zip(names, row, strict=True)) for row in data], "its rows are the lists in 'data'")


def _objects(value: Mapping[str, _Object]) -> Found | None:
    """Return the rows of an object of objects, `None` if these have no key in common: one row's parts."""
    inner = list(value.values())
    if not inner[0].keys() & set[str].intersection(*(set(item) for item in inner)):
        return None
    outer_numbers, inner_numbers = _are_numbers(value), all(_are_numbers(item) for item in inner)
    if outer_numbers and inner_numbers:
        raise InputError("its rows and its columns have numbers for names", _SAVE_A_LIST)
    if inner_numbers:
        places = dict.fromkeys(place for item in inner for place in item)
        rows = [{name: item.get(place) for name, item in value.items()} for place in places]
        return Found(rows, "each of its objects is a column")
    if outer_numbers:
        return Found(list(inner), "each of its objects is a row")
    name = "key"
    while any(name in item for item in inner):
        name += "_"
    return Found(
        [{name: key, **item} for key, item in value.items()],
        f"each of its objects is a row, its key in the column {name}",
    )


def _are_numbers(keys: Iterable[str]) -> bool:
    return all(key.isdecimal() for key in keys)


def _are_columns(values: list[Any]) -> bool:
    first = values[0]
    return (
        isinstance(first, list)
        and bool(first)
        and all(isinstance(item, list) and len(item) == len(first) and not _is_rows(item) for item in values)
    )
