"""Which models of an evaluation share a rate limit, and with which limits their lanes start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from umwelten.attempts.target import Target
from umwelten.config.rates import known_rates
from umwelten.control.knee import Watch
from umwelten.control.known_rate import KnownRate, KnownRates
from umwelten.control.lane import THROTTLED_TOO_LONG_S, Lane
from umwelten.control.limit import AUTO_CEILING, Limit
from umwelten.control.pacer import Pacer
from umwelten.control.pool import Pool
from umwelten.providers.base_url import is_service
from umwelten.providers.protocol import Endpoint, Scope
from umwelten.providers.vendors import VENDORS
from umwelten.sharing.shared_lane import SharedLane


def make_lanes(
    targets: Mapping[int, Target],
    limit: int | None,
    ceilings: Mapping[str, int],
    *,
    local_slots: int,
    rates: Mapping[str, tuple[KnownRate, ...]] = MappingProxyType({}),
    patience_s: float = THROTTLED_TOO_LONG_S,
) -> dict[int, list[SharedLane]]:
    """Return the lanes of each model, by the model's number; models that share a rate limit share the lane.

    A model has a lane at each of its endpoints.

    `limit` is the cap over all providers, `None` where each lane finds its own level; `ceilings` are those
    of single providers, and `rates` those that the user knows. A lane that had nothing but refusals for
    `patience_s` is stopped.
    """
    lanes: dict[str, SharedLane] = {}
    for target in targets.values():
        for name, at in target.by_lane.items():
            if name in lanes:
                continue
            vendor = at.endpoint.vendor
            ceiling = ceilings.get(vendor.name, limit or AUTO_CEILING)
            if vendor.name == "local":
                ceiling = min(ceiling, local_slots)
            start = ceiling if limit is not None else min(vendor.recommended[0], ceiling)
            lanes[name] = SharedLane(
                name,
                vendor.name,
                Limit(float(start), ceiling, slow_start=limit is None),
                watch=watch(at.endpoint),
                ordered=vendor.orders_by_model,
                pacer=Pacer(known=KnownRates.of(known_rates(target.model, vendor, rates), vendor.share)),
                patience_s=patience_s,
            )
    return {number: [lanes[name] for name in target.by_lane] for number, target in targets.items()}


def connection_times(
    targets: Mapping[int, Target], pool: Pool, clock: Callable[[], float]
) -> Callable[[Endpoint, float], None]:
    """Return what tells each endpoint's lane how long a connection to it took."""
    lanes: dict[int, list[Lane]] = {}
    for lane, target in served(targets, pool):
        lanes.setdefault(id(target.endpoint), []).append(lane)

    def tell(endpoint: Endpoint, took_s: float) -> None:
        for found in lanes.get(id(endpoint), ()):
            pool.on_connected(found, clock(), _round_trip_s(endpoint, took_s))

    return tell


def connection_times_by_lane(
    targets: Mapping[int, Target], pool: Pool, clock: Callable[[], float]
) -> Callable[[str, float, float], None]:
    """Return what tells a lane, by its name, how long a connection to its endpoint took at a worker.

    Messages to that worker and back take so long besides: a refusal is known only then.
    """
    lanes = {lane.name: (lane, target.endpoint) for lane, target in served(targets, pool)}

    def tell(name: str, took_s: float, transit_s: float) -> None:
        if name in lanes:
            lane, endpoint = lanes[name]
            pool.on_connected(lane, clock(), _round_trip_s(endpoint, took_s) + transit_s)

    return tell


def _round_trip_s(endpoint: Endpoint, took_s: float) -> float:
    """Return the part of a connection's time that is a round trip: keys are exchanged as well, in another."""
    return took_s / 2 if endpoint.base_url.startswith("https:") else took_s


def served(targets: Mapping[int, Target], pool: Pool) -> list[tuple[Lane, Target]]:
    """Return the lanes of a pool, each once, with the first of the targets at the endpoint that it is of."""
    at: dict[str, Target] = {}
    for target in targets.values():
        at = {**target.by_lane, **at}
    return [(lane, at[lane.name]) for lane in pool.lanes]


def sums_by_lane(targets: Mapping[int, Target], by_model: Mapping[int, int]) -> dict[str, int]:
    """Return figures of models, by their numbers, as sums by lane; several share a model's evenly."""
    sums: dict[str, int] = {}
    for number, target in targets.items():
        names, figure = list(target.by_lane), by_model.get(number, 0)
        for i, name in enumerate(names):
            share = figure * (i + 1) // len(names) - figure * i // len(names)
            sums[name] = sums.get(name, 0) + share
    return sums


def watch(endpoint: Endpoint) -> Watch:
    """Return whether the server is watched for the level beyond which more in flight only adds waiting.

    Not at the addresses of the services we know: they refuse what is too much. Anywhere else, whatever the
    account is called, a server may answer that queues it.
    """
    if endpoint.vendor.scope is Scope.HOST:
        return Watch.ALWAYS
    return Watch.NO if is_service(endpoint.base_url, VENDORS.values()) else Watch.UNTIL_REFUSED
