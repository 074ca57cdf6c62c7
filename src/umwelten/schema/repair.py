"""Repair of broken JSON by `json_repair`, as far as it invents nothing.

The library guesses what was meant, and always returns something. A guess that would make up or lose a value
is rejected here: the text ends in the middle, or a value is missing. The library's time may grow with the
square of the text or worse, so the text that it is given counts the accesses to it.
"""

from __future__ import annotations

import json
import re
from typing import Any, SupportsIndex

from umwelten.types import FrozenStruct

REPAIR_LIMIT = 128 * 1024
"""Characters beyond which broken JSON is not repaired."""
# A string without an end is matched too, or the search would begin again at every escaped quote in it.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?P<end>"?)', re.DOTALL)
_NO_VALUE = re.compile(r":\s*[,}\]]")
_COMPLETE = re.compile(r"""(?:["'”}\]]|\b(?:[Tt]rue|[Ff]alse|null|None))\s*\Z|\d\s+\Z""")
"""The end of a text that lacks only closing brackets. After a digit at the very end others may be missing."""


class Unreadable(FrozenStruct):
    """The reason why a text holds no value."""

    message: str


# These messages are sent to the model when it is asked to correct its answer.
NOTHING = Unreadable(message="no JSON object in the answer")
TOO_LONG = Unreadable(
    message=f"the JSON is broken, and too long to be repaired (over {REPAIR_LIMIT >> 10} KB)"
)
TOO_DEEP = Unreadable(message="the JSON is nested too deeply")
_CUT_OFF = Unreadable(message="the answer ends in the middle of the object")
_NO_VALUE_THERE = Unreadable(message="the JSON is broken: a value is missing")
_TOO_BROKEN = Unreadable(message="the JSON is too broken to be repaired")


def repair_json(text: str, closed: bool) -> dict[str, Any] | Unreadable:
    """Return the object that broken JSON was likely meant to be. `closed`: its brackets are balanced."""
    if not text.startswith("{"):
        return NOTHING
    if not closed and not _COMPLETE.search(text[-200:]):
        return _CUT_OFF
    if _NO_VALUE.search(_STRING.sub(lambda match: '""' if match["end"] else match[0], text)):
        return _NO_VALUE_THERE
    value = _guess(text)
    first = value[0] if isinstance(value, list) and value and not closed else value
    return first if isinstance(first, (dict, Unreadable)) else NOTHING


def _guess(text: str) -> Any:
    """Return what the library reads in the text, or why it reads nothing."""
    try:
        return json.loads(text, strict=False)  # only line breaks in strings are wrong
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
    """The text was accessed too often."""


class _Watched(str):
    """A text with a limited number of accesses, `left`, which its slices share.

    The repair of a common fault takes about six accesses a character.
    """

    left: list[int]

    def __getitem__(self, index: SupportsIndex | slice) -> str:
        piece = str.__getitem__(self, index)
        left = self.left
        left[0] -= 1 if len(piece) < 64 else len(piece) // 64
        if left[0] < 0:
            raise _TooOften
        return self._sharing(piece) if type(index) is slice else piece

    def __add__(self, other: str) -> str:
        return self._sharing(str.__add__(self, other))

    def __radd__(self, other: str) -> str:
        return self._sharing(str.__add__(other, str(self)))

    def _sharing(self, text: str) -> _Watched:
        new = _Watched(text)
        new.left = self.left
        return new
