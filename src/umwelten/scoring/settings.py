"""The settings that scorers have: what may be given, and what it is without."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from umwelten.scoring.folding import FOLDS
from umwelten.scoring.measure_rules import check_schema, parse_bound, parse_range
from umwelten.scoring.numbers import TAKES
from umwelten.scoring.record_rules import FIELD_TYPES
from umwelten.scoring.text_rules import check_pattern
from umwelten.text.suggestions import closest, did_you_mean_clause

_PERCENT = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*%\s*", re.ASCII)
_DURATION = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|m)\s*", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LONGEST_S = 3_600.0
_FUNCTION = re.compile(r"(?P<path>.+\.py):(?P<name>[^\W\d]\w*)", re.DOTALL)
_EDIT = re.compile(r"edit\s*>=\s*(\d(?:\.\d{1,9})?)", re.ASCII)


@dataclass(frozen=True)
class Setting:
    """A setting of a scorer. `read` returns what the rule gets; its `ValueError` says what must be given.

    `decides`: it is part of what a score depends on, and so of the scorer's digest.
    """

    read: Callable[[Any], Any]
    default: Any = None
    required: bool = False
    decides: bool = True


class Contradiction(Exception):
    """Settings of a scorer that do not go together: `key` is the one to look at, the message says why."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def one_of(words: Collection[str], value: Any) -> str:
    """Return the word if it is one of these."""
    if isinstance(value, str) and value in words:
        return value
    near = closest(value, words) if isinstance(value, str) else None
    raise ValueError(f"must be one of {', '.join(words)}{did_you_mean_clause(near)}")


def text(value: Any) -> str:
    """Return a text that is not blank."""
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("must be a text in quotes")


def field_path(value: Any) -> str:
    """Return the path of a field in a record: `total`, or `json.total` as in placeholders and filters."""
    return text(text(value).removeprefix("json."))


def switch(value: Any) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")


def amount(value: Any, *, most: float = math.inf) -> Decimal:
    """Return a number from 0."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and 0 <= value <= most:
        number = Decimal(str(value))
        if number.is_finite():
            return number
    allowed = "0 or more" if most == math.inf else f"from 0 to {most:g}"
    raise ValueError(f"must be a number, {allowed}")


def share(value: Any) -> Decimal:
    """Return a share, such as `0.01` or `1%`, as a number."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        return Decimal(match[1]) / 100
    try:
        return amount(value)
    except ValueError:
        raise ValueError('must be a share such as "1%" or 0.01') from None


def values(value: Any) -> Any:
    """Return a reference: a text, number, true, false or date, or a list of them."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("must not be empty")
    if isinstance(value, list | tuple):
        if not value or any(isinstance(item, list | tuple | Mapping) or item is None for item in value):
            raise ValueError("must be a text, or a list of texts that is not empty")
        return list(value)
    if value is None or isinstance(value, Mapping) or (isinstance(value, float) and math.isnan(value)):
        raise ValueError("must be a text, or a list of texts")
    return value


def names(value: Any) -> list[str]:
    """Return a list of texts."""
    found = [value] if isinstance(value, str) else value
    if isinstance(found, list | tuple) and found and all(isinstance(n, str) and n.strip() for n in found):
        return list(found)
    raise ValueError("must be a text or a list of texts")


def letters(value: Any) -> str:
    """Return the letters of choices: different ones, at least two, upper case."""
    if isinstance(value, str) and value.isalnum() and len(value) > 1:
        upper = value.upper()
        if len(set(upper.casefold())) == len(value) == len(upper):
            return upper
    raise ValueError('must be the letters to choose from, each once, such as "ABCD"')


def pattern(value: Any) -> str:
    """Return a regular expression that compiles, with one group at most."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be a regular expression in quotes")
    check_pattern(value)
    return value


def weights(value: Any) -> dict[str, float]:
    """Return weights of fields."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a section with a number for each field")
    found = {}
    for name, weight in value.items():
        try:
            found[name] = float(amount(weight))
        except ValueError as error:
            raise ValueError(f"of {name!r} {error}") from None
    return found


def field_types(value: Any) -> dict[str, tuple[str, float | None]]:
    """Return how fields are compared: a type and perhaps a threshold, as in `edit >= 0.8`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a section with one of {', '.join(FIELD_TYPES)} for each field")
    found: dict[str, tuple[str, float | None]] = {}
    for name, kind in value.items():
        match = _EDIT.fullmatch(kind) if isinstance(kind, str) else None
        if match and float(match[1]) <= 1:
            found[name] = ("edit", float(match[1]))
            continue
        try:
            found[name] = (one_of(FIELD_TYPES, kind), None)
        except ValueError as error:
            raise ValueError(f'of {name!r} {error} (or "edit >= 0.8")') from None
    return found


def duration(value: Any) -> float:
    """Return a time such as `10s`, `500ms` or a number of seconds, in seconds."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    number = float(match[1]) * _UNITS[match[2]] if match else value
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 < number <= _LONGEST_S:
        return float(number)
    raise ValueError('must be a time such as "10s", more than 0 and at most "60m"')


def split_function(value: str) -> tuple[str, str] | None:
    """Return the path and the name in `file.py:function`, `None` for another text."""
    match = _FUNCTION.fullmatch(value.strip())
    return (match["path"], match["name"]) if match else None


def function(value: Any) -> str:
    """Return the place of a Python function."""
    if isinstance(value, str) and split_function(value):
        return value.strip()
    raise ValueError('must name a function in a Python file, such as "checks.py:close"')


def command(value: Any) -> list[str]:
    """Return the words of a command, which no shell reads."""
    if isinstance(value, str):
        try:
            found = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"is no command: {str(error).lower()}") from None
    else:
        found = value
    is_words = isinstance(found, list | tuple) and all(isinstance(word, str) for word in found)
    if is_words and found and found[0].strip() and not any("\0" in word for word in found):
        return list(found)
    raise ValueError('must be a command such as "./check.sh strict", or a list of its words')


OF = {"of": Setting(field_path)}
SEVERAL = {"several": Setting(text)}
NOT = {"not": Setting(switch, False)}
VALUE = {"value": Setting(values)}
WORDS = {"words": Setting(switch, False)}
CLOSE = {"tolerance": Setting(amount, Decimal(0)), "within": Setting(share, Decimal(0))}


def folded(default: str) -> dict[str, Setting]:
    """Return the setting `fold` with that default."""
    return {"fold": Setting(partial(one_of, FOLDS), default)}


def compared(default_fold: str, *, yes_no: bool) -> dict[str, Setting]:
    """Return the settings of scorers that compare a text with a reference."""
    return OF | SEVERAL | VALUE | folded(default_fold) | (NOT if yes_no else {})


PATTERN = {"value": Setting(pattern, required=True)}
LETTERS = {"letters": Setting(letters, "ABCD")}
TAKE = {"take": Setting(partial(one_of, TAKES), "last"), "percent": Setting(switch, False)}
PART = {"part": Setting(partial(one_of, ("f1", "precision", "recall")), "f1")}
SCHEMA = {"schema": Setting(check_schema)}
RANGE = {"value": Setting(parse_range, required=True)}
FINISH = {"value": Setting(names, ["stop"])}
FIELDS = {
    "ignore": Setting(names, []),
    "weights": Setting(weights, {}),
    "types": Setting(field_types, {}),
}
FUNCTION = {"value": Setting(function, required=True, decides=False)}
COMMAND = {"value": Setting(command, required=True)}
VALUES = {
    "value": Setting(text, required=True, decides=False),
    "column": Setting(text, "value", decides=False),
}
TIMEOUT = {"timeout": Setting(duration, 10.0, decides=False)}


def bound(example: str, *, units: bool = False) -> dict[str, Setting]:
    """Return the setting of a comparison with a number."""
    return {"value": Setting(partial(parse_bound, example, units), required=True)}
