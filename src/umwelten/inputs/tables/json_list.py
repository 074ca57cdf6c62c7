"""The items of a JSON list, which is read as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from umwelten.errors import InputError
from umwelten.inputs.tables import json_values
from umwelten.inputs.tables.parts_of_files import MAX_JSON, read_bytes
from umwelten.inputs.tables.table_format import Table

_BLANKS = re.compile(r"[ \t\r\n]*")


def items(table: Table) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield the items of a JSON list, as `raw_records` does: with offset and length in bytes, and line."""
    text, encoding = _whole_text(table)
    at, offset, line = 0, table.start, 1
    start = _skip_sign(text, 0, "[", table)
    while not text.startswith("]", start):
        end = _item_end(text, start, table)
        item = text[start:end]
        offset += len(text[at:start].encode(encoding))
        line += text.count("\n", at, start)
        length = len(item.encode(encoding))
        yield item.encode("utf-8" if table.wide else encoding), offset, length, line
        at, offset, line = end, offset + length, line + item.count("\n")
        end = _skip_blanks(text, end)
        start = end if text.startswith("]", end) else _skip_sign(text, end, ",", table)


def _item_end(text: str, start: int, table: Table) -> int:
    try:
        return json_values.end_of_value(text, start)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{table.path} is damaged: {error.msg}, line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError:
        raise InputError(f"{table.path} is nested too deeply") from None


def _whole_text(table: Table) -> tuple[str, str]:
    if Path(table.path).stat().st_size > MAX_JSON:
        raise InputError(
            f"{table.path} is too large for a JSON list: it is read as a whole, up to {MAX_JSON >> 20} MB",
            "Save it with one object on each line, as jsonl.",
        )
    data = read_bytes(table.path, table.start, MAX_JSON)
    for encoding in table.encodings:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise InputError(f"{table.path} is not text in {' or '.join(table.encodings)}")


def _skip_blanks(text: str, offset: int) -> int:
    match = _BLANKS.match(text, offset)
    return match.end() if match else offset


def _skip_sign(text: str, offset: int, sign: str, table: Table) -> int:
    """Return the offset of what follows `sign`."""
    offset = _skip_blanks(text, offset)
    if not text.startswith(sign, offset):
        line = text.count("\n", 0, offset) + 1
        raise InputError(f"{table.path} is damaged: expected {sign!r} in line {line}")
    return _skip_blanks(text, offset + 1)
