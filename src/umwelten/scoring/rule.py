"""What a compiled scorer is made of: a rule, applied to an answer and a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from umwelten.scoring.score import Answer, Part, UnscoredKind

Settings = Mapping[str, Any]
"""A scorer's settings: checked, with defaults filled in."""


class Found(NamedTuple):
    """What a rule found: the value, what it read in the answer, why, and the parts."""

    value: float
    label: str | None = None
    reason: str | None = None
    parts: tuple[Part, ...] = ()


class CannotScore(Exception):
    """There is no score, and why."""

    def __init__(self, kind: UnscoredKind, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class Rule(Protocol):
    """Compares an answer's text, or its record, with one reference.

    `limit` bounds the steps. Errors: `TooCostly`, `CannotScore`.
    """

    def __call__(self, answer: Answer, text: str, reference: Any, limit: float) -> Found: ...


MakeRule = Callable[[Settings], Rule]
"""Compiles a rule, once for all answers."""

_SHOWN = 80


def shown(text: str) -> str:
    """Return a text as a label: short."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
