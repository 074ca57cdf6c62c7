"""The record in an answer's text, with broken JSON repaired.

An answer may be the JSON alone, in a code fence, or with text, drafts and examples around it. One pass over
the text finds the *regions* that look like JSON; it skips strings and counts brackets, so the time is linear.
A region that does not parse is repaired if possible. Prose with a brace in it is not a region.
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
"""Of so many regions at an answer's end, and as many of the largest, one is chosen: bounds the time."""

_THOUGHT_END = "</think>"

_OPENER = re.compile(r"""\{\s*(?:["'“}]|\w+\s*:)|\[\s*["\[{\]]""")
"""The start of what looks like an object or a list, and not like a brace or a bracket in prose."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)|[{}\[\]]', re.DOTALL)
_FENCE = re.compile(r"\n[ \t]*```")
_PROSE = re.compile(r"""\s*[^\s,:"'\]\[{}][^"{}\[\]]*\Z""")
"""Prose after the last brace, which belongs to no object."""


class Region(FrozenStruct):
    """A part of a text that begins at `start` and looks like JSON. `closed`: its brackets are balanced."""

    text: str
    start: int
    closed: bool


class Found(FrozenStruct):
    """A value in an answer; `marks` say how it was obtained: "fenced", "mended"."""

    value: Any
    marks: tuple[str, ...] = ()


class Broken(FrozenStruct):
    """A part of an answer that looks like JSON and is none. `whole`: there is nothing around it."""

    region: Region
    whole: bool = False
    too_long: bool = False

    def mend(self) -> Found | Unreadable:
        """Return the value that was likely meant, or why there is none."""
        if self.too_long:
            return TOO_LONG
        value = repair_json(self.region.text, self.region.closed)
        marks = ("mended",) if self.whole else ("fenced", "mended")
        return value if isinstance(value, Unreadable) else Found(value=value, marks=marks)


def candidates(text: str) -> list[Found | Broken]:
    """Return what the answer may hold, the last first: a model drafts, quotes and reasons before it answers.

    None for a text without anything that looks like JSON.
    """
    bare = text.strip("\ufeff \t\r\n")
    whole = decode(bare)
    if not isinstance(whole, Unreadable):
        return [Found(value=whole)]
    found: list[Found | Broken] = []
    room = REPAIR_LIMIT
    for region in _likeliest(_spoken_regions(text)):
        value = decode(region.text)
        if not isinstance(value, Unreadable):
            found.append(Found(value=value, marks=("fenced",)))
            continue
        room -= len(region.text)
        found.append(Broken(region=region, whole=region.text.strip() == bare, too_long=room < 0))
    return found


def _spoken_regions(text: str) -> list[Region]:
    """Return the regions after the model's thinking; the tag that ends it may also be a part of a value."""
    if _THOUGHT_END not in text:
        return list(regions(text))
    end = text.rfind(_THOUGHT_END)
    for region in reversed(list(regions(text))):
        within = region.start < end < region.start + len(region.text)
        if within and not isinstance(decode(region.text), Unreadable):
            end = text.rfind(_THOUGHT_END, 0, region.start)
    offset = 0 if end < 0 else end + len(_THOUGHT_END)
    return list(regions(text[offset:]))


def _likeliest(found: list[Region]) -> list[Region]:
    """Return the last regions and the largest ones, the last first."""
    if len(found) <= _MOST_REGIONS:
        return found[::-1]
    by_size = sorted(range(len(found)), key=lambda n: len(found[n].text))
    kept = {*range(len(found) - _MOST_REGIONS, len(found)), *by_size[-_MOST_REGIONS:]}
    return [found[n] for n in sorted(kept, reverse=True)]


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
            yield Region(text=text[offset:end], start=offset, closed=True)
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
    kept = rest[:last] if last and _PROSE.match(rest, last) else rest
    return Region(text=kept, start=start, closed=False)
