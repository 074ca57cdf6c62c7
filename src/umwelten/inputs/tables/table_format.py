"""The format of a table's file: its kind, its encoding, where its rows begin.

Rows are split as bytes, so that one can be read again from its offset. UTF-16 and UTF-32 are recoded to UTF-8
chunk by chunk; a row's length in the file follows from its text.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from umwelten.errors import InputError
from umwelten.inputs.encodings import decode
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.tables import csv
from umwelten.inputs.tables.json_values import object_keys
from umwelten.text.suggestions import did_you_mean
from umwelten.types import FrozenStruct

CSV, JSONL, JSON, PARQUET = "csv", "jsonl", "json", "parquet"

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
_KINDS = "Tables are csv, tsv, jsonl, json and parquet files; save a spreadsheet as csv."


class Table(FrozenStruct):
    """The format of a table's file.

    `encodings` are tried in turn on each row; a wide one is the only one. `start` is the offset of the first
    row (json: of the first byte of text), `line` the number of that line. `columns`: in order; of jsonl
    those of the first 100 rows; of json none. `salt` is hashed into the stamps of rows: the columns' names.
    """

    path: str
    kind: str
    encodings: tuple[str, ...] = ("utf-8", "cp1252")
    delimiter: str = ","
    start: int = 0
    line: int = 1
    columns: tuple[str, ...] = ()
    salt: bytes = b""

    @property
    def wide(self) -> bool:
        """Whether characters take two or four bytes: UTF-16 or UTF-32."""
        return self.encodings[0].startswith(("utf-16", "utf-32"))

    @property
    def inner(self) -> tuple[str, ...]:
        """The encodings to try on a record of `raw_records`."""
        return ("utf-8",) if self.wide else self.encodings


def inspect_table(path: str | os.PathLike[str]) -> Table:
    """Return the format of a table. Raises `InputError` for other files, and for one without columns."""
    try:
        status = Path(path).stat()
    except OSError as error:
        nearest = nearest_name(Path(path)) if isinstance(error, FileNotFoundError) else None
        raise InputError(f"cannot read {path}: {error.strerror}", did_you_mean(nearest) or None) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a regular file", _KINDS)
    return _inspect_table(os.fspath(path), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=16)
def _inspect_table(path: str, size: int, mtime_ns: int, inode: int) -> Table:
    """Inspect the file; the parameters but `path` make the cache miss when it changes."""
    head = read_bytes(path, 0, _HEAD)
    kind = _kind(path, head)
    if kind == PARQUET:
        from umwelten.inputs.tables.parquet import column_names

        return Table(path=path, kind=kind, columns=column_names(path))
    encodings, start = _encoding(head, path)
    table = Table(path=path, kind=kind, encodings=encodings, start=start)
    if kind == JSON:
        return table
    return _read_header(table, head) if kind == CSV else _read_keys(table)


def _kind(path: str, head: bytes) -> str:
    if head.startswith(_MAGIC):
        return PARQUET
    kind = _ENDINGS.get(Path(path).suffix.lower())
    # The first character is the same byte whatever the mark and the width.
    first = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1]
    if not first:
        raise InputError(f"{path} is empty", _KINDS)
    if kind == PARQUET:
        raise InputError(f"{path} is not a parquet file", _KINDS)
    if first == b"[" and kind != CSV:
        return JSON
    if first == b"{" and kind != CSV:
        return JSONL
    if kind in (JSON, JSONL):
        raise InputError(f"{path} contains no JSON objects: it begins with {_excerpt(head)}", _KINDS)
    if kind is None and not _wide_encoding(head) and decode(head[: head.rfind(b"\n") + 1] or head) is None:
        raise InputError(f"{path} is not a table: it begins with {_excerpt(head)}", _KINDS)
    return CSV


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
    for raw in raw_records(table, start):
        start, line = start + width(table, raw), line + (raw.count(b"\n") or 1)
        if raw.strip(b"\r\n"):
            columns = _check_columns(
                csv.fields(text_of(raw, table.inner).rstrip("\r\n"), delimiter), table.path
            )
            salt = blake2b("\0".join(columns).encode(), digest_size=16).digest()
            return replace(table, start=start, line=line, columns=columns, salt=salt)
    raise InputError(f"{table.path} is empty", _KINDS)


def _whole_characters(head: bytes, table: Table) -> bytes:
    """Return the beginning as UTF-8, without an incomplete character at its end."""
    if not table.wide:
        return head
    return codecs.getincrementaldecoder(table.encodings[0])("replace").decode(head).encode()


def _check_columns(names: list[str], path: str) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in names)
    for index, name in enumerate(columns):
        if not name:
            raise InputError(
                f"{path}: column {index + 1} has no name", "The first line must name every column, each once."
            )
        if name in columns[:index]:
            raise InputError(
                f"{path}: two columns are named {name!r}",
                "The first line must name every column, each once.",
            )
    return columns


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
        raise InputError(f"cannot read {table.path}: {error.strerror}") from error


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


def text_of(data: bytes, encodings: tuple[str, ...]) -> str:
    """Return the text of a row. Raises `InputError` if it decodes in none of the encodings."""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"its bytes are not text in {' or '.join(encodings)}")


def read_bytes(path: str, start: int, length: int) -> bytes:
    """Return bytes of a file, fewer at its end. Raises `InputError`."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
