"""What the engine tells: outcomes and verdicts as records for the store and events for observers."""

from __future__ import annotations

from collections.abc import Callable

from umwelten.control.lane import Lane
from umwelten.control.pool import AttemptVerdict, Lease, Pool
from umwelten.control.retry import Again
from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallStarted,
    CallSucceeded,
    LaneStopped,
    LaneView,
    LimitChanged,
    Observer,
    TextArrived,
)
from umwelten.records import CallRecord, LimitRecord, Record
from umwelten.types import ModelRef, Reply


class EventEmitter:
    """Makes records and events. `models` by number; `submit` takes records; `tell` takes events."""

    def __init__(
        self, *, models: dict[int, ModelRef], pool: Pool, submit: Callable[[Record], None], tell: Observer
    ) -> None:
        self._models, self._pool, self._submit, self._tell = models, pool, submit, tell

    def started(self, lease: Lease) -> None:
        """An attempt goes out."""
        call = lease.scheduled.call
        self._tell(
            CallStarted(
                call=call,
                model=self._models[call.model],
                lane=lease.lane.name,
                attempt=lease.scheduled.attempts,
            )
        )

    def text(self, lease: Lease) -> Callable[[str], None]:
        """What takes the pieces of a streamed answer."""
        call, model = lease.scheduled.call, self._models[lease.scheduled.call.model]
        return lambda text: self._tell(TextArrived(call=call, model=model, text=text))

    def verdict(self, lease: Lease, verdict: AttemptVerdict, at_unix: float) -> None:
        """What an attempt's end did to its lane, and whether its call goes again."""
        scheduled, lane = lease.scheduled, lease.lane
        if verdict.change is not None:
            self._limit(lane, verdict.change.limit, str(verdict.change.reason), at_unix)
        if isinstance(verdict.decision, Again) and verdict.failure is not None:
            self._tell(
                AttemptFailed(
                    call=scheduled.call,
                    model=self._models[scheduled.call.model],
                    lane=lane.name,
                    attempt=scheduled.attempts,
                    failure=verdict.failure,
                    retry_in_s=verdict.decision.delay_s,
                    counted=verdict.decision.counted,
                )
            )
        if verdict.lane_stopped and lane.stopped is not None:
            self._tell(LaneStopped(lane=lane.name, failure=lane.stopped))

    def ended(self, record: CallRecord) -> None:
        """A call's end is safe in the store."""
        model, lane = self._models[record.call.model], self._pool.lane(record.call.model).name
        outcome = record.outcome
        if isinstance(outcome, Reply):
            self._tell(
                CallSucceeded(
                    call=record.call,
                    model=model,
                    lane=lane,
                    reply=outcome,
                    timing=record.timing,
                    attempts=record.attempts,
                    time_s=record.time_s,
                    cost_nusd=record.cost_nusd,
                )
            )
            return
        self._tell(
            CallFailed(
                call=record.call,
                model=model,
                lane=lane,
                failure=outcome,
                timing=record.timing,
                attempts=record.attempts,
                time_s=record.time_s,
                cost_nusd=record.cost_nusd,
            )
        )

    def _limit(self, lane: Lane, limit: float, reason: str, at: float) -> None:
        name, in_flight = lane.name, lane.in_flight
        self._submit(LimitRecord(at=at, lane=name, limit=limit, in_flight=in_flight, reason=reason))
        self._tell(LimitChanged(lane=name, limit=limit, in_flight=in_flight, reason=reason, at_unix=at))


def lane_views(pool: Pool, now: float) -> list[LaneView]:
    """The lanes of a pool as progress shows them."""
    return [_view(pool, lane, now) for lane in pool.lanes]


def _view(pool: Pool, lane: Lane, now: float) -> LaneView:
    ready, waiting = pool.queued(lane)
    wakes = pool.wakes_at(lane) if waiting and not ready else None
    return LaneView(
        name=lane.name,
        in_flight=lane.in_flight,
        limit=lane.limit.value,
        ready=ready,
        waiting=waiting,
        waiting_s=None if wakes is None else max(0.0, wakes - now),
        waiting_why=None if lane.waiting_why is None else str(lane.waiting_why),
        stopped=lane.stopped.message if lane.stopped else None,
    )
