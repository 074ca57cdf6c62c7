"""Rows of a table as inputs: csv, tsv, jsonl, json, parquet, and files of lines.

The file is walked once, in constant memory, and no row is kept. A row's part is `row NUMBER OFFSET LENGTH
LINE`, of parquet `row NUMBER GROUP INDEX`, from which it is read again when its call starts. Its stamp is a
hash of its bytes and the columns' names: where that is another one, its digest tells whether anything that
is sent has changed.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from umwelten.choices import ROW_RULE, RowRule
from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs.content import Content, frame_text
from umwelten.inputs.tables import json_values, table_format
from umwelten.inputs.tables.json_list import items
from umwelten.inputs.tables.json_objects import read_object
from umwelten.inputs.tables.parts_of_files import read_bytes, text_of
from umwelten.inputs.tables.row_names import Labels, find_column, line_label, line_value, make_labels
from umwelten.inputs.tables.table_format import CSV, JSON, LINE, LINES, OBJECT, PARQUET, Table
from umwelten.phrases import Phrase
from umwelten.text.names import look_alikes, spelled_out, value_of
from umwelten.types import FoundInput, RowUse, Text

PART = "row "

_SAMPLED = 100

_Row = Mapping[str, object]


def rows(
    path: Path, *, name_column: str | None = None, max_rows: int | None = None, rule: RowRule = ROW_RULE
) -> Iterator[FoundInput]:
    """Yield the rows of a table, in order, named `row-17` or by a column; names are unique and safe.

    Blank lines are skipped. Raises `InputError` at once for a file that is not a table or lacks the column,
    later for one without rows or with a damaged structure. A single broken row is not an error here: its
    call fails when `read_row` does.
    """
    table = table_format.inspect_table(path, rule)
    if name_column is not None:
        name_column = find_column(name_column, columns(path, rule), path)
    walk = {PARQUET: _parquet_rows, JSON: _list_rows, OBJECT: _object_rows}.get(table.kind, _line_rows)
    return _check_any(walk(table, name_column), max_rows, path)


def columns(path: Path, rule: RowRule = ROW_RULE) -> tuple[str, ...]:
    """Return the columns in order; of jsonl and json the keys of the first 100 rows. Raises `InputError`."""
    table = table_format.inspect_table(path, rule)
    if table_format.is_kept(path):
        return table_format.kept_columns(table)
    if table.kind != JSON:
        return table.columns
    names: dict[str, None] = {}
    for record, *_ in islice(items(table), _SAMPLED):
        names.update(dict.fromkeys(_columns_of(record, table)))
    if not names:
        raise InputError(
            f"{path} is not a list of JSON objects",
            "Save texts without fields one on each line, as a .txt file, or as objects with a field each.",
        )
    return tuple(names)


def notes(path: Path, rule: RowRule = ROW_RULE) -> Iterator[str]:
    """Yield what users should know of how a table is read. Raises `InputError`."""
    note = table_format.inspect_table(path, rule).note
    if note:
        yield note
    for one, other in look_alikes(columns(path, rule)):
        yield f"{path.name}: the columns {spelled_out(one)} and {spelled_out(other)} look the same"


def read_rows(path: Path, rule: RowRule = ROW_RULE) -> Iterator[tuple[str, _Row]]:
    """Yield every row with its values by column, and its place, such as `labels.csv, line 7`.

    Raises `InputError`, also for a row that can't be read, which names its place.
    """
    table = table_format.inspect_table(path, rule)
    for place, read in _readers(table):
        try:
            row = read()
        except InputError as error:
            message = Phrase("{place}: {problem}", place=place, problem=error.wording)
            raise InputError(message, error.hint_wording) from error
        if row is not None:
            yield place, row


def read_row(
    path: str | Path, *, name: str, part: str, stamp: str = "", use: RowUse | None = None
) -> Content:
    """Return a row as a JSON object, framed like a text file, with its values by `row.<column>`.

    A line is sent as it is. `use` is what the prompt uses of the row: its digest is of that. `stamp` is that
    of `rows`; if empty it is not compared. `changed`: another row is there now. Raises `InputError`, which
    names the line, if it can't be read.
    """
    use = use or RowUse(rule=ROW_RULE)
    table = table_format.inspect_table(path, use.rule)
    numbers = [int(number) for number in part.removeprefix(PART).split()]
    try:
        row, changed = _read_values(table, numbers, stamp, again=use.again)
        text = str(row[LINE]) if table.kind == LINES else json_values.encode(row)
        values = {f"row.{column}": json_values.as_text(value) for column, value in row.items()}
        digest = content_hash(_sent(row, text, use).encode())
    except InputError as error:
        message = Phrase("{place}: {problem}", place=_location(table, numbers), problem=error.wording)
        raise InputError(message, error.hint_wording) from error
    return Content(
        digest=digest,
        parts=(Text(text=frame_text(text, name)),),
        changed=changed,
        values=values,
    )


def _sent(row: _Row, text: str, use: RowUse) -> str:
    """Return what a call sends of the row, the same however its file is written.

    Values count as the text that is inserted: quotes, blanks between them, the order of columns and those
    that the prompt has no place for make no difference, nor does the type of file.
    """
    if use.rule == 1:
        return text
    if use.columns is None:
        return json_values.encode_without_order(row)
    return json_values.encode_value(
        [json_values.without_order(value_of(column, row, None)) for column in use.columns]
    )


# --- walking ---------------------------------------------------------------------------------


def _check_any(inputs: Iterator[FoundInput], max_rows: int | None, path: Path) -> Iterator[FoundInput]:
    first = next(inputs, None)
    if first is None:
        raise InputError(f"{path} has no rows")
    if max_rows is None or max_rows > 0:
        yield first
    yield from inputs if max_rows is None else islice(inputs, max(max_rows - 1, 0))


def _line_rows(table: Table, name_column: str | None) -> Iterator[FoundInput]:
    """Yield the rows of csv and jsonl. The loop runs a million times, so it does only what it must."""
    path, salt, wide, extra = table.path, table.salt, table.wide, _json_overhead(table)
    ends = b"\r\n" if table.kind == CSV else b" \t\r\n"
    label = make_labels(table, name_column)
    words = line_label(table, LINE) if table.kind == LINES else None
    number, offset, line = 0, table.start, table.line
    for raw in table_format.raw_records(table, offset):
        record = raw.rstrip(ends)
        if record and (words is None or words(record)):
            number += 1
            size = len(record)
            length = table_format.width(table, record) if wide else size
            yield FoundInput(
                name=label(record, number) if label else f"row-{number}",
                path=path,
                size=size + extra,
                stamp=blake2b(record, digest_size=8, salt=salt).hexdigest(),
                part=f"row {number} {offset} {length} {line}",
            )
        offset += table_format.width(table, raw) if wide else len(raw)
        line += raw.count(b"\n") or 1


def _list_rows(table: Table, name_column: str | None) -> Iterator[FoundInput]:
    label = make_labels(table, name_column)
    for number, (record, offset, length, line) in enumerate(items(table), 1):
        name = label(record, number) if label else f"row-{number}"
        yield _json_row(table, name, record, f"row {number} {offset} {length} {line}")


def _object_rows(table: Table, name_column: str | None) -> Iterator[FoundInput]:
    label = make_labels(table, name_column)
    for number, record in enumerate(read_object(table.path, table.start, table.encodings).records, 1):
        name = label(record, number) if label else f"row-{number}"
        yield _json_row(table, name, record, f"row {number}")


def _json_row(table: Table, name: str, record: bytes, part: str) -> FoundInput:
    stamp = _record_stamp(record, table.salt)
    return FoundInput(name=name, path=table.path, size=len(record), stamp=stamp, part=part)


def _parquet_rows(table: Table, name_column: str | None) -> Iterator[FoundInput]:
    from umwelten.inputs.tables.parquet import parquet_rows

    labels = Labels() if name_column else None
    for number, (group, index, row) in enumerate(parquet_rows(table.path), 1):
        record = json_values.encode(row).encode()
        yield FoundInput(
            name=labels.unique(json_values.as_text(row[name_column or ""]), number)
            if labels
            else f"row-{number}",
            path=table.path,
            size=len(record),
            stamp=_record_stamp(record, table.salt),
            part=f"row {number} {group} {index}",
        )


def _json_overhead(table: Table) -> int:
    """Return the bytes that the columns' names add to a csv row when it becomes an object."""
    return sum(len(column.encode()) + 6 for column in table.columns) if table.kind == CSV else 0


def row_stamp(record: bytes) -> str:
    """Return the stamp of a row that a program gave, by its line."""
    return _record_stamp(record, b"")


def _record_stamp(record: bytes, salt: bytes) -> str:
    return blake2b(record, digest_size=8, salt=salt).hexdigest()


def _columns_of(record: bytes, table: Table) -> tuple[str, ...]:
    try:
        return tuple(json_values.object_keys(text_of(record, table.inner)))
    except InputError:
        return ()  # a broken row fails by itself when its call starts


def _readers(table: Table) -> Iterator[tuple[str, Callable[[], _Row | None]]]:
    """Yield the rows' places, and what reads them: `None` for a line without a row."""
    if table.kind == PARQUET:
        from umwelten.inputs.tables.parquet import parquet_rows

        for number, (_, _, row) in enumerate(parquet_rows(table.path), 1):
            yield _location(table, [number]), partial(dict, row)
    elif table.kind == OBJECT:
        found = read_object(table.path, table.start, table.encodings).records
        for number, record in enumerate(found, 1):
            yield _location(table, [number]), partial(_decode_record, record, ("utf-8",))
    elif table.kind == JSON:
        for number, (record, offset, length, line) in enumerate(items(table), 1):
            place = _location(table, [number, offset, length, line])
            yield place, partial(_decode_record, record, table.inner)
    else:
        line = table.line
        for raw in table_format.raw_records(table, table.start):
            if raw.strip(b" \t\r\n"):
                yield _location(table, [0, 0, 0, line]), partial(_decode_line, table, raw.rstrip(b"\r\n"))
            line += raw.count(b"\n") or 1


def _decode_record(record: bytes, encodings: tuple[str, ...]) -> _Row:
    return json_values.decode_object(text_of(record, encodings))


def _decode_line(table: Table, record: bytes) -> _Row | None:
    text = text_of(record, table.inner)
    if table.kind == CSV:
        return table_format.csv_row(table, text)
    if table.kind == LINES:
        value = line_value(text)
        return {LINE: value} if value else None
    return json_values.decode_object(text)


# --- reading one -----------------------------------------------------------------------------


def _read_values(table: Table, numbers: list[int], stamp: str, *, again: bool) -> tuple[_Row, bool]:
    """Return the row, and whether it is another one than the stamp's; `again` as in `RowUse`."""
    if table.kind == PARQUET:
        from umwelten.inputs.tables.parquet import parquet_row

        row = parquet_row(table.path, *numbers[1:3])
        return row, stamp not in ("", _record_stamp(json_values.encode(row).encode(), table.salt))
    if table.kind == OBJECT:
        record = _object_record(table, numbers[0])
        return json_values.decode_object(record.decode()), stamp not in (
            "",
            _record_stamp(record, table.salt),
        )
    text, changed = _record_text(table, numbers, stamp, again=again)
    match table.kind:
        case "csv":
            return table_format.csv_row(table, text), changed
        case "lines":
            return {LINE: line_value(text)}, changed
    return json_values.decode_object(text), changed


def _object_record(table: Table, number: int) -> bytes:
    records = read_object(table.path, table.start, table.encodings).records
    if number > len(records):
        raise InputError(
            "the file changed: the row is no longer there", Phrase("Continue with {option:resume}.")
        )
    return records[number - 1]


def _record_text(table: Table, numbers: list[int], stamp: str, *, again: bool) -> tuple[str, bool]:
    unit, (number, offset, length) = table_format.unit(table), numbers[:3]
    data = read_bytes(table.path, offset, length + unit)
    data, after = data[:length], data[length:].strip(b"\x00")
    if table.wide:
        data = text_of(data, table.encodings).encode()
    # The end is checked as well: what was appended to a row leaves its beginning unchanged.
    if stamp == "" or (
        _record_stamp(data, table.salt) == stamp and (table.kind == JSON or not after.strip())
    ):
        return text_of(data, table.inner), False
    if again:
        return _text_by_number(table, number), True
    if table.kind == JSON:
        return text_of(data, table.inner), True
    return _current_text(table, offset), True


def _text_by_number(table: Table, number: int) -> str:
    """Return the record that has the number now: with longer or shorter rows before it, it has moved."""
    status = os.stat(table.path)  # noqa: PTH116 - as often as there are rows, Path takes three times as long
    places = _places(table, status.st_size, status.st_mtime_ns)
    if 2 * number > len(places):
        raise InputError(
            "the file changed: the row is no longer there", Phrase("Continue with {option:resume}.")
        )
    data = read_bytes(table.path, *places[2 * number - 2 : 2 * number])
    return text_of(data, table.encodings if table.wide else table.inner).rstrip("\r\n")


@lru_cache(maxsize=4)
def _places(table: Table, size: int, mtime_ns: int) -> array[int]:
    """Return offset and length of each row in turn; the last two parameters are for the cache alone."""
    walk = _list_rows if table.kind == JSON else _line_rows
    return array("Q", (int(place) for found in walk(table, None) for place in found.part.split()[2:4]))


def _current_text(table: Table, offset: int) -> str:
    """Return the record that now begins at the offset. Raises `InputError` if none does."""
    unit = table_format.unit(table)
    before = read_bytes(table.path, offset - unit, unit).strip(b"\x00") if offset > table.start else b"\n"
    raw = next(table_format.raw_records(table, offset), b"") if before in (b"\n", b"\r") else b""
    if not raw.strip():
        raise InputError(
            "the file changed, and no row begins there any more", Phrase("Continue with {option:resume}.")
        )
    return text_of(raw, table.inner).rstrip("\r\n")


def _location(table: Table, numbers: list[int]) -> str:
    name = Path(table.path).name
    return f"{name}, line {numbers[3]}" if len(numbers) > 3 else f"{name}, row {numbers[0]}"
