"""Rules that compare records and lists."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from umwelten.scoring.folding import Fold, fold
from umwelten.scoring.json_text import NotJson, parse_json
from umwelten.scoring.numbers import numbers_in, take_number, within
from umwelten.scoring.overlap import edit_similarity, set_overlap
from umwelten.scoring.references import EXPECTED, as_text, is_missing, items_of, record_path
from umwelten.scoring.rule import CannotScore, Found, Rule, Settings, shown
from umwelten.scoring.score import Answer, Part

FIELD_TYPES = ("exact", "edit", "number", "date", "set")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_BULLET = re.compile(r"\s{0,20}(?:[-*•–]|\d{1,4}[.)])\s+")
_PLAIN_NUMBER = re.compile(
    r"\s*[-−+]?[$€£¥₹]?\s?[\d.,]{1,60}(?:e[-+]?\d{1,4})?\s?[%$€£¥₹]?\s*", re.IGNORECASE
)
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ][\d:.,z+-]{1,30})?", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_WEEKDAY = r"(?:(?:mon|tues?|wed|wednes|thur?s?|fri|satu?r?|sun)(?:day)?[.,]{0,2}\s)?"
_NAMED = re.compile(_WEEKDAY + r"(\d{1,2})(?:st|nd|rd|th)?\.?\s(?:of\s)?([a-z]{3,9})\.?,?\s(\d{4})")
_NAME_FIRST = re.compile(_WEEKDAY + r"([a-z]{3,9})\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})")


def lists(settings: Settings) -> Rule:
    """F1, precision or recall of two lists."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: Any, limit: float) -> Found:
        found = answer.record if settings["of"] is None else record_path(answer.record, settings["of"])
        if not isinstance(found, list):
            found = text
        expected = list_items(reference, settings["several"])
        value = set_overlap(_folded(list_items(found, None), how), _folded(expected, how), settings["part"])
        return Found(value)

    return rule


def list_items(value: Any, several: str | None) -> list[str]:
    """Return the items of a list, of a JSON list, of a text with a separator, or of a text's lines."""
    found = items_of(value, several)
    if len(found) == 1 and isinstance(found[0], str) and isinstance(value, str):
        found = [_BULLET.sub("", line, count=1) for line in found[0].splitlines()]
    return [as_text(item) for item in found if not is_missing(item)]


def _folded(items: Sequence[str], how: Fold) -> list[str]:
    return [fold(item, how) for item in items]


def fields(settings: Settings) -> Rule:
    """The weighted mean over the reference's fields, each a part with its own score."""
    ignored = frozenset(settings["ignore"])
    weights: Mapping[str, float] = settings["weights"]

    def rule(answer: Answer, text: str, reference: Mapping[str, Any], limit: float) -> Found:
        expected = {name: value for name, value in reference.items() if name not in ignored}
        weighted = [(name, weights.get(name, 1.0)) for name in expected]
        full = sum(weight for _, weight in weighted)
        if not full:
            raise CannotScore("no_reference", "no field is left to compare")
        record = _record(answer, text)
        parts = tuple(_part(name, record, expected[name], settings, limit) for name in expected)
        value = sum(part.value * weight for part, (_, weight) in zip(parts, weighted, strict=True)) / full
        extra = [name for name in record if name not in reference and name not in ignored]
        reason = f"not in the reference: {shown(', '.join(map(str, extra)))}" if extra else None
        return Found(min(1.0, value), None, reason, parts)

    return rule


def _record(answer: Answer, text: str) -> Mapping[str, Any]:
    record = answer.record
    if record is None:
        try:
            record = parse_json(text)
        except NotJson:
            return {}
    return record if isinstance(record, Mapping) else {}


def _part(name: str, record: Mapping[str, Any], wanted: Any, settings: Settings, limit: float) -> Part:
    said = record.get(name)
    absent = is_missing(said) or said == []
    if is_missing(wanted) or wanted == []:
        return Part(name=name, value=float(absent), message=None if absent else "nothing is expected")
    if absent:
        return Part(name=name, value=0.0, message="missing" if name not in record else "empty")
    kind = settings["types"].get(name) or (_kind(said, wanted), None)
    value = _compare(kind[0], said, wanted, settings, limit)
    if kind[1] is not None:
        value = float(value >= kind[1])
    return Part(name=name, value=value, label=shown(as_text(said)))


def _kind(said: Any, wanted: Any) -> str:
    if isinstance(said, list) or isinstance(wanted, list | tuple):
        return "set"
    if (_is_number(said) or _is_number(wanted)) and _reads_as_number(said) and _reads_as_number(wanted):
        return "number"
    if read_date(said) and read_date(wanted):
        return "date"
    return "exact"


def _compare(kind: str, said: Any, wanted: Any, settings: Settings, limit: float) -> float:
    how: Fold = settings["fold"]
    if kind == "set":
        return set_overlap(_folded(list_items(said, None), how), _folded(list_items(wanted, None), how))
    if kind == "number":
        expected = take_number(as_text(wanted), "only")
        if expected is None:
            raise CannotScore("no_reference", f"the reference {shown(as_text(wanted))!r} is no number")
        number = take_number(as_text(said), "only")
        tolerance: Decimal = settings["tolerance"]
        return float(number is not None and within(number, expected, tolerance, settings["within"]))
    if kind == "date":
        day = read_date(wanted)
        if day is None:
            raise CannotScore("no_reference", f"the reference {shown(as_text(wanted))!r} is no date")
        return float(read_date(said) == day)
    if kind == "edit":
        return edit_similarity(fold(as_text(said), how), fold(as_text(wanted), how), limit)
    return float(fold(as_text(said), how) == fold(as_text(wanted), how))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reads_as_number(value: Any) -> bool:
    """Return whether a value is a number and nothing else."""
    if _is_number(value):
        return True
    return isinstance(value, str) and bool(_PLAIN_NUMBER.fullmatch(value)) and len(numbers_in(value)) == 1


def read_date(value: Any) -> datetime.date | None:
    """Return the day that a value is, `None` if it is none or could be two (3/4/2024)."""
    if isinstance(value, datetime.date):
        return value.date() if isinstance(value, datetime.datetime) else value
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = " ".join(value.casefold().split())
    if match := _ISO.fullmatch(text):
        return _day(match[1], match[2], match[3])
    if match := _DAY_FIRST.fullmatch(text):
        return _day(match[3], match[2], match[1])
    if match := _NAMED.fullmatch(text):
        return _day(match[3], _month(match[2]), match[1])
    if match := _NAME_FIRST.fullmatch(text):
        return _day(match[3], _month(match[1]), match[2])
    return None


def _month(name: str) -> int:
    short = "sep" if name == "sept" else name
    return next((n for n, month in enumerate(MONTHS, 1) if short in (month, month[:3])), 0)


def _day(year: str | int, month: str | int, day: str | int) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None


def expected_fields(reference: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the fields that are expected: an object under `expected`, or else the other columns."""
    value = reference.get(EXPECTED)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = parse_json(value)
        except NotJson as error:
            raise CannotScore("no_reference", f"the reference is no JSON object: {error}") from None
    if isinstance(value, Mapping):
        return value
    return {name: cell for name, cell in reference.items() if name != EXPECTED} or None
