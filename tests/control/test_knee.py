from __future__ import annotations

import heapq
import random

import pytest

from umwelten.control.knee import Knee


def serve(k: int, calls: int, seed: int, spread: float) -> list[int]:
    """A server with k slots and answers of different length; the level at every answer."""
    dice, knee = random.Random(seed), Knee(level=2, ceiling=1000)
    free, running, levels, now = [0.0] * k, [], [], 0.0
    while calls:
        while len(running) < knee.level:
            tokens = max(1, round(100 * dice.lognormvariate(0, spread)))
            begin = max(now, heapq.heappop(free))
            end = begin + 0.005 * tokens
            heapq.heappush(free, end)
            heapq.heappush(running, (end, now, tokens))
        now, started_at, tokens = heapq.heappop(running)
        knee.on_answer(started_at, now, tokens, full=True)
        levels.append(knee.level)
        calls -= 1
    return levels


@pytest.mark.parametrize("k", [1, 4, 13, 16, 32])
@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_the_level_settles_a_little_above_the_slots_however_long_answers_are(k: int, spread: float) -> None:
    settled = []
    for seed in range(5):
        levels = serve(k, 150 * k + 400, seed, spread)[-40 * k :]
        settled.append(sum(levels) / len(levels))
    middle = sorted(settled)[2]
    assert 0.95 * k <= middle <= 1.75 * k + 2
