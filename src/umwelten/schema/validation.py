"""Validation of records against a JSON Schema.

The messages of problems are for people, and are sent to the model when it is asked to correct its answer.
"""

from __future__ import annotations

import datetime
import itertools
import json
import math
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from umwelten.json_schema import is_null_alone
from umwelten.types import Problem

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import ValidationError

MAX_PROBLEMS = 20
_PER_FIELD = 3
_MOST_ERRORS = 1000
"""Errors that are looked at, at most: a long list may be wrong in every element."""
_SHOWN = 60
_TIME = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?"
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt ]{_TIME}", re.ASCII)
_CLOCK = re.compile(_TIME, re.ASCII)


def make_validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return the library's validator of a schema. Nothing is fetched, whatever the schema refers to."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    bare = {key: value for key, value in schema.items() if key != "$schema"}
    return Draft202012Validator(bare, format_checker=_formats(), registry=Registry())


def find_problems(validator: Draft202012Validator, value: Any, fields: frozenset[str]) -> tuple[Problem, ...]:
    """Return a record's problems: at most 20, at most 3 a field. `fields`: the schema's."""
    errors = itertools.islice(validator.iter_errors(value), _MOST_ERRORS)
    return limit_problems(problem for error in errors for problem in _describe_error(error, fields))


def limit_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems without duplicates: at most 20, at most 3 a field."""
    counts: dict[str, int] = {}
    unique: dict[Problem, None] = {}
    for problem in problems:
        if problem not in unique and counts.get(problem.field, 0) < _PER_FIELD:
            counts[problem.field] = counts.get(problem.field, 0) + 1
            unique[problem] = None
    return tuple(unique)[:MAX_PROBLEMS]


def find_unsendable(record: Mapping[str, Any], fields: Container[str]) -> tuple[Problem, ...]:
    """Return problems for values that JSON lacks: NaN, Infinity, lone surrogates. `fields`: the schema's."""
    faults = ((name, _not_json({name: value})) for name, value in record.items())
    return limit_problems(
        Problem(path=(name,) if name in fields else (), message=message)
        for name, message in faults
        if message
    )


def _not_json(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{excerpt(value)} is not a number that JSON has"
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


def excerpt(value: Any, limit: int = _SHOWN) -> str:
    """Return the value as JSON on one line, cut to about `limit` characters."""
    if isinstance(value, str) and len(value) > limit:
        value = value[:limit] + "…"
    text = _json(value, limit)
    return text if len(text) <= limit + 3 else text[:limit] + "…"


def _json(value: Any, limit: int) -> str:
    if isinstance(value, (list, dict)) and len(value) > limit:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()


# --- messages ----------------------------------------------------------------------------------


def _describe_error(error: ValidationError, fields: frozenset[str]) -> Iterator[Problem]:
    """Yield the problems behind one of the validator's errors."""
    path = list(error.absolute_path)
    if error.validator == "required":
        yield from _missing(error, path)
    elif error.validator in ("anyOf", "oneOf") and (inner := _only_form(error)):
        for inner_error in inner:
            yield from _describe_error(inner_error, fields)
    else:
        yield _problem(path, _error_message(error))


def _missing(error: ValidationError, path: list[str | int]) -> Iterator[Problem]:
    asked: Any = error.validator_value
    given: Any = error.instance
    for name in asked:
        if name not in given:
            yield _problem([*path, name], "missing")


def _problem(path: Sequence[str | int], words: str) -> Problem:
    """Return the problem at a path; its steps but the first precede the message."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:]]
    inner = "".join(steps).removeprefix(".")
    return Problem(path=tuple(path), message=f"{inner}: {words}" if inner else words)


def _only_form(error: ValidationError) -> list[ValidationError]:
    """Return the errors against the only form that isn't null; none if there are several."""
    asked: Any = error.validator_value
    forms = [n for n, form in enumerate(asked) if not is_null_alone(form)]
    context = error.context or ()
    if len(forms) != 1:
        return []
    return [each for each in context if each.schema_path and each.schema_path[0] == forms[0]]


def _error_message(error: ValidationError) -> str:
    tell = _MESSAGES.get(str(error.validator))
    return tell(excerpt(error.instance), error.validator_value, error) if tell else error.message[:200]


def _type(value: str, asked: Any, error: ValidationError) -> str:
    kinds = asked if isinstance(asked, list) else [asked]
    return f"{value} is not {' or '.join(_ARTICLES.get(str(kind), str(kind)) for kind in kinds)}"


def _choice(value: str, asked: Any, error: ValidationError) -> str:
    some = ", ".join(excerpt(each) for each in asked[:10])
    return f"{value} is none of {some}{', …' if len(asked) > 10 else ''}"


def _extra(value: str, asked: Any, error: ValidationError) -> str:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    given: Any = error.instance
    extra = [excerpt(name) for name in given if name not in known]
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
_MESSAGES: dict[str, Callable[[str, Any, ValidationError], str]] = {
    "type": _type,
    "enum": _choice,
    "additionalProperties": _extra,
    "const": lambda value, asked, _: f"{value} is not {excerpt(asked)}",
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
    """Return the library's format checks, and two that it has only with other packages."""
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
