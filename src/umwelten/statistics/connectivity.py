"""Who met whom, and who got anything from whom: whether strengths that explain it exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


def connected_components(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of 0 … size−1 that never met those of another, the largest first."""
    group = [[one] for one in range(size)]
    for first, second in pairs:
        if group[first] is not group[second]:
            larger, smaller = sorted((group[first], group[second]), key=len, reverse=True)
            larger += smaller
            for one in smaller:
                group[one] = larger
    found = {id(members): sorted(members) for members in group}
    return sorted(found.values(), key=lambda members: (-len(members), members[0]))


@dataclass(frozen=True, slots=True)
class Dominance:
    """Who got anything from whom, also by way of others.

    `reached` are those that each contestant got something from; all where strengths exist (Ford's condition).
    `undefeated` and `winless` never lost to, or won against, any outside of their group, which is less than
    the largest: where all of two groups' meetings went one way, it is the smaller group that is named, and
    both where none is the largest. `open_low` and `open_high` are those whose place is not bounded there.
    """

    reached: tuple[frozenset[int], ...]
    undefeated: frozenset[int]
    winless: frozenset[int]
    open_low: frozenset[int]
    open_high: frozenset[int]

    @property
    def complete(self) -> bool:
        """Whether everyone got something from everyone: the estimate exists."""
        return all(len(others) == len(self.reached) for others in self.reached)


def dominance(size: int, won: Iterable[tuple[int, int]]) -> Dominance:
    """Return it from the pairs in which the first got something, a win or a part of one, from the second."""
    from_whom: list[set[int]] = [set() for _ in range(size)]
    for first, second in won:
        from_whom[first].add(second)
    reached = tuple(_reached(one, from_whom) for one in range(size))
    groups = {frozenset(other for other in reached[one] if one in reached[other]) for one in range(size)}
    ordered = sorted(groups, key=len, reverse=True)
    # A group of one is no common body that others could be measured by.
    alone = len(ordered) > 1 and len(ordered[0]) in (1, len(ordered[1]))
    body = frozenset(range(size)) if alone or not ordered else ordered[0]
    over = {one: {other for other in range(size) if one in reached[other]} for one in range(size)}
    measures = {
        one: body if body & (reached[one] | over[one]) else frozenset(range(size)) for one in range(size)
    }
    open_high = frozenset(one for one in range(size) if measures[one] & reached[one] - over[one])
    open_low = frozenset(one for one in range(size) if measures[one] & over[one] - reached[one])
    return Dominance(
        reached=reached,
        undefeated=frozenset(one for one in open_high if over[one] <= reached[one]),
        winless=frozenset(one for one in open_low if reached[one] <= over[one]),
        open_low=open_low,
        open_high=open_high,
    )


def _reached(start: int, from_whom: list[set[int]]) -> frozenset[int]:
    found, waiting = {start}, [start]
    while waiting:
        new = from_whom[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return frozenset(found)
