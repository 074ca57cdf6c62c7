"""Cycles: A beats B, B beats C, and C beats A, on one question."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from umwelten.scoring.ranking.ranking import Cycles
from umwelten.statistics.paired_likelihood import chance


class Outcomes:
    """Which of two won on which question; a bit for each question, pair and way."""

    def __init__(self) -> None:
        self._won: dict[tuple[int, int], bytearray] = {}

    def add(self, question: int, winner: int, loser: int) -> None:
        """Add that one of two, by their numbers, won on a question, by its number."""
        bits = self._won.setdefault((winner, loser), bytearray())
        at = question >> 3
        if at >= len(bits):
            bits.extend(bytes(at + 1 - len(bits)))
        bits[at] |= 1 << (question & 7)

    def cycles(self, strengths: Mapping[int, float]) -> Cycles:
        """Return how many there are, and how many the strengths, by number, let expect."""
        won = {pair: int.from_bytes(bits, "little") for pair, bits in self._won.items()}
        count = triples = 0
        expected = 0.0
        for i, j, k in combinations(sorted(strengths), 3):
            ij, jk, ki = won.get((i, j), 0), won.get((j, k), 0), won.get((k, i), 0)
            ji, kj, ik = won.get((j, i), 0), won.get((k, j), 0), won.get((i, k), 0)
            decided = ((ij | ji) & (jk | kj) & (ki | ik)).bit_count()
            if not decided:
                continue
            triples += decided
            count += (ij & jk & ki).bit_count() + (ji & kj & ik).bit_count()
            p, q, r = (chance(strengths[a] - strengths[b]) for a, b in ((i, j), (j, k), (k, i)))
            expected += decided * (p * q * r + (1 - p) * (1 - q) * (1 - r))
        return Cycles(count=count, triples=triples, expected=expected)
