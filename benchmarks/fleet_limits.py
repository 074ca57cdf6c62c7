"""A hidden limit and workers on Ray: `python -m benchmarks.fleet_limits [CELL …] [--workers 4] [--nodes 2]`.

The same calls against the same limit, by one process that makes them itself and by one whose workers on Ray
make them, in turn. `held` is ideal / measured time from the first request to the last answer, as the provider
saw it; `refused` is refused requests per call.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.contestants import UMWELTEN  # noqa: E402
from benchmarks.limits import IN_FLIGHT, LATENCY_S, Cell, bucket, bucket_ideal_s, slots_ideal_s  # noqa: E402
from benchmarks.provider import CORES, Provider, provider  # noqa: E402
from benchmarks.rounds import Job, Shot, end_well, figure, in_turn, machine, note, table  # noqa: E402
from reliability.ray_cluster import cluster  # noqa: E402

SILENT = {"hints": "none", "headers": "none"}
HELD, MORE_REFUSED = (0.93, 1.02), 0.02
"""What is promised: the limit is held so far, and so many more calls are refused than by one machine."""


def cells(scale: float) -> list[Cell]:
    """The situations, the promised three first; `scale` 1 takes some twenty seconds each."""
    rate, cap, slow, window = (round(calls * scale) for calls in (2000, 1600, 400, 1000))
    return [
        Cell(
            name="100/s, blind",
            calls=rate,
            ideal_s=bucket_ideal_s(100, rate),
            limiters=(bucket(100, **SILENT),),
        ),
        Cell(name="100/s, headers", calls=rate, ideal_s=bucket_ideal_s(100, rate), limiters=(bucket(100),)),
        Cell(
            name="cap of 40, blind",
            calls=cap,
            ideal_s=slots_ideal_s(40, cap),
            limiters=({"kind": "concurrency", "n": 40, **SILENT},),
        ),
        Cell(
            name="20/s, blind", calls=slow, ideal_s=bucket_ideal_s(20, slow), limiters=(bucket(20, **SILENT),)
        ),
        Cell(
            name="300/s, headers",
            calls=3 * rate,
            ideal_s=bucket_ideal_s(300, 3 * rate),
            limiters=(bucket(300),),
        ),
        Cell(
            name="window of 200 in 5 s, blind",
            calls=window,
            ideal_s=(math.ceil(window / 200) - 1) * 5.0 + LATENCY_S,
            limiters=({"kind": "window", "n": 200, "window_s": 5.0, **SILENT},),
        ),
        _dropping(rate),
        Cell(name="no limit", calls=cap, ideal_s=slots_ideal_s(IN_FLIGHT, cap)),
    ]


def _dropping(calls: int) -> Cell:
    """100/s that falls to 30/s for five seconds in the middle."""
    at_s, low_s, low = 6.0, 5.0, 30.0
    fallen = {"from_s": at_s, "to_s": at_s + low_s, "factor": low / 100}
    late = calls - 100 - 100 * at_s - low * low_s
    ideal_s = bucket_ideal_s(100, calls) if late <= 0 else at_s + low_s + late / 100 + LATENCY_S
    limiter = bucket(100, change=fallen, **SILENT)
    return Cell(name="100/s that falls to 30/s, blind", calls=calls, ideal_s=ideal_s, limiters=(limiter,))


def measure(cell: Cell, ways: dict[str, tuple[str, ...]], rounds: int, served: Provider) -> tuple[str, bool]:
    """Return the table of one cell, and whether the promise is kept."""
    job = Job(
        calls=cell.calls,
        in_flight=IN_FLIGHT,
        behaviour={"latency_s": LATENCY_S},
        limiters=cell.limiters,
        records=True,
        limit_s=4 * cell.ideal_s + 60,
        cores=frozenset(CORES),  # a cluster on one core takes half a minute to start
    )
    plain = ("--progress", "plain", "--no-share-limits")
    jobs = [(name, UMWELTEN, replace(job, options=(*plain, *options))) for name, options in ways.items()]
    shots = in_turn(jobs, rounds, served)
    rows, (alone, *others) = [], shots.values()
    for name, each in shots.items():
        held = figure(shot.efficiency(cell.calls, cell.ideal_s) for shot in each)
        refused = figure(shot.refused / cell.calls for shot in each)
        wall = figure(shot.ran.wall_s for shot in each)
        rows.append([name, held.text(3), refused.text(3), wall.text(1), each[-1].state(cell.calls)])
    kept = all(_kept(cell, alone, each) for each in others)
    head = ("who", "held", "refused per call", "s in all", "done")
    title = f"{cell.name}: {cell.calls} calls, ideal {cell.ideal_s:.1f} s{'' if kept else ', MISSED'}"
    return table(title, head, rows), kept


def _kept(cell: Cell, alone: Sequence[Shot], workers: Sequence[Shot]) -> bool:
    held = figure(shot.efficiency(cell.calls, cell.ideal_s) for shot in workers).median
    more = figure(shot.refused for shot in workers).median - figure(shot.refused for shot in alone).median
    return HELD[0] <= held <= HELD[1] and more / cell.calls <= MORE_REFUSED


@contextmanager
def engine(nodes: int) -> Iterator[str]:
    """The value of `--engine`: a Ray of the run's own, or a cluster of two nodes."""
    if nodes == 1:
        yield "ray"
        return
    with cluster({"OPENAI_API_KEY": "bench"}) as running:
        yield f"ray:{running.address}"


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the cells whose names hold one of the words given, all by default; 1 if the limit
    is not held as promised in one of the first three."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_limits", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="CELL", help="part of a cell's name")
    parser.add_argument("--workers", type=int, action="append", help="repeatable; 4 if left out")
    parser.add_argument("--nodes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of calls")
    options = parser.parse_args(arguments)
    end_well()
    kept = True
    with provider() as served, engine(options.nodes) as name:
        ways = {"one machine": ()} | {
            f"{count} workers": ("--engine", name, "--workers", str(count))
            for count in options.workers or [4]
        }
        print(
            f"{machine()}; {LATENCY_S} s an answer, {IN_FLIGHT} in flight, {options.nodes} nodes\n",
            flush=True,
        )
        for number, cell in enumerate(cells(options.scale)):
            if not options.words or any(word in cell.name for word in options.words):
                note(f"… {cell.name}")
                shown, held = measure(cell, ways, options.rounds, served)
                kept = kept and (held or number > 2)
                print(shown, flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
