"""Records held against a JSON Schema, with problems that a person or a model can act on."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from umwelten.types import Problem

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError

MAX_PROBLEMS = 20
_PER_FIELD = 3
_LOOKED_AT = 1000
"""Errors after which the search for further problems ends: a long list may be wrong in every element."""
_SHOWN = 60
_TIME = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?"
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt ]{_TIME}", re.ASCII)
_CLOCK = re.compile(_TIME, re.ASCII)


def validator(schema: Mapping[str, Any]) -> Callable[[Any], tuple[Problem, ...]]:
    """A function that tells a record's problems: at most 20, at most 3 a field, none if it is valid.

    Made once per schema; nothing is fetched, whatever it refers to.
    """
    from jsonschema import Draft202012Validator
    from referencing import Registry

    bare = {key: value for key, value in schema.items() if key != "$schema"}
    known = frozenset(schema.get("properties", ()))
    compiled = Draft202012Validator(bare, format_checker=_formats(), registry=Registry())

    def problems(value: Any) -> tuple[Problem, ...]:
        errors = itertools.islice(compiled.iter_errors(value), _LOOKED_AT)
        return few(problem for error in errors for problem in _told(error, known))

    return problems


def few(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """At most 20 of the problems, at most 3 of a field, each once."""
    counts: dict[str, int] = {}
    kept: dict[Problem, None] = {}
    for problem in problems:
        if problem not in kept and counts.get(problem.field, 0) < _PER_FIELD:
            counts[problem.field] = counts.get(problem.field, 0) + 1
            kept[problem] = None
    return tuple(kept)[:MAX_PROBLEMS]


def unsendable(record: Mapping[str, Any], known: Container[str]) -> tuple[Problem, ...]:
    """What JSON has no place for: NaN, Infinity, half a surrogate pair. `known` are the schema's fields."""
    found = ((name, _not_json({name: value})) for name, value in record.items())
    return few(Problem(path=(name,) if name in known else (), message=said) for name, said in found if said)


def _not_json(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{shown(value)} is not a number that JSON has"
    if isinstance(value, str):
        return "" if value.isascii() or _is_unicode(value) else "half a character (a lone surrogate)"
    if isinstance(value, dict):
        names = "" if all(map(_is_unicode, value)) else "half a character in a name"
        return names or next(filter(None, map(_not_json, value.values())), "")
    return next(filter(None, map(_not_json, value)), "") if isinstance(value, list) else ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: Any, limit: int = _SHOWN) -> str:
    """The value as JSON in one short line."""
    if isinstance(value, str) and len(value) > limit:
        value = value[:limit] + "…"
    text = _json(value, limit)
    return text if len(text) <= limit + 3 else text[:limit] + "…"


def _json(value: Any, limit: int) -> str:
    if isinstance(value, (list, dict)) and len(value) > limit:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()


# --- one error in words ------------------------------------------------------------------------


def _told(error: ValidationError, known: frozenset[str]) -> Iterator[Problem]:
    """The problems that one of the validator's errors stands for."""
    path = list(error.absolute_path)
    if error.validator == "required":
        yield from _missing(error, path)
    elif error.validator in ("anyOf", "oneOf") and (inner := _only_form(error)):
        for each in inner:
            yield from _told(each, known)
    else:
        yield _problem(path, _words(error))


def _missing(error: ValidationError, path: list[str | int]) -> Iterator[Problem]:
    asked: Any = error.validator_value
    given: Any = error.instance
    for name in asked:
        if name not in given:
            yield _problem([*path, name], "missing")


def _problem(path: Sequence[str | int], words: str) -> Problem:
    """The problem at a path, of which all steps but the first come before the words."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:]]
    inner = "".join(steps).removeprefix(".")
    return Problem(path=tuple(path), message=f"{inner}: {words}" if inner else words)


def _only_form(error: ValidationError) -> list[ValidationError]:
    """The errors against the one form that isn't null; none where there are several."""
    asked: Any = error.validator_value
    forms = [n for n, form in enumerate(asked) if form != {"type": "null"}]
    context = error.context or ()
    if len(forms) != 1:
        return []
    return [each for each in context if each.schema_path and each.schema_path[0] == forms[0]]


def _words(error: ValidationError) -> str:
    tell = _TELLING.get(str(error.validator))
    return tell(shown(error.instance), error.validator_value, error) if tell else error.message[:200]


def _type(value: str, asked: Any, error: ValidationError) -> str:
    kinds = asked if isinstance(asked, list) else [asked]
    return f"{value} is not {' or '.join(_ARTICLES.get(str(kind), str(kind)) for kind in kinds)}"


def _choice(value: str, asked: Any, error: ValidationError) -> str:
    some = ", ".join(shown(each) for each in asked[:10])
    return f"{value} is none of {some}{', …' if len(asked) > 10 else ''}"


def _extra(value: str, asked: Any, error: ValidationError) -> str:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    given: Any = error.instance
    extra = [shown(name) for name in given if name not in known]
    return f"unexpected {'field' if len(extra) == 1 else 'fields'} {', '.join(extra[:5])}"


_ARTICLES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMATS = {"date": "a date (YYYY-MM-DD)", "date-time": "a date with time (YYYY-MM-DDTHH:MM:SSZ)"}
_TELLING: dict[str, Callable[[str, Any, ValidationError], str]] = {
    "type": _type,
    "enum": _choice,
    "additionalProperties": _extra,
    "const": lambda value, asked, _: f"{value} is not {shown(asked)}",
    "minimum": lambda value, asked, _: f"{value} is less than {asked}",
    "maximum": lambda value, asked, _: f"{value} is more than {asked}",
    "exclusiveMinimum": lambda value, asked, _: f"{value} is not more than {asked}",
    "exclusiveMaximum": lambda value, asked, _: f"{value} is not less than {asked}",
    "format": lambda value, asked, _: f"{value} is not {_FORMATS.get(asked, f'a valid {asked}')}",
    "pattern": lambda value, asked, _: f"{value} does not match {asked}",
    "minLength": lambda value, asked, _: f"{value} is shorter than {asked}",
    "maxLength": lambda value, asked, _: f"{value} is longer than {asked}",
    "minItems": lambda value, asked, _: f"{value} has fewer than {asked} elements",
    "maxItems": lambda value, asked, _: f"{value} has more than {asked} elements",
    "uniqueItems": lambda value, asked, _: f"{value} has an element twice",
    "anyOf": lambda value, asked, _: f"{value} has none of the allowed forms",
    "oneOf": lambda value, asked, _: f"{value} has not exactly one of the allowed forms",
}


# --- formats -------------------------------------------------------------------------------------


def _formats() -> FormatChecker:
    """The library's checks, and two that it leaves out unless other packages are there."""
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker()
    checker.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)
    checker.checks("date-time", raises=ValueError)(_is_date_time)
    checker.checks("time", raises=ValueError)(_is_time)
    return checker


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return bool(_DATE_TIME.fullmatch(value) and datetime.datetime.fromisoformat(value.upper()))


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return bool(_CLOCK.fullmatch(value)) and datetime.time.fromisoformat(value) is not None
