"""Several runs on one account: `python -m benchmarks.sharing [CELL …] [--processes 4] [--rounds N]`.

The same calls against one hidden limit: by one process, by several that share it, and by several that know
nothing of each other. `held` is ideal / measured time from the first request to the last answer, as the
provider saw it; `refused` is refused requests per call.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import UMWELTEN, Work
from benchmarks.limits import IN_FLIGHT, LATENCY_S, Cell, bucket, bucket_ideal_s, slots_ideal_s
from benchmarks.provider import Provider, provider
from benchmarks.rounds import end_well, figure, machine, new_folder, note, table

SILENT = {"hints": "none", "headers": "none"}


def cells(scale: float) -> list[Cell]:
    """The situations; `scale` 1 takes some twenty seconds each."""
    rate, cap, window = round(2000 * scale), round(1600 * scale), round(1000 * scale)
    return [
        Cell(
            name="bucket of 100/s, no hint",
            calls=rate,
            ideal_s=bucket_ideal_s(100, rate),
            limiters=(bucket(100, **SILENT),),
        ),
        Cell(
            name="cap of 40, no hint",
            calls=cap,
            ideal_s=slots_ideal_s(40, cap),
            limiters=({"kind": "concurrency", "n": 40, **SILENT},),
        ),
        Cell(
            name="window of 200 in 5 s, no hint",
            calls=window,
            ideal_s=(math.ceil(window / 200) - 1) * 5.0 + LATENCY_S,
            limiters=({"kind": "window", "n": 200, "window_s": 5.0, **SILENT},),
        ),
        Cell(
            name="100/s, headers and exact hints",
            calls=rate,
            ideal_s=bucket_ideal_s(100, rate),
            limiters=(bucket(100),),
        ),
        Cell(
            name="no limit",
            calls=cap,
            ideal_s=slots_ideal_s(IN_FLIGHT, cap),
        ),
    ]


def measure(cell: Cell, processes: int, rounds: int, served: Provider, auto: bool) -> str:
    """Return the table of one cell."""
    ways = [("one process", 1, True), (f"{processes} sharing", processes, True)]
    ways.append((f"{processes} on their own", processes, False))
    shots: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name, _, _ in ways}
    for _ in range(rounds):
        for name, count, share in ways:
            shots[name].append(_shoot(cell, count, share, served, auto))
    rows = []
    for name, figures in shots.items():
        held, refused, wall, cpu = (figure(values) for values in zip(*figures, strict=True))
        rows.append([name, held.text(3), refused.text(3), wall.text(1), cpu.text(2)])
    head = ("who", "held", "refused per call", "s", "ms CPU per call")
    return table(f"{cell.name}: {cell.calls} calls, ideal {cell.ideal_s:.1f} s", head, rows)


def _shoot(
    cell: Cell, processes: int, share: bool, served: Provider, auto: bool
) -> tuple[float, float, float, float]:
    """Held, refused per call, seconds, and CPU per call, of so many processes at once."""
    served.use({"records": 4 * cell.calls, "default": {"latency_s": LATENCY_S}, "limiters": cell.limiters})
    state = new_folder()
    options = ("--progress", "plain", "--share-limits" if share else "--no-share-limits")
    started = time.perf_counter()
    before = os.times()
    children = []
    for _ in range(processes):
        work = Work(
            url=served.url,
            folder=new_folder(),
            calls=cell.calls // processes,
            in_flight=IN_FLIGHT,
            auto=auto,
            options=options,
        )
        command, env = UMWELTEN.command(work)
        with Path(work.folder, "said.txt").open("wb") as said:
            child = subprocess.Popen(
                command,
                cwd=work.folder,
                env={**env, "XDG_STATE_HOME": str(state)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        children.append((child, work))
    for child, work in children:
        if child.wait(300) != 0:
            note(f"status {child.returncode}: {Path(work.folder, 'said.txt').read_text()[-800:]}")
    wall_s, after = time.perf_counter() - started, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    ledger = served.ledger()
    records, totals = ledger["records"], ledger["totals"]
    ends = [record["done_s"] for record in records if record["fate"] == "answered"]
    calls = cell.calls // processes * processes
    held = cell.ideal_s / max(ends) if len(ends) == calls else math.nan
    return held, totals["refused"] / calls, wall_s, 1000 * cpu_s / calls


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the cells whose names hold one of the words given, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="CELL", help="part of a cell's name")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of calls")
    parser.add_argument("--auto", action="store_true", help="each lane finds its own level")
    options = parser.parse_args(arguments)
    end_well()
    with provider() as served:
        print(f"{machine()}; {LATENCY_S} s an answer, {IN_FLIGHT} in flight a process\n", flush=True)
        for cell in cells(options.scale):
            if not options.words or any(word in cell.name for word in options.words):
                print(measure(cell, options.processes, options.rounds, served, options.auto), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
