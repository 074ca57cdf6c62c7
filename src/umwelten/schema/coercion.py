"""Values that say the right thing in the wrong type: "7", "yes", "March 3, 2024".

Nothing is lost and nothing is guessed: what can be read in two ways stays as it is.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

_INTEGER = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SWITCH = {"true": True, "yes": True, "false": False, "no": False}
_EXACT = 2**53
"""Whole numbers up to here are the same as a float."""

_LONG = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTHS = {name[:length]: n for n, name in enumerate(_LONG, 1) for length in (3, len(name))} | {"sept": 9}
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_WORD = r"(?P<word>[a-z]{3,9})\.?"
_YEAR = r"(?P<year>\d{4})"
_DATES = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}})",
        rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)",
        rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?",
        rf"{_WEEKDAY}{_WORD}\s+{_DAY},?\s+{_YEAR}",
        rf"{_WEEKDAY}(?:the\s+)?{_DAY}(?:\s+of)?\s+{_WORD},?\s+{_YEAR}",
        rf"{_DAY}-{_WORD}-{_YEAR}",
    )
)
_TWO = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)


def integer(value: Any) -> Any:
    """`"7"`, `"7.0"` and 7.0 as 7; anything else as it is."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if _INTEGER.fullmatch(text) else _whole(number(text), value)
    return _whole(value, value)


def number(value: Any) -> Any:
    """`"7"` as 7 and `"7.5"` as 7.5; anything else as it is."""
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text) or len(text) > 300:
        return value
    return int(text) if _INTEGER.fullmatch(text) else _finite(float(text), value)


def boolean(value: Any) -> Any:
    """Yes, no, true and false in any case; anything else as it is."""
    return _SWITCH.get(value.strip().lower(), value) if isinstance(value, str) else value


def string(value: Any) -> Any:
    """A number as its digits; anything else as it is."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def date(value: Any) -> Any:
    """A date in ISO form if it can be read in one way only, as 25/12/2024 can and 03/04/2024 can't."""
    text = value.strip() if isinstance(value, str) else ""
    if not 8 <= len(text) <= 40:
        return value
    for pattern in _DATES:
        if found := pattern.fullmatch(text):
            parts = found.groupdict()
            month = int(parts["month"]) if "month" in parts else _MONTHS.get(parts["word"].lower(), 0)
            return _iso(int(parts["year"]), month, int(parts["day"])) or value
    found = _TWO.fullmatch(text)
    return (found and _two(int(found[1]), int(found[3]), int(found[4]))) or value


def choice(value: Any, choices: tuple[Any, ...]) -> Any:
    """The one choice that is the same but for case and blanks around it; anything else as it is."""
    if not isinstance(value, str) or value in choices:
        return value
    low = value.strip().casefold()
    same = [each for each in choices if isinstance(each, str) and each.strip().casefold() == low]
    return same[0] if len(same) == 1 else value


def _whole(value: Any, otherwise: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return (
        int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT else otherwise
    )


def _finite(value: float, otherwise: Any) -> Any:
    return otherwise if abs(value) == float("inf") else value


def _two(first: int, second: int, year: int) -> str | None:
    """Day and month in the order that only one of them allows."""
    if first == second or second > 12:
        return _iso(year, first, second)
    return _iso(year, second, first) if first > 12 else None


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return None
