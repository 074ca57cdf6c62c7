"""Python functions as scorers: what they may be given, what they may return, what is said of their errors."""

from __future__ import annotations

import contextlib
import inspect
import numbers
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from umwelten.scoring.score import Result, Score
from umwelten.text.suggestions import closest, did_you_mean, sentences

PARAMETERS = ("answer", "expected", "row", "file", "model")
"""What a function may name."""
EXPECTED_VALUE = "a value from 0 to 1, True, False or None is expected"

Reply = dict[str, Any]
"""What is said of an answer; `replies.read_result` makes a score of it."""


class ScorerProblem(Exception):
    """The scorer cannot be used at all; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def as_reply(result: Result) -> Reply:
    """Return what is told of a score, or of why there is none."""
    if not isinstance(result, Score):
        return {"unscored": result.kind, "message": result.message}
    return {
        "value": result.value,
        "label": result.label,
        "passed": result.passed,
        "reason": result.reason,
        "parts": [
            {"name": part.name, "value": part.value, "label": part.label, "message": part.message}
            for part in result.parts
        ],
    }


def parameters_of(function: Callable[..., Any], shown: str) -> tuple[list[str], bool]:
    """Return the names that are given to it, and whether it cannot do without a reference."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ScorerProblem(f"{shown} cannot be called with names", _HINT) from None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        taken = list(PARAMETERS)
    else:
        taken = [each.name for each in parameters if each.name in PARAMETERS]
    for each in parameters:
        if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        if each.kind is each.POSITIONAL_ONLY:
            raise ScorerProblem(f"{shown}: its parameter {each.name!r} cannot be given by name", _HINT)
        if each.name not in PARAMETERS and each.default is each.empty:
            near = did_you_mean(closest(each.name, PARAMETERS))
            raise ScorerProblem(f"{shown} has a parameter {each.name!r}", sentences(near, _HINT) or _HINT)
    strict = any(each.name == "expected" and each.default is each.empty for each in parameters)
    return taken, strict


_HINT = f"A scorer's parameters are any of {', '.join(PARAMETERS)}, and others with a default."


def returned(result: Any) -> Reply:
    """Return what is told of the value that a function gave."""
    if isinstance(result, Score):
        return as_reply(result)
    if type(result).__module__ == "numpy" and hasattr(result, "item"):
        with contextlib.suppress(ValueError):
            result = result.item()
    if result is None or isinstance(result, bool):
        return {"value": result}
    if isinstance(result, numbers.Real | Decimal) and 0 <= (value := float(result)) <= 1:
        return {"value": value}
    what = repr(result) if isinstance(result, str | int | float | Decimal) else type(result).__name__
    return {"error": f"{EXPECTED_VALUE}, not {what[:80]}"}


def described(error: BaseException, file: str) -> str:
    """Return type and message, and the line of the scorer's file: no path, no source."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, AttributeError) and type(error.obj).__name__ == "Answer":
        said += "; the text is answer.text"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    lines = [frame.lineno for frame in frames]
    if isinstance(error, SyntaxError) and error.filename == file:
        said, lines = f"{type(error).__name__}: {error.msg}", [error.lineno]
    return f"{said} ({Path(file).name}, line {lines[-1]})" if lines and lines[-1] else said
