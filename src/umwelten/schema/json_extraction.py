"""Where in an answer's text the record is, and what its broken JSON was likely meant to say.

An answer may be the JSON alone, stand in a code fence, or have words around it. One pass over the text
finds the *regions* that look like JSON; it knows strings and counts brackets, so the time is linear. A
region that does not parse is mended if it can be. Prose with a brace in it is no region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from umwelten.schema.repair import MEND_LIMIT, NOTHING, TOO_DEEP, TOO_LONG, Unreadable, mended
from umwelten.types import FrozenStruct

_TRIED = 8
"""How many regions of an answer are looked at, the largest first."""

_OPENER = re.compile(r"""\{\s*(?:["'“}]|\w+\s*:)|\[\s*["\[{\]]""")
"""The start of what looks like an object or a list, and not like a brace or a bracket in prose."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)|[{}\[\]]', re.DOTALL)
_FENCE = re.compile(r"\n[ \t]*```")
_PROSE = re.compile(r"""\s*[^\s,:"'\]\[{}][^"{}\[\]]*\Z""")
"""Words behind the last brace: they belong to no object."""


class Region(FrozenStruct):
    """A part of a text that looks like JSON. `closed`: its brackets are balanced."""

    text: str
    closed: bool


class Found(FrozenStruct):
    """A value in an answer and how it was come by: the marks "fenced" and "mended"."""

    value: Any
    marks: tuple[str, ...] = ()


def values(text: str) -> Iterator[Found | Unreadable]:
    """What the answer may be, the likeliest first: its JSON as it is, then mended. At least one.

    The first that has the right shape counts; where none has, the first tells what is wrong.
    """
    bare = text.strip("\ufeff \t\r\n")
    whole = decoded(bare)
    if not isinstance(whole, Unreadable):
        yield Found(value=whole)
        return
    spoken = text.rpartition("</think>")[2]
    last_first = list(regions(spoken))[::-1]
    yield from _tried(bare, sorted(last_first, key=lambda region: -len(region.text))[:_TRIED])


def _tried(bare: str, found: list[Region]) -> Iterator[Found | Unreadable]:
    """The values of the regions: those that parse, then the others mended, within one answer's limit."""
    broken: list[Region] = []
    for region in found:
        value = decoded(region.text)
        if isinstance(value, Unreadable):
            broken.append(region)
        else:
            yield Found(value=value, marks=("fenced",))
    room = MEND_LIMIT
    for region in broken:
        room -= len(region.text)
        value = mended(region.text, region.closed) if room >= 0 else TOO_LONG
        marks = ("mended",) if region.text.strip() == bare else ("fenced", "mended")
        yield value if isinstance(value, Unreadable) else Found(value=value, marks=marks)
    if not found:
        yield NOTHING


def decoded(text: str) -> Any | Unreadable:
    """The JSON value that the text is. NaN and Infinity pass, for an error that names the field."""
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
    """The parts of the text that look like an object or a list; none lies inside another."""
    start, lists = _OPENER.search(text), True
    while start is not None:
        at = start.start()
        end = _closing(text, at) if text[at] == "{" or lists else None
        if end is not None:
            yield Region(text=text[at:end], closed=True)
        elif text[at] == "{":
            yield _open_ended(text, at)
            return
        else:  # a bracket that is never closed is prose; the search goes on without brackets
            lists, end = False, at + 1
        start = _OPENER.search(text, end)


def _closing(text: str, at: int) -> int | None:
    """The end of the bracketed part that starts at `at`, or None where it isn't closed."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        bracket = token[0]
        depth += (bracket in "{[") - (bracket in "}]")
        if depth == 0 and bracket in "}]":
            return token.end()
    return None


def _open_ended(text: str, at: int) -> Region:
    """The rest of the text, or of its code fence, as an object whose end can't be told."""
    fence = _FENCE.search(text, at)
    rest = text[at : fence.start() if fence else len(text)]
    last = rest.rfind("}") + 1
    return Region(text=rest[:last] if last and _PROSE.match(rest, last) else rest, closed=False)
