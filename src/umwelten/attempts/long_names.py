"""Bounds what a provider calls something: events, logs and databases hold every outcome's names."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from umwelten.types import LONGEST_NAME, Failure, Outcome

T = TypeVar("T", bound=Outcome)

_NAMES = {False: ("served_model", "request_id"), True: ("message", "code", "parameter", "request_id")}
"""The fields of a reply and of a failure with words of the provider that are no part of the answer."""


def with_short_names(outcome: T) -> T:
    """Return the outcome with no more than `LONGEST_NAME` characters in any of its names."""
    names = _NAMES[isinstance(outcome, Failure)]
    for name in names:
        text = getattr(outcome, name)
        if text and len(text) > LONGEST_NAME:
            return msgspec.structs.replace(outcome, **{each: _cut(getattr(outcome, each)) for each in names})
    return outcome


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:LONGEST_NAME]
