"""Workers and files that are unlike the others: `python -m benchmarks.fleet_skew [slow] [large]`.

`slow`: four workers have a tenth of a core each (they are stopped in between), or one of them a quarter of
that; the calls are made as if that worker counted a quarter. `large`: one file of 50 MB among small ones,
that the workers read or that is sent to them: how long the calls of the small ones take.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.rounds import end_well, machine, note, table  # noqa: E402
from provider import provider_process  # noqa: E402
from reliability.fleet_runs import FleetRun  # noqa: E402
from reliability.fleet_scenarios import blind_node, on_cluster  # noqa: E402
from umwelten.simulate.faultserver.profile import Behaviour, Profile  # noqa: E402

WHOLE, SLOW = 0.1, 0.025
"""Shares of a core that workers have. A tenth: four of them stay below what coordinator and provider can do
on the rest of two cores, so that the workers are what limits the run."""
LOOK_EVERY_S, SAVED_S = 0.005, 0.1
CALLS, IN_FLIGHT = 12_000, 600
MOST_WALL, MOST_DELAY_S = 1.15, 0.1
"""What is promised: 1.15 times the time of three workers and a quarter; no small call waits longer than this
for a large file."""


def slow(root: Path, rounds: int) -> tuple[str, bool]:
    """Return the table of a slow worker, and whether the promise is kept."""
    taken: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    with provider_process(Profile(records=0)) as server:
        for number in range(rounds):
            for slowed in taken:
                note(f"… {'one slow' if slowed else 'all alike'}")
                run = FleetRun(root / f"{number}{slowed}", server, CALLS, in_flight=IN_FLIGHT)
                taken[slowed].append(_taken(run, slowed))
    names = {False: f"four with {100 * WHOLE:g} % of a core", True: f"one of them with {100 * SLOW:g} %"}
    rates, rows = {}, []
    for slowed, name in names.items():
        rates[slowed], *shares = (statistics.median(each) for each in zip(*taken[slowed], strict=True))
        longer = rates[False] / rates[slowed]
        rows.append(
            [name, f"{rates[slowed]:,.0f}", f"{longer:.2f}", *(f"{100 * share:.0f} %" for share in shares)]
        )
    most = MOST_WALL * 4 / (3 + SLOW / WHOLE)
    title = f"A slow worker: {CALLS:,} texts, {IN_FLIGHT} in flight; at most {most:.2f} × the time"
    head = ("workers", "calls/s", "time", "processor time of that one", "calls of that one")
    return table(title, head, rows), longer <= most


def _taken(run: FleetRun, slowed: bool) -> tuple[float, float, float]:
    """Return calls a second, and of all workers' processor time and calls the shares of one.

    `slowed`: this one has less.
    """
    run.server.reset()
    process = run.start("--engine", "ray", "--workers", "4")
    try:
        run.wait_for(lambda: len(run.workers()) == 4, 60)
        pids = {number: pid for number, (_, pid) in run.workers().items()}
        one = min(pids)
        with _shares({pid: SLOW if slowed and number == one else WHOLE for number, pid in pids.items()}):
            began, before = time.time(), {number: _cpu_s(pid) for number, pid in pids.items()}
            # At the end the workers leave, and their clocks with them.
            run.wait_for(lambda: run.server.counts()["totals"]["answered"] >= 0.95 * CALLS, 300)
            used = {number: _cpu_s(pid) - before[number] for number, pid in pids.items()}
        status = process.wait(600)
        assert status == 0, run.said()
        query = (
            "SELECT count(*), sum(worker = ?), max(started_at + latency_s) FROM (SELECT * FROM attempts"
            " WHERE started_at > ? ORDER BY started_at LIMIT ?)"
        )
        [(calls, own, ended_at)] = run.rows(query, one, began, round(0.9 * CALLS))
        return calls / (ended_at - began), used[one] / sum(used.values()), own / calls
    finally:
        run.family.end()


def _cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process used so far, by its clock (Linux)."""
    return time.clock_gettime(~pid << 3 | 2)


@contextmanager
def _shares(shares: Mapping[int, float]) -> Iterator[None]:
    """Let each of these processes have no more than its share of a core while the block lasts.

    What was not used within `SAVED_S` is lost. A process that is stopped when it has used its share has no
    more on a busy machine, where this one wakes up late.
    """
    ended = threading.Event()

    def work() -> None:
        left, used = dict.fromkeys(shares, 0.0), {pid: _cpu_s(pid) for pid in shares}
        looked_at = time.monotonic()
        while not ended.wait(LOOK_EVERY_S):
            passed_s = time.monotonic() - looked_at
            looked_at += passed_s
            for pid, share in shares.items():
                before, used[pid] = used[pid], _cpu_s(pid)
                left[pid] = min(left[pid] + share * passed_s - (used[pid] - before), share * SAVED_S)
                os.kill(pid, signal.SIGCONT if left[pid] > 0 else signal.SIGSTOP)
        for pid in shares:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def large(root: Path, rounds: int) -> tuple[str, bool]:
    """Return the table of a large file, and whether the promise is kept."""
    root = root / "large"
    root.mkdir()
    profile = Profile(default=Behaviour(latency_s=0.3))
    rows, kept = [], True
    for blind in (False, True):
        hidden = root / "hidden"
        for folder in (hidden, root / "nowhere"):
            folder.mkdir(exist_ok=True)
        with (
            provider_process(profile) as server,
            blind_node(hidden if blind else root / "nowhere") as running,
        ):
            for name, engine in (("one machine", ()), ("2 workers", on_cluster(running, 2))):
                if blind and not engine:
                    continue
                took: dict[int, list[float]] = {0: [], 50_000_000: []}
                for number in range(rounds):
                    for size, slowest in took.items():
                        where = hidden if blind else root
                        run = FleetRun(where / f"{name}-{number}-{size}", server, 600, model="google:g")
                        if size:
                            (run.root / "in" / "00100.mp3").write_bytes(b"ID3\4\0\0\0\0\0\0" + bytes(size))
                        slowest.append(_slowest(run, engine))
                without, beside = (statistics.median(each) for each in took.values())
                kept = kept and (not engine or beside - without <= MOST_DELAY_S)
                how = f"{name}{', one of them cannot read the files' if blind else ''}"
                rows.append([how, *(f"{1000 * s:.0f}" for s in (without, beside, beside - without))])
    head = ("who", "slowest small call ms", "with one file of 50 MB", "delayed by ms")
    return table("A large file: 600 small ones, answers after 300 ms", head, rows), kept


def _slowest(run: FleetRun, engine: Sequence[str]) -> float:
    """Return how long the slowest call of a small file took, without the first that open connections."""
    run.server.reset()
    process = run.start(*engine)
    try:
        assert process.wait(300) == 0, run.said()
    finally:
        run.family.end()
    query = (
        "SELECT response_s FROM calls c JOIN inputs i ON i.id = c.input_id"
        " WHERE i.name LIKE '%.txt' ORDER BY started_at LIMIT -1 OFFSET 80"
    )
    return float(max(seconds for (seconds,) in run.rows(query)))


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_skew", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="slow|large")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    end_well()
    good = True
    print(f"{machine()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="umwelten-skew-") as folder:
        for name, measure in (("slow", slow), ("large", large)):
            if not options.words or name in options.words:
                shown, kept = measure(Path(folder), options.rounds)
                good = good and kept
                print(shown + ("" if kept else "MISSED\n"), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
