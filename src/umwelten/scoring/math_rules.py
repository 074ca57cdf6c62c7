"""The rule that needs a process of its own: mathematics."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from umwelten.scoring.budget import TooCostly
from umwelten.scoring.rule import CannotScore, Found, Rule, Settings, shown
from umwelten.scoring.score import Answer

_LONGEST = 100_000
"""Characters, from the end of an answer, in which mathematics is looked for."""
# What SymPy makes of its own words and of numerals. No other name can be in it, so nothing else is called.
_HARMLESS = re.compile(
    r"(?:(?:Integer|Float|Symbol) \((?:\d+|'[\w.+-]+') \)|(?:E|I|pi)\b|[-+*/(), ])+", re.ASCII
)
_SAID = re.compile(r".*\b(?:answer|result|solution)\b\s*(?:is|[:=])\s*:?(?P<rest>.+)", re.IGNORECASE)
# Signs of a plain expression, and none of its letters beside another: those are words.
_PLAIN = re.compile(
    r"(?=.*[\da-z])(?:(?:sqrt|sin|cos|tan|log|ln|exp|pi)|[a-z](?![a-z])|[\d\s+*/^().,=<>%!-])+", re.I
)
_LAST_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_DELIMITED = re.compile(r"\$|\\\(|\\\[|\\boxed|\\begin")


def mathematics(settings: Settings) -> Rule:
    """1 if the answer's last expression equals the reference, as math-verify sees it.

    It takes its time and memory, so it runs only without a limit: in a process that can be ended.
    """

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        if limit != math.inf:
            raise TooCostly
        expected = _parsed_reference(reference)
        said = _expressions(text[-_LONGEST:])
        if not said:
            return Found(0.0, reason="no mathematical expression")
        _, verify = load_math()
        return Found(float(verify(expected, said)), shown(str(said[0])))

    return rule


@cache
def load_math() -> tuple[Callable[[str], list[Any]], Callable[[Any, Any], bool]]:
    """Return the library's functions that read and compare. Errors: `ImportError`.

    Its own time limits are signals, and off: the process has one. Its reader of plain expressions evaluates
    text as Python code, and is not used; SymPy, which does the same, is kept to numbers and symbols.
    """
    import logging
    from importlib import import_module

    import_module("sympy.physics.units")  # loads by the same evaluation, of its own words
    from math_verify import LatexExtractionConfig, parse, verify
    from sympy.parsing import sympy_parser

    logging.getLogger("math_verify").setLevel(logging.CRITICAL + 1)  # of its time limits, which are off
    evaluate = sympy_parser.eval_expr

    def evaluate_harmless(code: str, *scopes: Any) -> Any:
        if not _HARMLESS.fullmatch(code):
            raise ValueError("text is not run as code")
        return evaluate(code, *scopes)

    sympy_parser.eval_expr = evaluate_harmless
    latex = [LatexExtractionConfig()]

    def read(text: str) -> list[Any]:
        found: list[Any] = parse(text, latex, fallback_mode="no_fallback", parsing_timeout=None)
        return found

    def compare(expected: Any, said: Any) -> bool:
        return bool(verify(expected, said, timeout_seconds=None, raise_on_error=True))

    return read, compare


@cache
def _parsed_reference(reference: str) -> list[Any]:
    read, _ = load_math()
    if _DELIMITED.search(reference):
        found = read(reference)
    else:  # words are read as products of their letters
        plain = reference.strip()
        found = read(_latex(plain)) if "\\" in plain or _PLAIN.fullmatch(plain) else []
    if not found:
        raise CannotScore("no_reference", f"the reference {shown(reference)!r} is no mathematical expression")
    return found


def _expressions(text: str) -> list[Any]:
    """Return what the text says: in LaTeX, or plainly in its last line, or its last number."""
    read, _ = load_math()
    if _DELIMITED.search(text) and (found := read(text)):
        return found
    lines = text.strip().splitlines() or [""]
    last = lines[-1].strip().rstrip(".!").strip("*_` ")
    if match := _SAID.fullmatch(last):
        last = match["rest"].strip("*_` ")
    if _PLAIN.fullmatch(last) and (found := read(_latex(last))):
        return found
    numbers = _LAST_NUMBER.findall(text)
    return read(_latex(numbers[-1])) if numbers else []


def _latex(plain: str) -> str:
    return f"${plain.replace('**', '^').replace('%', chr(92) + '%').replace('$', '')}$"
