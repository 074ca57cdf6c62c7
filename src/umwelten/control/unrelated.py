"""Refusals that have nothing to do with what a lane does: overload, or a gateway that is out of sorts.

Theory of operation. They look like those of any limit, and each part that learns from refusals makes the lane
slower for them, without end. Only a test tells: right after a refusal some calls go at once, more than any
limit that has just refused could let in. What comes back of them weighs for one or the other. Once it is
plain that the refusals are unrelated, no part learns from them any more, and the lane runs at full speed,
until so many come in a row that a limit must have been met.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

TEST_CALLS = 2
"""Beyond those for which there may be room by the time that they arrive."""

MOST_TEST_CALLS = 12
"""A larger test costs more than it may bring, but for what was earned by calls let in."""

AFFORDED = 0.25
"""Of that. A fast lane has room for tens of calls until a test arrives. Without it one that lets in hundreds
a second never finds out, and steady `overload` falls from 0.95 to 0.84."""

FIRST_TEST = 4
"""Refused episodes before the first test: a limit is met at least so often before it is known."""

LONGEST_GAP = 250
"""Refused episodes between tests, at most. At 512 one run in a thousand does not find out in 1,500 calls."""

SURE = 4.0
"""Nats for "unrelated" that decide a test: one of 1 refused in 4."""

MOST = 10.0
"""Nats that are kept; six refusals in a row use them up where one call in ten is refused. They are told
sooner than calls let in: with 6 a share of a third is taken for a limit while the lane grows."""

LEAST = -2.0
"""Nats that are kept against it."""

OVER = -3.0
"""Nats at which a limit is believed in again."""

TOO_MANY = 0.6
"""Share of refusals that is taken for a limit: the two can't be told apart any more, and a lane that learns
nothing is refused for ever. Without it a run of `noise_bucket` was refused 54 times a call."""

KEEP = 0.02
"""Of the share of refusals is made anew by each call: over some fifty calls."""

_LIMIT = 0.9
"""Share of the calls beyond its room that a limit refuses."""


@dataclass(slots=True)
class UnrelatedRefusals:
    """See the module's text. `share` of all requests is refused for nothing; `None`: not known to be so."""

    share: float | None = None
    left: int = 0
    _calls: set[int] = field(default_factory=set)
    _size: int = 0
    _room: int = 0
    _through: int = 0
    _weight: float = 0.0
    _episodes: int = 0
    _next: int = FIRST_TEST
    _gap: int = FIRST_TEST
    _guess: float = 0.1
    _order: deque[int] = field(default_factory=deque)
    _came: dict[int, bool | None] = field(default_factory=dict)

    @property
    def testing(self) -> bool:
        """Return whether calls of a test are still to start."""
        return self.left > 0

    def on_start(self, number: int) -> None:
        """Note a call that starts: one of the test while there are any left."""
        if self.left:
            self.left -= 1
            self._calls.add(number)
        if self.share is not None:
            self._order.append(number)

    def on_release(self, number: int) -> None:
        """Note a call that ended and says nothing."""
        self._calls.discard(number)
        self._count(number, None)

    def on_let_in(self, number: int) -> bool:
        """Count a call that was let in; True if that shows that refusals are unrelated."""
        if self.share is not None:
            self._count(number, True)
            return False
        if number not in self._calls:
            return False
        self._calls.discard(number)
        self._through += 1
        return self._judge()

    def on_refusal(
        self, number: int, share: float, *, fresh: bool, expected: float, tokens: float = 0.0
    ) -> bool:
        """Count a refusal; True if it is none of a limit.

        `share` of all calls was refused so far. `fresh`: of a call that started after the last refusal was
        known. `expected` calls may be let in by the time that those of a test arrive. `tokens`: refusals that
        can be afforded.
        """
        if self.share is not None:
            self._count(number, False)
            if self._weight > OVER and self.share < TOO_MANY:
                return True
            self.share, self._weight = None, 0.0
            self._order.clear()
            self._came.clear()
            self._put_off()
            return False
        self._guess = max(0.02, min(0.5, share))
        if number in self._calls:
            self._calls.discard(number)
            self._judge()
            # It says nothing more: that call was not meant to keep to any limit.
            return True
        self._episodes += fresh
        if fresh and self._episodes >= self._next and not self._calls:
            room = math.ceil(1.5 * expected)
            if room + TEST_CALLS <= max(MOST_TEST_CALLS, AFFORDED * tokens):
                self._room, self._size, self._through = room, room + TEST_CALLS, 0
                self.left = self._size
                self._put_off()
        return False

    def _count(self, number: int, let_in: bool | None) -> None:
        """Weigh calls in the order in which they started.

        Refusals are known sooner than answers: while a lane grows, counting them as they come makes a share
        of a third look like two thirds.
        """
        if self.share is None or not self._order or number < self._order[0]:
            return
        self._came[number] = let_in
        while self._order and self._order[0] in self._came:
            came = self._came.pop(self._order.popleft())
            if came is not None:
                self.share += KEEP * ((0.0 if came else 1.0) - self.share)
                self._weigh(
                    math.log((1.0 - self._p) / (1.0 - _LIMIT)) if came else math.log(self._p / _LIMIT)
                )

    @property
    def _p(self) -> float:
        # Only a little more than was refused before the test: a limit would raise its own share.
        return max(0.02, min(0.6, self._guess if self.share is None else min(self.share, 2.0 * self._guess)))

    def _put_off(self) -> None:
        self._gap = min(LONGEST_GAP, 3 * self._gap)
        self._next = self._episodes + self._gap

    def _weigh(self, nats: float) -> None:
        # What one test leaves open the next may settle; a limit is not held against the refusals of later.
        self._weight = max(LEAST, min(MOST, self._weight + nats))

    def _judge(self) -> bool:
        """Weigh a test once all that it sent has come back; True if that decides it."""
        if self.left or self._calls:
            return False
        self._weigh(self._evidence())
        if self._weight >= SURE:
            self.share, self._weight = self._guess, MOST
            return True
        if self._weight > 0:
            # It speaks for it, but not enough: the next test need not be put off.
            self._gap = FIRST_TEST
            self._next = self._episodes + FIRST_TEST
        return False

    def _evidence(self) -> float:
        """Return the nats for "unrelated": a limit lets in any number up to its room, and few beyond."""
        size, through, room, p = self._size, self._through, self._room, self._p
        chance = math.comb(size, through) * (1.0 - p) ** through * p ** (size - through)
        beyond = (1.0 - _LIMIT) ** (through - room)
        limit = _LIMIT * (beyond if through > room else 1.0 / (room + 1))
        return math.log(chance / limit)
