"""The lanes over a virtual network: `python -m benchmarks.fleet_control [PART] [SEEDS] [CALLS] [WORKERS]`.

Every cell of `benchmarks.control` on one machine, and with workers whose frames take 5 ms each way and wait
1 ms there. `!` marks a cell whose efficiency is more than 0.03 below that of one machine, or whose refusals
per call are more than 0.02 above.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from itertools import product
from typing import Any

from benchmarks.control import PROFILES, TARGETS
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, AttemptRunner
from umwelten.fleet.interfaces import AssignedCall, WorkerHost
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.virtual import VirtualCarrier
from umwelten.simulate.profile import load_profile
from umwelten.simulate.run import Report, TellConnection, simulate
from umwelten.types import Call, Turn

OUT_S, BACK_S = 0.006, 0.005
SPIKES, SPIKE_S = 0.02, 0.2
"""So many frames take so much longer on a machine that others use as well."""
LESS_EFFICIENT, MORE_REFUSED = 0.03, 0.02
UNEVEN = ("cap_40", "bucket_20_blind", "bucket_100_blind")
MORE_SEEDS = {"noise": 3}
"""Refusals by chance: medians of five runs differ by 0.06 of themselves."""


class VirtualWorkerRunner:
    """Makes the attempts of a virtual worker at virtual providers; a `WorkerRunner`."""

    room, missing = 10_000, ()

    def __init__(self, runner: AttemptRunner) -> None:
        self._runner = runner

    def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> Coroutine[Any, Any, AttemptResult]:
        """Make an attempt."""
        return self._runner(call, turns, on_text, lane)

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Virtual providers ask for none."""

    def set_timeout(self, timeout_s: float) -> None:
        """There is no limit."""

    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        """There are no fields."""

    async def close(self) -> None:
        """Nothing is held."""


class VirtualFleet:
    """Virtual workers between an engine and its providers; a `simulate.run.Between`.

    Frames take between `least_s` and `most_s` each way, drawn from `seed`, and a part `spikes` of them
    `SPIKE_S` more; always as long where these are not given.
    """

    def __init__(
        self,
        workers: int,
        least_s: float | None = None,
        most_s: float = 0.0,
        seed: int = 0,
        spikes: float = 0.0,
    ) -> None:
        self._workers, self._least_s, self._most_s, self._spikes = workers, least_s, most_s, spikes
        self._dice = random.Random(seed)
        self._hosts: list[WorkerHost] = []
        self.carrier: VirtualCarrier | None = None
        self.remote: RemoteRunner | None = None
        self._engine: Engine | None = None

    async def open(self, runner: AttemptRunner, tell: TellConnection) -> AttemptRunner:
        """Start the workers."""

        async def build(payload: bytes, host: WorkerHost) -> VirtualWorkerRunner:
            self._hosts.append(host)
            return VirtualWorkerRunner(runner)

        self.carrier = VirtualCarrier(
            build,
            workers=self._workers,
            delay_out=lambda: self._delay(OUT_S),
            delay_back=lambda: self._delay(BACK_S),
        )
        self.remote = RemoteRunner(
            self.carrier,
            setup=b"",
            on_connected=lambda lane, took_s, transit_s: tell(lane, took_s + transit_s),
        )
        await self.remote.open()
        return self.remote

    def on_connected(self, lane: str, took_s: float) -> None:
        """Have a worker say that it has a connection."""
        self._hosts[0].on_connected(lane, took_s)

    def _delay(self, usual_s: float) -> float:
        if self._least_s is None:
            return usual_s
        spike_s = SPIKE_S if self._dice.random() < self._spikes else 0.0
        return self._dice.uniform(self._least_s, self._most_s) + spike_s

    def begin(self, engine: Engine) -> None:
        """Take note of the engine."""
        self._engine = engine

    async def close(self) -> None:
        """End the workers."""
        assert self.remote is not None
        await self.remote.close()


def cell(name: str, seeds: int, calls: int, workers: int) -> tuple[list[Report], list[Report]]:
    """Return the runs of a cell on one machine and over workers."""
    profile = load_profile(PROFILES / f"{name}.toml")
    alone = [simulate(profile, calls, seed) for seed in range(seeds)]
    over = [simulate(profile, calls, seed, between=VirtualFleet(workers)) for seed in range(seeds)]
    return alone, over


def uneven_cell(
    name: str, seeds: Iterable[int], calls: int, workers: int, spikes: float = 0.0
) -> list[Report]:
    """Return the runs of a cell over a network that takes 10 to 60 ms each way, as on a busy machine."""
    profile = load_profile(PROFILES / f"{name}.toml")
    return [
        simulate(profile, calls, seed, between=VirtualFleet(workers, 0.01, 0.06, seed, spikes))
        for seed in seeds
    ]


def figures(reports: list[Report]) -> tuple[float, float]:
    """Return the median efficiency and refusals per call."""
    return (
        statistics.median(report.efficiency for report in reports),
        statistics.median(report.refused_per_call for report in reports),
    )


def is_within(alone: list[Report], over: list[Report]) -> bool:
    """Return whether workers lose no more than they may."""
    (e, r), (over_e, over_r) = figures(alone), figures(over)
    whole = not any(report.lost or report.twice for report in over)
    return over_e >= e - LESS_EFFICIENT and over_r <= r + MORE_REFUSED and whole


def main(part: str = "", seeds: int = 5, calls: int = 3000, workers: int = 4) -> int:
    """Print the table, or the rows whose names hold `part`; returns how many lose too much."""
    worse = 0
    print(f"{'':20}one machine      {workers} workers        difference", flush=True)
    for name in TARGETS:
        if part and part not in name:
            continue
        began = time.perf_counter()
        alone, over = cell(name, seeds * MORE_SEEDS.get(name, 1), calls, workers)
        (e, r), (over_e, over_r) = figures(alone), figures(over)
        mark = " " if is_within(alone, over) else "!"
        worse += mark == "!"
        print(
            f"{mark} {name:18} {e:.3f} / {r:.4f}   {over_e:.3f} / {over_r:.4f}"
            f"   {over_e - e:+.3f} / {over_r - r:+.4f}   {over[0].status}"
            f"{' LOST' if any(x.lost for x in over) else ''}{' TWICE' if any(x.twice for x in over) else ''}"
            f"  [{time.perf_counter() - began:.1f}]",
            flush=True,
        )
    for name, spikes in product(UNEVEN, (0.0, SPIKES)):
        if part in name:
            uneven = uneven_cell(name, range(seeds), calls, workers, spikes)
            e, r = figures(uneven)
            kinds = ", ".join(sorted({report.lanes[0].kind for report in uneven}))
            print(
                f"  {name}, 10 to 60 ms, spikes {spikes:.0%}: {e:.3f} / {r:.4f}, taken for {kinds}",
                flush=True,
            )
    return worse


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2], *(int(arg) for arg in sys.argv[2:5])))
