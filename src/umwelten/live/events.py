"""The latest events of a run, numbered, as they are told to who watches it; and the calls under way.

What is kept is small whatever models wrote. Their words are told to those alone who ask for them: pieces of
answers as they come, put together ten times a second, and dropped where they come faster than they are read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallsRequeued,
    CallStarted,
    CallSucceeded,
    Event,
    Grown,
    LaneResumed,
    LaneStopped,
    LaneWaiting,
    LimitChanged,
    ModelStopped,
    Note,
    NoteLevel,
    RunFinished,
    RunStarted,
    StepEnded,
    TextArrived,
    WorkerChanged,
    WorkersStarting,
)

KEPT = 2_000
"""Events that who comes later, or comes again, is told."""

_MESSAGE = 2_000
"""Characters of a failure's message: what is of use stands at its beginning."""

_PIECE = 4_000
"""Characters of a call's answer that are told at a time; more than anybody reads in a tenth of a second."""

_MOST_STREAMED = 200
"""Calls whose pieces are told at a time."""


class Told(NamedTuple):
    """An event as it is told. `words` are what models or providers wrote, for who asks for them."""

    id: int
    name: str
    facts: dict[str, Any]
    words: str | None = None


class UnderWay(NamedTuple):
    """A call that is in flight. `since` is in the seconds of `clock`."""

    call: int
    input: str | None
    model: str
    lane: str
    attempt: int
    since: float


class EventRing:
    """An observer that keeps the latest events. All but `__call__` may be used from any thread.

    `wanted` is told whether anybody wants pieces of answers.
    """

    def __init__(
        self, clock: Callable[[], float], wanted: Callable[[bool], None] = lambda wanted: None
    ) -> None:
        self._clock, self._wanted = clock, wanted
        self._kept: deque[Told] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._last = 0
        self._under_way: dict[int, UnderWay] = {}
        self._pieces: dict[int, tuple[str, list[str], int]] = {}
        self._streaming = 0

    def __call__(self, event: Event) -> None:
        """Take note of an event, in the run's loop: this has to be quick."""
        if isinstance(event, TextArrived):
            if self._streaming:
                self._keep_piece(event)
            return
        if isinstance(event, CallStarted):
            call = event.call
            found = UnderWay(
                call.id,
                None if call.input is None else call.input.name,
                str(event.model),
                event.lane,
                event.attempt,
                self._clock(),
            )
            with self._lock:
                self._under_way[call.id] = found
            return
        told = _told(event)
        with self._lock:
            if isinstance(event, CallSucceeded | CallFailed | AttemptFailed | StepEnded):
                self._under_way.pop(event.call.id, None)
            if told is not None:
                self._last += 1
                self._kept.append(Told(self._last, *told))

    @property
    def streaming(self) -> int:
        """How many want pieces of answers."""
        return self._streaming

    def want_pieces(self, more: int) -> None:
        """Count one more who wants pieces of answers, or with -1 one less. With none, nothing is kept."""
        self._streaming += more
        self._wanted(self._streaming > 0)

    def after(self, id: int, most: int) -> tuple[list[Told], int]:
        """Return the next events after that one, at most so many, and how many in between are gone."""
        with self._lock:
            if id >= self._last or not self._kept:
                return [], 0
            first = self._kept[0].id
            skip = max(0, id + 1 - first)
            found = [self._kept[at] for at in range(skip, min(len(self._kept), skip + most))]
        return found, max(0, first - id - 1)

    @property
    def last(self) -> int:
        """Return the number of the latest event, 0 without any."""
        return self._last

    def forget(self, call: int) -> None:
        """A call is no longer in flight, and no event says so: it was cancelled."""
        with self._lock:
            self._under_way.pop(call, None)

    def under_way(self) -> list[UnderWay]:
        """Return the calls in flight, the one that is so for longest first."""
        with self._lock:
            found = list(self._under_way.values())
        return sorted(found, key=lambda each: each.since)

    def take_pieces(self) -> list[tuple[int, str, str, int]]:
        """Return what came since the last time, by call: (call, model, text, characters left out)."""
        with self._lock:
            pieces, self._pieces = self._pieces, {}
        return [
            (call, model, "".join(texts)[:_PIECE], max(0, size - _PIECE))
            for call, (model, texts, size) in pieces.items()
        ]

    def _keep_piece(self, event: TextArrived) -> None:
        call = event.call.id
        with self._lock:
            found = self._pieces.get(call)
            if found is None:
                if len(self._pieces) < _MOST_STREAMED:
                    self._pieces[call] = (str(event.model), [event.text[:_PIECE]], len(event.text))
                return
            model, texts, size = found
            if size < _PIECE:
                texts.append(event.text[:_PIECE])
            self._pieces[call] = (model, texts, size + len(event.text))


def _told(event: Event) -> tuple[str, dict[str, Any], str | None] | None:
    """Return an event's name, what is told of it, and the words of others in it; `None` if it is not told."""
    match event:
        case CallSucceeded(reply=reply):
            usage = reply.usage
            facts = {
                **_call(event),
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "finish_reason": str(reply.finish_reason),
            }
            return "call_succeeded", facts, None
        case CallFailed(failure=failure):
            facts = {**_call(event), "kind": str(failure.kind), "http_status": failure.status}
            return "call_failed", facts, failure.message[:_MESSAGE]
        case AttemptFailed(failure=failure):
            facts = {
                **_names(event),
                "attempt": event.attempt,
                "kind": str(failure.kind),
                "http_status": failure.status,
                "retry_in_s": event.retry_in_s,
            }
            return "attempt_failed", facts, failure.message[:_MESSAGE]
        case LimitChanged():
            facts = {
                "lane": event.lane,
                "limit": event.limit,
                "in_flight": event.in_flight,
                "reason": event.reason,
                "at": event.at_unix,
            }
            return "limit_changed", facts, None
        case _:
            return _told_of_run(event)


def _told_of_run(event: Event) -> tuple[str, dict[str, Any], str | None] | None:
    """Do as `_told` does, for what is of no single call."""
    match event:
        case RunStarted():
            facts: dict[str, Any] = {"id": event.id, "total": event.total, "done": event.done}
            return "run_started", {**facts, "complete": event.complete, "at": event.at_unix}, None
        case Grown():
            return "grown", {"total": event.total, "complete": event.complete}, None
        case CallsRequeued():
            return "calls_requeued", {"calls": event.calls, "kinds": event.kinds}, None
        case LaneWaiting():
            facts = {"lane": event.lane, "reason": str(event.reason), "since": event.since_unix}
            facts |= {
                "until": event.until_unix,
                "gives_up_at": event.gives_up_unix,
                "http_status": event.status,
            }
            return "lane_waiting", facts, event.message and event.message[:_MESSAGE]
        case LaneResumed():
            facts = {"lane": event.lane, "reason": str(event.reason), "waited_s": event.waited_s}
            return "lane_resumed", facts, None
        case LaneStopped(failure=failure):
            facts = {"lane": event.lane, "kind": str(failure.kind), "http_status": failure.status}
            return "lane_stopped", facts, failure.message[:_MESSAGE]
        case ModelStopped(failure=failure):
            facts = {"model": str(event.model), "lane": event.lane, "kind": str(failure.kind)}
            return "model_stopped", {**facts, "http_status": failure.status}, failure.message[:_MESSAGE]
        case WorkersStarting():
            facts = {"workers": event.workers, "address": event.address, "at": event.at_unix}
            return "workers_starting", facts, None
        case WorkerChanged():
            facts = {"worker": event.number, "node": event.node, "state": str(event.state)}
            return "worker_changed", {**facts, "why": event.why[:_MESSAGE], "at": event.at_unix}, None
        case Note(level=NoteLevel.WARNING | NoteLevel.INFO):
            return "note", {"level": str(event.level), "text": event.text[:_MESSAGE]}, None
        case RunFinished():
            facts = {"status": str(event.status), "reason": event.reason, "pending": event.pending}
            return "run_finished", {**facts, "wall_s": event.wall_s}, None
        case _:
            return None


def _names(event: CallSucceeded | CallFailed | AttemptFailed) -> dict[str, Any]:
    call = event.call
    return {
        "call": call.id,
        "input": None if call.input is None else call.input.name,
        "model": str(event.model),
        "repeat": call.repeat,
        "lane": event.lane,
    }


def _call(event: CallSucceeded | CallFailed) -> dict[str, Any]:
    cost = event.cost_nusd
    return {
        **_names(event),
        "attempts": event.attempts,
        "time_s": event.time_s,
        "cost_usd": None if cost is None else cost / 1e9,
    }
