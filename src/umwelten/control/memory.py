"""What a lane learnt, as the next run of the same account may begin from it.

Only what has proven itself is remembered: a rate measured over many calls, a window that foretells refusals,
a cap that is sure, stated budgets that are true. A lane that begins from it goes a little slower than was
learnt, the slower the older that is, until its first refusals say whether it still holds: `recalled.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from umwelten.control.amounts import ORDER
from umwelten.control.limit_kind import RATES, LimitKind
from umwelten.control.pacer import Pacer
from umwelten.control.rate_estimator import ENOUGH
from umwelten.control.recalled import Recalled
from umwelten.types import Resource

if TYPE_CHECKING:
    from umwelten.control.lane import Lane
    from umwelten.control.refusals import RefusalDiagnosis

SAFE = 0.97
"""Of what was learnt is gone by at first: it was measured at its edge."""

OLDEST = 0.5
"""Of what was learnt is gone by once it is nearly forgotten."""

AVERAGED = 24.0
"""Calls let in between refusals whose average is a rate."""

DOUBTFUL = 2.0
"""So many times the rate measured last was let in on average: nobody knows which of them will hold."""

REFUTED = 8
"""Refusals in spite of what was remembered, after which it is forgotten."""

LEAST_CAP = 4
"""A smaller one is found within a few calls, and slow rates look like one."""

LEAST_S = 1.0
"""Seconds between refusals over which an average is a rate."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So much a second of what `ORDER` has at `by`, and `burst` at once; a call uses `size`.

    An answer has `output` tokens.
    """

    a_second: Annotated[float, Meta(ge=1e-6, le=1e9)]
    by: Annotated[int, Meta(ge=0, le=3)] = 0
    size: Annotated[float, Meta(ge=1e-3, le=1e9)] = 1.0
    burst: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    output: Annotated[float, Meta(ge=0, le=1e9)] | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """So many calls in any so many seconds."""

    size: Annotated[int, Meta(ge=1, le=1_000_000)]
    period_s: Annotated[float, Meta(ge=0.01, le=1e6)]


class LaneMemory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a lane learnt, one of these; `cap`: calls in flight."""

    rate: Rate | None = None
    window: Window | None = None
    cap: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


def learnt(lane: Lane) -> LaneMemory | None:
    """Return what the lane knows for sure by now, `None` if that is nothing.

    While nothing is let in, that may be for another reason than any of this.
    """
    refusals = lane.refusals
    if lane.throttled_since is not None or lane.knee is not None or lane.safety.unrelated.share is not None:
        return None
    if lane.pacer.proven and (stated := _learnt_stated(lane.pacer)) is not None:
        return stated
    if not lane.safety.refused or lane.recalled is not None:
        # Nothing, or what was remembered: nothing has borne that out.
        return None
    if refusals.kind is LimitKind.CONCURRENCY:
        sure = refusals.evidence.sure and lane.limit.edge is not None
        return LaneMemory(cap=lane.limit.slots) if sure and lane.limit.slots >= LEAST_CAP else None
    if refusals.leads:
        lead = refusals.windows.lead
        assert lead is not None
        return LaneMemory(window=Window(size=lead.size, period_s=lead.period_s))
    if refusals.kind in RATES:
        measured, average = _measured(refusals), _average(refusals)
        if measured and average and measured.a_second * DOUBTFUL < average.a_second * measured.size:
            # It fell, or others use the account and it is far too low.
            return None
        rate = measured or average
        return None if rate is None else LaneMemory(rate=rate)
    return None


def is_refuted(lane: Lane) -> bool:
    """Return whether what the lane began from is of no use: it was refused, and what holds is not known."""
    known = lane.recalled is not None or learnt(lane) is not None
    return lane.safety.refused >= REFUTED and lane.throttled_since is None and not known


def _learnt_stated(pacer: Pacer) -> LaneMemory | None:
    """The tightest of what is stated, to go by until it is stated again."""
    rates, windows = [], []
    for (resource, _, _), budget in pacer.stated.items():
        best = max(budget.readings, key=lambda reading: reading.score, default=None)
        if best is None or not best.proven:
            continue
        by = ORDER.index(resource)
        if best.rate > 0:
            rates.append(_rate(pacer, best.rate, by, best.limit))
        elif best.period_s and resource is Resource.REQUESTS:
            windows.append(Window(size=max(1, int(best.limit)), period_s=best.period_s))
    if not rates and not windows:
        return None
    if windows:
        return LaneMemory(window=min(windows, key=lambda window: window.size / window.period_s))
    return LaneMemory(rate=min(rates, key=lambda rate: rate.a_second / rate.size))


def _measured(refusals: RefusalDiagnosis) -> Rate | None:
    estimator, first = refusals.pacer.estimator, refusals.first
    if estimator.rate is None or estimator.measured < ENOUGH or first is None:
        return None
    by = estimator.by
    return _rate(
        refusals.pacer, estimator.rate, by, first.taken[by] - estimator.rate * refusals.first_after_s
    )


def _rate(pacer: Pacer, a_second: float, by: int, burst: float) -> Rate:
    size = pacer.used[by] / max(1.0, pacer.used[0]) if by else 1.0
    output = pacer.mean_output if by else None
    return Rate(
        a_second=_bounded(a_second),
        by=by,
        size=_bounded(size),
        burst=min(1e9, max(0.0, burst)),
        output=output,
    )


def _bounded(figure: float) -> float:
    return min(1e9, max(1e-3, figure))


def _average(refusals: RefusalDiagnosis) -> Rate | None:
    """What was let in from the first refusal to the last: whatever refills by time admits that again."""
    first, last = refusals.first, refusals.last
    if first is None or last is None or last.at - first.at < LEAST_S:
        return None
    calls = last.taken[0] - first.taken[0]
    if calls < AVERAGED:
        return None
    a_second = calls / (last.at - first.at)
    burst = first.taken[0] - a_second * refusals.first_after_s
    return Rate(a_second=_bounded(a_second), burst=max(0.0, burst))


def begin_from(
    lane: Lane, memory: LaneMemory, now: float, belief: float = 1.0, since_s: float = math.inf
) -> None:
    """Have a lane that has started nothing yet begin from what was learnt; `belief`: 1 fresh, 0 forgotten.

    It was learnt `since_s` ago: what was used up then may not be there again.
    """
    part = OLDEST + (SAFE - OLDEST) * belief
    lane.end_watch()
    if lane.knee is not None:
        return
    recalled = Recalled(lane.refusals)
    if memory.cap is not None:
        recalled.cap = max(1, int(memory.cap * part))
    elif (window := memory.window) is not None:
        if since_s < window.period_s:
            return
        size = max(1, int(window.size * part))
        recalled.window, recalled.burst = (size, window.period_s), float(size)
        recalled.rate = size / window.period_s
    elif (rate := memory.rate) is not None:
        recalled.rate, recalled.by, recalled.size = part * rate.a_second, rate.by, rate.size
        recalled.burst = part * min(rate.burst, rate.a_second * since_s)
        if rate.output is not None:
            lane.pacer.expect_output(rate.output)
    lane.recalled = recalled
    recalled.begin(now)
