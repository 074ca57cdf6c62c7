"""Runs with workers on Ray, from the command line to the provider; `make torture` does it at length."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provider import KEYS, provider_process
from reliability import fleet_kills, fleet_scenarios
from reliability.fleet_runs import profile
from reliability.ray_cluster import cluster

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[str, ...]]:
    """Two workers on a cluster of these tests."""
    with cluster(KEYS, nodes=1) as running:
        yield fleet_scenarios.on_cluster(running, 2)


def test_a_worker_that_is_killed_costs_no_answer(engine: tuple[str, ...], tmp_path: Path) -> None:
    with provider_process(profile()) as server:
        stage = fleet_kills.Stage(tmp_path, server, engine, random.Random(1), calls=150)
        figures = fleet_kills.repeat(stage, fleet_kills.kill_worker, 1)
    assert figures.good, figures
    assert figures.in_flight > 0


def test_a_report_is_the_same_whoever_makes_the_calls(engine: tuple[str, ...], tmp_path: Path) -> None:
    assert fleet_scenarios.shapes_alike(tmp_path, engine, files=20) == 80
