"""A table's file: what kind it is, how it is encoded, where its rows begin.

Rows are found on bytes, and an offset is what reads one again. Text of two or four bytes a character is
turned into UTF-8 on the way, chunk by chunk; a row's length in the file follows from its text.
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
from umwelten.inputs.tables.json_values import keys
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
_KINDS = "Rows are read from csv, tsv, jsonl, json and parquet files; save a spreadsheet as csv."


class Table(FrozenStruct):
    """What is known of a table's file without its rows.

    `encodings` are tried in turn on each row; a wide one stands alone. `start` is the offset of the first
    row (json: of the first byte of text), `line` the number of that line. `columns`: in order; of json
    those of the first hundred rows. `salt` goes into the stamps of the rows: their columns' names.
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
        """Whether characters take two or four bytes."""
        return self.encodings[0].startswith(("utf-16", "utf-32"))

    @property
    def inner(self) -> tuple[str, ...]:
        """The encodings to try on a record as `raw_records` gives it."""
        return ("utf-8",) if self.wide else self.encodings


def table(path: str | os.PathLike[str]) -> Table:
    """Look at a file's beginning. Errors: `InputError` for what is no table, or one without columns."""
    try:
        found = Path(path).stat()
    except OSError as error:
        near = nearest_name(Path(path)) if isinstance(error, FileNotFoundError) else None
        raise InputError(f"cannot read {path}: {error.strerror}", did_you_mean(near) or None) from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a regular file", _KINDS)
    return _table(os.fspath(path), found.st_size, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=16)
def _table(path: str, size: int, mtime_ns: int, inode: int) -> Table:
    """Kept for as long as the file stays what it is."""
    head = read_bytes(path, 0, _HEAD)
    kind = _kind(path, head)
    if kind == PARQUET:
        from umwelten.inputs.tables.parquet import column_names

        return Table(path=path, kind=kind, columns=column_names(path))
    encodings, start = _encoding(head, path)
    found = Table(path=path, kind=kind, encodings=encodings, start=start)
    if kind == JSON:
        return found
    return _with_header(found, head) if kind == CSV else _with_keys(found)


def _kind(path: str, head: bytes) -> str:
    if head.startswith(_MAGIC):
        return PARQUET
    kind = _ENDINGS.get(Path(path).suffix.lower())
    # Whatever the mark and the width, the first sign is the same byte.
    first = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1]
    if not first:
        raise InputError(f"{path} is empty", _KINDS)
    if kind == PARQUET:
        raise InputError(f"{path} is no parquet file: it does not begin like one", _KINDS)
    if first == b"[" and kind != CSV:
        return JSON
    if first == b"{" and kind != CSV:
        return JSONL
    if kind in (JSON, JSONL):
        raise InputError(f"{path} holds no JSON objects: it begins with {_shown(head)}", _KINDS)
    if kind is None and not _wide(head) and decode(head[: head.rfind(b"\n") + 1] or head) is None:
        raise InputError(f"{path} is no table: it begins with {_shown(head)}", _KINDS)
    return CSV


def _shown(head: bytes) -> str:
    return repr(head[:20].decode("latin-1"))


def _encoding(head: bytes, path: str) -> tuple[tuple[str, ...], int]:
    """The encodings to try, and how many bytes the mark takes."""
    if head.startswith(codecs.BOM_UTF8):
        return ("utf-8", "cp1252"), 3
    wide = _wide(head)
    if wide is not None:
        return (wide,), len("\ufeff".encode(wide))
    if b"\x00" in head:
        raise InputError(f"{path} is not text: it begins with {_shown(head)}", _KINDS)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return (_older(head), "utf-8"), 0
    return ("utf-8", "cp1252"), 0


def _wide(head: bytes) -> str | None:
    return next((name for mark, name in _WIDE if head.startswith(mark)), None)


def _older(head: bytes) -> str:
    """The encoding in which the beginning reads best."""
    whole = head[: head.rfind(b"\n") + 1] or head
    text = decode(whole)
    return next((name for name in _OLDER if _decodes_to(whole, name, text)), "cp1252")


def _decodes_to(data: bytes, encoding: str, text: str | None) -> bool:
    try:
        return data.decode(encoding) == text
    except UnicodeDecodeError:
        return False


# --- the first row tells the columns -----------------------------------------------------------


def _with_header(found: Table, head: bytes) -> Table:
    start, line = found.start, 1
    sample = _whole_characters(head[start:], found)
    declared = csv.declared(sample)
    if declared is not None:
        delimiter, skipped = declared
        start, line = start + width(found, sample[:skipped]), 2
    else:
        is_tabs = found.path.lower().endswith((".tsv", ".tab"))
        delimiter = "\t" if is_tabs else csv.sniff(sample)
    found = replace(found, delimiter=delimiter)
    for raw in raw_records(found, start):
        start, line = start + width(found, raw), line + (raw.count(b"\n") or 1)
        if raw.strip(b"\r\n"):
            columns = _checked(csv.fields(text_of(raw, found.inner).rstrip("\r\n"), delimiter), found.path)
            salt = blake2b("\0".join(columns).encode(), digest_size=16).digest()
            return replace(found, start=start, line=line, columns=columns, salt=salt)
    raise InputError(f"{found.path} is empty", _KINDS)


def _whole_characters(head: bytes, found: Table) -> bytes:
    """The beginning as UTF-8, cut where a character is not whole."""
    if not found.wide:
        return head
    return codecs.getincrementaldecoder(found.encodings[0])("replace").decode(head).encode()


def _checked(names: list[str], path: str) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in names)
    for at, name in enumerate(columns):
        if not name:
            raise InputError(
                f"{path}: column {at + 1} has no name", "The first line must name every column, each once."
            )
        if name in columns[:at]:
            raise InputError(
                f"{path}: two columns are called {name!r}",
                "The first line must name every column, each once.",
            )
    return columns


def _with_keys(found: Table) -> Table:
    names: dict[str, None] = {}
    good = 0
    for raw in islice((raw for raw in raw_records(found, found.start) if raw.strip()), _SAMPLED):
        try:
            names.update(dict.fromkeys(keys(text_of(raw, found.inner))))
            good += 1
        except InputError:
            continue  # a broken line fails by itself when its call starts
    if not good:
        raise InputError(f"{found.path} holds neither a list of objects nor one object on each line", _KINDS)
    return replace(found, columns=tuple(names))


# --- bytes -----------------------------------------------------------------------------------


def raw_records(found: Table, start: int) -> Iterator[bytes]:
    """The rows from an offset on, each with its line end; as UTF-8 where the file is wide."""
    chunks = _chunks(found, start)
    return csv.records(chunks, found.delimiter) if found.kind == CSV else _lines(chunks)


def _chunks(found: Table, start: int) -> Iterator[bytes]:
    try:
        with open(found.path, "rb") as file:  # noqa: PTH123 - Path.open adds nothing but time
            file.seek(start)
            yield from (
                _recoded(file, found.encodings[0]) if found.wide else iter(lambda: file.read(_CHUNK), b"")
            )
    except OSError as error:
        raise InputError(f"cannot read {found.path}: {error.strerror}") from error


def _recoded(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data := file.read(_CHUNK):
            yield decoder.decode(data).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise InputError(f"{file.name} is damaged: it is no {encoding} text throughout") from error


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines that end in a newline and nothing else, as JSON has it."""
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


def unit(found: Table) -> int:
    """How many bytes of the file a line end takes."""
    return len("\n".encode(found.encodings[0])) if found.wide else 1


def csv_row(found: Table, text: str) -> dict[str, str]:
    """The values of a csv record by column; those it lacks are empty. Errors: `InputError`."""
    values = csv.fields(text, found.delimiter)
    known = len(found.columns)
    if any(values[known:]):
        raise InputError(
            f"{len(values)} values for {known} column{'s' * (known > 1)}",
            f"Values that hold {found.delimiter!r} need quotes around them.",
        )
    return dict(zip(found.columns, values + [""] * (known - len(values)), strict=False))


def width(found: Table, raw: bytes) -> int:
    """How many bytes of the file a record of `raw_records` takes."""
    return len(raw.decode().encode(found.encodings[0])) if found.wide else len(raw)


def text_of(data: bytes, encodings: tuple[str, ...]) -> str:
    """The text of a row. Errors: `InputError` when it reads in none of the encodings."""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"its bytes are no text in {' or '.join(encodings)}")


def read_bytes(path: str, start: int, length: int) -> bytes:
    """Some bytes of a file, fewer at its end. Errors: `InputError`."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
