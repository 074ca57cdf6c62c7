"""The event that tells of calls that are made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from umwelten.events import CallsRequeued
from umwelten.store.failed_calls import FailedCall
from umwelten.types import ModelRef


def requeued(again: Sequence[FailedCall], models: Mapping[int, ModelRef]) -> CallsRequeued:
    """Return it. `models` by number."""
    return CallsRequeued(
        calls=len(again),
        kinds=dict(Counter(call.kind for call in again)),
        lanes=dict(Counter(call.lane for call in again)),
        models=dict(Counter(str(models[call.model]) for call in again)),
    )
