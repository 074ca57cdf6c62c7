"""Why a lane that has calls starts none, since when, until when, and when it gives up."""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.limit_kind import LimitKind
from umwelten.control.pool import Pool
from umwelten.events import WaitReason
from umwelten.types import Failure, FailureKind, Resource

_RESOURCES = {Reason.REQUESTS: Resource.REQUESTS, Reason.TOKENS: Resource.TOKENS}
_USED_UP = {
    LimitKind.TOKENS: Resource.TOKENS,
    LimitKind.BUCKET: Resource.REQUESTS,
    LimitKind.WINDOW: Resource.REQUESTS,
}
_NO_ROOM = (FailureKind.MEMORY, FailureKind.LOCAL)


@dataclass(frozen=True, slots=True)
class Wait:
    """See the module's text; times are the engine's. `since` None: for as long as the lane has started none.

    `until` is when it tries again, `None` if it waits for something to end. From `gives_up` on the next
    failure stops it. `failure` is the last one.
    """

    reason: WaitReason
    since: float | None = None
    until: float | None = None
    gives_up: float | None = None
    resource: Resource | None = None
    failure: Failure | None = None


def wait_of(pool: Pool, lane: Lane) -> Wait | None:
    """Return what a lane waits for; `None` if it works, has nothing to do, or is stopped."""
    sheet = lane.timesheet
    if pool.closed or lane.stopped is not None or sheet.reason is Reason.NO_WORK:
        return None
    if (paused_at := pool.paused_since(lane)) is not None:
        return Wait(WaitReason.PAUSED, paused_at)
    if pool.held_since is not None:
        return Wait(WaitReason.WORKERS, pool.held_since)
    until = _next_attempt(pool, lane)
    down = lane.circuit.open_since
    if down is not None:
        return _until(_outage(lane), down, until, lane.down_s, None, lane.last_failure)
    if lane.own_in_flight > 1:
        # It works: what it may start beside that is the limit's matter.
        return Wait(WaitReason.MODEL) if pool.held(lane) else None
    refused = lane.throttled_since
    if refused is not None:
        if until is not None and not lane.gate.exact:
            until = min(until, refused + lane.patience_s)  # as soon as what is in flight has ended
        return _until(
            WaitReason.RATE_LIMIT, refused, until, lane.patience_s, _used_up(lane), lane.last_failure
        )
    return _other(pool, lane, until)


def _other(pool: Pool, lane: Lane, until: float | None) -> Wait | None:
    reason = lane.timesheet.reason
    if reason in _RESOURCES:
        set_by_user = WaitReason.KNOWN_LIMIT if lane.waits_for_known else WaitReason.BUDGET
        return Wait(set_by_user, until=until, resource=_RESOURCES[reason])
    if reason is Reason.TOOLS:
        return None if lane.own_in_flight else Wait(WaitReason.TOOLS)
    if reason is Reason.COST:
        return Wait(WaitReason.COST)
    if reason is Reason.PAUSED:
        return None if lane.own_in_flight else Wait(WaitReason.PAUSED)
    if pool.held(lane):
        return Wait(WaitReason.MODEL)
    if lane.own_in_flight:
        return None
    if reason is Reason.CONCURRENCY:
        return Wait(WaitReason.SLOTS)
    if reason is Reason.BACKOFF:
        failure = lane.last_failure
        full = failure is not None and failure.kind in _NO_ROOM
        return Wait(WaitReason.MEMORY if full else WaitReason.RETRY, until=until, failure=failure)
    return None


def _used_up(lane: Lane) -> Resource | None:
    """What a lane was refused for, as the last refusal states it, or as was learnt from all."""
    budgets = () if lane.last_failure is None else lane.last_failure.hints.budgets
    stated = next((budget.resource for budget in budgets if budget.remaining == 0), None)
    if stated is None and lane.kind is LimitKind.CONCURRENCY and lane.refusals.evidence.sure:
        return Resource.IN_FLIGHT
    return stated or _USED_UP.get(lane.kind)


def _next_attempt(pool: Pool, lane: Lane) -> float | None:
    at = lane.timesheet.until
    if at < NEVER:
        return at
    return None if pool.queued(lane)[0] else pool.wakes_at(lane)


def _outage(lane: Lane) -> WaitReason:
    failure = lane.last_failure
    unreachable = failure is not None and failure.kind is FailureKind.CONNECTION
    return WaitReason.CONNECTION if unreachable else WaitReason.OUTAGE


def _until(
    reason: WaitReason,
    since: float,
    until: float | None,
    patience_s: float,
    resource: Resource | None,
    failure: Failure | None,
) -> Wait:
    """A wait that ends the lane: with the first attempt that fails after its patience has passed."""
    return Wait(reason, since, until, max(since + patience_s, until or 0.0), resource, failure)
