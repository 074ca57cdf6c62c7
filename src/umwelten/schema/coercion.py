"""Values of the wrong type that can mean only one thing: "7", "yes", "March 3, 2024".

Nothing is lost and nothing is guessed: a value with two readings is left as it is.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

_INTEGER = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_LARGEST_EXACT = 2**53
"""A float represents every whole number up to this one exactly."""

_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTHS = {name[:length]: n for n, name in enumerate(_MONTH_NAMES, 1) for length in (3, len(name))} | {
    "sept": 9
}
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
_DAY_AND_MONTH = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)


def integer(value: Any) -> Any:
    """Return 7 for `"7"`, `"7.0"` and 7.0; any other value unchanged."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if _INTEGER.fullmatch(text) else _integer_value(number(text), value)
    return _integer_value(value, value)


def number(value: Any) -> Any:
    """Return 7 for `"7"` and 7.5 for `"7.5"`; any other value unchanged."""
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text) or len(text) > 300:
        return value
    return int(text) if _INTEGER.fullmatch(text) else _finite(float(text), value)


def boolean(value: Any) -> Any:
    """Return a bool for "yes", "no", "true" and "false" in any case; any other value unchanged."""
    return _BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


def string(value: Any) -> Any:
    """Return a number as its digits; any other value unchanged."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def date(value: Any) -> Any:
    """Return a date in ISO form if it has one reading, as 25/12/2024 has; 03/04/2024 unchanged."""
    text = value.strip() if isinstance(value, str) else ""
    if not 8 <= len(text) <= 40:
        return value
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            month = int(parts["month"]) if "month" in parts else _MONTHS.get(parts["word"].lower(), 0)
            return _iso(int(parts["year"]), month, int(parts["day"])) or value
    match = _DAY_AND_MONTH.fullmatch(text)
    return (match and _unambiguous_date(int(match[1]), int(match[3]), int(match[4]))) or value


def choice(value: Any, choices: tuple[Any, ...]) -> Any:
    """Return the only choice that differs just in case or surrounding blanks; any other value unchanged."""
    if not isinstance(value, str) or value in choices:
        return value
    low = value.strip().casefold()
    matches = [each for each in choices if isinstance(each, str) and each.strip().casefold() == low]
    return matches[0] if len(matches) == 1 else value


def _integer_value(value: Any, otherwise: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return (
        int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT
        else otherwise
    )


def _finite(value: float, otherwise: Any) -> Any:
    return otherwise if abs(value) == float("inf") else value


def _unambiguous_date(first: int, second: int, year: int) -> str | None:
    """Return the ISO date if only one order of day and month is possible, else `None`."""
    if first == second or second > 12:
        return _iso(year, first, second)
    return _iso(year, second, first) if first > 12 else None


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return None
