"""Events for observers, and records of limit changes for the store, from what happens in the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.pool import Pool
from umwelten.control.retry import Again
from umwelten.control.steps import AttemptVerdict, Lease
from umwelten.events import (
    AttemptDropped,
    AttemptFailed,
    CallFailed,
    CallStarted,
    CallSucceeded,
    LaneStopped,
    LaneView,
    LaneWaiting,
    LimitChanged,
    ModelStopped,
    Note,
    NoteLevel,
    Observer,
    TextArrived,
)
from umwelten.records import CallRecord, LimitRecord, Record
from umwelten.types import Failure, ModelRef, Reply


class EventEmitter:
    """Makes events and hands them to `observer`, and limit changes to `submit` too. `models` by number."""

    def __init__(
        self, *, models: dict[int, ModelRef], pool: Pool, submit: Callable[[Record], None], observer: Observer
    ) -> None:
        self._models, self._pool, self._submit, self._observer = models, pool, submit, observer

    def emit_start(self, lease: Lease) -> None:
        """Report an attempt that goes out."""
        call = lease.scheduled.call
        self._observer(
            CallStarted(
                call=call,
                model=self._models[call.model],
                lane=lease.lane.name,
                attempt=lease.number,
                hedge=lease.hedge,
            )
        )

    def text_callback(self, lease: Lease) -> Callable[[str], None]:
        """Return a function that reports the pieces of the attempt's streamed answer."""
        call, model = lease.scheduled.call, self._models[lease.scheduled.call.model]
        return lambda text: self._observer(TextArrived(call=call, model=model, text=text))

    def emit_verdict(self, lease: Lease, verdict: AttemptVerdict, at_unix: float) -> None:
        """Report what an attempt's end changed in its lane, and whether its call gets another attempt."""
        scheduled, lane = lease.scheduled, lease.lane
        if verdict.change is not None:
            self._emit_limit_change(lane, verdict.change, at_unix)
        if isinstance(verdict.decision, Again) and verdict.failure is not None:
            self._observer(
                AttemptFailed(
                    call=scheduled.call,
                    model=self._models[scheduled.call.model],
                    lane=lane.name,
                    attempt=lease.number,
                    failure=verdict.failure,
                    retry_in_s=verdict.decision.delay_s,
                    counted=verdict.decision.counted,
                )
            )
        if verdict.lane_stopped and lane.stopped is not None:
            self._observer(LaneStopped(lane=lane.name, failure=lane.stopped))
        if verdict.shunned:
            status = verdict.failure.status if verdict.failure is not None else None
            model, said = self._models[scheduled.call.model], "" if status is None else f" ({status})"
            text = f"{lane.name} does not serve {model}{said}: the others make its calls"
            self._observer(Note(text=text, level=NoteLevel.WARNING))
        why = self._pool.model_failure(scheduled.call.model) if verdict.model_stopped else None
        if why is not None:
            self._observer(
                ModelStopped(model=self._models[scheduled.call.model], lane=lane.name, failure=why)
            )

    def emit_dropped(
        self, lease: Lease, failure: Failure, cost_nusd: int | None, *, late: bool = False
    ) -> None:
        """Report one of two attempts of a call that does not decide it; see `AttemptDropped`."""
        call = lease.scheduled.call
        self._observer(
            AttemptDropped(
                call=call,
                model=self._models[call.model],
                lane=lease.lane.name,
                attempt=lease.number,
                failure=failure,
                hedge=lease.hedge,
                cost_nusd=cost_nusd,
                late=late,
            )
        )

    def emit_end(self, record: CallRecord) -> None:
        """Report a call that ended and is committed."""
        model, lane = (
            self._models[record.call.model],
            record.served_by or self._pool.lane(record.call.model).name,
        )
        outcome, tool_calls = record.outcome, None if record.tools is None else record.tools.calls
        if isinstance(outcome, Reply):
            self._observer(
                CallSucceeded(
                    call=record.call,
                    model=model,
                    lane=lane,
                    reply=outcome,
                    timing=record.timing,
                    attempts=record.attempts,
                    time_s=record.time_s,
                    cost_nusd=record.cost_nusd,
                    tool_calls=tool_calls,
                )
            )
            return
        self._observer(
            CallFailed(
                call=record.call,
                model=model,
                lane=lane,
                failure=outcome,
                timing=record.timing,
                attempts=record.attempts,
                time_s=record.time_s,
                cost_nusd=record.cost_nusd,
                tool_calls=tool_calls,
            )
        )

    def _emit_limit_change(self, lane: Lane, change: LimitChange, at_unix: float) -> None:
        name, in_flight, limit, reason = lane.name, lane.own_in_flight, change.limit, str(change.reason)
        self._submit(LimitRecord(at=at_unix, lane=name, limit=limit, in_flight=in_flight, reason=reason))
        self._observer(
            LimitChanged(lane=name, limit=limit, in_flight=in_flight, reason=reason, at_unix=at_unix)
        )


def lane_views(
    pool: Pool,
    now: float,
    wait: Callable[[Lane, float], LaneWaiting | None],
    names: Mapping[int, ModelRef],
) -> list[LaneView]:
    """Return the lanes of a pool as progress shows them; `wait` tells why one stands still."""
    return [_view(pool, lane, now, wait(lane, now), names) for lane in pool.lanes]


def _view(
    pool: Pool, lane: Lane, now: float, wait: LaneWaiting | None, names: Mapping[int, ModelRef]
) -> LaneView:
    ready, waiting = pool.queued(lane)
    parked = pool.parked(lane)
    why = pool.why_stopped(lane)
    wakes = pool.wakes_at(lane) if waiting and not ready else None
    models = Counter[str]()
    for number, in_flight in pool.in_flight_by_model(lane).items():
        models[str(names[number])] += in_flight
    return LaneView(
        name=lane.name,
        in_flight=lane.own_in_flight,
        limit=lane.limit.value,
        ready=ready,
        waiting=waiting - parked,
        waiting_s=None if wakes is None else max(0.0, wakes - now),
        waiting_why=None if lane.waiting_why is None else str(lane.waiting_why),
        stopped=why.message if why else None,
        wait=wait,
        parked=parked,
        models=dict(models),
    )
