"""Broken JSON, put right by `json_repair` as far as that is no invention.

The library guesses what was meant, and always comes back with something. Here a guess is refused where it
would make up or lose a value: the text ends in the middle, or a value is not there. The library's time may
grow with the square of the text or worse, so the text it is given counts how often it is looked at.
"""

from __future__ import annotations

import json
import re
from typing import Any, SupportsIndex

from umwelten.types import FrozenStruct

MEND_LIMIT = 128 * 1024
"""Characters beyond which broken JSON is left broken."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_VALUE = re.compile(r":\s*[,}\]]")
_COMPLETE = re.compile(r"""(?:["'”}\]]|\b(?:[Tt]rue|[Ff]alse|null|None))\s*\Z|\d\s+\Z""")
"""How a text may end of which only closing brackets are missing. A last digit could be one of several."""


class Unreadable(FrozenStruct):
    """Why there is no value in a text."""

    message: str


NOTHING = Unreadable(message="no JSON object in the answer")
TOO_LONG = Unreadable(message=f"the JSON is broken, and too long to be mended (over {MEND_LIMIT >> 10} KB)")
TOO_DEEP = Unreadable(message="the JSON is nested too deeply")
_CUT_OFF = Unreadable(message="the answer ends in the middle of the object")
_NO_VALUE_THERE = Unreadable(message="the JSON is broken: a value is missing")
_TOO_BROKEN = Unreadable(message="the JSON is too broken to be mended")


def mended(text: str, closed: bool) -> dict[str, Any] | Unreadable:
    """The object that the broken JSON in `text` was likely meant to be. `closed`: its brackets are."""
    if not text.startswith("{"):
        return NOTHING
    if not closed and not _COMPLETE.search(text[-200:]):
        return _CUT_OFF
    if _NO_VALUE.search(_STRING.sub('""', text)):
        return _NO_VALUE_THERE
    value = _guess(text)
    first = value[0] if isinstance(value, list) and value and not closed else value
    return first if isinstance(first, (dict, Unreadable)) else NOTHING


def _guess(text: str) -> Any:
    """What the library makes of the text, or why it makes nothing of it."""
    try:
        return json.loads(text, strict=False)  # line breaks in strings are the only slip
    except (ValueError, RecursionError):
        pass
    import json_repair

    watched = _Watched(text)
    watched.left = [100_000 + 12 * len(text)]
    try:
        value = json_repair.loads(watched, skip_json_loads=True)
        return json.loads(json.dumps(value))  # plain strings again
    except _TooOften:
        return _TOO_BROKEN
    except RecursionError:
        return TOO_DEEP
    except Exception:  # noqa: BLE001  a guess that fails, whatever the reason, is no answer
        return NOTHING


class _TooOften(Exception):
    """A text was looked at too often."""


class _Watched(str):
    """A text that can be looked at so often and not more: `left`, shared with all that is cut from it.

    A common slip takes about six looks a character.
    """

    left: list[int]

    def __getitem__(self, at: SupportsIndex | slice) -> str:
        got = str.__getitem__(self, at)
        left = self.left
        left[0] -= 1 if len(got) < 64 else len(got) // 64
        if left[0] < 0:
            raise _TooOften
        return self._sharing(got) if type(at) is slice else got

    def __add__(self, other: str) -> str:
        return self._sharing(str.__add__(self, other))

    def __radd__(self, other: str) -> str:
        return self._sharing(str.__add__(other, str(self)))

    def _sharing(self, text: str) -> _Watched:
        new = _Watched(text)
        new.left = self.left
        return new
