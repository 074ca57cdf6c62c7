"""The limits of the fault server: which of them hold for a request, and whose state each is."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.limiters import Limiter, Refusal, RequestCost, charge, new_limiter, refusal
from umwelten.simulate.profile import AnyLimit


class ScopedLimits:
    """All limits that can refuse, each with a state for every model or key that it is kept per."""

    def __init__(self, specs: Sequence[AnyLimit]) -> None:
        self._specs = [spec for spec in specs if new_limiter(spec) is not None]
        self._limiters: dict[tuple[int, str], Limiter] = {}

    def admit(self, ask: IncomingRequest, cost: RequestCost, now: float) -> list[Limiter] | Refusal:
        """Return the limits that the request was charged to, or why it does not fit. All fit, or none is."""
        limiters = [
            self._limiter(place, spec, ask) for place, spec in enumerate(self._specs) if fits(spec, ask)
        ]
        refused = refusal(limiters, cost, now, refuse_oversize=True)
        charge(limiters, cost, now, refused=refused is not None)
        return limiters if refused is None else refused

    def _limiter(self, place: int, spec: AnyLimit, ask: IncomingRequest) -> Limiter:
        key = (place, scope(spec, ask))
        limiter = self._limiters.get(key) or new_limiter(spec)
        assert limiter is not None
        self._limiters[key] = limiter
        return limiter


def scope(spec: AnyLimit, ask: IncomingRequest) -> str:
    """Return what shares one state of a limit with this request."""
    if spec.per == "model":
        return ask.model
    return (ask.key or "") if spec.per == "key" else ""


def fits(spec: AnyLimit, ask: IncomingRequest) -> bool:
    """Return whether a limit holds for a request."""
    return matches(spec.wire, ask.wire) and matches(spec.model, ask.model)


def matches(pattern: str, name: str) -> bool:
    """Return whether a glob fits, with the frequent case made cheap."""
    return pattern == "*" or fnmatchcase(name, pattern)
