"""What is scored, and what comes of it: a score, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from umwelten.types import FrozenStruct

UnscoredKind = Literal[
    "no_answer",
    "pending",
    "no_reference",
    "input_changed",
    "judge_failed",
    "judge_declined",
    "scorer_error",
]
"""Why there is no score: the call failed; it has not ended; nothing says what the answer should be; the row
or file is no longer what was sent; a judge gave no usable verdict; a judge said that it cannot tell; the
scorer itself failed, or cannot say."""


class Answer(FrozenStruct):
    """A stored answer. `record` is its parsed record, `None` without a schema.

    `cost_nusd` (billionths of a dollar), `latency_s` (seconds), `tokens` (of the output) and `finish` (why it
    ended) are `None` where they are unknown.
    """

    text: str
    record: Any = None
    finish: str | None = None
    cost_nusd: int | None = None
    latency_s: float | None = None
    tokens: int | None = None


class Part(FrozenStruct):
    """The score of a part of an answer, such as a field of its record. `value` is from 0 to 1."""

    name: str
    value: float
    label: str | None = None
    message: str | None = None


class Score(FrozenStruct):
    """How good an answer is, from 0 to 1.

    `label` is what the scorer read in the answer (a choice, a number, a class), `None` if it found none.
    `passed` is `None` where no threshold says what passes. Errors: `ValueError` for a value that is no share.
    """

    value: float
    label: str | None = None
    passed: bool | None = None
    reason: str | None = None
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        # NaN fails every comparison, so it is refused as well.
        if not 0 <= self.value <= 1:
            raise ValueError(f"a score is a number from 0 to 1, not {self.value!r}")


class Unscored(FrozenStruct):
    """Why an answer has no score. It is never 0, and is counted wherever scores are.

    `costly`: the time could not be bounded; a process that can be ended may still find a score.
    """

    kind: UnscoredKind
    message: str = ""
    costly: bool = False


Result = Score | Unscored


def total(results: Iterable[tuple[Result, float]]) -> float | None:
    """Return the mean of the values by weight; each result comes with its weight, 0 or more.

    `None` if a result of a weight above 0 is unscored, or there is none.
    """
    weighted = [(result, weight) for result, weight in results if weight > 0]
    if not weighted:
        return None
    scale = max(weight for _, weight in weighted)  # so that no sum overflows or vanishes
    numerator = denominator = 0.0
    for result, weight in weighted:
        if isinstance(result, Unscored):
            return None
        numerator += result.value * (weight / scale)
        denominator += weight / scale
    return min(1.0, numerator / denominator)
