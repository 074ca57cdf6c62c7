"""Limits drawn by chance: `python -m benchmarks.families --seeds A:B [--steady] [--family NAME] [--jobs N]`.

For each family of hidden limits and each seed a provider is drawn: its rates, sizes, phases, latencies and
the calls in flight. Even seeds state nothing; odd seeds state what time refills in a style drawn by chance,
some of which lie. A row is efficiency beside a clairvoyant, refused requests a call, most refused in one
second.

Short runs have 300 to 600 calls from a cold start. `--steady` ones have 3,000 to 6,000, of which the part
from 40 % to 95 % counts. A run that takes more than twelve attempts a call is stopped: efficiency 0.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean as mean
from statistics import median
from typing import Any, get_args

import msgspec

from umwelten.control.memory import LaneMemory
from umwelten.simulate import profile as p
from umwelten.simulate.figures import share_of_run
from umwelten.simulate.run import LaneReport, simulate

ATTEMPTS = 12
"""A call: more is a storm."""

_WINDOWS = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0)
_STYLES = tuple(style for style in get_args(p.HeaderStyle) if style != "none")
_WAITS: tuple[Any, ...] = ("none", "exact", "padded", "constant", "date")


_UNSTATED = p.Concurrency | p.Quota | p.Slots
"""Limits of which nothing is stated, whatever the style."""


class Case(msgspec.Struct, frozen=True):
    """A family's profile of one seed and how many calls it gets."""

    family: str
    seed: int
    calls: int
    profile: p.SimulationProfile

    @property
    def style(self) -> str:
        """Return "blind", "honest" or "lies", by what its headers state."""
        provider = self.profile.providers[0]
        headers = provider.headers
        if headers == "none" or all(isinstance(limit, _UNSTATED) for limit in provider.limits):
            return "blind"
        return "lies" if headers in ("lie-high", "lie-zero", "stale", "other-unit") else "honest"


class Figures(msgspec.Struct, frozen=True):
    """What came of a case."""

    family: str
    seed: int
    style: str
    efficiency: float
    refused: float
    burst: int
    storm: bool
    s_to_90: float | None
    standstill: float
    closure: float
    unrelated: float
    cpu_ms: float
    wall_s: float


class _Draw:
    """Draws one case."""

    def __init__(self, family: str, seed: int, *, steady: bool) -> None:
        self.dice = random.Random(f"{family}/{seed}/{steady}")
        self.calls = round(self.log(3000, 6000) if steady else self.log(300, 600))
        self.steady = steady

    def log(self, low: float, high: float) -> float:
        """A number between two, evenly by its logarithm."""
        return math.exp(self.dice.uniform(math.log(low), math.log(high)))

    def rate(self) -> float:
        # A steady run of less than a call a second would take hours that teach nothing new.
        return self.log(0.5 if self.steady else 0.1, 300)

    def window(self) -> tuple[int, float, float]:
        """Size, length and phase. Windows longer than the run are no limit but a quota."""
        while True:
            length = self.dice.choice((*_WINDOWS, round(self.log(2, 400), 1)))
            size = round(self.log(5, min(3000, self.calls / 1.5)))
            if 0.1 <= size / length <= 300:
                return size, length, self.dice.uniform(0, length)

    def limits(self, family: str) -> tuple[p.AnyLimit, ...]:
        """The limits of a family."""
        size, length, phase = self.window()
        match family:
            case "fixed":
                return (p.Window(n=size, window_s=length, offset_s=phase),)
            case "sliding":
                return (p.Sliding(n=size, window_s=length),)
            case "counter":
                return (p.Weighted(n=size, window_s=length, offset_s=phase),)
            case "pair":
                return self.pair()
            case "pair_cap":
                rate = self.limits(self.dice.choice(["bucket", "sliding"]))
                return (p.Concurrency(n=round(self.log(2, 200))), *rate)
            case "quota":
                return (p.Quota(n=round(self.calls * self.dice.uniform(0.2, 0.7))),)
            case "queue":
                return (p.Slots(k=round(self.log(2, 200))),)
            case "cap" | "drop_cap":
                size = round(self.log(5 if family == "drop_cap" else 1, 300))
                return (p.Concurrency(n=size, change=self.fall(family, size / self.median)),)
        return self.flow(family)

    def flow(self, family: str) -> tuple[p.AnyLimit, ...]:
        """The limits of a family that time refills little by little; none for any other."""
        rate, dice = self.rate(), self.dice
        match family:
            case "others" if dice.random() < 0.3:
                return (p.Concurrency(n=round(self.log(10, 300))),)
            case "bucket" | "drop_bucket" | "others":
                burst = max(1.0, rate * dice.uniform(1, 2))
                return (p.Bucket(rate=rate, burst=burst, change=self.fall(family, rate)),)
            case "bucket_small":
                return (p.Bucket(rate=rate, burst=float(round(self.log(1, 60)))),)
            case "gcra":
                return (p.Gcra(rate=rate, tolerance=1.0),)
            case "tokens":
                per_minute = rate * 60 * 700
                return (p.TokenBucket(per_minute=per_minute, burst=per_minute / 60 * dice.uniform(1, 60)),)
        return ()

    def pair(self) -> tuple[p.AnyLimit, ...]:
        """A limit by the second and one by the minute, of which the second holds over the run."""
        by_minute = self.log(0.5, 60)
        by_second = by_minute * self.dice.uniform(1.3, 4)
        n = max(5, round(by_minute * 60))
        quick: p.AnyLimit = self.dice.choice(
            [
                p.Bucket(rate=by_second, burst=max(1.0, by_second)),
                p.Sliding(n=max(1, round(by_second)), window_s=1.0),
                p.Gcra(rate=by_second),
            ]
        )
        slow: p.AnyLimit = self.dice.choice(
            [
                p.Sliding(n=n, window_s=60.0),
                p.Window(n=n, window_s=60.0, offset_s=self.dice.uniform(0, 60)),
            ]
        )
        return (quick, slow)

    def fall(self, family: str, rate: float) -> p.Change | None:
        """A fall to a fifth, for the middle of the run."""
        if not family.startswith("drop"):
            return None
        span = self.calls / rate
        begin = span * self.dice.uniform(0.15, 0.3)
        return p.Change(from_s=begin, to_s=begin + span * self.dice.uniform(0.6, 1.2), factor=0.2)

    def case(self, family: str, seed: int) -> Case:
        """The whole case."""
        dice = self.dice
        self.median = self.log(0.2, 8 if self.steady else 20)
        limits = self.limits(family)
        hinted = seed % 2 == 1 and family not in ("none", "queue", "overload")
        tokens = p.TokenSizes()
        if family == "tokens":
            tokens = p.TokenSizes(input_min=50, input_max=950, output_median=200, output_sigma=0.6)
        provider = p.Provider(
            latency=p.Latency(median_s=self.median, sigma=0.35, stragglers=0.005, factor=6.0),
            tokens=tokens,
            limits=limits,
            headers=dice.choice(_STYLES) if hinted else "none",
            retry_after=dice.choice(_WAITS) if hinted else "none",
            round_trip_s=self.log(0.01, 0.2),
            round_trip_jitter=dice.uniform(0.02, 0.3),
            overload=p.Overload(status=429, share=self.log(0.01, 0.4)) if family == "overload" else None,
            others=p.Others(share=dice.uniform(0.1, 0.4), period_s=self.log(10, 300))
            if family == "others"
            else None,
        )
        profile = p.SimulationProfile(providers=(provider,), cap=dice.choice((200, 200, 1000)), title=family)
        return Case(family=family, seed=seed, calls=self.calls, profile=profile)


FAMILIES = (
    "bucket",
    "bucket_small",
    "gcra",
    "fixed",
    "sliding",
    "counter",
    "cap",
    "tokens",
    "pair",
    "pair_cap",
    "overload",
    "drop_bucket",
    "drop_cap",
    "others",
    "none",
    "queue",
    "quota",
)


def draw(family: str, seed: int, *, steady: bool = False) -> Case:
    """Return the case of a family and a seed; the same ones give the same case."""
    return _Draw(family, seed, steady=steady).case(family, seed)


def run(case: Case, *, steady: bool = False, memory: dict[str, LaneMemory] | None = None) -> Figures:
    """Simulate a case; lanes begin from what is in the `memory`, and what they learnt is put there."""
    report = simulate(case.profile, case.calls, case.seed, most_attempts=ATTEMPTS * case.calls, memory=memory)
    lane = report.lanes[0]
    storm = lane.attempts >= ATTEMPTS * case.calls
    efficiency, refused = _steady(lane) if steady else (lane.efficiency, lane.refused_per_call)
    overload = case.profile.providers[0].overload
    return Figures(
        family=case.family,
        seed=case.seed,
        style=case.style,
        efficiency=0.0 if storm else efficiency,
        refused=refused,
        burst=lane.most_refused_in_a_second,
        storm=storm,
        s_to_90=lane.s_to_90,
        standstill=lane.longest_standstill_s,
        closure=lane.longest_closure_s,
        unrelated=0.0 if overload is None else overload.share,
        cpu_ms=1000 * report.cpu_s / case.calls,
        wall_s=lane.wall_s,
    )


def _steady(lane: LaneReport) -> tuple[float, float]:
    """Efficiency and refusals a call between 40 % and 95 % of the calls."""
    ours, best = (share_of_run(times, 0.4, 0.95) for times in (lane.let_in_at, lane.ideal_let_in_at))
    if ours is None or best is None or lane.efficiency == 0.0:
        return 0.0, lane.refused_per_call
    took = ours[1] - ours[0]
    refused = sum(ours[0] <= at < ours[1] for at in lane.refused_at) / (0.55 * len(lane.let_in_at))
    share = min(1.0, lane.succeeded / len(lane.ideal_let_in_at))
    return share * (best[1] - best[0]) / took if took else share, refused


def _work(job: tuple[str, int, bool]) -> Figures:
    family, seed, steady = job
    return run(draw(family, seed, steady=steady), steady=steady)


def results(families: list[str], seeds: range, *, steady: bool, jobs: int) -> list[Figures]:
    """Return the figures of all cases."""
    work = [(family, seed, steady) for family in families for seed in seeds]
    if jobs == 1:
        return [_work(job) for job in work]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_work, work, chunksize=4))


_HEAD = (
    "family",
    "headers",
    "runs",
    "efficiency median / tenth / worst",
    "refused a call median / 90th / worst",
    "most in a second",
    "storms",
    "ms a call",
)


def table(rows: list[Figures]) -> Iterator[str]:
    """The figures by family and by what is stated, as a Markdown table."""
    yield f"| {' | '.join(_HEAD)} |"
    yield "|---" * len(_HEAD) + "|"
    for family in dict.fromkeys(row.family for row in rows):
        for style in ("blind", "honest", "lies"):
            part = [row for row in rows if (row.family, row.style) == (family, style)]
            if part:
                yield f"| {family} | {style} | {_cells(part)} |"
    yield f"| all | | {_cells(rows)} |"
    yield ""
    yield "; ".join(
        f"{words} {sum(map(test, rows))}"
        for words, test in {
            "above 1 refused a call:": lambda row: row.refused > 1,
            "above 0.3:": lambda row: row.refused > 0.3,
            "below half efficiency:": lambda row: row.efficiency < 0.5,
            "below 0.8:": lambda row: row.efficiency < 0.8,
            "standing still for more than twice the closure:": stood_still,
        }.items()
    )
    efficiency, refused = mean(row.efficiency for row in rows), mean(row.refused for row in rows)
    yield f"mean efficiency {efficiency:.3f}, refused {refused:.3f}"


def stood_still(row: Figures) -> bool:
    """Return whether a lane did nothing for longer than twice the longest closure, or three seconds."""
    return row.standstill > max(3.0, 2 * row.closure)


def _cells(rows: list[Figures]) -> str:
    efficiency = sorted(row.efficiency for row in rows)
    refused = sorted(row.refused for row in rows)
    tenth = max(0, math.ceil(len(rows) / 10) - 1)
    return (
        f"{len(rows)} | "
        f"{median(efficiency):.2f} / {efficiency[tenth]:.2f} / {efficiency[0]:.2f} | "
        f"{median(refused):.2f} / {refused[-1 - tenth]:.2f} / {refused[-1]:.2f} | "
        f"{max(row.burst for row in rows)} | {sum(row.storm for row in rows)} | "
        f"{median(row.cpu_ms for row in rows):.2f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0:6", help="from:to, `to` not among them")
    parser.add_argument("--steady", action="store_true", help="long runs, of which the later part counts")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="this one only; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--worst", type=int, default=0, help="list the worst runs")
    parser.add_argument("--show", action="store_true", help="print the profile of each listed run")
    args = parser.parse_args()
    first, _, last = args.seeds.partition(":")
    seeds = range(int(first), int(last or int(first) + 1))
    rows = results(args.family or list(FAMILIES), seeds, steady=args.steady, jobs=args.jobs)
    print("\n".join(table(rows)))
    for key in (lambda row: row.efficiency, lambda row: -row.refused):
        for row in sorted(rows, key=key)[: args.worst]:
            print(row)
            if args.show:
                print("   ", draw(row.family, row.seed, steady=args.steady))


if __name__ == "__main__":
    main()
