"""Parsing of comma-separated text: records, their fields, and the delimiter.

The rules are those of Python's `csv` module, and of RFC 4180 where both agree: a quote counts only at the
beginning of a field, two of them inside stand for one, and a quoted field may hold delimiters and line ends.
Records are split as UTF-8 bytes, so that a million of them need not be decoded to be counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from umwelten.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
MAX_RECORD = 64 * 1024 * 1024
"""Bytes of a row, at most, as of a file; without it an unclosed quote would read the whole table."""

_SNIFFED = 20
_LONG = 1 << 20
_DECLARED = re.compile(rb"\"?sep=([,;\t|])\"?\r?\n", re.IGNORECASE)
# A column's name that cannot be the beginning of a sentence.
_NAME = re.compile(r"[^\W\d][\w.-]*")


class UnclosedQuote(InputError):
    """A record whose quoted field is never closed."""


def declared_delimiter(head: bytes) -> tuple[str, int] | None:
    """Return the delimiter in a first line `sep=;`, as spreadsheets write it, and that line's length."""
    match = _DECLARED.match(head)
    return (match[1].decode(), match.end()) if match else None


def sniff(head: bytes) -> str:
    """Return the delimiter that splits most of the first records into the same number of fields."""
    return max(DELIMITERS, key=lambda delimiter: _consistency(head, delimiter))


def surely_delimited(head: bytes) -> bool:
    """Return whether whole lines are a table with a header, where lines of text are as likely.

    They are if all have as many values, at least two, between tabs; or between other delimiters, if those of
    the first are names without blanks: commas are found in sentences too.
    """
    return any(_is_table(head, delimiter) for delimiter in ("\t", ";", "|", ","))


def _is_table(head: bytes, delimiter: str) -> bool:
    found = _first_fields(head, delimiter)
    if len(found) < 2 or len(found[0]) < 2 or any(len(values) != len(found[0]) for values in found):
        return False
    return delimiter == "\t" or all(
        _NAME.fullmatch(name.encode("latin-1").decode(errors="ignore")) for name in found[0]
    )


def _consistency(head: bytes, delimiter: str) -> tuple[float, int]:
    counts = [len(values) for values in _first_fields(head, delimiter)]
    if not counts or counts[0] < 2:
        return 0.0, 0
    return counts.count(counts[0]) / len(counts), counts[0]


def _first_fields(head: bytes, delimiter: str) -> list[list[str]]:
    """Return the values of the first records, decoded in whatever way keeps their number."""
    whole = _record(delimiter).match
    found: list[list[str]] = []
    offset = 0
    while len(found) < _SNIFFED and (match := whole(head, offset)) and match.end() > offset:
        record = match[0].rstrip(b"\r\n")
        offset = match.end()
        if record:
            found.append(fields(record.decode("latin-1"), delimiter))
    return found


def records(chunks: Iterable[bytes], delimiter: str) -> Iterator[bytes]:
    """Yield each record with its line end; the last may lack one. Raises `InputError` above `MAX_RECORD`."""
    whole = _record(delimiter).match
    rest, enough = b"", 0
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        if len(data) < enough:
            rest = data
            continue
        if b'"' in data:
            offset = 0
            # One that reaches the end of the data may continue in the next chunk.
            while (match := whole(data, offset)) and (match.end() < len(data) or data.endswith(b"\n")):
                yield match[0]
                offset = match.end()
                if offset == len(data):
                    break
            rest = data[offset:]
        else:
            lines = data.splitlines(keepends=True)
            rest = b"" if data.endswith(b"\n") else lines.pop()
            yield from lines
        if len(rest) > MAX_RECORD:
            raise InputError(f"a row is larger than {MAX_RECORD >> 20} MB; is a quote never closed?")
        # A long record is not parsed again with every chunk, but each time it has doubled.
        enough = 2 * len(rest) if len(rest) > _LONG else 0
    yield from _split_rest(rest, delimiter)


def _split_rest(rest: bytes, delimiter: str) -> Iterator[bytes]:
    """Yield the records at the end of the file, where the line end is optional."""
    offset = 0
    while offset < len(rest):
        match = _record(delimiter).match(rest, offset)
        end = match.end() if match else len(rest)
        yield rest[offset:end]
        offset = end


@lru_cache(maxsize=16)
def _record(delimiter: str) -> re.Pattern[bytes]:
    """Return a pattern for a record with its line end, or up to the end. No match: a quote is open."""
    d = re.escape(delimiter.encode())
    # Possessive within fields: a record has one reading, so backtracking would only take time. A possessive
    # repeat of whole fields is not safe: before Python 3.11.5 it may match where an alternative failed.
    field = rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|(?!")[^%b\r\n]*+)' % (d, d)
    return re.compile(rb"%b(?:%b%b)*(?:\r\n|\n|\r|\Z)" % (field, d, field))


@lru_cache(maxsize=16)
def _field(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]++|"")*+)")?((?(1)|(?!"))[^{d}\r\n]*+)')


def fields(record: str, delimiter: str) -> list[str]:
    """Return the fields of one record without its line end. Raises `InputError` if it is not one record."""
    if '"' not in record:
        _check_single(record)
        return record.split(delimiter)
    match, values, offset = _field(delimiter).match, list[str](), 0
    while True:
        field = match(record, offset)
        if field is None:
            raise UnclosedQuote("a quote is never closed, so everything after it belongs to the field")
        values.append((field[1] or "").replace('""', '"') + field[2])
        offset = field.end()
        if offset == len(record):
            return values
        _check_single(record[offset])
        offset += 1


def _check_single(record: str) -> None:
    if "\n" in record or "\r" in record:
        raise InputError("this is more than one row")
