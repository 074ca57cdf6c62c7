"""What a tool returns, as the text that a model is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec

LONGEST_RESULT = 16 * 1024
"""Bytes in UTF-8. Results are sent again with every further step, so a long one is paid many times."""

_MOST_ITEMS = 10_000
"""Of an iterator, which may have no end. So many do not fit into a result."""


def result_text(value: Any) -> str:
    """Return a text as it is, bytes as UTF-8, anything else as JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    if isinstance(value, Iterator):
        value = list(itertools.islice(value, _MOST_ITEMS))
    # Not msgspec's own JSON: that has null for NaN, which is no number but no null either.
    return json.dumps(msgspec.to_builtins(value, str_keys=True, enc_hook=_plain), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return what JSON has for a value of a type that msgspec does not know."""
    for method in ("model_dump", "tolist", "to_dict"):  # pydantic, numpy, pandas
        convert = getattr(value, method, None)
        if callable(convert) and not isinstance(value, type):
            return convert()
    return list(itertools.islice(value, _MOST_ITEMS)) if isinstance(value, Iterator) else str(value)


def sendable(text: str) -> str:
    """Return the text as every provider takes it: valid Unicode without NUL, too long a middle left out."""
    size = len(text)
    if size > LONGEST_RESULT or (not text.isascii() and len(_utf8(text)) > LONGEST_RESULT):
        text = _cut(text)
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def _cut(text: str) -> str:
    """Return the two ends of a text; a middle of any size is not even looked at."""
    half = LONGEST_RESULT // 2 - 64  # the note fits into the rest
    start = _utf8(text[:half])[:half].decode(errors="ignore")
    end = _utf8(text[-half:])[-half:].decode(errors="ignore")
    left_out = len(text) - len(start) - len(end)
    return f"{start}\n[… {left_out:,} of {len(text):,} characters left out …]\n{end}"


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
