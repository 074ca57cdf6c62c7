"""Two kills of a suite. `python -m benchmarks.suite_kills` does twenty, `benchmarks.torture` a hundred."""

from __future__ import annotations

from pathlib import Path

from reliability.suite_kills import torture


def test_a_killed_suite_goes_on_by_the_same_command_and_asks_nothing_twice(tmp_path: Path) -> None:
    figures = torture(tmp_path, kills=2, size=12, kills_a_suite=2, in_flight=5)
    assert (figures.kills, figures.unlike, figures.stored - figures.calls) == (2, 0, 0)
    assert figures.most_again <= figures.bound
    # A group may be all of so small a suite; who began anew after each kill would ask nearly all twice.
    assert figures.again <= figures.calls // 2
