"""What is written to an evaluation's store, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umwelten.types import Call, FrozenStruct, ModelRef, Outcome, RequestSettings, Timing


class Derived(FrozenStruct):
    """That an evaluation was made of another one's answers, and for what.

    `role` "judge": its calls are verdicts of the scorer `scorer` on the answers of the evaluation `of`.
    `definition` is what it is made by, as it was written.
    """

    role: str
    of: str
    scorer: str
    definition: Mapping[str, Any] = {}


class StoredSpec(FrozenStruct):
    """The settings of an evaluation as its store keeps them. `kind` is "run" or "batch".

    `derived`: what it is for, where a user did not begin it as such.
    """

    id: str
    kind: str
    models: tuple[ModelRef, ...]
    request: RequestSettings
    repeats: int = 1
    coerce: bool = False
    derived: Derived | None = None


class AttemptRecord(FrozenStruct):
    """One attempt that ended. `number` counts from 1 within the call; `served_by` names the lane."""

    call: Call
    number: int
    outcome: Outcome
    timing: Timing
    cost_nusd: int | None = None
    served_by: str | None = None


class CallRecord(FrozenStruct):
    """A call that ended: its last attempt's outcome, and sums over all of them.

    `key` is the call's identity, `content` the hash of the file's bytes that were sent (b"" without a
    file). `time_s` is the time in flight of all attempts of this process. `cost_nusd` is `None` when
    the price of any attempt that used tokens is unknown. `served_by` names the lane of the last attempt.
    """

    call: Call
    key: str
    content: bytes
    outcome: Outcome
    timing: Timing
    attempts: int
    time_s: float
    cost_nusd: int | None = None
    served_by: str | None = None


class LimitRecord(FrozenStruct):
    """A lane's concurrency limit moved, `at` Unix seconds."""

    at: float
    lane: str
    limit: float
    in_flight: int
    reason: str


Record = AttemptRecord | CallRecord | LimitRecord
