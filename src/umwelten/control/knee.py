"""The level of a server that queues and never refuses: where more in flight only adds waiting.

Theory of operation. Such a server works on k calls at a time and lets all others wait. Below k, more in
flight is more done at the same time per token; above, it is the same done and longer waits. The finder
holds a level for a round or more and measures, over the calls that started in that time, the seconds
and the tokens of their answers. Seconds by tokens is not fooled by answers of different lengths, as
seconds by calls would be. The throughput of a level is the level by that figure (Little's law).

It doubles the level for as long as that brings at least a third of what it could bring. When it does
not, the server is full, and k is the throughput reached by the one per call of the unloaded server. It
settles a tenth and one above, so that no slot waits for us. From time to time it tries a quarter more
and a quarter less, and keeps what is better: more only if it brings more, less if it costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

WORTH = 1 / 3
"""Part of the possible gain that makes a level worth it. At 1/6 the p95 of `queue_16` is 1.7 times the
unloaded one, not 1.15; 2/3 does as well."""

_FEWEST = 8
"""Calls that measure a level, at least. At 32 `queue_16` falls from 1.00 to 0.93; 4 does as well."""

_RECHECK = 24
"""Rounds from one trial to the next. At 3 `queue_16` falls from 1.00 to 0.92; not sensitive from 12 to
1000."""

_TRIAL = 8
"""Rounds of a trial. Not sensitive from 1 to 16 in `queue_16`."""

_CALM = 64
"""Calls that judge a trial, at least. Not sensitive from 16 to 256 in `queue_16`."""


class Watch(StrEnum):
    """Return whether a server is watched for its level: not one that is known to refuse what is too much.

    A host's refusals mean that it is full, and it is watched on, unless it refuses a call that is alone.
    Those of an unknown account may be about anything that accounts limit, so the first one ends the watch.
    """

    NO = "no"
    UNTIL_REFUSED = "until refused"
    ALWAYS = "always"


@dataclass(slots=True)
class Epoch:
    """What calls that started at one level took."""

    level: int
    since: float
    calls: int = 0
    seconds: float = 0.0
    tokens: float = 0.0

    @property
    def pace(self) -> float:
        """Seconds a token."""
        return self.seconds / self.tokens if self.tokens else 0.0


@dataclass(slots=True)
class Knee:
    """Answers with the level to hold. `settled`: it found the knee and only looks after it."""

    level: int
    ceiling: int
    settled: bool = False
    _epoch: Epoch | None = None
    _best: Epoch | None = None
    _free: list[tuple[float, float]] = field(default_factory=list)
    _trial: int = 0
    _next_trial: int = -1
    _again: bool = False

    def on_answer(self, started_at: float, now: float, tokens: int | None, full: bool) -> bool:
        """Count an answer, `full`: the level was reached; True if the level moved."""
        epoch = self._epoch
        if epoch is None:
            epoch = self._epoch = Epoch(self.level, started_at)
        if started_at < epoch.since or not full:
            return False
        epoch.calls += 1
        epoch.seconds += now - started_at
        epoch.tokens += float(tokens) if tokens else 1.0
        if epoch.calls < self._enough(epoch):
            return False
        before = self.level
        if not self._judge(epoch):
            return False
        self._epoch = Epoch(self.level, now)
        return self.level != before

    def hold_at_most(self, level: int) -> None:
        """Go to that level and never above it: the server refuses there."""
        self.level = self.ceiling = max(1, level)

    def _enough(self, epoch: Epoch) -> int:
        if not self.settled:
            return max(_FEWEST, epoch.level) * (2 if self._again else 1)
        return max(_CALM, (_RECHECK if self._trial == 0 else _TRIAL) * epoch.level)

    def _judge(self, epoch: Epoch) -> bool:
        """Decide where to go; False: the epoch continues, to be sure."""
        if self.settled:
            self._look_after(epoch)
            return True
        best = self._best
        if best is None or self._worth(best, epoch):
            self._best, self._again = epoch, False
            self._free.append((epoch.seconds, epoch.tokens))
            self._go(epoch.level * 2)
            return True
        if not self._again:
            self._again = True
            return False
        self._settle(epoch)
        return True

    def _worth(self, old: Epoch, new: Epoch) -> bool:
        ratio = new.level / old.level
        gain = ratio * old.pace / new.pace if new.pace else ratio
        return gain - 1 >= WORTH * (ratio - 1)

    def _settle(self, epoch: Epoch) -> None:
        """The knee, from the throughput reached and the time of an unloaded call."""
        seconds = sum(s for s, _ in self._free)
        tokens = sum(t for _, t in self._free)
        unloaded = seconds / tokens if tokens else epoch.pace
        knee = epoch.level * unloaded / epoch.pace if epoch.pace else float(epoch.level)
        self.settled, self._best = True, None
        self._go(math.ceil(1.1 * min(knee, epoch.level)) + 1)

    def _look_after(self, epoch: Epoch) -> None:
        """In turn: hold, try a quarter more or less, and judge."""
        best = self._best
        if self._trial == 0 or best is None:
            self._best = epoch
            self._trial, self._next_trial = self._next_trial, -self._next_trial
            self._go(round(epoch.level * (1 + 0.25 * self._trial)) + (self._trial > 0))
            return
        if epoch.level > best.level:
            keep = self._worth(best, epoch)
        else:
            keep = epoch.level / epoch.pace >= best.level / best.pace if epoch.pace else False
        direction, self._trial = self._trial, 0
        # One above what was seen to be enough, so that no slot waits for us.
        self._go(best.level if not keep else epoch.level + (direction < 0))

    def _go(self, level: int) -> None:
        self.level = max(1, min(self.ceiling, level))
