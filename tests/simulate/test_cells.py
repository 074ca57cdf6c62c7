"""Every situation that the lanes must master, as a promise in virtual time.

Efficiency is ideal makespan by makespan over 3,000 calls from a cold start, median of three seeds (of five in
`benchmarks.control`); `refused` is refusals by calls.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import msgspec
import pytest

from umwelten.simulate.profile import Bucket, Latency, Provider, SimulationProfile, load_profile
from umwelten.simulate.run import LaneReport, Report, simulate

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
CALLS, SEEDS = 3000, 3

CELLS = [
    ("free", 0.95, 0.0),
    ("bucket_20", 0.95, 0.01),
    ("bucket_100", 0.95, 0.01),
    ("bucket_20_blind", 0.93, 0.04),
    ("bucket_100_blind", 0.93, 0.04),
    ("bucket_20_padded", 0.93, 0.04),
    ("bucket_100_padded", 0.93, 0.04),
    ("window_exact", 0.90, 0.03),
    ("window_short", 0.90, 0.03),
    ("window_long", 0.90, 0.03),
    ("window_headers", 0.90, 0.03),
    ("sliding", 0.90, 0.03),
    ("gcra", 0.90, 0.05),
    ("cap_40", 0.93, 0.03),
    ("tokens", 0.95, 0.005),
    ("tokens_requests", 0.90, 0.04),
    ("drop", 0.90, 0.05),
    ("drop_headers", 0.90, 0.05),
    ("drop_blind", 0.90, 0.05),
    ("three", 0.95, 0.05),
    # A twentieth is refused whatever the lane does, and the ideal knows nothing of that.
    ("noise", 0.50, 0.12),
    ("noise_bucket", 0.85, 0.35),
]


def runs(name: str, calls: int = CALLS, seeds: int = SEEDS) -> list[Report]:
    profile = load_profile(PROFILES / f"{name}.toml")
    made = [simulate(profile, calls, seed) for seed in range(seeds)]
    for report in made:
        assert report.status == "complete"
        assert not report.lost
        assert not report.twice
        assert all(lane.succeeded == lane.calls for lane in report.lanes)
    return made


@pytest.mark.parametrize(("name", "efficiency", "refused"), CELLS)
def test_a_cell_holds_its_promise(name: str, efficiency: float, refused: float) -> None:
    made = runs(name)
    assert statistics.median(report.efficiency for report in made) >= efficiency
    assert statistics.median(report.refused_per_call for report in made) <= refused


def late(lane: LaneReport) -> list[int]:
    return [sample.in_flight for sample in lane.samples if sample.at_s > 0.3 * lane.wall_s]


def test_a_server_that_queues_is_kept_full_and_not_flooded() -> None:
    made = [report.lanes[0] for report in runs("queue_16", seeds=5)]
    profile = load_profile(PROFILES / "queue_16.toml")
    fixed = [
        min(simulate(msgspec.structs.replace(profile, cap=cap), CALLS, seed).wall_s for cap in (16, 20))
        for seed in range(2)
    ]
    assert statistics.median(best / lane.wall_s for best, lane in zip(fixed, made, strict=False)) >= 0.95
    assert statistics.median(max(late(lane)) for lane in made) <= 28
    assert statistics.median(lane.p95_s / lane.unloaded_p95_s for lane in made) <= 1.8


def test_after_a_total_outage_the_lane_is_soon_back_and_hammered_nobody() -> None:
    for report in runs("outage"):
        starts = report.lanes[0].started_at
        assert sum(5 <= at < 15 for at in starts) <= 1.2 * 200
        assert sum(10 <= at < 20 for at in starts) <= 1.2 * 200
        assert sum(22.5 <= at < 23.5 for at in starts) >= 0.9 * 0.5 * 400 or report.wall_s < 23.5
        full = [sum(20 + t / 4 <= at < 21 + t / 4 for at in starts) for t in range(13)]
        assert max(full) >= 0.9 * 390


def test_each_model_of_a_host_is_loaded_once_and_its_slots_stay_busy() -> None:
    for seed in range(3):
        profile = load_profile(PROFILES / "affinity.toml")
        report = simulate(profile, 800, seed)
        lane = report.lanes[0]
        assert lane.loads == 4
        working = lane.wall_s - 4 * profile.providers[0].swap_s
        assert lane.busy * lane.wall_s / working >= 0.90


@pytest.mark.parametrize("name", ["bucket_20", "cap_40", "window_exact", "tokens", "outage"])
def test_the_time_of_a_lane_is_explained(name: str) -> None:
    for report in runs(name, calls=1500, seeds=1):
        for lane in report.lanes:
            assert sum(lane.attribution.parts().values()) == pytest.approx(1.0, abs=0.02)
    main = {"bucket_20": "requests", "cap_40": "concurrency", "window_exact": "requests", "tokens": "tokens"}
    if name in main:
        assert next(iter(lane.attribution.parts())) == main[name]


def test_ten_thousand_calls_take_less_than_five_seconds() -> None:
    report = simulate(load_profile(PROFILES / "bucket_100.toml"), 10_000, 0)
    # Half of that on a machine that does nothing else.
    assert report.cpu_s < 10.0


def test_the_same_seed_gives_the_same_run() -> None:
    profile = load_profile(PROFILES / "drop.toml")
    first, second = (simulate(profile, 1000, 7) for _ in range(2))
    assert first.lanes[0].started_at == second.lanes[0].started_at


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_profile_in_the_examples_runs(path: Path) -> None:
    assert simulate(load_profile(path), 40, 0).status == "complete"


def test_a_provider_that_hangs_costs_another_nothing_in_auto() -> None:
    quick = Provider(name="quick", share=20, limits=(Bucket(rate=40.0),))
    hung = Provider(name="hung", share=1, latency=Latency(median_s=3000.0))
    alone = simulate(SimulationProfile(providers=(quick,), cap="auto"), 2000, 0)
    both = simulate(SimulationProfile(providers=(quick, hung), cap="auto"), 2100, 0)
    lane = next(lane for lane in both.lanes if lane.name == "quick")
    assert alone.lanes[0].wall_s / lane.wall_s >= 0.95
