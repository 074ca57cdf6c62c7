"""What the pool answers: start this attempt, wait, or idle; and what it decided about one that ended."""

from __future__ import annotations

import msgspec

from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.refusals import StartSnapshot
from umwelten.control.retry import Decision
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.types import Failure


class Lease(msgspec.Struct, frozen=True):
    """Leave to make one attempt, given at `started_at`. `number` counts a call's attempts from 1.

    `held` nano-USD of the cost cap are held for it. `hedge`: the call's first attempt is still under way.
    """

    scheduled: ScheduledCall
    lane: Lane
    started_at: float
    start: StartSnapshot | None = None
    number: int = 1
    held: int = 0
    hedge: bool = False


class Start(msgspec.Struct, frozen=True):
    """Make this attempt now."""

    lease: Lease


class WaitUntil(msgspec.Struct, frozen=True):
    """Nothing may start before `at`, unless something ends first."""

    at: float


class Idle(msgspec.Struct, frozen=True):
    """Nothing may start until something ends; if nothing is in flight, the work is over."""


Step = Start | WaitUntil | Idle
IDLE = Idle()


class AttemptVerdict(msgspec.Struct, frozen=True):
    """What `on_end` decided about a call, and what it did to its lane. `shunned`: the lane proved not to have
    the call's model, which other lanes have. `counted_nusd`: what the cost cap counts for the attempt."""

    failure: Failure | None
    decision: Decision | None
    change: LimitChange | None = None
    lane_stopped: bool = False
    model_stopped: bool = False
    shunned: bool = False
    counted_nusd: int = 0
