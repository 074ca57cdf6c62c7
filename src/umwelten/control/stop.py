"""Rules that end a run before its work is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CostCap:
    """A cap on spending, kept by reservation: a call starts only if its estimate still fits.

    All figures in nano-USD. `cap` None: no cap. A call of unknown price reserves nothing.
    """

    cap: int | None = None
    spent: int = 0
    reserved: int = 0
    hit: bool = False

    def admits(self, estimate: int | None) -> bool:
        """Whether a call with that estimate may start; False is final for the run."""
        if self.cap is None:
            return True
        if self.spent >= self.cap or self.spent + self.reserved + (estimate or 0) > self.cap:
            self.hit = True
            return False
        return True

    def reserve(self, estimate: int | None) -> None:
        """A call starts."""
        self.reserved += estimate or 0

    def settle(self, estimate: int | None, cost: int | None) -> None:
        """It ended and cost that much."""
        self.reserved -= estimate or 0
        self.spent += cost or 0
