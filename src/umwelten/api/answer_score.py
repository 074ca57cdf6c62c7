"""One scorer's word on one answer as the library gives it."""

from __future__ import annotations

from typing import Generic

import msgspec

from umwelten.api.answer import Answer, T
from umwelten.report.queries.call_scores import CallVerdict
from umwelten.scoring.score import Part


class AnswerScore(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What one scorer says of one answer. Exactly one of `value` (from 0 to 1) and `unscored` is `None`.

    `unscored` is the kind: "no_answer" (the call failed), "pending", "no_reference", "input_changed",
    "judge_failed", "judge_declined" or "scorer_error"; `message` says more. `passed` is `None` where nothing
    says what passes. `label` is what the scorer read in the answer; `parts` are the scores of a record's
    fields or of a judge's criteria, `verdicts` what the judges said.
    """

    answer: Answer[T]
    scorer: str
    value: float | None
    passed: bool | None
    label: str | None
    reason: str | None
    unscored: str | None
    message: str | None
    parts: tuple[Part, ...]
    verdicts: tuple[CallVerdict, ...]

    def __repr__(self) -> str:
        about = " ".join(part for part in (self.answer.model, self.answer.file, self.answer.prompt) if part)
        said = f"unscored ({self.unscored})" if self.value is None else f"{self.value:g}"
        return f"<AnswerScore {self.scorer} of {about} {self.answer.repeat}: {said}>"
