"""Rules about an answer itself: its form, its length, what it took."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from umwelten.scoring.budget import spend
from umwelten.scoring.json_text import NotJson, parse_json
from umwelten.scoring.pattern_cost import PatternCost, compile_pattern
from umwelten.scoring.rule import CannotScore, Found, Rule, Settings, shown
from umwelten.scoring.score import Answer

UNITS = ("words", "chars", "lines", "sentences")
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_RANGE = re.compile(r"\s*(\d{1,9})?\s*(\.\.)?\s*(\d{1,9})?\s*([a-z]+)\s*", re.ASCII)
_BOUND = re.compile(
    r"\s*(<=|>=|<|>|==?)\s*(\$?)\s*(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})\s*(ms|s|m)?\s*", re.ASCII
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_SENTENCE = re.compile(r"[.!?…]++[\"'”’)\]]{0,4}(?=\s|$)|[。！？]++")
_UNIQUE = "'uniqueItems'"
_PAIR_STEPS = 100
"""Steps to compare two items, each with each, as the library does where they cannot be sorted."""
_SCHEMA_STEPS = 50
"""Steps a character that checking a schema takes, beside the schema's own patterns."""


class Range(NamedTuple):
    """Bounds that are both allowed; `None` is none."""

    low: int | None
    high: int | None
    unit: str


class Bound(NamedTuple):
    """A comparison with a number: of dollars, seconds or tokens."""

    operator: str
    number: float


def parse_range(value: Any) -> Range:
    """Return the range of a text such as `20..120 words`. Errors: `ValueError`."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[4] not in UNITS or (match[1] is None and match[3] is None):
        raise ValueError(f'must be a range such as "20..120 words", of {", ".join(UNITS)}')
    low, high = (None if text is None else int(text) for text in (match[1], match[3]))
    if match[2] is None:
        if high is not None:
            raise ValueError('must be a range such as "20..120 words"')
        high = low
    if low is not None and high is not None and low > high:
        raise ValueError(f"must be a range from low to high, not from {low} to {high}")
    return Range(low, high, match[4])


def parse_bound(example: str, units: bool, value: Any) -> Bound:
    """Return the bound of a text such as `<= 2s`. Errors: `ValueError`."""
    match = _BOUND.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[4] and not units):
        raise ValueError(f'must be a comparison such as "{example}", with one of {", ".join(OPERATORS)}')
    return Bound("=" if match[1] == "==" else match[1], float(match[3]) * _SECONDS[match[4]])


def length(settings: Settings) -> Rule:
    """1 if the length is within the range."""
    wanted: Range = settings["value"]

    def rule(answer: Answer, text: str, reference: Any, limit: float) -> Found:
        count = measure(text, wanted.unit)
        fits = (wanted.low is None or count >= wanted.low) and (wanted.high is None or count <= wanted.high)
        return Found(float(fits), f"{count} {wanted.unit}")

    return rule


def measure(text: str, unit: str) -> int:
    """Return how many words (between blanks), characters, lines or sentences a text has, ends blanked off."""
    text = text.strip()
    if unit == "words":
        return len(text.split())
    if unit == "lines":
        return len(text.splitlines())
    if unit == "sentences":
        ends = list(_SENTENCE.finditer(text))
        unfinished = text[ends[-1].end() :].strip() if ends else text
        return len(ends) + bool(unfinished)
    return len(text)


def finish(settings: Settings) -> Rule:
    """1 if the answer ended for one of these reasons."""
    allowed = [reason.casefold() for reason in settings["value"]]

    def rule(answer: Answer, text: str, reference: Any, limit: float) -> Found:
        if not answer.finish:
            raise CannotScore("scorer_error", "why the answer ended is unknown")
        return Found(float(answer.finish.casefold() in allowed), answer.finish)

    return rule


def bounded(name: str, read: Callable[[Answer], float | None]) -> Callable[[Settings], Rule]:
    """Rules of what an answer took: unknown is unscored, never 0."""

    def make(settings: Settings) -> Rule:
        bound: Bound = settings["value"]
        compare = OPERATORS[bound.operator]

        def rule(answer: Answer, text: str, reference: Any, limit: float) -> Found:
            number = read(answer)
            if number is None:
                raise CannotScore("scorer_error", f"the {name} of the answer is unknown")
            return Found(float(compare(number, bound.number)), f"{number:g}")

        return rule

    return make


def cost(answer: Answer) -> float | None:
    """Return the cost in dollars."""
    return None if answer.cost_nusd is None else answer.cost_nusd / 1e9


def json_form(settings: Settings) -> Rule:
    """1 if the text is JSON, and fits the schema if there is one."""
    schema = settings["schema"]
    problem = None if schema is None else _problem_finder(schema)
    costs = [] if schema is None else _pattern_costs(schema)
    compares_items = _UNIQUE in repr(schema)

    def rule(answer: Answer, text: str, reference: Any, limit: float) -> Found:
        try:
            value = parse_json(text)
        except NotJson as error:
            return Found(0.0, reason=str(error))
        if problem is None:
            return Found(1.0)
        items = text.count(",") + 1 if compares_items else 0
        spend(_PAIR_STEPS * items**2, limit)
        spend(_SCHEMA_STEPS * len(text) + sum(cost.steps(text, limit) for cost in costs), limit)
        message = problem(value)
        return Found(float(message is None), reason=message)

    return rule


def check_schema(value: Any) -> dict[str, Any]:
    """Return the schema. Errors: `ValueError`."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(value, dict):
        raise ValueError("must be a JSON Schema")
    try:
        Draft202012Validator.check_schema(value)
        _pattern_costs(value)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {shown(error.message)}") from None
    except (re.error, RecursionError) as error:
        raise ValueError(f"is no JSON Schema that can be used: {shown(str(error))}") from None
    return value


def _problem_finder(schema: Mapping[str, Any]) -> Callable[[Any], str | None]:
    return partial(_first_problem, _validator(schema))


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    bare = {key: value for key, value in schema.items() if key != "$schema"}
    return Draft202012Validator(bare, registry=Registry())  # nothing is fetched, whatever it refers to


def _first_problem(validator: Any, value: Any) -> str | None:
    from referencing.exceptions import Unresolvable

    try:
        problem = next(validator.iter_errors(value), None)
    except (Unresolvable, ArithmeticError) as error:
        raise CannotScore("scorer_error", f"the schema cannot be applied: {shown(str(error))}") from None
    if problem is None:
        return None
    place = "/".join(str(step) for step in list(problem.absolute_path)[:20])
    return shown(f"{place}: " if place else "") + shown(problem.message)


def _pattern_costs(schema: Any) -> list[PatternCost]:
    if isinstance(schema, Mapping):
        own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        named = schema.get("patternProperties")
        own += list(named) if isinstance(named, Mapping) else []
        below = [cost for value in schema.values() for cost in _pattern_costs(value)]
        return [compile_pattern(pattern)[1] for pattern in own] + below
    if isinstance(schema, list):
        return [cost for value in schema for cost in _pattern_costs(value)]
    return []
