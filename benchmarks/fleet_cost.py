"""What a call costs with workers on Ray: `python -m benchmarks.fleet_cost [--workers N …] [--null]`.

The same calls by one process and by workers, in turn, against a provider that is not counted:
CPU per call of the coordinator, of its workers and of Ray's processes, without that of a run of few calls.
`--null`: workers that answer without a request, so that the coordinator is what is measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.contestants import UMWELTEN, Work  # noqa: E402
from benchmarks.provider import Provider, provider  # noqa: E402
from benchmarks.rounds import end_well, figure, machine, new_folder, note, table  # noqa: E402
from reliability.processes import CpuWatch, Family, Process  # noqa: E402

IN_FLIGHT = 400
FEW = 400
"""Calls of the run that is taken off: all workers start, connect and have something to do."""
SUM, COORDINATOR, NULL_PER_S = 1.7, 0.65, 9000.0
"""What is promised: CPU of all and of the coordinator beside one machine; calls a second of null workers."""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of a run, by whose they are, and how long its calls took."""

    coordinator: float
    workers: float
    ray: float
    wall_s: float

    def less(self, start: Spent, calls: int) -> Spent:
        """The same per call in ms, without a run of `FEW` calls; the time from both as calls a second."""
        share = 1000 / (calls - FEW)
        return Spent(
            (self.coordinator - start.coordinator) * share,
            (self.workers - start.workers) * share,
            (self.ray - start.ray) * share,
            (calls - FEW) / (self.wall_s - start.wall_s),
        )

    @property
    def sum(self) -> float:
        """Of all."""
        return self.coordinator + self.workers + self.ray


def spend(served: Provider, calls: int, options: Sequence[str], null: bool, latency_s: float) -> Spent:
    """Make so many calls."""
    served.use({"records": 0, "default": {"latency_s": latency_s}})
    more = ("--progress", "plain", "--no-share-limits", *(("--texts", "off") if null else ()), *options)
    work = Work(url=served.url, folder=new_folder(), calls=calls, in_flight=IN_FLIGHT, options=more)
    command, env = UMWELTEN.command(work)
    family = Family()
    if null:
        command[2] = "benchmarks.null_workers"
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    with (work.folder / "said.txt").open("wb") as said, CpuWatch(family) as watch:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=work.folder,
            env={**env, **family.env},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            status = process.wait(600)
            wall_s = time.perf_counter() - began
        finally:
            family.end()
    assert status == 0, (work.folder / "said.txt").read_text()[-2000:]
    groups = {"coordinator": 0.0, "workers": 0.0, "ray": 0.0}
    for each in watch.seen.values():
        groups[_group(each, process.pid)] += each.cpu_s
    return Spent(groups["coordinator"], groups["workers"], groups["ray"], wall_s)


def _group(process: Process, coordinator: int) -> str:
    if process.pid == coordinator:
        return "coordinator"
    return "workers" if process.command.startswith("ray::WorkerActor") else "ray"


def measure(
    served: Provider, calls: int, rounds: int, workers: Sequence[int], null: bool, latency_s: float
) -> tuple[str, bool]:
    """Return the table, and whether the promise is kept."""
    ways: dict[str, tuple[str, ...]] = {} if null else {"one machine": ()}
    ways |= {f"{count} workers": ("--engine", "ray", "--workers", str(count)) for count in workers}
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, options in ways.items():
            note(f"… {name}")
            start = spend(served, FEW, options, null, latency_s)
            spent[name].append(spend(served, calls, options, null, latency_s).less(start, calls))
    rows, kept = [], True
    alone = figure(each.sum for each in spent.get("one machine", [])).values
    for name, each in spent.items():
        total, coordinator = figure(one.sum for one in each), figure(one.coordinator for one in each)
        rate = figure(one.wall_s for one in each)
        beside = [
            f"{one.sum / base:.2f}, {one.coordinator / base:.2f}"
            for one, base in zip(each, alone, strict=False)
        ]
        rows.append(
            [
                name,
                rate.text(0),
                coordinator.text(3),
                figure(one.workers for one in each).text(3),
                figure(one.ray for one in each).text(3),
                total.text(3),
                "; ".join(beside) or "–",
            ]
        )
        if null:
            kept = kept and rate.median >= NULL_PER_S
        elif name != "one machine":
            base = figure(alone).median
            kept = kept and total.median <= SUM * base and coordinator.median <= COORDINATOR * base
    head = (
        "who",
        "calls/s",
        "coordinator ms",
        "workers ms",
        "Ray ms",
        "sum ms",
        "sum, coordinator × one machine",
    )
    kind = "null workers, no text files" if null else "every answer read, committed and written as text"
    return table(f"CPU per call, {calls:,} calls, {kind}{'' if kept else ': MISSED'}", head, rows), kept


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 if it costs more than promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_cost", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--workers", type=int, action="append", help="repeatable; 2 and 4 if left out")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--null", action="store_true")
    parser.add_argument(
        "--latency",
        type=float,
        default=0.0,
        help="seconds an answer takes; 0.5 s and more: "
        "messages are gathered for 10 ms, otherwise for as little as 1 ms",
    )
    options = parser.parse_args(arguments)
    end_well()
    with provider() as served:
        print(f"{machine()}; {options.latency:g} s an answer, {IN_FLIGHT} in flight\n", flush=True)
        workers = options.workers or [2, 4]
        shown, kept = measure(served, options.calls, options.rounds, workers, options.null, options.latency)
    print(shown)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
