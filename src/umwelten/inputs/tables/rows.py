"""Rows of a table as inputs: csv, tsv, jsonl, json and parquet.

The file is walked once, in constant memory, and no row is kept. A row's part is `row NUMBER OFFSET LENGTH
LINE`, of parquet `row NUMBER GROUP INDEX`, by which it is read again when its call starts. Its stamp is a
hash of its own bytes and the columns' names: a file that is saved again unchanged re-runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs.content import Content, framed
from umwelten.inputs.tables import csv, json_values, table_format
from umwelten.inputs.tables.row_names import Labels
from umwelten.inputs.tables.table_format import CSV, JSON, PARQUET, Table
from umwelten.phrases import Phrase
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FoundInput, Text

PART = "row "
MAX_JSON = 64 * 1024 * 1024
"""A JSON list is read as a whole; larger tables come line by line."""

_SAMPLED = 100
_BLANKS = re.compile(r"[ \t\r\n]*")

_Row = Mapping[str, object]
_Label = Callable[[bytes], str]


def rows(path: Path, *, name_column: str | None = None, max_rows: int | None = None) -> Iterator[FoundInput]:
    """Each row of a table, in order, named `row-17` or by a column; names are unique and inert.

    Blank lines are none. Errors: `InputError` at once for a file that is no table and a column that it
    lacks, later for one that has no rows or is damaged as a whole. A row that can't be read is no error
    here: its call fails when `read_row` does.
    """
    found = table_format.table(path)
    if name_column is not None:
        _check_column(name_column, columns(path), path)
    walk = {PARQUET: _parquet_rows, JSON: _list_rows}.get(found.kind, _line_rows)
    return _some(walk(found, name_column), max_rows, path)


def columns(path: Path) -> tuple[str, ...]:
    """The columns in order; of jsonl and json the keys of the first hundred rows. Errors: `InputError`."""
    found = table_format.table(path)
    if found.kind != JSON:
        return found.columns
    names: dict[str, None] = {}
    for record, *_ in islice(_items(found), _SAMPLED):
        names.update(dict.fromkeys(_columns_of(record, found)))
    if not names:
        raise InputError(f"{path} is not a list of JSON objects")
    return tuple(names)


def read_row(path: str | Path, *, name: str, part: str, stamp: str = "") -> Content:
    """A row to be sent: as a JSON object, framed like a text file, and its values by `row.<column>`.

    `stamp` is that of `rows`, empty to not compare. `changed`: another row stands there now. Errors:
    `InputError` when it can't be read, with the line.
    """
    found = table_format.table(path)
    numbers = [int(number) for number in part.removeprefix(PART).split()]
    try:
        row, changed = _read(found, numbers, stamp)
        text = json_values.encode(row)
        values = {f"row.{column}": json_values.in_words(value) for column, value in row.items()}
    except InputError as error:
        message = Phrase("{place}: {problem}", place=_place(found, numbers), problem=error.wording)
        raise InputError(message, error.hint_wording) from error
    return Content(
        digest=content_hash(text.encode()),
        parts=(Text(text=framed(text, name)),),
        changed=changed,
        values=values,
    )


# --- walking ---------------------------------------------------------------------------------


def _some(found: Iterator[FoundInput], max_rows: int | None, path: Path) -> Iterator[FoundInput]:
    first = next(found, None)
    if first is None:
        raise InputError(f"{path} has no rows")
    if max_rows is None or max_rows > 0:
        yield first
    yield from found if max_rows is None else islice(found, max(max_rows - 1, 0))


def _line_rows(found: Table, name_column: str | None) -> Iterator[FoundInput]:
    """The rows of csv and jsonl. Called a million times, so that nothing is done here but what must be."""
    path, salt, wide, extra = found.path, found.salt, found.wide, _words_around(found)
    ends = b"\r\n" if found.kind == CSV else b" \t\r\n"
    label = _labels(found, name_column)
    number, offset, line = 0, found.start, found.line
    for raw in table_format.raw_records(found, offset):
        record = raw.rstrip(ends)
        if record:
            number += 1
            size = len(record)
            length = table_format.width(found, record) if wide else size
            yield FoundInput(
                name=label(record, number) if label else f"row-{number}",
                path=path,
                size=size + extra,
                stamp=blake2b(record, digest_size=8, salt=salt).hexdigest(),
                part=f"row {number} {offset} {length} {line}",
            )
        offset += table_format.width(found, raw) if wide else len(raw)
        line += raw.count(b"\n") or 1


def _list_rows(found: Table, name_column: str | None) -> Iterator[FoundInput]:
    label = _labels(found, name_column)
    for number, (record, offset, length, line) in enumerate(_items(found), 1):
        yield FoundInput(
            name=label(record, number) if label else f"row-{number}",
            path=found.path,
            size=len(record),
            stamp=_stamp(record, found.salt),
            part=f"row {number} {offset} {length} {line}",
        )


def _parquet_rows(found: Table, name_column: str | None) -> Iterator[FoundInput]:
    from umwelten.inputs.tables.parquet import parquet_rows

    labels = Labels() if name_column else None
    for number, (group, index, row) in enumerate(parquet_rows(found.path), 1):
        record = json_values.encode(row).encode()
        yield FoundInput(
            name=labels.unique(json_values.in_words(row[name_column or ""]), number)
            if labels
            else f"row-{number}",
            path=found.path,
            size=len(record),
            stamp=_stamp(record, found.salt),
            part=f"row {number} {group} {index}",
        )


def _items(found: Table) -> Iterator[tuple[bytes, int, int, int]]:
    """The items of a JSON list, as `raw_records` would give them: with offset, length in bytes, and line."""
    text, encoding = _whole_text(found)
    at, offset, line = 0, found.start, 1
    start = _after(text, 0, "[", found)
    while not text.startswith("]", start):
        end = _item_end(text, start, found)
        item = text[start:end]
        offset += len(text[at:start].encode(encoding))
        line += text.count("\n", at, start)
        length = len(item.encode(encoding))
        yield item.encode("utf-8" if found.wide else encoding), offset, length, line
        at, offset, line = end, offset + length, line + item.count("\n")
        end = _blank(text, end)
        start = end if text.startswith("]", end) else _after(text, end, ",", found)


def _item_end(text: str, start: int, found: Table) -> int:
    try:
        return json.JSONDecoder().raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        raise InputError(
            f"{found.path} is damaged: {error.msg}, line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError:
        raise InputError(f"{found.path} is nested too deep") from None


def _whole_text(found: Table) -> tuple[str, str]:
    if Path(found.path).stat().st_size > MAX_JSON:
        raise InputError(
            f"{found.path} is too large for a JSON list: it is read as a whole, up to {MAX_JSON >> 20} MB",
            "Save it with one object on each line, as jsonl.",
        )
    data = table_format.read_bytes(found.path, found.start, MAX_JSON)
    for encoding in found.encodings:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise InputError(f"{found.path} is no text in {' or '.join(found.encodings)}")


def _blank(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _after(text: str, at: int, sign: str, found: Table) -> int:
    """Where something begins after this sign."""
    at = _blank(text, at)
    if not text.startswith(sign, at):
        line = text.count("\n", 0, at) + 1
        raise InputError(f"{found.path} is damaged: {sign!r} is expected in line {line}")
    return _blank(text, at + 1)


def _words_around(found: Table) -> int:
    """What the columns' names add to a csv row when it becomes an object, in bytes."""
    return sum(len(column.encode()) + 6 for column in found.columns) if found.kind == CSV else 0


def _stamp(record: bytes, salt: bytes) -> str:
    return blake2b(record, digest_size=8, salt=salt).hexdigest()


# --- names -----------------------------------------------------------------------------------


def _check_column(name: str, known: tuple[str, ...], path: Path) -> None:
    if name not in known:
        raise InputError(
            f"{path} has no column {name!r}; it has {', '.join(known[:40])}",
            did_you_mean(closest(name, known, ignore_case=True), "{!r}") or None,
        )


def _labels(found: Table, column: str | None) -> Callable[[bytes, int], str] | None:
    """What names a row after one of its values; `None`: rows are named by number."""
    if column is None:
        return None
    labels, value = Labels(), _field_of(found, column) if found.kind == CSV else _key_of(found, column)
    return lambda record, number: labels.unique(value(record), number)


def _field_of(found: Table, column: str) -> _Label:
    at, delimiter, encodings = found.columns.index(column), found.delimiter, found.inner
    separator = delimiter.encode()

    def value(record: bytes) -> str:
        if b'"' not in record:
            fields = record.split(separator, at + 1)
            return _words(fields[at], encodings) if at < len(fields) else ""
        try:
            return (csv.fields(_words(record, encodings), delimiter) + [""] * (at + 1))[at]
        except InputError:
            return ""

    return value


def _key_of(found: Table, column: str) -> _Label:
    def value(record: bytes) -> str:
        try:
            return json_values.in_words(json_values.decode_object(_words(record, found.inner)).get(column))
        except InputError:
            return ""

    return value


def _words(record: bytes, encodings: tuple[str, ...]) -> str:
    try:
        return table_format.text_of(record, encodings)
    except InputError:
        return ""


def _columns_of(record: bytes, found: Table) -> tuple[str, ...]:
    try:
        return tuple(json_values.keys(table_format.text_of(record, found.inner)))
    except InputError:
        return ()  # a broken row fails by itself when its call starts


# --- reading one -----------------------------------------------------------------------------


def _read(found: Table, numbers: list[int], stamp: str) -> tuple[_Row, bool]:
    """The row and whether it is another one than the stamp's."""
    if found.kind == PARQUET:
        from umwelten.inputs.tables.parquet import parquet_row

        row = parquet_row(found.path, *numbers[1:3])
        return row, stamp not in ("", _stamp(json_values.encode(row).encode(), found.salt))
    text, changed = _text(found, numbers[1], numbers[2], stamp)
    return (
        table_format.csv_row(found, text) if found.kind == CSV else json_values.decode_object(text)
    ), changed


def _text(found: Table, offset: int, length: int, stamp: str) -> tuple[str, bool]:
    unit = table_format.unit(found)
    data = table_format.read_bytes(found.path, offset, length + unit)
    data, after = data[:length], data[length:].strip(b"\x00")
    if found.wide:
        data = table_format.text_of(data, found.encodings).encode()
    # The end is looked at as well: what was added to a row's end leaves its beginning as it was.
    if stamp == "" or (_stamp(data, found.salt) == stamp and (found.kind == JSON or not after.strip())):
        return table_format.text_of(data, found.inner), False
    if found.kind == JSON:
        return table_format.text_of(data, found.inner), True
    return _text_at(found, offset), True


def _text_at(found: Table, offset: int) -> str:
    """What stands there now, if a row begins there."""
    unit = table_format.unit(found)
    before = (
        table_format.read_bytes(found.path, offset - unit, unit).strip(b"\x00")
        if offset > found.start
        else b"\n"
    )
    raw = next(table_format.raw_records(found, offset), b"") if before in (b"\n", b"\r") else b""
    if not raw.strip():
        raise InputError(
            "the file changed, and no row begins there any more", Phrase("Go on with {option:resume}.")
        )
    return table_format.text_of(raw, found.inner).rstrip("\r\n")


def _place(found: Table, numbers: list[int]) -> str:
    name = Path(found.path).name
    return f"{name}, row {numbers[0]}" if found.kind == PARQUET else f"{name}, line {numbers[3]}"
