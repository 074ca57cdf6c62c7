"""Twelve kills at random moments and inside of writes. `python -m benchmarks.torture` does a thousand."""

from __future__ import annotations

from pathlib import Path

from reliability.moments import MOMENTS
from reliability.torture import IN_FLIGHT, torture
from umwelten.store.writer import GROUP_SIZE


def test_kills_lose_nothing_double_nothing_and_cost_at_most_what_was_in_flight(tmp_path: Path) -> None:
    figures = torture(tmp_path, kills=12, size=1200, kills_a_job=6)
    assert figures.kills >= 12
    assert set(figures.moments) == set(MOMENTS), "not every moment was met"
    assert figures.acknowledged > 1000
    assert (figures.lost, figures.doubled, figures.torn, figures.wrong) == (0, 0, 0, 0)
    assert figures.most_again <= IN_FLIGHT + GROUP_SIZE
    assert figures.again <= figures.allowed_again
