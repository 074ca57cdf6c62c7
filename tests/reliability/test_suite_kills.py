"""Two kills of a suite and of a ranking; `benchmarks.torture` does a hundred of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.rank_kills import RankJob
from reliability.suite_kills import Job, SuiteJob, torture


@pytest.mark.parametrize("of", [SuiteJob, RankJob])
def test_what_was_killed_goes_on_by_the_same_command_and_asks_nothing_twice(
    tmp_path: Path, of: type[Job]
) -> None:
    figures = torture(tmp_path, of=of, kills=2, size=12, kills_a_suite=2, in_flight=5)
    assert (figures.kills, figures.unlike, figures.stored - figures.calls) == (2, 0, 0)
    assert figures.most_again <= figures.bound
    # A group may be all of so small a suite; who began anew after each kill would ask nearly all twice.
    assert figures.again <= figures.calls // 2
