"""Records of comma-separated text: where one ends, what its fields are, what separates them.

The rules are those of Python's `csv` module, and of RFC 4180 where both agree: a quote counts only at the
beginning of a field, two of them inside stand for one, and a quoted field may hold separators and line ends.
Records are found on UTF-8 bytes, so that a million of them need not be decoded to be counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from umwelten.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
MAX_RECORD = 64 * 1024 * 1024
"""No row is larger, as no file is; a quote that is never closed would read the whole file otherwise."""

_SNIFFED = 20
_LONG = 1 << 20
_DECLARED = re.compile(rb"sep=([,;\t|])\r?\n", re.IGNORECASE)


class UnclosedQuote(InputError):
    """A record that begins a quoted field and never ends it."""


def declared(head: bytes) -> tuple[str, int] | None:
    """The separator that a first line `sep=;` names, as spreadsheets write it, and that line's length."""
    found = _DECLARED.match(head)
    return (found[1].decode(), found.end()) if found else None


def sniff(head: bytes) -> str:
    """What separates the fields: whatever cuts the first records into the same number of them, above one."""
    return max(DELIMITERS, key=lambda delimiter: _likeness(head, delimiter))


def _likeness(head: bytes, delimiter: str) -> tuple[float, int]:
    whole = _record(delimiter).match
    counts: list[int] = []
    at = 0
    while len(counts) < _SNIFFED and (found := whole(head, at)) and found.end() > at:
        record = found[0].rstrip(b"\r\n")
        at = found.end()
        if record:
            counts.append(len(fields(record.decode("latin-1"), delimiter)))
    if not counts or counts[0] < 2:
        return 0.0, 0
    return counts.count(counts[0]) / len(counts), counts[0]


def records(chunks: Iterable[bytes], delimiter: str) -> Iterator[bytes]:
    """Each record with its line end; the last may lack one. Errors: `InputError` for one without end."""
    whole = _record(delimiter).match
    rest, enough = b"", 0
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        if len(data) < enough:
            rest = data
            continue
        if b'"' in data:
            at = 0
            # One that reaches the end of the data may go on in the next chunk.
            while (found := whole(data, at)) and (found.end() < len(data) or data.endswith(b"\n")):
                yield found[0]
                at = found.end()
                if at == len(data):
                    break
            rest = data[at:]
        else:
            lines = data.splitlines(keepends=True)
            rest = b"" if data.endswith(b"\n") else lines.pop()
            yield from lines
        if len(rest) > MAX_RECORD:
            raise InputError(f"a row is larger than {MAX_RECORD >> 20} MB; is a quote never closed?")
        # A long record is not looked through again with every chunk, but each time it has doubled.
        enough = 2 * len(rest) if len(rest) > _LONG else 0
    yield from _last(rest, delimiter)


def _last(rest: bytes, delimiter: str) -> Iterator[bytes]:
    """What is left at the end of the file, where a line end is not needed."""
    at = 0
    while at < len(rest):
        found = _record(delimiter).match(rest, at)
        end = found.end() if found else len(rest)
        yield rest[at:end]
        at = end


@lru_cache(maxsize=16)
def _record(delimiter: str) -> re.Pattern[bytes]:
    """A record with its line end, or up to the end of the data. No match: a quote is still open."""
    d = re.escape(delimiter.encode())
    # Possessive throughout: there is one way to read a record, and no way back into it.
    field = rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|(?!")[^%b\r\n]*+)' % (d, d)
    return re.compile(rb"%b(?:%b%b)*+(?:\r\n|\n|\r|\Z)" % (field, d, field))


@lru_cache(maxsize=16)
def _field(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]++|"")*+)")?+((?(1)|(?!"))[^{d}\r\n]*+)')


def fields(record: str, delimiter: str) -> list[str]:
    """The fields of one record without its line end. Errors: `InputError` when it is not just one record."""
    if '"' not in record:
        _check_single(record)
        return record.split(delimiter)
    match, found, at = _field(delimiter).match, list[str](), 0
    while True:
        field = match(record, at)
        if field is None:
            raise UnclosedQuote("a quote is never closed, so that all that follows belongs to it")
        found.append((field[1] or "").replace('""', '"') + field[2])
        at = field.end()
        if at == len(record):
            return found
        _check_single(record[at])
        at += 1


def _check_single(record: str) -> None:
    if "\n" in record or "\r" in record:
        raise InputError("more than one row stands there")
