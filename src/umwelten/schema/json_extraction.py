"""The record in an answer's text, with broken JSON repaired.

An answer may be the JSON alone, in a code fence, or with text around it. One pass over the text finds the
*regions* that look like JSON; it skips strings and counts brackets, so the time is linear. A region that
does not parse is repaired if possible. Prose with a brace in it is not a region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from umwelten.schema.repair import NOTHING, REPAIR_LIMIT, TOO_DEEP, TOO_LONG, Unreadable, repair_json
from umwelten.types import FrozenStruct

_MOST_REGIONS = 8
"""Regions of an answer that are tried, the largest first: bounds the time that an answer can take."""

_OPENER = re.compile(r"""\{\s*(?:["'“}]|\w+\s*:)|\[\s*["\[{\]]""")
"""The start of what looks like an object or a list, and not like a brace or a bracket in prose."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)|[{}\[\]]', re.DOTALL)
_FENCE = re.compile(r"\n[ \t]*```")
_PROSE = re.compile(r"""\s*[^\s,:"'\]\[{}][^"{}\[\]]*\Z""")
"""Prose after the last brace, which belongs to no object."""


class Region(FrozenStruct):
    """A part of a text that looks like JSON. `closed`: its brackets are balanced."""

    text: str
    closed: bool


class Found(FrozenStruct):
    """A value in an answer; `marks` say how it was obtained: "fenced", "mended"."""

    value: Any
    marks: tuple[str, ...] = ()


def candidates(text: str) -> Iterator[Found | Unreadable]:
    """Yield the values that the answer may hold, the likeliest first: JSON as it is, then repaired.

    At least one. The first that fits the schema counts; if none does, the first one's problems are reported.
    """
    bare = text.strip("\ufeff \t\r\n")
    whole = decode(bare)
    if not isinstance(whole, Unreadable):
        yield Found(value=whole)
        return
    spoken = text.rpartition("</think>")[2]
    last_first = list(regions(spoken))[::-1]
    yield from _values_of(bare, sorted(last_first, key=lambda region: -len(region.text))[:_MOST_REGIONS])


def _values_of(bare: str, largest_first: list[Region]) -> Iterator[Found | Unreadable]:
    """Yield the values of the regions that parse, then of the others, repaired within `REPAIR_LIMIT`."""
    broken: list[Region] = []
    for region in largest_first:
        value = decode(region.text)
        if isinstance(value, Unreadable):
            broken.append(region)
        else:
            yield Found(value=value, marks=("fenced",))
    room = REPAIR_LIMIT
    for region in broken:
        room -= len(region.text)
        value = repair_json(region.text, region.closed) if room >= 0 else TOO_LONG
        marks = ("mended",) if region.text.strip() == bare else ("fenced", "mended")
        yield value if isinstance(value, Unreadable) else Found(value=value, marks=marks)
    if not largest_first:
        yield NOTHING


def decode(text: str) -> Any | Unreadable:
    """Parse the text as JSON. NaN and Infinity pass, so that a later error names the field."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        return TOO_DEEP
    except ValueError:  # msgspec's own errors, and lone surrogates
        pass
    try:
        return json.loads(text)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return NOTHING


def regions(text: str) -> Iterator[Region]:
    """Yield the parts of the text that look like an object or a list, without overlap."""
    start, lists = _OPENER.search(text), True
    while start is not None:
        offset = start.start()
        end = _closing(text, offset) if text[offset] == "{" or lists else None
        if end is not None:
            yield Region(text=text[offset:end], closed=True)
        elif text[offset] == "{":
            yield _open_ended(text, offset)
            return
        else:  # a bracket that is never closed is prose; continue without brackets
            lists, end = False, offset + 1
        start = _OPENER.search(text, end)


def _closing(text: str, start: int) -> int | None:
    """Return the end of the bracketed part that begins at `start`, or `None` if it isn't closed."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        bracket = token[0]
        depth += (bracket in "{[") - (bracket in "}]")
        if depth == 0 and bracket in "}]":
            return token.end()
    return None


def _open_ended(text: str, start: int) -> Region:
    """Return the rest of the text, or of its code fence, as an object without a known end."""
    fence = _FENCE.search(text, start)
    rest = text[start : fence.start() if fence else len(text)]
    last = rest.rfind("}") + 1
    return Region(text=rest[:last] if last and _PROSE.match(rest, last) else rest, closed=False)
