"""The desk of the run that owns a lane: it decides for its guests as for its own calls.

Whoever has the fewest calls under way is next, as among the models of one run. Pure: times are arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from umwelten.control.amounts import minus
from umwelten.control.circuit import NEVER
from umwelten.control.heights import Heights
from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.refusals import StartSnapshot
from umwelten.sharing.messages import (
    End,
    Error,
    FromGuest,
    FromOwner,
    Grant,
    Hello,
    Resize,
    Return,
    Size,
    State,
    Want,
    outcome,
)
from umwelten.sharing.shared_lane import POLL_S, SharedLane
from umwelten.types import AttemptOutcome

MOST_WANTED = 256
"""Calls that a guest may ask for ahead."""

FIRST_NUMBER = 1 << 20
"""Numbers of grants begin here times a number that differs by owner."""


@dataclass(slots=True, eq=False)
class Guest:
    """A guest, as its owner sees it. `carried` of its calls under way were granted by others."""

    send: Callable[[FromOwner], None]
    ceiling: int
    start: int
    carried: int = 0
    served: int = 0
    granted: int = 0
    wants: deque[Size] = field(default_factory=deque)
    leases: dict[int, tuple[float, StartSnapshot]] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Return how many calls it has under way."""
        return self.carried + len(self.leases)


class OwnerDesk:
    """See the module's text. `owns` tells at a time whether this run is the owner still.

    `poke` asks for `serve` soon, after this run's own calls where it is given True. `changed` is told that
    what refused calls (True) or failed ones (False) wait for is over. Nothing starts before `hold_until`.
    """

    def __init__(
        self,
        lane: SharedLane,
        *,
        owns: Callable[[float], bool],
        poke: Callable[[bool], None],
        changed: Callable[[bool], None],
        series: int = 0,
    ) -> None:
        self._lane, self._owns, self._poke, self._changed = lane, owns, poke, changed
        self.hold_until = -NEVER
        self.guests: list[Guest] = []
        self._heights = Heights()
        self._ceiling = lane.limit.ceiling
        self._served = self._turn = 0
        self._number = FIRST_NUMBER * (series + 1)
        self._opens = 0.0
        self._change: LimitChange | None = None
        self._latest: LimitChange | None = None

    # --- for this run ----------------------------------------------------------------------

    def earliest_start(self, now: float, input_tokens: int, output_tokens: int | None) -> float:
        """See `Lane`. Guests that have fewer calls under way come first."""
        if not self._owns(now):
            return now + POLL_S
        if now < self.hold_until:
            return self.hold_until
        lane = self._lane
        if not self.guests:
            return Lane.earliest_start(lane, now, input_tokens, output_tokens)
        if lane.own_in_flight >= self._ceiling:
            return now + POLL_S
        while guest := self._first():
            if (guest.in_flight, guest.served) >= (lane.own_in_flight, self._served):
                break
            at = Lane.earliest_start(lane, now, *guest.wants[0])
            if at > now:
                return min(at, now + POLL_S)
            self._grant(guest, now)
        return min(Lane.earliest_start(lane, now, input_tokens, output_tokens), now + POLL_S)

    def on_start(self, now: float, input_tokens: int, output_tokens: int | None) -> StartSnapshot:
        """See `Lane`."""
        self._turn += 1
        self._served = self._turn
        return self._start(now, (input_tokens, output_tokens))

    def on_end(
        self, outcome: AttemptOutcome | None, started_at: float, now: float, start: StartSnapshot | None
    ) -> LimitChange | None:
        """See `Lane`."""
        if self.guests:
            start = self._heights.of(outcome, started_at, start)
        change = self._lane.end_here(outcome, started_at, now, start)
        if self.guests:
            self._latest = change or self._latest
            self._poke(False)
        earlier, self._change = self._change, None
        return change or earlier

    def on_error(self, started_at: float, now: float) -> None:
        """See `Lane`."""
        Lane.on_error(self._lane, started_at, now)

    def retune(self, ceiling: int, *, fixed: bool, start: int) -> None:
        """See `Lane`; what guests may have stays."""
        theirs = sum(guest.ceiling for guest in self.guests)
        self._ceiling = ceiling
        Lane.retune(self._lane, ceiling + theirs, fixed=fixed, start=start)
        if theirs and fixed:
            limit, begun = self._lane.limit, ceiling + sum(guest.start for guest in self.guests)
            limit.value = max(limit.floor, min(limit.value, float(begun)))
        self._poke(True)

    # --- for guests ------------------------------------------------------------------------

    def admit(self, hello: Hello, send: Callable[[FromOwner], None]) -> Guest:
        """Take in a guest with the calls that it has under way."""
        limit, carried = self._lane.limit, max(0, min(hello.in_flight, 1 << 16))
        ceiling, start = max(1, hello.ceiling), max(1, min(hello.start, hello.ceiling))
        guest = Guest(send, ceiling, start, carried)
        self.guests.append(guest)
        self._lane.in_flight += carried
        self._lane.others += carried
        self._lane.set_ceiling(limit.ceiling + ceiling)
        if not limit.cuts and (hello.fixed or not limit.slow_start):
            # Users who name a number want that many, each.
            limit.value = min(float(limit.ceiling), limit.value + start)
        return guest

    def dismiss(self, guest: Guest, now: float) -> None:
        """A guest is gone: of its calls nothing will be heard."""
        self.guests.remove(guest)
        for started_at, start in guest.leases.values():
            self._ended(None, started_at, now, start)
        for _ in range(guest.carried):
            self._ended(None, now, now, None)
        limit = self._lane.limit
        self._lane.set_ceiling(max(1, limit.ceiling - guest.ceiling))
        limit.value = max(1.0, min(limit.value, float(limit.ceiling)))
        self._poke(True)

    def take(self, guest: Guest, message: FromGuest, now: float) -> None:
        """Take a guest's message."""
        match message:
            case Want():
                granted = guest.granted - message.seen
                if granted >= 0:
                    guest.wants = deque(message.sizes[granted : granted + MOST_WANTED])
            case Resize():
                self._resize(guest, message, now)
            case Return():
                if (lease := guest.leases.pop(message.number, None)) is not None:
                    self._ended(None, lease[0], now, lease[1])
            case End():
                self._end(guest, message, now)
            case Error():
                self._observe(lambda: Lane.on_error(self._lane, min(message.started_at, now), now))
            case _:
                return
        self._poke(isinstance(message, Return | End | Error))

    def serve(self, now: float) -> float:
        """Grant what may start; return when more may, `NEVER` if nobody waits or something must end first."""
        if not self._owns(now):
            return NEVER
        while (guest := self._first()) is not None:
            if now < self.hold_until:
                return self.hold_until
            at = Lane.earliest_start(self._lane, now, *guest.wants[0])
            if at > now:
                self._opens = at if at < NEVER else 0.0
                return at
            self._grant(guest, now)
        return NEVER

    def state(self) -> State:
        """Return what guests have to know of the lane, with the last change of its limit since before."""
        lane, change, self._latest = self._lane, self._latest, None
        return State(
            limit=lane.limit.value,
            wait_reason=lane.wait_reason,
            opens=self._opens,
            answered=lane.answered,
            throttled_since=lane.throttled_since,
            waiting_why=lane.waiting_why,
            outage_since=lane.circuit.open_since,
            overstated=lane.trust.overstated,
            proven=lane.trust.proven,
            change=change,
        )

    def _first(self) -> Guest | None:
        """The guest that is next."""
        first: Guest | None = None
        for guest in self.guests:
            if not guest.wants or guest.in_flight >= guest.ceiling:
                continue
            if first is None or (guest.in_flight, guest.served) < (first.in_flight, first.served):
                first = guest
        return first

    def _grant(self, guest: Guest, now: float) -> None:
        size = guest.wants.popleft()
        self._turn += 1
        self._number += 1
        guest.served = self._turn
        guest.granted += 1
        self._lane.others += 1
        guest.leases[self._number] = (now, self._start(now, size))
        guest.send(Grant(number=self._number, at=now))

    def _start(self, now: float, size: Size) -> StartSnapshot:
        start = Lane.on_start(self._lane, now, *size)
        if self.guests:
            self._heights.note(now, start.level)
        return start

    def _resize(self, guest: Guest, message: Resize, now: float) -> None:
        """Reserve the tokens that a granted call really takes."""
        lease = guest.leases.get(message.number)
        if lease is not None:
            started_at, start = lease
            need = self._lane.pacer.need(*message.size)
            self._lane.pacer.take(now, minus(need, start.need))
            guest.leases[message.number] = (started_at, msgspec.structs.replace(start, need=need))

    def _end(self, guest: Guest, end: End, now: float) -> None:
        lease = guest.leases.pop(end.number, None)
        if lease is not None:
            self._ended(outcome(end), lease[0], now, lease[1])
        elif guest.carried:
            guest.carried -= 1
            self._ended(outcome(end), min(end.started_at, now), now, None)

    def _ended(
        self, outcome: AttemptOutcome | None, started_at: float, now: float, start: StartSnapshot | None
    ) -> None:
        lane = self._lane
        lane.others -= 1

        def learn() -> None:
            if start is None:
                change = lane.end_unknown(outcome, started_at, now)
            else:
                seen = self._heights.of(outcome, started_at, start)
                change = Lane.on_end(lane, outcome, started_at, now, seen)
            if change is not None:
                self._change = self._latest = change

        self._observe(learn)

    def _observe(self, learn: Callable[[], None]) -> None:
        """Learn, and tell of what the lane's own calls no longer wait for."""
        lane = self._lane
        trusted, down = lane.trusts_retry_after, lane.in_outage
        learn()
        if trusted and not lane.trusts_retry_after:
            self._changed(True)
        if down and not lane.in_outage:
            self._changed(False)
