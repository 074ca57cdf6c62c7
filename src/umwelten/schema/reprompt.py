"""What is said to a model whose answer did not have the shape, and what is kept when it never does."""

from __future__ import annotations

from collections.abc import Iterable

from umwelten.schema.output_schema import ParsedAnswer
from umwelten.schema.validation import Problem
from umwelten.types import Failure, FailureKind, Usage

_QUOTED = 16_000
"""Characters of the answer that are sent back; the middle of a longer one is left out."""


def ask_again(answer: str, problems: Iterable[Problem]) -> str:
    """The words to add to the message when it is sent again: the answer, what is wrong, what to do."""
    faults = "\n".join(f"- {_line(problem)}" for problem in problems)
    return (
        "You have answered this before. Your answer was:\n\n"
        f"{_quoted(answer)}\n\n"
        f"It does not have the form that is asked for:\n{faults}\n\n"
        "Answer again, with these faults put right and all else kept. "
        "Give the complete JSON object and nothing else: no code fence, no words around it."
    )


def failure(read: ParsedAnswer, text: str, usage: Usage) -> Failure:
    """The failure of an answer that has no record of the shape. It was paid for: `usage`; `text` is kept."""
    fields = dict.fromkeys(problem.field for problem in read.problems if problem.field)
    return Failure(
        kind=FailureKind.SCHEMA,
        message="; ".join(map(_line, read.problems)),
        code=",".join(fields) or None,
        partial=text,
        usage=usage,
    )


def _line(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _quoted(answer: str) -> str:
    if len(answer) <= _QUOTED:
        return answer
    half = _QUOTED // 2
    return f"{answer[:half]}\n[…]\n{answer[-half:]}"
