"""The tool `calculator`: arithmetic without rounding on the way."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated

from umwelten.tools.built_in.exact_numbers import (
    PI,
    E,
    bounded,
    exponential,
    logarithm,
    power,
    read_number,
    rounded,
    shown,
    square_root,
)
from umwelten.tools.tool import ToolError, tool

LONGEST_EXPRESSION = 1_000
"""Characters. Each may be an operation of numbers of 6,000 digits, of 0.1 ms."""

_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "\n": " ", "\r": " ", "\t": " "})
_SEPARATORS = "Write numbers without thousands separators, and decimals with a point"
_REMAINDER = "% is the remainder of a division; write 15 percent of x as 0.15 * x."
_PERCENT = re.compile(r"%\s*[+-]")
"""In `20% - 5`, percent may be meant or the remainder for -5: a wrong guess would go unnoticed."""
_GROUPED = re.compile(r"\d[\s'’_]\d{3}")
_SYNTAX = "Write numbers, + - * / // % **, parentheses, and {}".format


@tool(version="1", read_only=True)
def calculator(
    expression: Annotated[
        str,
        "Such as (15 + 27) * 3 / 2. Operators: + - * / // % ** and parentheses; % is the remainder. "
        "Functions: sqrt, abs, round(x, digits), min, max, log(x) (natural), log(x, base), exp, floor, ceil; "
        "constants: pi, e. Numbers without thousands separators, units and signs of currency.",
    ],
) -> str:
    """Calculate exactly what an expression comes to."""
    return shown(evaluate(expression))


def evaluate(expression: str) -> Fraction:
    """Return what an expression comes to. Raises `ToolError` that says what is wrong with it."""
    text = expression.translate(_SIGNS).strip().removesuffix("=").strip().replace("^", "**")
    if not text:
        raise ToolError("the expression is empty")
    if _PERCENT.search(text):
        raise ToolError(f"{_REMAINDER} The remainder for a negative number is a % (-b).")
    if len(text) > LONGEST_EXPRESSION:
        raise ToolError(
            f"the expression has {len(text):,} characters; at most {LONGEST_EXPRESSION:,} are taken"
        )
    try:
        return _Evaluation(text).value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise ToolError(f"{_problem(error)}. {_hint(text)}") from None
    except (RecursionError, MemoryError):
        raise ToolError("the expression is nested too deeply") from None
    except ZeroDivisionError:
        raise ToolError("division by zero") from None


def _problem(error: Exception) -> str:
    at = getattr(error, "offset", None)
    return f"the expression cannot be read{f' at character {at}' if at else ''}"


def _hint(text: str) -> str:
    if any(sign in text for sign in "$€£¥"):
        return "Leave out signs of currency."
    if "%" in text:
        return _REMAINDER
    if "," in text or _GROUPED.search(text):
        return f"{_SEPARATORS}."
    return _SYNTAX(", ".join(_FUNCTIONS))


class _Evaluation:
    """Works out the tree of an expression. Numbers are read from the text: floats would be rounded."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def value(self, node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self._number(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            value = self.value(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return bounded(_OPERATORS[type(node.op)](self.value(node.left), self.value(node.right)))
        if isinstance(node, ast.Name) and node.id.lower() in _CONSTANTS:
            return _CONSTANTS[node.id.lower()]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        raise ToolError(self._unknown(node))

    def _number(self, node: ast.Constant) -> Fraction:
        if type(node.value) is int:
            return Fraction(node.value)
        return read_number(self._source(node))

    def _source(self, node: ast.expr) -> str:
        return self._text[node.col_offset : node.end_col_offset].decode()

    def _call(self, name: str, given: Sequence[ast.expr]) -> Fraction:
        function = _FUNCTIONS.get(name.lower().removeprefix("math."))
        if function is None:
            raise ToolError(f"there is no function {name[:40]}; there are {', '.join(_FUNCTIONS)}")
        fewest, most, work = function
        if not fewest <= len(given) <= most:
            raise ToolError(f"{name} takes {_how_many(fewest, most)}, not {len(given)}")
        return bounded(work(*map(self.value, given)))

    def _unknown(self, node: ast.expr) -> str:
        if isinstance(node, ast.Tuple):
            return f"{self._source(node)[:40]!r}: {_SEPARATORS}"
        if isinstance(node, ast.Name):
            return f"{node.id[:40]!r} is not known: {_SYNTAX(', '.join((*_FUNCTIONS, *_CONSTANTS)))}"
        return f"{self._source(node)[:40]!r} cannot be calculated. {_SYNTAX(', '.join(_FUNCTIONS))}"


def _how_many(fewest: int, most: int) -> str:
    if most == _ANY:
        return f"{fewest} or more values"
    return f"{fewest} value" if fewest == most == 1 else f"{fewest} to {most} values"


def _floor_division(left: Fraction, right: Fraction) -> Fraction:
    return Fraction(left // right)


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    if digits.denominator != 1 or abs(digits) > _MOST_DECIMALS:
        raise ToolError(f"round takes a whole number of digits, at most {_MOST_DECIMALS}")
    return rounded(value, int(digits))


_ANY = 1_000
_MOST_DECIMALS = 1_000
_CONSTANTS: Mapping[str, Fraction] = {"pi": PI, "e": E}
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: _floor_division,
    ast.Mod: lambda left, right: left % right,
    ast.Pow: power,
}
_FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Fraction]]] = {
    "sqrt": (1, 1, square_root),
    "abs": (1, 1, abs),
    "round": (1, 2, _round),
    "min": (1, _ANY, lambda *values: min(values)),
    "max": (1, _ANY, lambda *values: max(values)),
    "log": (1, 2, logarithm),
    "exp": (1, 1, exponential),
    "floor": (1, 1, lambda value: Fraction(math.floor(value))),
    "ceil": (1, 1, lambda value: Fraction(math.ceil(value))),
}
