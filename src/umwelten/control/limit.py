"""How many calls a lane may have in flight.

Theory of operation. A provider has a capacity that nobody tells us and that changes. The limit is our
estimate of it. It starts either at its ceiling (the user named a number) or low, and then doubles every
round trip (slow start: one more for every answer) for as long as nothing speaks against it.

What a refusal means depends on the height at which the refused call was started, that is, how many were
in flight with it:

- *An edge.* No call at that height or above had been admitted before. Then the number in flight may be
  what is counted, and the limit is set to what is under way without the refused ones: a cut to one half
  would give away what is known to work. Above an edge the limit feels its way: one more after a quarter
  of a second, then after half a second, and so on; when that has failed a few times, no oftener than once in
  64 answers, or in 16 rounds where few are let in. A step that is admitted is followed by one of twice
  the size.
- *Anything else.* The limit is halved, and grows again by one for every full round; after some seconds
  of quiet it doubles again.

One episode, one cut: the calls that were under way when the limit was cut were admitted under the old
one, so their refusals say nothing about the new one. The limit grows only while the lane is really
full, or an idle lane would raise its limit without having tried it. Time-outs and errors of the server
never come here: they say nothing about how many calls are welcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

import msgspec

FULL = 0.8
"""Part of the slots in use that counts as full. Not sensitive from 0.1 to 1 in `cap_40`, `drop_cap`,
`free`."""

QUIET_S = 5.0
"""Without a cut, before growing again. At 60 `window_blind` falls from 1.00 to 0.68; not sensitive from 0 to
10."""

FIRST_STEP_S = 0.25
"""Until the first try above an edge: longer than a refusal takes. At 0.12 `drop_cap` rises from 0.89 to 0.92,
at 0.5 nothing changes."""

ANSWERS_A_STEP = 64
"""Answers between tries once several have failed. At 128 `drop_cap` falls from 0.89 to 0.85; not sensitive
down to 8."""

FEWEST_ROUNDS = 16
"""Rounds of answers between tries, at most. Calls of 16 s of which one in two seconds is let in look like one
in flight; with 64 that is found out after an hour. At 8 a cap of one is refused 0.1 a call."""

FALLEN = 0.7
"""Of the highest edge that held is left: then the limit fell, and may rise again."""

ROUNDS_A_STEP = 3
"""Rounds of answers between tries while it is fallen. With 64 answers one call in flight that became eight
again is found after minutes."""


APART = 0.5
"""Of the usual time between two starts that lies between a start and a try. Right after one, a rate refuses
it, and five calls in flight that share a rate are taken for one."""

LONGEST_APART_S = 60.0
"""Seconds between two starts that count."""


class LimitReason(StrEnum):
    """Why a limit moved."""

    SLOW_START = "slow start"
    GROWING = "growing"
    QUEUE = "queue"
    RATE_LIMIT = "rate_limit"
    MEMORY = "memory"
    CONCURRENCY = "concurrency"
    NOT_CONCURRENCY = "not concurrency"


class LimitChange(msgspec.Struct, frozen=True):
    """The limit moved, for the record."""

    limit: float
    reason: LimitReason


AUTO_CEILING = 1000
"""Calls in flight that a lane may find for itself with `auto`: beyond it, one process is the limit."""


@dataclass(slots=True)
class Limit:
    """Stays between `floor` and `ceiling`. `slow_start`: it grows by one for every answer.

    `first_step_s` after an edge, one more is tried: long enough for refusals to be back.
    """

    value: float
    ceiling: int
    floor: float = 1.0
    slow_start: bool = True
    cut_at: float = float("-inf")
    cuts: int = 0
    edge: int | None = None
    first_step_s: float = FIRST_STEP_S
    _before: float | None = None
    _start: float = 0.0
    _step: float = 1.0
    _gap_s: float = FIRST_STEP_S
    _step_at: float = 0.0
    _tried: bool = False
    _base: int = 0
    _answers: int = 0
    _highest: float = 0.0
    _started_at: float = -inf
    _apart_s: float = 0.0
    _above: float = 0.0

    def __post_init__(self) -> None:
        self._start = self.value

    def bound(self, ceiling: int) -> None:
        """Keep to another ceiling. What was found above it counts again once a later one allows it."""
        found = max(self.value, self._above)
        self.ceiling = ceiling
        self.value = max(self.floor, min(found, float(ceiling)))
        self._above = found if found > ceiling else 0.0

    def hold_at(self, level: int) -> None:
        """Let that many calls be in flight."""
        self.value = float(level)

    def allow_for(self, refusal_s: float) -> None:
        """Leave refusals that take so long time to be back before the next step above an edge."""
        self.first_step_s = max(FIRST_STEP_S, 3 * refusal_s)

    @property
    def slots(self) -> int:
        """Whole calls that may be in flight."""
        return int(self.value)

    def on_answer(self, peak: int, now: float | None = None) -> bool:
        """Count an answer that came while at most `peak` were in flight; True if the limit grew."""
        self._answers += 1
        if self.edge is not None or self.value >= self.ceiling or peak < FULL * self.slots:
            return False
        quiet = now is not None and now - self.cut_at > QUIET_S
        # A fresh cut is given time to prove right before the limit moves up again.
        if not self.slow_start and now is not None and not quiet:
            return False
        self.value = min(self.ceiling, self.value + (1.0 if self.slow_start or quiet else 1.0 / self.value))
        return True

    def halve(self, started_at: float, now: float) -> bool:
        """Halve the limit for a call that was refused; False if it was started before the last cut."""
        self.slow_start = False
        if started_at <= self.cut_at:
            return False
        self._remember()
        self.edge = None
        self.value = max(self.floor, self.value / 2)
        self.cut_at = now
        self.cuts += 1
        return True

    def halve_edge(self, started_at: float, now: float) -> bool:
        """Halve the limit because an edge moved down, nobody knows how far, and feel for it from there."""
        if not self.halve(started_at, now):
            return False
        self.edge = self.slots + 1
        self._step_at, self._step, self._gap_s, self._tried = now, 1.0, self.first_step_s, False
        return True

    def cut_to_edge(self, level: int, room: int, started_at: float, now: float, grace_s: float = 0.0) -> bool:
        """Set an edge below a call refused as the `level`-th, `room` others in flight; True if that is a cut.

        Calls that leave together arrive in any order, so the edge is not the refused call's own height:
        what was under way less all refusals of the episode has been admitted. They are in `grace_s` after
        the cut.
        """
        if self._tried and level > self._base:
            self._step_failed(level, now)
            return False
        if started_at <= self.cut_at + grace_s:
            if self.edge is not None and now - self.cut_at < 1.0:
                self._set_edge(self.slots - 1)
            return False
        if self.edge is not None and room >= self.slots:
            return False
        self._remember()
        self.slow_start = False
        self._set_edge(room)
        self.cut_at = self._step_at = now
        self.cuts += 1
        self._step, self._gap_s, self._tried, self._answers = 1.0, self.first_step_s, False, 0
        return True

    def _set_edge(self, room: int) -> None:
        self.value = max(self.floor, min(self.value, float(room)))
        self.edge = self.slots + 1

    def next_step(self, now: float) -> float:
        """Return when one more than the limit may be tried above an edge."""
        if self.edge is None or self.value >= self.ceiling:
            return float("inf")
        if self._gap_s > 2.0 and self._answers < self._answers_a_step:
            return float("inf")
        return max(now, self._step_at + self._gap_s, self._started_at + APART * self._apart_s)

    def on_start(self, now: float) -> None:
        """Note a call that starts."""
        if self._started_at > -inf:
            self._apart_s += 0.1 * (min(now - self._started_at, LONGEST_APART_S) - self._apart_s)
        self._started_at = now

    @property
    def _answers_a_step(self) -> float:
        if self.value >= FALLEN * self._highest:
            return min(ANSWERS_A_STEP, FEWEST_ROUNDS * self.slots)
        return min(ANSWERS_A_STEP, max(6, ROUNDS_A_STEP * self.slots))

    def step(self, now: float) -> None:
        """Raise the limit, to try whether there is room above the edge."""
        if self._tried:
            # The step before this one was admitted.
            self._step = max(1.0, min(self._step * 2, self.value // 2))
            self._gap_s = self.first_step_s
        self._base = self.slots
        self.value = min(float(self.ceiling), self.value + self._step)
        self._step_at, self._tried, self._answers = now, True, 0
        if self.value >= self.ceiling:
            self.edge = None

    def _step_failed(self, level: int, now: float) -> None:
        """No room for the `level`-th: back to where the step began, or to as much of it as was admitted."""
        self._tried = False
        self._set_edge(max(self._base, level - 1))
        self._highest = max(self._highest, self.value)
        self._step, self._step_at = 1.0, now
        self._gap_s = min(max(4.0, self.first_step_s), self._gap_s * 2)

    def restore(self) -> bool:
        """Undo the cuts: refusals were about something else than calls in flight. True if the limit rose."""
        before, self._before, self.edge = self._before, None, None
        self._highest = 0.0
        if before is None or before <= self.value:
            return False
        self.value = min(float(self.ceiling), before)
        return True

    def free(self) -> None:
        """Undo all cuts."""
        self.value, self.edge, self._before = max(self.value, self._before or 0.0, self._start), None, None
        self._highest = 0.0
        self.value = min(float(self.ceiling), self.value)

    def _remember(self) -> None:
        self._above = 0.0
        self._before = self.value if self._before is None else max(self._before, self.value)
