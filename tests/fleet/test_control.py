"""A few cells of `benchmarks.fleet_control`: workers lose little of what one machine holds of a limit."""

from __future__ import annotations

import pytest
from benchmarks.fleet_control import SPIKES, cell, is_within, uneven_cell


@pytest.mark.parametrize("name", ["bucket_20_blind", "queue_16"])
def test_limits_are_held_over_a_network_as_on_one_machine(name: str) -> None:
    alone, over = cell(name, seeds=1, calls=600, workers=4)
    assert is_within(alone, over)


def test_a_cap_is_not_taken_for_a_rate_where_messages_take_now_longer_now_shorter() -> None:
    for report in uneven_cell("cap_40", seeds=range(2), calls=1_600, workers=2):
        assert report.lanes[0].kind == "concurrency"
        assert report.efficiency > 0.8


def test_a_rate_is_not_taken_for_a_cap_where_messages_take_now_longer_now_shorter() -> None:
    for report in uneven_cell("bucket_20_blind", seeds=(4, 5), calls=2_000, workers=4, spikes=SPIKES):
        assert report.lanes[0].kind == "bucket"
        assert report.refused_per_call < 0.1
