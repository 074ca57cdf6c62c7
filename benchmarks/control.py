"""What the lanes must master, in virtual time: `python -m benchmarks.control [PART] [SEEDS] [CALLS]`."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from umwelten.simulate.profile import load_profile
from umwelten.simulate.run import Report, simulate

PROFILES = Path(__file__).parent.parent / "examples" / "profiles"

TARGETS: dict[str, tuple[float, float | None]] = {
    "free": (0.95, 0.0),
    "bucket_20": (0.95, 0.01),
    "bucket_100": (0.95, 0.01),
    "bucket_20_exact": (0.93, 0.04),
    "bucket_100_exact": (0.93, 0.04),
    "bucket_20_blind": (0.93, 0.04),
    "bucket_100_blind": (0.93, 0.04),
    "bucket_20_padded": (0.93, 0.04),
    "bucket_100_padded": (0.93, 0.04),
    "window_exact": (0.90, 0.03),
    "window_short": (0.90, 0.03),
    "window_long": (0.90, 0.03),
    "window_headers": (0.90, 0.03),
    "window_blind": (0.90, 0.03),
    "window_minute": (0.90, 0.03),
    "sliding": (0.90, 0.03),
    "gcra": (0.90, 0.05),
    "gcra_blind": (0.90, 0.05),
    "cap_40": (0.93, 0.03),
    "cap_40_short": (0.93, 0.03),
    "queue_16": (0.95, None),
    "tokens": (0.95, 0.005),
    "tokens_requests": (0.90, 0.04),
    "drop": (0.90, 0.05),
    "drop_headers": (0.90, 0.05),
    "drop_blind": (0.90, 0.05),
    "drop_cap": (0.90, 0.05),
    "outage": (0.90, None),
    "three": (0.95, 0.05),
    "three_blind": (0.95, 0.05),
    "noise": (0.50, 0.12),
    "noise_bucket": (0.85, 0.35),
}


def cell(name: str, seeds: int, calls: int) -> list[Report]:
    """One cell's runs."""
    profile = load_profile(PROFILES / f"{name}.toml")
    return [simulate(profile, calls, seed) for seed in range(seeds)]


def line(name: str, reports: list[Report]) -> str:
    """A row of the table; `!` marks a figure that misses its target."""
    efficiency, refused = TARGETS.get(name, (0.9, 0.05))
    e = statistics.median(r.efficiency for r in reports)
    r = statistics.median(r.refused_per_call for r in reports)
    worst = min(r.efficiency for r in reports)
    last = reports[0]
    kinds = ",".join(lane.kind for lane in last.lanes)
    bad = (e < efficiency) or (refused is not None and r > refused)
    return (
        f"{'!' if bad else ' '} {name:18} {e:6.3f} (>= {efficiency:.2f}, worst {worst:.3f})  "
        f"r {r:7.4f} (<= {refused if refused is not None else '-'})  {last.wall_s:7.1f} s"
        f"  cpu {sum(r.cpu_s for r in reports) / len(reports):4.2f}  {kinds} {last.status}"
        f"{' LOST' if last.lost else ''}{' TWICE' if last.twice else ''}"
    )


def outage(report: Report, begin: float = 5.0, end: float = 20.0) -> str:
    """What happened in and after the outage."""
    lane = report.lanes[0]
    inside = sum(begin <= at < end for at in lane.started_at)
    seconds = [sum(end + i <= at < end + i + 1 for at in lane.started_at) for i in range(5)]
    return (
        f"    attempts in 15 s of outage {inside} (<= {1.2 * 200 * 1.5:.0f}); starts a second after {seconds}"
    )


def queue(report: Report) -> str:
    """Where the level settled."""
    lane = report.lanes[0]
    late = [s.in_flight for s in lane.samples if s.at_s > 0.3 * lane.wall_s]
    return (
        f"    in flight later: mean {statistics.mean(late):.1f} max {max(late)} (<= 28); "
        f"p95 {lane.p95_s:.3f} / {lane.unloaded_p95_s:.3f} = {lane.p95_s / lane.unloaded_p95_s:.2f} (<= 1.8)"
    )


def main(part: str = "", seeds: int = 5, calls: int = 3000) -> None:
    """Print the table, or the rows whose names hold `part`."""
    for name in TARGETS:
        if part and part not in name:
            continue
        began = time.perf_counter()
        reports = cell(name, seeds, calls)
        print(line(name, reports), f"[{time.perf_counter() - began:.1f}]", flush=True)
        if name == "outage":
            print(outage(reports[0]))
        if name == "queue_16":
            print(queue(reports[0]))
        if len(reports[0].lanes) > 1:
            for lane in reports[0].lanes:
                print(f"    {lane.name}: {lane.efficiency:.3f} r {lane.refused_per_call:.3f} {lane.kind}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(arg) for arg in sys.argv[2:4]))
