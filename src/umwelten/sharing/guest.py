"""The desk of a run that asks the owner of its lane for starts. Pure: times are arguments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from umwelten.control.attribution import Reason
from umwelten.control.limit import LimitChange
from umwelten.control.refusals import StartSnapshot
from umwelten.sharing.messages import (
    End,
    Error,
    FromGuest,
    FromOwner,
    Grant,
    Resize,
    Return,
    Size,
    State,
    Want,
    ended,
)
from umwelten.sharing.shared_lane import POLL_S, GrantedStart, SharedLane
from umwelten.types import AttemptOutcome, Failure

AHEAD = 32
"""Calls that are asked for at once: a message for each would cost more than it moves."""

STALE_S = 1.0
"""An older grant is not used: whoever gave it may think that this run is gone."""


class GuestDesk:
    """See the module's text. `poke` asks for `ask` soon, once calls have started where it is given True.

    `changed` is as for the owner's. Until it has an owner (`send` is None) nothing starts.
    """

    def __init__(
        self, lane: SharedLane, *, poke: Callable[[bool], None], changed: Callable[[bool], None]
    ) -> None:
        self._lane, self._poke, self._changed = lane, poke, changed
        self.send: Callable[[FromGuest], None] | None = None
        self._grants: deque[tuple[Grant, Size]] = deque()
        self._asked: deque[Size] = deque()
        self._seen = 0
        self._opens = 0.0
        self._change: LimitChange | None = None
        self._wish: Size | None = None
        self._ended: list[End] = []

    # --- for this run ----------------------------------------------------------------------

    def earliest_start(self, now: float, input_tokens: int, output_tokens: int | None) -> float:
        """See `Lane`. What this run's user knows of the limit holds besides."""
        pacer = self._lane.pacer
        if pacer.known.meters:
            at, _ = pacer.known.earliest_start(now, pacer.need(input_tokens, output_tokens))
            if at > now:
                return at
        self._drop_stale(now)
        if self._grants:
            return now
        self._wish = input_tokens, output_tokens
        self._poke(False)
        return max(now + POLL_S, self._opens)

    def on_start(self, now: float, input_tokens: int, output_tokens: int | None) -> StartSnapshot:
        """See `Lane`."""
        self._lane.in_flight += 1
        self._lane.peak = max(self._lane.peak, self._lane.in_flight)
        self._poke(False)
        need = self._lane.pacer.need(input_tokens, output_tokens)
        if self._lane.pacer.known.meters:
            self._lane.pacer.known.take(now, need)
        if not self._grants:
            return GrantedStart(need=need)
        grant, size = self._grants.popleft()
        if size != (input_tokens, output_tokens) and self.send is not None:
            self.send(Resize(number=grant.number, size=(input_tokens, output_tokens)))
        return GrantedStart(need=need, grant=grant.number)

    def on_end(
        self, outcome: AttemptOutcome | None, started_at: float, now: float, start: StartSnapshot | None
    ) -> LimitChange | None:
        """See `Lane`."""
        self._lane.in_flight -= 1
        self._lane.peak = self._lane.in_flight
        if isinstance(outcome, Failure):
            self._lane.last_failure = outcome
        elif outcome is not None:
            self._lane.last_failure = None
            if start is not None and self._lane.pacer.known.meters:
                self._lane.pacer.settle(now, start.need, outcome.usage)
        self._lane.answered = self._lane.answered or _is_answer(outcome)
        number = start.grant if isinstance(start, GrantedStart) else 0
        message = ended(number, started_at, outcome)
        if self.send is not None:
            self.send(message)
        else:
            self._ended.append(message)
        change, self._change = self._change, None
        return change

    def on_error(self, started_at: float, now: float) -> None:
        """See `Lane`."""
        if self.send is not None:
            self.send(Error(started_at=started_at))

    # --- with the owner --------------------------------------------------------------------

    def greet(self) -> None:
        """An owner is told how many calls are under way, and of those that end before it answers, then."""
        self._ended.clear()

    def begin(self, send: Callable[[FromGuest], None]) -> None:
        """There is an owner, who knows how many calls are under way."""
        self.send, self._seen = send, 0
        self._grants.clear()
        self._asked.clear()
        for message in self._ended:
            send(message)
        self._ended.clear()

    def lose(self) -> None:
        """There is none any more; what it granted and was not used is void."""
        self.send = None
        self._grants.clear()
        self._asked.clear()

    def take(self, message: FromOwner) -> None:
        """Take the owner's message."""
        match message:
            case Grant():
                size = self._asked.popleft() if self._asked else (0, None)
                self._seen += 1
                self._grants.append((message, size))
                self._poke(True)
            case State():
                self._follow(message)
            case _:
                pass

    @property
    def most(self) -> int:
        """Return how many calls to list for `ask`; 0 if enough are asked for."""
        grants = len(self._grants)
        return 0 if not grants and 2 * len(self._asked) >= AHEAD else grants + AHEAD

    def ask(self, ready: Sequence[Size], now: float) -> None:
        """Ask for the calls that would start now, `ready`; give back what was granted beyond them.

        Where there are none and the lane was asked for one all the same, it is a second attempt of another.
        """
        wish, self._wish = self._wish, None
        if self.send is None:
            return
        if not ready and wish is not None:
            ready = (wish,)
        self._drop_stale(now)
        if self._lane.pacer.known.meters:
            # One at a time: what is granted ahead would have to wait.
            ready = ready[:1]
        while len(self._grants) > len(ready):
            self.send(Return(number=self._grants.pop()[0].number))
        more = tuple(ready[len(self._grants) : len(self._grants) + AHEAD])
        asked = tuple(self._asked)
        if more[: len(asked)] == asked and 2 * len(asked) >= len(more):
            return
        if more != asked:
            self._asked = deque(more)
            self.send(Want(seen=self._seen, sizes=more))

    def give_back(self, now: float) -> None:
        """Ask for nothing, and give back all that was granted."""
        self._wish = None
        self.ask((), now)

    def _drop_stale(self, now: float) -> None:
        while self._grants and self._grants[0][0].at < now - STALE_S:
            number = self._grants.popleft()[0].number
            if self.send is not None:
                self.send(Return(number=number))

    def _follow(self, state: State) -> None:
        """Know of the lane what its owner knows."""
        lane = self._lane
        trusted, down = lane.trusts_retry_after, lane.in_outage
        if state.limit != lane.limit.value and state.change is not None:
            self._change = state.change
        lane.limit.value, self._opens = state.limit, state.opens
        lane.wait_reason = Reason(state.wait_reason)
        lane.answered = lane.answered or state.answered
        lane.throttled_since, lane.waiting_why = state.throttled_since, state.waiting_why
        lane.circuit.open_since = state.outage_since
        lane.trust.overstated, lane.trust.proven = state.overstated, state.proven
        if trusted and not lane.trusts_retry_after:
            self._changed(True)
        if down and not lane.in_outage:
            self._changed(False)


def _is_answer(outcome: AttemptOutcome | None) -> bool:
    """Return whether there is a server that says something."""
    return outcome is not None and (not isinstance(outcome, Failure) or outcome.status is not None)
