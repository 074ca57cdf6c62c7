"""The turns that ask a model to correct its answer, and the failure when no answer fits the schema."""

from __future__ import annotations

from collections.abc import Iterable

from umwelten.schema.parsed_answer import ParsedAnswer
from umwelten.types import Failure, FailureKind, Message, Problem, Role, Text, Usage

_QUOTED = 16_000
"""Characters of the answer that are sent back; a longer one loses its middle."""

CUT = "the answer was cut off at the limit of tokens"
"""How the failure of an answer begins that its limit of tokens ended."""

_NO_ANSWER = "(no answer)"
"""Stands for an empty answer: Anthropic and Gemini refuse a turn without text."""


def correction_turns(answer: str, problems: Iterable[Problem]) -> tuple[Message, Message]:
    """Return the turns that follow an answer with problems: the answer itself, then the list of them."""
    faults = "\n".join(f"- {_fault_line(problem)}" for problem in problems)
    correction = (
        f"Your answer does not have the form that is asked for:\n{faults}\n\n"
        "Answer again, with these faults put right and all else kept. "
        "Give the complete JSON object and nothing else: no code fence, no words around it."
    )
    return (
        Message(role=Role.ASSISTANT, parts=(Text(text=_shorten(answer) if answer.strip() else _NO_ANSWER),)),
        Message(role=Role.USER, parts=(Text(text=correction),)),
    )


def failure(read: ParsedAnswer, text: str, usage: Usage) -> Failure:
    """Return the failure of an answer without a valid record, with its text and its (billed) usage."""
    fields = dict.fromkeys(problem.field for problem in read.problems if problem.field)
    return Failure(
        kind=FailureKind.SCHEMA,
        message="; ".join(map(_fault_line, read.problems)),
        code=",".join(fields) or None,
        problems=read.problems,
        partial=text,
        usage=usage,
    )


def _fault_line(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _shorten(answer: str) -> str:
    if len(answer) <= _QUOTED:
        return answer
    half = _QUOTED // 2
    return f"{answer[:half]}\n[…]\n{answer[-half:]}"
