"""Rate limits over real sockets: `python -m benchmarks.limits [CELL …] [--rounds N] [--small]`.

Each contestant is asked to keep up to 200 calls in flight against a provider whose limit it is not told.
Efficiency is ideal / measured time from the first request to the last answer, as the provider saw it,
so that starting up costs nobody anything; `r` is refused requests per call. What is not done when its
time is up says how far it came.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants import INSPECT, PROMPTFOO, UMWELTEN, Contestant, Work
from benchmarks.provider import Provider, provider
from benchmarks.rounds import (
    Job,
    Shot,
    end_well,
    figure,
    in_turn,
    machine,
    new_folder,
    note,
    present,
    table,
    varied,
)

LATENCY_S = 0.5
IN_FLIGHT = 200
WINDOW_S = 10.0
"""The 60 s window at a sixth of its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A hidden limit and the shortest time in which `calls` can be answered under it, first to last."""

    name: str
    calls: int
    ideal_s: float
    limiters: tuple[dict[str, Any], ...] = ()


def bucket(rate: float, **how: Any) -> dict[str, Any]:
    """A bucket that holds a second's worth."""
    return {"kind": "bucket", "rate": rate, "burst": rate, **how}


def bucket_ideal_s(rate: float, calls: int) -> float:
    """The burst at once, the rest as it refills, and the last answer's latency."""
    return max(0.0, calls - rate) / rate + LATENCY_S


def slots_ideal_s(slots: int, calls: int) -> float:
    """So many at a time, without a gap."""
    return math.ceil(calls / slots) * LATENCY_S


def cells(scale: float) -> list[Cell]:
    """The seven situations; `scale` 1 is a few hundred calls each."""

    def size(calls: int) -> int:
        return max(8, round(calls * scale))

    silent = {"hints": "none", "headers": "none"}
    per_window = size(200)
    return [
        Cell(name="no limit", calls=size(1000), ideal_s=slots_ideal_s(IN_FLIGHT, size(1000))),
        Cell(
            name="20/s, headers and exact hints",
            calls=size(600),
            ideal_s=bucket_ideal_s(20, size(600)),
            limiters=(bucket(20),),
        ),
        Cell(
            name="100/s, headers and exact hints",
            calls=size(2000),
            ideal_s=bucket_ideal_s(100, size(2000)),
            limiters=(bucket(100),),
        ),
        Cell(
            name="20/s, no hint at all",
            calls=size(600),
            ideal_s=bucket_ideal_s(20, size(600)),
            limiters=(bucket(20, **silent),),
        ),
        Cell(
            name="20/s, Retry-After padded to 30 s",
            calls=size(600),
            ideal_s=bucket_ideal_s(20, size(600)),
            limiters=(bucket(20, hints=30.0, headers="none"),),
        ),
        Cell(
            name=f"{per_window} in each {WINDOW_S:g} s window, exact hints",
            calls=size(800),
            ideal_s=(math.ceil(size(800) / per_window) - 1) * WINDOW_S + LATENCY_S,
            limiters=({"kind": "window", "n": per_window, "window_s": WINDOW_S, "headers": "none"},),
        ),
        Cell(
            name="40 at a time, else 429",
            calls=size(1000),
            ideal_s=slots_ideal_s(40, size(1000)),
            limiters=({"kind": "concurrency", "n": 40, **silent},),
        ),
        Cell(
            name="16 slots, queues, never refuses",
            calls=size(400),
            ideal_s=slots_ideal_s(16, size(400)),
            limiters=({"kind": "slots", "k": 16},),
        ),
    ]


def measure(
    cell: Cell, contestants: Sequence[Contestant], rounds: int, served: Provider, limit_s: float
) -> str:
    """The table of one cell."""
    job = Job(
        calls=cell.calls,
        in_flight=IN_FLIGHT,
        behaviour={"latency_s": LATENCY_S},
        limiters=cell.limiters,
        records=True,
        limit_s=limit_s,
    )
    jobs = [(each.name, each, job) for each in contestants]
    if UMWELTEN in contestants:
        jobs.insert(1, ("umwelten auto", UMWELTEN, varied(job, auto=True)))
        twice = _remembering(new_folder())
        jobs += [("umwelten, first run", twice, job), ("umwelten, second run", twice, job)]
    shots = in_turn(jobs, rounds, served)
    rows = [_row(name, each, cell) for name, each in shots.items()]
    head = ("who", "efficiency", "s", "refused per call", "peak in flight", "done")
    return table(f"{cell.name}: {cell.calls} calls, ideal {cell.ideal_s:.1f} s", head, rows)


def _remembering(state: Path) -> Contestant:
    """umwelten with a folder where it finds what its runs before learnt."""

    def command(work: Work) -> tuple[list[str], dict[str, str]]:
        line, env = UMWELTEN.command(work)
        return line, env | {"XDG_STATE_HOME": str(state)}

    return Contestant(name=UMWELTEN.name, missing=UMWELTEN.missing, command=command)


def _row(name: str, shots: Sequence[Shot], cell: Cell) -> list[str]:
    last = shots[-1]
    refused = figure(shot.refused / cell.calls for shot in shots).text(3)
    peak = str(max(shot.peak for shot in shots))
    efficiency = figure(shot.efficiency(cell.calls, cell.ideal_s) for shot in shots)
    spans = figure(cell.ideal_s / value for value in efficiency.values)
    return [name, efficiency.text(3), spans.text(1), refused, peak, last.state(cell.calls)]


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the cells whose names hold one of the words given, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="CELL", help="part of a cell's name")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a few calls each: does the harness work?")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of calls")
    parser.add_argument("--only", action="append", metavar="NAME", help="these contestants alone; repeatable")
    parser.add_argument("--limit", type=float, default=120.0, metavar="SECONDS", help="for each job")
    options = parser.parse_args(arguments)
    end_well()
    everybody = (UMWELTEN, INSPECT, PROMPTFOO)
    who = present([each for each in everybody if not options.only or each.name in options.only])
    with provider() as served:
        print(f"{machine()}; {LATENCY_S} s an answer, up to {IN_FLIGHT} in flight\n", flush=True)
        for cell in cells(0.02 if options.small else options.scale):
            if not options.words or any(word in cell.name for word in options.words):
                note(f"… {cell.name}")
                print(measure(cell, who, options.rounds, served, options.limit), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
