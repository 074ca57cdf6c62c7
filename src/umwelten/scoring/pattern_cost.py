"""How many steps a regular expression may take on a text.

Python's engine tries alternatives one after another, so the ways through a pattern are counted: `\\d+x` has
as many as there are digits in a row, `(a+)+x` has 2 to the power of them. The count is an upper bound, made
from the parsed pattern; a search tries it at every place of the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from re import _compiler, _parser  # type: ignore[attr-defined]
from typing import Any

_TOO_MANY = 1e30
"""Ways, beyond which it does not matter how many: the sums stay finite."""
_ONE_CHARACTER = ("LITERAL", "NOT_LITERAL", "ANY", "IN")

_Run = Callable[[Any], int]
"""How often the body of a repetition may match in a row, at most."""


class PatternCost:
    """A pattern's cost; `steps(text)` bounds the steps of a search in a text. Errors: `re.error`."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._parsed: Any = _parser.parse(pattern, flags)
        self._classes: dict[int, re.Pattern[str]] = {}
        # Within `(?i:…)` a class has other characters than by itself.
        self._measurable = not re.search(r"\(\?[a-zA-Z]*-?[a-zA-Z]+:", pattern)

    def steps(self, text: str, limit: float) -> float:
        """Return the bound for a text: one from its length if that is within the limit, else a closer one."""
        length = len(text)
        bound = self._bound(length, lambda body: length // _shortest(body))
        if bound <= limit or not self._measurable:
            return bound
        runs: dict[int, int] = {}

        def run(body: Any) -> int:
            if not _is_one_character(body):
                return length // _shortest(body)
            if id(body) not in runs:
                runs[id(body)] = self._longest_run(body, text)
            return runs[id(body)]

        return self._bound(length, run)

    def _bound(self, length: int, run: _Run) -> float:
        return min(_TOO_MANY, (length + 1) * _ways(self._parsed, length, run, last=True))

    def _longest_run(self, body: Any, text: str) -> int:
        known = self._classes.get(id(body))
        if known is None:
            repeated = (_parser.MAX_REPEAT, (1, _parser.MAXREPEAT, body))
            known = _compiler.compile(_parser.SubPattern(self._parsed.state, [repeated]))
            self._classes[id(body)] = known
        return max((match.end() - match.start() for match in known.finditer(text)), default=0)


def compile_pattern(pattern: str, flags: int = 0) -> tuple[re.Pattern[str], PatternCost]:
    """Return the compiled pattern and its cost. Errors: `re.error`, which knows the place of the fault."""
    try:
        cost = PatternCost(pattern, flags)
        cost.steps("", 0)
        return re.compile(pattern, flags), cost
    except (RecursionError, OverflowError, MemoryError):
        raise re.error("nested too deeply, or a number is too large", pattern, 0) from None


def _is_one_character(body: Any) -> bool:
    return len(body) == 1 and str(body[0][0]) in _ONE_CHARACTER


def _shortest(body: Any) -> int:
    return max(1, int(body.getwidth()[0]))


def _ways(items: Any, length: int, run: _Run, *, last: bool = False) -> float:
    """Return how many ways lead through these items. `last`: nothing follows that could fail."""
    ways = 1.0
    for number, (op, argument) in enumerate(items, 1):
        is_last = last and number == len(items)
        ways = min(_TOO_MANY, ways * _item_ways(str(op), argument, length, run, is_last))
    return ways


def _item_ways(op: str, argument: Any, length: int, run: _Run, last: bool) -> float:
    match op:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, body = int(argument[0]), int(argument[1]), argument[2]
            if last and low <= 1 and _is_one_character(body):
                return 1.0  # whatever it takes, the search has found something
            return _repeat_ways(low, high, body, length, run)
        case "SUBPATTERN":
            return _ways(argument[3], length, run, last=last)
        case "ATOMIC_GROUP":
            return _ways(argument, length, run)
        case "ASSERT" | "ASSERT_NOT":
            return _ways(argument[1], length, run)
        case "BRANCH":
            return sum(_ways(branch, length, run) for branch in argument[1])
        case "GROUPREF_EXISTS":
            return sum(_ways(branch, length, run) for branch in argument[1:] if branch is not None)
        case "GROUPREF" | "GROUPREF_IGNORE" | "GROUPREF_LOC_IGNORE" | "GROUPREF_UNI_IGNORE":
            return length + 1.0  # characters that are compared
    return 1.0


def _repeat_ways(low: int, high: int, body: Any, length: int, run: _Run) -> float:
    ways = _ways(body, length, run)
    most = min(high, run(body))
    if ways <= 1:
        return (most + 1.0) * max(1, len(body))
    if most * math.log(ways) > math.log(_TOO_MANY):
        return _TOO_MANY
    return max(1.0, sum(ways**times for times in range(most + 1)))
