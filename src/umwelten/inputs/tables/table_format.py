"""The format of a table's file: its kind, its encoding, where its rows begin.

Rows are split as bytes, so that one can be read again from its offset. UTF-16 and UTF-32 are recoded to UTF-8
chunk by chunk; a row's length in the file follows from its text.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from umwelten.choices import ROW_RULE, RowRule
from umwelten.errors import InputError, read_error
from umwelten.file_types import type_by_name
from umwelten.inputs.encodings import decode
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.tables import csv
from umwelten.inputs.tables.header import name_columns
from umwelten.inputs.tables.json_objects import read_object
from umwelten.inputs.tables.json_values import end_of_value, object_keys
from umwelten.inputs.tables.parts_of_files import MAX_JSON, read_bytes, text_of
from umwelten.store.kept_inputs import INPUTS
from umwelten.text.suggestions import did_you_mean
from umwelten.types import FrozenStruct

CSV, JSONL, JSON, OBJECT, LINES, PARQUET = "csv", "jsonl", "json", "object", "lines", "parquet"
LINE = "line"
"""The column of a file of lines."""

_CHUNK = 1 << 18
_HEAD = 1 << 16
_SAMPLED = 100
_MAGIC = b"PAR1"
_ENDINGS = {
    ".csv": CSV,
    ".tsv": CSV,
    ".tab": CSV,
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".json": JSON,
    ".parquet": PARQUET,
    ".pq": PARQUET,
}
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OLDER = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp932", "gb18030", "euc_jp", "big5", "cp949")
_KINDS = (
    "Tables are csv, tsv, jsonl, json, parquet and text files; save a spreadsheet as csv, unpack an archive."
)
# How JSON begins, and words in braces or brackets do not.
_JSON_BEGINS = re.compile(rb"\{\s*[\"}]|\[\s*[\[{\]]")


class Table(FrozenStruct):
    """The format of a table's file.

    `encodings` are tried in turn on each row; a wide one is the only one. `start` is the offset of the first
    row (json: of the first byte of text), `line` the number of that line. `columns`: in order; of jsonl
    those of the first 100 rows; of json none. `salt` is hashed into the stamps of rows: the columns' names.
    `note` is what users should know of how the file is read, "" if nothing.
    """

    path: str
    kind: str
    encodings: tuple[str, ...] = ("utf-8", "cp1252")
    delimiter: str = ","
    start: int = 0
    line: int = 1
    columns: tuple[str, ...] = ()
    salt: bytes = b""
    note: str = ""

    @property
    def wide(self) -> bool:
        """Whether characters take two or four bytes: UTF-16 or UTF-32."""
        return self.encodings[0].startswith(("utf-16", "utf-32"))

    @property
    def inner(self) -> tuple[str, ...]:
        """The encodings to try on a record of `raw_records`."""
        return ("utf-8",) if self.wide else self.encodings


def inspect_table(path: str | os.PathLike[str], rule: RowRule = ROW_RULE) -> Table:
    """Return the format of a table. Raises `InputError` for other files, and for one without columns."""
    if is_kept(path):
        return Table(path=os.fspath(path), kind=JSONL, encodings=("utf-8",))
    try:
        status = Path(path).stat()
    except OSError as error:
        nearest = nearest_name(Path(path)) if isinstance(error, FileNotFoundError) else None
        raise InputError(f"cannot read {path}: {error.strerror}", did_you_mean(nearest) or None) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a regular file", _KINDS)
    return _inspect_table(os.fspath(path), rule, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=16)
def _inspect_table(path: str, rule: RowRule, size: int, mtime_ns: int, inode: int) -> Table:
    """Inspect the file; the parameters but the first two make the cache miss when it changes."""
    head = read_bytes(path, 0, _HEAD)
    kind = _kind(path, head, rule)
    if kind == PARQUET:
        from umwelten.inputs.tables.parquet import column_names

        return Table(path=path, kind=kind, columns=column_names(path))
    encodings, start = _encoding(head, path)
    table = Table(path=path, kind=kind, encodings=encodings, start=start)
    if rule > 1 and kind in (CSV, JSONL):
        table = _without_ending(table, head) if _ending(path) is None else table
        table = replace(table, kind=OBJECT) if table.kind == JSONL and _is_one_object(table, size) else table
    match table.kind:
        case "csv":
            return _read_header(table, head)
        case "jsonl":
            return _read_keys(table)
        case "object":
            found = read_object(path, start, encodings)
            note = f"{Path(path).name} is one object: {found.note}"
            return replace(table, columns=found.columns, note=note)
    return table


def is_kept(path: str | os.PathLike[str]) -> bool:
    """Return whether a table was written by umwelten from what a program gave.

    It may still grow. So its format is known and not looked for, and its columns count in no stamp.
    """
    return Path(path).parent.name == INPUTS and Path(path).suffix == ".jsonl"


def kept_columns(table: Table) -> tuple[str, ...]:
    """Return the columns of such a table, of the first 100 rows. Raises `InputError`."""
    return _read_keys(table).columns


def _kind(path: str, head: bytes, rule: RowRule) -> str:
    if head.startswith(_MAGIC):
        return PARQUET
    kind = _ending(path)
    # The first character is the same byte whatever the mark and the width.
    begin = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    first = begin[:1]
    if not first:
        raise InputError(f"{path} is empty", _KINDS)
    if kind == PARQUET:
        raise InputError(f"{path} is not a parquet file", _KINDS)
    if rule > 1 and kind is None and not _JSON_BEGINS.match(begin.replace(b"\x00", b"")):
        first = b""
    if first == b"[" and kind != CSV:
        return JSON
    if first == b"{" and kind != CSV:
        return JSONL
    if kind in (JSON, JSONL):
        raise InputError(f"{path} contains no JSON objects: it begins with {_excerpt(head)}", _KINDS)
    if kind is None and not _wide_encoding(head) and decode(head[: head.rfind(b"\n") + 1] or head) is None:
        kind_of_file = type_by_name(path)
        is_named = kind_of_file.family != "text"
        what = f"it is {kind_of_file.word}" if is_named else f"it begins with {_excerpt(head)}"
        raise InputError(f"{path} is not a table: {what}", _KINDS)
    return CSV


def _ending(path: str) -> str | None:
    """Return the kind that the name says, `None` if it says nothing."""
    return _ENDINGS.get(Path(path).suffix.lower())


def _without_ending(table: Table, head: bytes) -> Table:
    """Return the table as csv or as lines, where its name does not say which."""
    if table.kind != CSV:
        return table
    name, sample = Path(table.path).name, _whole_characters(head[table.start :], table)
    whole = len(head) < _HEAD
    if csv.declared_delimiter(sample) or csv.surely_delimited(
        sample if whole else sample[: sample.rfind(b"\n") + 1]
    ):
        return replace(
            table,
            note=f"{name} is read as a table, its first line as the header; "
            "for a row a line, put the lines in a jsonl file",
        )
    return replace(
        table,
        kind=LINES,
        columns=(LINE,),
        note=f"{name} is read line by line: each is a row, {{{{row.{LINE}}}}} in the prompt; "
        "if it is a table, call it .csv or .tsv",
    )


def _is_one_object(table: Table, size: int) -> bool:
    """Return whether the file is one JSON object and nothing else; of jsonl one on several lines."""
    if size > MAX_JSON:
        return False
    try:
        text = text_of(read_bytes(table.path, table.start, MAX_JSON), table.encodings).strip()
        end = end_of_value(text)
    except (ValueError, RecursionError, InputError):
        return False
    return end == len(text) and (_ending(table.path) != JSONL or "\n" in text)


def _excerpt(head: bytes) -> str:
    return repr(head[:20].decode("latin-1"))


def _encoding(head: bytes, path: str) -> tuple[tuple[str, ...], int]:
    """Return the encodings to try, and the bytes of the byte order mark."""
    if head.startswith(codecs.BOM_UTF8):
        return ("utf-8", "cp1252"), 3
    wide = _wide_encoding(head)
    if wide is not None:
        return (wide,), len("\ufeff".encode(wide))
    if b"\x00" in head:
        raise InputError(f"{path} is not text: it begins with {_excerpt(head)}", _KINDS)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return (_older_encoding(head), "utf-8"), 0
    return ("utf-8", "cp1252"), 0


def _wide_encoding(head: bytes) -> str | None:
    return next((name for mark, name in _WIDE if head.startswith(mark)), None)


def _older_encoding(head: bytes) -> str:
    """Return the most plausible older encoding of the beginning."""
    whole = head[: head.rfind(b"\n") + 1] or head
    text = decode(whole)
    return next((name for name in _OLDER if _decodes_to(whole, name, text)), "cp1252")


def _decodes_to(data: bytes, encoding: str, text: str | None) -> bool:
    try:
        return data.decode(encoding) == text
    except UnicodeDecodeError:
        return False


# --- columns ------------------------------------------------------------------------------------


def _read_header(table: Table, head: bytes) -> Table:
    start, line = table.start, 1
    sample = _whole_characters(head[start:], table)
    named = csv.declared_delimiter(sample)
    if named is not None:
        delimiter, line_bytes = named
        start, line = start + width(table, sample[:line_bytes]), 2
    else:
        is_tabs = table.path.lower().endswith((".tsv", ".tab"))
        delimiter = "\t" if is_tabs else csv.sniff(sample)
    table = replace(table, delimiter=delimiter)
    records = raw_records(table, start)
    for raw in records:
        start, line = start + width(table, raw), line + (raw.count(b"\n") or 1)
        if raw.strip(b" \r\n"):
            header = name_columns(
                csv.fields(text_of(raw, table.inner).rstrip("\r\n"), delimiter), _sample(records, table)
            )
            salt = blake2b("\0".join(header.columns).encode(), digest_size=16).digest()
            note = "; ".join(
                filter(None, (table.note, header.note and f"{Path(table.path).name}: {header.note}"))
            )
            return replace(table, start=start, line=line, columns=header.columns, salt=salt, note=note)
    raise InputError(f"{table.path} is empty", _KINDS)


def _sample(records: Iterable[bytes], table: Table) -> list[list[str]]:
    """Return the values of the first rows, as far as they can be read."""
    found = []
    for raw in islice(records, _SAMPLED):
        record = raw.rstrip(b"\r\n")
        try:
            found += [csv.fields(text_of(record, table.inner), table.delimiter)] if record else []
        except InputError:
            continue  # it fails by itself when its call starts
    return found


def _whole_characters(head: bytes, table: Table) -> bytes:
    """Return the beginning as UTF-8, without an incomplete character at its end."""
    if not table.wide:
        return head
    return codecs.getincrementaldecoder(table.encodings[0])("replace").decode(head).encode()


def _read_keys(table: Table) -> Table:
    names: dict[str, None] = {}
    good = 0
    for raw in islice((raw for raw in raw_records(table, table.start) if raw.strip()), _SAMPLED):
        try:
            names.update(dict.fromkeys(object_keys(text_of(raw, table.inner))))
            good += 1
        except InputError:
            continue  # a broken line fails by itself when its call starts
    if not good:
        raise InputError(
            f"{table.path} contains neither a list of objects nor one object on each line", _KINDS
        )
    return replace(table, columns=tuple(names))


# --- bytes -----------------------------------------------------------------------------------


def raw_records(table: Table, start: int) -> Iterator[bytes]:
    """Yield the rows from an offset on, each with its line end; as UTF-8 if the file is wide."""
    chunks = _chunks(table, start)
    return csv.records(chunks, table.delimiter) if table.kind == CSV else _lines(chunks)


def _chunks(table: Table, start: int) -> Iterator[bytes]:
    try:
        with open(table.path, "rb") as file:  # noqa: PTH123 - Path.open adds nothing but time
            file.seek(start)
            yield from (
                _recode(file, table.encodings[0]) if table.wide else iter(lambda: file.read(_CHUNK), b"")
            )
    except OSError as error:
        raise read_error(table.path, error) from error


def _recode(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data := file.read(_CHUNK):
            yield decoder.decode(data).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise InputError(f"{file.name} is damaged: not all of it is {encoding} text") from error


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; only a newline ends one, as JSON lines require."""
    rest = b""
    for chunk in chunks:
        *lines, last = chunk.split(b"\n")
        if lines:
            lines[0] = rest + lines[0]
            rest = last
            for line in lines:
                yield line + b"\n"
        else:
            rest += last
        if len(rest) > csv.MAX_RECORD:
            raise InputError(f"a line is larger than {csv.MAX_RECORD >> 20} MB")
    if rest:
        yield rest


def unit(table: Table) -> int:
    """Return how many bytes of the file a line end takes."""
    return len("\n".encode(table.encodings[0])) if table.wide else 1


def csv_row(table: Table, text: str) -> dict[str, str]:
    """Return the values of a csv record by column; missing ones are empty. Raises `InputError`."""
    values = csv.fields(text, table.delimiter)
    columns = len(table.columns)
    if any(values[columns:]):
        raise InputError(
            f"{len(values)} values for {columns} column{'s' * (columns > 1)}",
            f"Put values that contain {table.delimiter!r} in quotes.",
        )
    return dict(zip(table.columns, values + [""] * (columns - len(values)), strict=False))


def width(table: Table, raw: bytes) -> int:
    """Return how many bytes of the file a record of `raw_records` takes."""
    return len(raw.decode().encode(table.encodings[0])) if table.wide else len(raw)
