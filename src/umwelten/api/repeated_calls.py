"""A call that is repeated, as by a cell that is run twice: it goes on, and answers are not paid for again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from umwelten.errors import EvaluationChanged, EvaluationExists
from umwelten.phrases import Phrase


def resumed_if_same(given: Mapping[str, Any], profile: Collection[str]) -> tuple[Mapping[str, Any], bool]:
    """Return the arguments, with `resume` where an id is given and nothing says what to do if it is taken.

    `profile`: what the profile in force says.
    """
    said = given.get("resume") is not None or given.get("overwrite") or {"resume", "overwrite"} & {*profile}
    if given.get("id") is None or said:
        return given, False
    return {**given, "resume": True}, True


def exists_otherwise(error: EvaluationChanged) -> EvaluationExists:
    """Return the error for an id that is taken by an evaluation with other settings."""
    return EvaluationExists(
        Phrase("the id is taken: {change}", change=error.wording),
        Phrase(
            "Use another {option:id}, or {option:overwrite} to start over (the old one is moved aside). With "
            "the settings that it was started with, the call goes on and returns what is stored."
        ),
        argument="id",
    )
