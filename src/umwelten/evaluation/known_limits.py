"""What known limits come to in a run: what all members may take together, and how long that takes."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.config.members import members
from umwelten.config.rates import known_rates
from umwelten.control.known_rate import KnownRate
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.providers.protocol import Scope, Vendor
from umwelten.types import FrozenStruct, ModelRef, Resource


class Work(FrozenStruct):
    """Calls of a model, and the tokens of all of them."""

    calls: float
    tokens: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(calls=self.calls + other.calls, tokens=self.tokens + other.tokens)


def limits_of(spec: EvaluationSpec, vendors: Mapping[str, Vendor]) -> dict[str, tuple[KnownRate, ...]]:
    """Return the known limits of all members together, by what shares them: a provider, or a model."""
    found = {_shared_by(model, vendors): _together(model, spec, vendors) for model in spec.models}
    return {name: rates for name, rates in found.items() if rates}


def least_s(work: Mapping[ModelRef, Work], spec: EvaluationSpec, vendors: Mapping[str, Vendor]) -> float:
    """Return the seconds that the calls take at least by the known limits; 0 without any."""
    sums: dict[str, Work] = {}
    for model, more in work.items():
        name = _shared_by(model, vendors)
        sums[name] = sums.get(name, Work(calls=0)) + more
    times = [_least_s(sums[name], rate) for name, rates in limits_of(spec, vendors).items() for rate in rates]
    return max(times, default=0.0)


def _least_s(work: Work, rate: KnownRate) -> float:
    by_tokens = rate.resource is Resource.TOKENS
    # The first call goes at once.
    amount = work.tokens * max(0.0, 1 - 1 / max(1.0, work.calls)) if by_tokens else max(0.0, work.calls - 1)
    return amount * rate.period_s / rate.amount


def _shared_by(model: ModelRef, vendors: Mapping[str, Vendor]) -> str:
    return str(model.plain) if vendors[model.provider].scope is Scope.KEY_AND_MODEL else model.provider


def _together(model: ModelRef, spec: EvaluationSpec, vendors: Mapping[str, Vendor]) -> tuple[KnownRate, ...]:
    vendor = vendors[model.provider]
    part = vendor.share * len(members(vendor))
    return tuple(rate.part(part) for rate in known_rates(model, vendor, spec.limits.rates))
