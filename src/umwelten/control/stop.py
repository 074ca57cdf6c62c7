"""Rules that end a run before its work is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CostCap:
    """A cap on spending, kept by reservation: a call starts only if its estimate still fits.

    All figures in nano-USD. `cap` None: no cap. `hit`: the run ended because of it.
    """

    cap: int | None = None
    spent: int = 0
    reserved: int = 0
    hit: bool = False

    def admits(self, estimate: int | None) -> bool:
        """Whether a call with that estimate may start now. What is reserved may come back."""
        if self.cap is None:
            return True
        return self.spent < self.cap and self.spent + self.reserved + (estimate or 0) <= self.cap

    def reserve(self, estimate: int | None) -> None:
        """A call starts."""
        self.reserved += estimate or 0

    def settle(self, estimate: int | None, cost: int | None) -> None:
        """It ended and cost that much; `None`: perhaps as much as was reserved."""
        self.reserved -= estimate or 0
        self.spent += cost if cost is not None else estimate or 0


@dataclass(slots=True)
class ErrorCap:
    """A cap on calls that fail for good. `cap` None: no cap."""

    cap: int | None = None
    failed: int = 0

    @property
    def hit(self) -> bool:
        """Whether the run must end."""
        return self.cap is not None and self.failed >= self.cap
