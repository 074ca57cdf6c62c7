"""Rules that end a run before its work is done."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from umwelten.events import StopCode
from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct


class StopReason(FrozenStruct):
    """Why a run ended before its work was done: for programs, and in words."""

    code: StopCode
    wording: Wording


UNBOUNDED = 1 << 62
"""More than any call costs."""

OPEN_ENDED = 16
"""A call whose longest answer is not known is expected to cost this part of what is reserved for it."""


@dataclass(slots=True)
class CostCap:
    """A cap on spending, kept by reservation: a call starts only if its bound still fits.

    Theory of operation. `spent` and what is held for the calls under way never pass `cap` at the moment
    when a call starts. A call that costs at most its bound therefore can't pass it. Where no `max_tokens`
    bounds an answer, the bound is a generous guess; once that no longer fits, such calls go one at a time
    in each lane, as long as what they can be expected to cost fits. So only one call a lane can pass the
    cap. A bound that a bill proves too low raises all later ones by the same factor.

    All figures in nano-USD. `cap` None: no cap. `reason`: the run ended because of it.
    """

    cap: int | None = None
    spent: int = 0
    reserved: int = 0
    reason: StopReason | None = None
    excess: int = 1000  # thousandths: the most that a call cost of its bound, at least all of it

    def admits(self, bound: int | None, *, alone: bool = False) -> bool:
        """Return whether a call may start now. What is reserved may come back.

        `alone`: its longest answer is not known, and nothing else of its lane is under way.
        """
        return self.fits(self.least(bound, alone=alone))

    def least(self, bound: int | None, *, alone: bool) -> int:
        """Return what must fit for a call to start; 0 without a cap."""
        if self.cap is None:
            return 0
        return (bound or 0) // OPEN_ENDED if alone else bound or 0

    def reserve(self, bound: int | None) -> int:
        """A call that was admitted starts; returns what is held for it."""
        whole = bound or 0
        held = whole if self.fits(whole) else whole // OPEN_ENDED
        self.reserved += held
        return held

    def settle(self, bound: int | None, held: int, cost: int | None, *, open_ended: bool = False) -> int:
        """It ended and cost that much; `None`: perhaps as much as it could. Return what was counted."""
        self.reserved -= held
        if cost is None:
            counted = (bound or 0) // OPEN_ENDED if open_ended else bound or 0
            self.spent += counted
            return counted
        self.spent += cost
        if bound and cost * 1000 > bound * self.excess:
            self.excess = -(-cost * 1000 // bound)
        return cost

    def correct(self, counted: int, cost: int) -> None:
        """Count what a call really cost, of which that was not known when it was settled."""
        self.spent += cost - counted

    def end(self, bound: int | None, *, open_ended: bool = False) -> None:
        """Nothing fits any more; `bound` is the cheapest call's that is left."""
        spent, cap = _usd(self.spent), _usd(self.cap or 0)
        if self.cap is not None and self.spent >= self.cap:
            wording = Phrase(
                "{spent} is spent, which {option:max_cost} {cap} allows at most", spent=spent, cap=cap
            )
        else:
            most = self._raised((bound or 0) // (OPEN_ENDED if open_ended else 1))
            wording = Phrase(
                "{spent} is spent and the next call {could} {most}, which would pass "
                "{option:max_cost} {cap}; {change} {option:max_tokens} or raise the cap",
                spent=spent,
                could="is expected to cost about" if open_ended else "could cost up to",
                most=_usd(most),
                cap=cap,
                change="set" if open_ended else "lower",
            )
        self.reason = StopReason(code=StopCode.MAX_COST, wording=wording)

    def fits(self, amount: int) -> bool:
        """Return whether so much more may be spent."""
        return amount <= self.room

    @property
    def room(self) -> int:
        """The most that may be reserved for a call that starts."""
        if self.cap is None:
            return UNBOUNDED
        return max(0, (self.cap - self.spent) * 1000 // self.excess - self.reserved)

    def _raised(self, amount: int) -> int:
        return -(-amount * self.excess // 1000)


def _usd(nusd: int) -> str:
    """`$0.0021`, `$1.25`: at least two decimals, and three digits that count."""
    value = Decimal(nusd) / 1_000_000_000
    decimals = 2 if not value else max(2, 2 - value.adjusted())
    whole, _, fraction = f"{value:.{decimals}f}".partition(".")
    return f"${whole}.{fraction[:2]}{fraction[2:].rstrip('0')}"


@dataclass(slots=True)
class ErrorCap:
    """A cap on calls that fail for good. `cap` None: no cap."""

    cap: int | None = None
    failed: int = 0

    @property
    def reason(self) -> StopReason | None:
        """Why the run must end, if so."""
        if self.cap is None or self.failed < self.cap:
            return None
        calls = "1 call" if self.failed == 1 else f"{self.failed} calls"
        wording = Phrase("{calls} failed ({option:max_errors})", calls=calls)
        return StopReason(code=StopCode.MAX_ERRORS, wording=wording)
