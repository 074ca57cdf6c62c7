"""What kind of limit a lane has met, judged by what was refused and by what came back when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from umwelten.types import RateLimitHints, Resource


class LimitKind(StrEnum):
    """Kinds of limits. `RATE` is a bucket or a window: which of the two only a reopening can tell."""

    NONE = "none"
    CONCURRENCY = "concurrency"
    RATE = "rate"
    BUCKET = "bucket"
    WINDOW = "window"
    TOKENS = "tokens"
    QUEUE = "queue"


RATES = frozenset({LimitKind.RATE, LimitKind.BUCKET, LimitKind.WINDOW, LimitKind.TOKENS})
_FITS = 20
"""Calls admitted right at the limit that make a cap sure. At 3 `noise` falls from 0.69 to 0.19; not sensitive
from 10 to 200."""

_HIGH_EDGE = 15
"""From here on a surprise near the edge weighs less. At 45 `noise_bucket`'s worst run falls from 0.94 to
0.86; not sensitive down to 1."""

_SURPRISES = 2
"""One may be a straggler. At 3 `drop` is refused 0.052 a call, not 0.047; at 1 `noise_bucket`'s worst run
falls from 0.94 to 0.86."""

_SURPRISES_IF_SURE = 8
"""Not sensitive from 2 to 100 in `cap_40`, `drop_cap`, `noise`: a cap that is sure is seldom wrong there."""

_DOUBT = 0.2
"""What a call counts, beside a surprise, that is refused below the edge by no more than `spread`. At 0, over
messages of 10 to 60 ms of which some take longer, `bucket_20_blind` is refused 0.130 a call, not 0.074;
`cap_40` is the same."""

_RISES = 2
"""Refused heights that were admitted later. At 20 `gcra_blind` falls from 0.95 to 0.92; insensitive from 1 to
4."""

_FLIPS = 2
"""Not sensitive from 1 to 50 in any cell: a guard against a height that is admitted and refused for ever."""

_FLIPS_IF_SURE = 4
"""Not sensitive from 4 to 50; at 2 the worst run of `noise` rises from 0.16 to 0.23."""

_ALONE = 3
"""Refusals of a call with no other in flight: no cap that lets any in refuses that, a rate does. One in a
hundred calls overtakes the end of the one before."""

_REFUTED = 3
"""Calls admitted long before the hint said. Not sensitive from 1 to 100 in `bucket_20_padded`, where the rate
is learnt anyway."""


@dataclass(slots=True)
class LimitEvidence:
    """Return whether refusals look like a cap on calls in flight, or like anything that time refills.

    A call is started as the `level`-th in flight. If calls in flight are what is counted, then a call
    below the lowest refused height is always admitted: a refusal there is a surprise, and two of them
    make it a rate. And a call at a refused height is never admitted, unless something ended meanwhile: if
    one is, that is a rise, and two of them make it a rate too. Once enough calls were admitted right at
    the limit without a surprise, the cap is `sure`: then surprises mean that it shrank and rises that
    it grew, unless heights are admitted and refused by turns.

    `spread`: by so many the height of a call may be another one where the provider counts, since calls are on
    their way to workers and answers on their way back.
    """

    high: int = 0
    fits: int = 0
    surprises: float = 0.0
    rises: int = 0
    flips: int = 0
    alone: float = 0.0
    sure: bool = False
    steady: int = 0
    spread: int = 0
    _risen: int = 0
    _trial: tuple[float, int] | None = None

    def on_start(self, level: int, now: float, edge: int | None) -> None:
        """Note a start as the `level`-th in flight; `edge` is the lowest height that was refused."""
        if level > self.high:
            self.high, self.steady = level, 0
        if edge is not None and level - self.spread >= edge and self._trial is None:
            self._trial = (now, level)

    def on_answer(self, level: int) -> None:
        """Count a call that was admitted at that height."""
        self.steady += level > 0.9 * self.high
        if level <= 1:
            self.alone = max(0.0, self.alone - 0.3)

    def set_high(self, level: int) -> None:
        """Take that for the greatest height at which calls are admitted."""
        self.high = level

    @property
    def proven(self) -> bool:
        """The greatest height is one at which a whole round of calls was admitted."""
        return self.steady >= self.high

    def note_fit(self) -> None:
        """Count a call that was admitted right at the limit."""
        self.fits += 1
        if self.fits >= _FITS:
            self.sure, self.surprises, self.rises = True, 0.0, 0
            self.fits, self.flips = 0, max(0, self.flips - 1)

    def note_surprise(self, level: int, edge: int | None) -> bool:
        """Count a call refused where others had been admitted; True once that is too often for a cap.

        Near a high edge it weighs less: how many are in flight there is known to a few only.
        """
        near = edge is not None and edge >= _HIGH_EDGE and level >= 0.9 * edge
        return self._add_surprise(0.67 if near else 1.0)

    def note_doubt(self) -> bool:
        """Count a call refused below the edge by no more than `spread`; see `note_surprise`.

        A cap refuses few of those among many calls that it admits at the edge.
        """
        return self._add_surprise(_DOUBT)

    def _add_surprise(self, weight: float) -> bool:
        self.surprises += weight
        self.fits = 0
        return self.surprises >= (_SURPRISES_IF_SURE if self.sure else _SURPRISES)

    def note_rise(self, now: float, refusal_s: float) -> bool:
        """Note an answer; True once refused heights are admitted too often for a cap."""
        trial, self._trial = self._trial, None
        if trial is None or now - trial[0] <= 1.5 * refusal_s:
            return False
        self.rises += 1
        self._risen = max(self._risen, trial[1])
        return self.rises >= _RISES and not self.sure

    def on_refusal(self, started_at: float, level: int) -> bool:
        """Note a refusal; True once heights were admitted and refused by turns too often for a cap."""
        if self._trial is not None and started_at <= self._trial[0]:
            self._trial = None
        if level <= 1:
            self.alone += 1
            if self.alone >= _ALONE:
                return True
        if level + self.spread > self._risen:
            return False
        self._risen, self.flips = 0, self.flips + 1
        return self.flips >= (_FLIPS_IF_SURE if self.sure else _FLIPS)


@dataclass(slots=True)
class RetryAfterTrust:
    """Return whether `Retry-After` tells the truth. A call admitted well before the time refutes it."""

    overstated: bool = False
    proven: bool = False
    _told_at: float = 0.0
    _asked_s: float = 0.0
    _refuted: int = 0
    _answered: bool = False

    def on_refusal(self, now: float, hint: float | None) -> None:
        """Note a refusal that asks to wait that long."""
        self._told_at, self._asked_s, self._answered = now, hint or 0.0, False

    def on_answer(self, started_at: float) -> None:
        """Note a call that was admitted: it refutes a longer time, and proves one that is just over."""
        if self._asked_s > 0 and started_at > self._told_at:
            late = started_at - self._told_at - self._asked_s
            if abs(late) < max(0.1, 0.1 * self._asked_s) and not self._answered:
                self.proven = True
            self._answered = True
        if self._asked_s <= 1.0 or not self._told_at < started_at < self._told_at + 0.5 * self._asked_s:
            return
        self._refuted += 1
        self.overstated = self._refuted >= _REFUTED
        self.proven = self.proven and not self.overstated


def stated_kind(hints: RateLimitHints) -> LimitKind | None:
    """The kind that a refusal's own budgets tell, if they do."""
    for budget in hints.budgets:
        if budget.remaining is not None and budget.remaining <= 0:
            return LimitKind.CONCURRENCY if budget.resource is Resource.IN_FLIGHT else LimitKind.RATE
    return None
