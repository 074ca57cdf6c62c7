"""How long a run will take, from how its models went so far.

Theory of operation. A model whose slots are all in use goes as fast as they let it: slots ÷ the time of a
call. Slots of the run are split evenly over the models that have work, up to the limits of their lanes, and
those of models that end go to the others; that is played through, model by model. A route that does not use
the slots it may have is held back by something else, such as a limit of calls a minute: the pace that was
measured holds for it, whatever the others do. A model of which no call ended yet is taken to be as fast as
the others are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_FULL = 0.75
"""A route that has this share of its slots in use is held back by them; a few are always free."""

_SURE = 3
"""After so many rounds of calls their mean time is known; before, those that ended are the short ones."""

_NONE = 1e-6

_MOST_STEPS = 24
"""Of the play, whose cost grows with the square of the number of models."""


@dataclass(slots=True)
class Work:
    """A model: `remaining` calls, of which some are `in_flight`; `ended` ones took `call_s` each.

    `per_s` is its measured pace, with `mean_in_flight`; `age_s` is how long it has been at it.
    """

    remaining: float
    in_flight: int = 0
    ended: int = 0
    call_s: float = 0.0
    per_s: float = 0.0
    mean_in_flight: float = 0.0
    age_s: float = 0.0


@dataclass(slots=True)
class Route:
    """The models that share the lanes of a limit. Nothing starts before `wait_s` have passed."""

    limit: int
    works: list[Work]
    wait_s: float = 0.0

    @property
    def in_flight(self) -> float:
        """Return how many calls were in flight lately."""
        return sum(work.mean_in_flight for work in self.works)

    @property
    def ended(self) -> int:
        return sum(work.ended for work in self.works)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds. `about`: it rests on the pace of others, on one that still rises, or on a lane that waits."""

    seconds: float
    about: bool = False


def time_left(routes: Iterable[Route], slots: float | None) -> TimeLeft | None:
    """Return how long the rest takes with so many slots for all; `None` while no call ended anywhere."""
    routes = list(routes)
    about = _borrow(routes)
    routes = [route for route in routes if any(work.remaining > 0 for work in route.works)]
    if about is None:
        return None if routes else TimeLeft(0.0)
    rest = {id(work): work.remaining for route in routes for work in route.works}
    shares = _shares([(route.limit, route.works) for route in routes], slots, rest)
    left_s, full, free = 0.0, list[Route](), slots
    for route in routes:
        share = sum(shares[id(work)] for work in route.works)
        per_s = sum(work.per_s for work in route.works)
        if route.in_flight >= _FULL * share or not route.ended or not per_s:
            # Without a number of slots, a route finds its level first.
            about = about or bool(route.wait_s) or (slots is None and route.ended < _SURE * route.limit)
            full.append(route)
            continue
        last_s = max(work.call_s for work in route.works)
        left_s = max(left_s, sum(rest[id(work)] for work in route.works) / per_s, route.wait_s + last_s / 2)
        free = None if free is None else max(free - route.in_flight, 1)
    return TimeLeft(max(left_s, _play(full, free)), about)


def _borrow(routes: Sequence[Route]) -> bool | None:
    """Fill in the time of a call where it isn't known; returns whether that was so, `None`: none is known."""
    works = [work for route in routes for work in route.works]
    ended = sum(work.ended for work in works)
    if not ended:
        return None
    mean_s = sum(work.call_s * work.ended for work in works) / ended
    borrowed = False
    for work in (work for work in works if work.remaining > 0):
        if not work.call_s:
            # What has been in flight all the while takes that long at least.
            work.call_s, borrowed = max(mean_s, work.age_s if work.in_flight else 0.0), True
        elif work.per_s and work.in_flight and work.ended < _SURE * work.in_flight:
            work.call_s = (work.call_s * max(work.call_s, work.in_flight / work.per_s)) ** 0.5
    return borrowed


def _play(routes: Sequence[Route], slots: float | None) -> float:
    """Return how long routes take that are held back by their slots alone."""
    rest = {id(work): work.remaining for route in routes for work in route.works}
    now = end = 0.0
    for _ in range(_MOST_STEPS):
        begun = [(route, _open(route, rest)) for route in routes if route.wait_s <= now]
        shares = _shares([(route.limit, works) for route, works in begun], slots, rest)
        works = [work for _, of in begun for work in of]
        ends = [now + rest[id(work)] * work.call_s / shares[id(work)] for work in works]
        wakes = [route.wait_s for route in routes if route.wait_s > now and _open(route, rest)]
        if not ends and not wakes:
            return max(end, 0.0)
        until = min(ends + wakes)
        for work in works:
            share = shares[id(work)]
            rest[id(work)] -= (until - now) * share / work.call_s
            if rest[id(work)] <= _NONE:
                # The last of those in flight ends last; they are under way for different times.
                end = max(end, until - work.call_s / (share + 1))
                rest[id(work)] = 0.0
        now = until
    works_s = [sum(rest[id(work)] * work.call_s for work in route.works) for route in routes]
    usable = sum(route.limit for route in routes) if slots is None else slots
    longest_s = max(took / max(route.limit, 1) for took, route in zip(works_s, routes, strict=True))
    return now + max(sum(works_s) / max(usable, 1), longest_s)


def _open(route: Route, rest: Mapping[int, float]) -> list[Work]:
    return [work for work in route.works if rest[id(work)] > _NONE]


def _shares(
    routes: Sequence[tuple[int, Sequence[Work]]], slots: float | None, rest: Mapping[int, float]
) -> dict[int, float]:
    """Return the slots of each model: split evenly, up to its route's limit and the calls it has left."""
    limits = [float(max(limit, 1)) for limit, _ in routes]
    shares = {id(work): 0.0 for _, works in routes for work in works}
    free = sum(limits) if slots is None else float(slots)
    open_ = [(at, id(work)) for at, (_, works) in enumerate(routes) for work in works if rest[id(work)] > 0]
    while open_ and free > _NONE:
        models = Counter(at for at, _ in open_)
        given = min(free / len(open_), *(limits[at] / models[at] for at in models))
        given = min(given, *(max(rest[key], 1.0) - shares[key] for _, key in open_))
        for at, key in open_:
            shares[key] += given
            limits[at] -= given
            free -= given
        open_ = [
            (at, key) for at, key in open_ if limits[at] > _NONE and max(rest[key], 1.0) - shares[key] > _NONE
        ]
    return {key: max(share, 1e-3) for key, share in shares.items()}
