"""Parse durations and times as providers write them.

Every function returns seconds, or `None` for what it cannot parse; none raises. Durations are never negative.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_TERM = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h|d)")
_NUMBER = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})", re.ASCII)
_MILLISECONDS = 1e11
_EPOCH = 1e9
_LONGEST = 4096


def number(text: str) -> float | None:
    """Return a plain number; thousands commas and surrounding blanks are ignored: "1,000" is 1000."""
    if not text:
        return None
    text = text[:_LONGEST].strip().replace(",", "")
    return float(text) if _NUMBER.fullmatch(text) else None


def go_duration(text: str) -> float | None:
    """Return the seconds of a duration such as "120ms", "59.70s", "6m0s", "1h2m3s"."""
    text = text[:_LONGEST].strip()
    total, end = 0.0, 0
    for term in _TERM.finditer(text):
        if term.start() != end:
            return None
        total += float(term[1]) * _UNITS[term[2]]
        end = term.end()
    return total if text and end == len(text) else None


def rfc3339(text: str) -> float | None:
    """Return the Unix time of "2026-11-24T10:00:00Z" and the like; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text[:_LONGEST].strip())
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=8)  # many replies within a second carry the same date
def http_date(text: str) -> float | None:
    """Return the Unix time of an HTTP date such as "Tue, 24 Nov 2026 10:00:00 GMT"."""
    try:
        moment = parsedate_to_datetime(text[:_LONGEST])
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def span(text: str, now_unix: float) -> float | None:
    """Return the seconds from now until the time in a header, in any notation.

    Numbers above 1e11 are Unix milliseconds, above 1e9 Unix seconds, others seconds; then Go durations,
    RFC 3339 and HTTP dates. A time in the past is 0, a negative number `None`.
    """
    if not text:
        return None
    plain = number(text)
    if plain is not None:
        return _from_number(plain, now_unix)
    relative = go_duration(text)
    if relative is not None:
        return relative
    moment = rfc3339(text)
    if moment is None:
        moment = http_date(text)
    return _seconds_until(moment, now_unix)


def _from_number(value: float, now_unix: float) -> float | None:
    if value < 0:
        return None
    if value > _MILLISECONDS:
        return _seconds_until(value / 1000, now_unix)
    return _seconds_until(value, now_unix) if value > _EPOCH else value


def _seconds_until(moment: float | None, now_unix: float) -> float | None:
    if moment is None or not math.isfinite(moment - now_unix):
        return None
    return max(0.0, moment - now_unix)
