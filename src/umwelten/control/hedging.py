"""Which calls under way are sent once more because they take unusually long.

Theory of operation. Of each model the latencies of its latest answers are kept. A call is due when it is
among the slowest: it has run longer than all but a share of the answers, counted together with the calls
that have run nearly as long and are not answered either, so that a provider that has become slow, or the
first round of a batch, is no reason. That share is what the user allows, a twentieth at most. Each call is
sent again once at most.

Three budgets hold at once, each the user's share: of the calls, of the tokens that they were expected to use,
and, where prices are known, of what the answers cost. A long input is slow by nature, and dear; so is a long
answer, which nobody knows before. So a second attempt takes place only if it could cost as much as the
dearest of the latest answers.

A second attempt is a favour that a lane can afford: none starts where one more call could not start, nor
while the lane has a reason to wait.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from umwelten.control.attribution import Reason
from umwelten.control.lane import Lane
from umwelten.control.queues import Member, Queue
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Lease

FEWEST = 20
"""Answers of a model before any of its calls is known to be slow: fewer have no twentieth."""

LONGEST_TAIL = 0.05
"""Of the calls are slow, at most: a second attempt of a usual one gains nothing."""

_KEPT = 256
"""Answers by which a model is judged: a few minutes of a batch, so that it may become slower."""

_ALIKE = 0.9
"""Times its age: calls that have run for as long are in the same position."""

_LOOK = 0.05
"""Times the bound: so long until a call that was not slow enough is looked at again."""

_SOONEST_S = 0.01

_HELD_BACK_S = 0.25
"""Until one is tried again that may not start, should nothing end before."""

_HELD = frozenset({Reason.REQUESTS, Reason.TOKENS, Reason.BACKOFF, Reason.COST})


def is_calm(lane: Lane) -> bool:
    """Return whether nothing speaks against one more call: nothing has failed since the last answer."""
    return (
        lane.stopped is None
        and lane.last_failure is None
        and not lane.in_outage
        and not lane.gate.closed
        and not lane.ordered
        and lane.timesheet.reason not in _HELD
    )


def member_for_hedge(queue: Queue, lease: Lease, now: float) -> Member | None:
    """Return the lane for another attempt of a call that is under way: another one if possible."""
    if queue.stopped:
        return None
    for member in sorted(queue.route.members, key=lambda m: (m.lane is lease.lane, m.lane.in_flight)):
        calm = member.number not in queue.shunned and is_calm(member.lane)
        if calm and member.ask(lease.scheduled, now) <= now:
            return member
    return None


@dataclass(slots=True)
class _Model:
    """A model's calls. `open`: when those under way started; `once`: those of them that may be sent again;
    `pairs`: those with two attempts. `spent` on answers, and `lost` on the attempts beside, in nano-USD.
    """

    latencies: list[float] = field(default_factory=list)
    latest: deque[float] = field(default_factory=deque)
    open: dict[int, float] = field(default_factory=dict)
    once: dict[int, Lease] = field(default_factory=dict)
    pairs: set[int] = field(default_factory=set)
    costs: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT))
    started: int = 0
    tokens: int = 0
    hedged: int = 0
    hedged_tokens: int = 0
    spent: int = 0
    lost: int = 0

    @property
    def dearest(self) -> int:
        """Return the most that one of the latest answers cost; 0 if no price is known."""
        return max(self.costs, default=0)

    def add(self, latency_s: float) -> None:
        insort(self.latencies, latency_s)
        self.latest.append(latency_s)
        if len(self.latest) > _KEPT:
            del self.latencies[bisect_left(self.latencies, self.latest.popleft())]

    def bound(self, tail: float) -> float:
        """Return the latency that so large a part of the answers exceeds."""
        return self.latencies[min(len(self.latencies) - 1, int((1.0 - tail) * len(self.latencies)))]

    def is_slow(self, age: float, now: float, tail: float) -> bool:
        alike = 0
        for at in self.open.values():
            if now - at < _ALIKE * age:
                break
            alike += 1
        longer = len(self.latencies) - bisect_left(self.latencies, age) + alike
        return longer <= max(1.0, tail * (len(self.latencies) + alike))

    def affords(self, scheduled: ScheduledCall, share: float) -> bool:
        tokens = self.hedged_tokens + _tokens(scheduled)
        cost = self.lost + (len(self.pairs) + 1) * self.dearest
        return (
            self.hedged + 1 <= share * self.started
            and tokens <= share * self.tokens
            and (cost <= share * self.spent or not self.costs)
        )


class Hedging:
    """See the module's text. `share` of the calls may be sent once more. `wakes`: when one may be due."""

    def __init__(self, share: float) -> None:
        self.share, self.tail = share, min(share, LONGEST_TAIL)
        self.wakes = float("inf")
        self._held_back = False
        self._models: dict[int, _Model] = {}

    # --- being told ------------------------------------------------------------------------

    def on_start(self, lease: Lease) -> None:
        """Note an attempt that starts and is no second one."""
        call, model = lease.scheduled.call, self._model(lease)
        if lease.number == 1:
            model.started += 1
            model.tokens += _tokens(lease.scheduled)
        model.open[call.id] = lease.started_at
        if not lease.scheduled.hedged:
            model.once[call.id] = lease
            if len(model.latencies) >= FEWEST:
                self.wakes = min(self.wakes, lease.started_at + model.bound(self.tail))

    def on_hedge(self, lease: Lease) -> None:
        """Note the second attempt of a call."""
        model = self._model(lease)
        model.hedged += 1
        model.hedged_tokens += _tokens(lease.scheduled)
        model.once.pop(lease.scheduled.call.id, None)
        model.pairs.add(lease.scheduled.call.id)

    def on_end(
        self, lease: Lease, now: float, cost_nusd: int | None, *, answered: bool, timed: bool = True
    ) -> None:
        """Note an attempt that ended. A first one without an answer counts as one that took so long.

        `timed` False: how long it took says nothing.
        """
        call, model = lease.scheduled.call.id, self._model(lease)
        broken_off = not answered and not lease.hedge and call in model.pairs
        if not lease.hedge:
            model.open.pop(call, None)
            model.once.pop(call, None)
        if answered:
            if cost_nusd is not None:
                model.spent += cost_nusd
                model.costs.append(cost_nusd)
        elif call in model.pairs:
            model.pairs.discard(call)
            model.lost += model.dearest if cost_nusd is None else cost_nusd
        if timed and (answered or broken_off):
            model.add(now - lease.started_at)
            if len(model.latencies) == FEWEST:
                self.wakes = now

    # --- deciding --------------------------------------------------------------------------

    def due(self, now: float) -> Iterator[Lease]:
        """Yield the attempts whose calls are to be sent once more, the oldest of each model first.

        Each is to be started, or held back, before the next is asked for: it uses up the budgets.
        """
        if now < self.wakes and not self._held_back:
            return
        self.wakes, self._held_back = float("inf"), False
        for model in self._models.values():
            if len(model.latencies) >= FEWEST:
                for lease in self._slow(model, now):
                    if model.affords(lease.scheduled, self.share):
                        yield lease

    def hold_back(self, now: float) -> None:
        """Note that one of those that are due may not start: it does as soon as something has ended."""
        self._held_back = True
        self.wakes = max(self.wakes, now + _HELD_BACK_S)

    def _slow(self, model: _Model, now: float) -> list[Lease]:
        bound, slow = model.bound(self.tail), []
        for lease in model.once.values():
            age = now - lease.started_at
            if age < bound:
                self.wakes = min(self.wakes, max(lease.started_at + bound, now + _SOONEST_S))
                break
            # Looked at again also if it is due and may not start yet, or can't be afforded.
            self.wakes = min(self.wakes, now + max(_SOONEST_S, _LOOK * bound))
            if not model.is_slow(age, now, self.tail):
                break  # no younger one is
            slow.append(lease)
        return slow

    def _model(self, lease: Lease) -> _Model:
        return self._models.setdefault(lease.scheduled.call.model, _Model())


def _tokens(scheduled: ScheduledCall) -> int:
    return scheduled.input_tokens + (scheduled.output_tokens or 0)
