"""Workers and files that are unlike the others: `python -m benchmarks.fleet_skew [slow] [large]`.

`slow`: one of four workers has a quarter of its processor time (it is stopped for 75 of 100 ms); the calls of
pictures are made as if that worker counted a quarter. `large`: one file of 50 MB among small ones, that the
workers read or that is sent to them: how long the calls of the small ones take.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.rounds import end_well, machine, note, table  # noqa: E402
from provider import provider_process  # noqa: E402
from reliability.fleet_runs import FleetRun  # noqa: E402
from reliability.fleet_scenarios import blind_node, on_cluster  # noqa: E402
from umwelten.simulate.faultserver.profile import Behaviour, Profile  # noqa: E402

CYCLE_S, SHARE = 0.1, 0.25
PICTURE = 300_000
MOST_WALL, MOST_DELAY_S = 1.15, 0.1
"""What is promised: 1.15 times the time of three workers and a quarter; no small call waits longer than this
for a large file."""


def slow(root: Path, rounds: int) -> tuple[str, bool]:
    """Return the table of a slow worker, and whether the promise is kept."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with provider_process(Profile(records=0)) as server:
        for number in range(rounds):
            for slowed in rates:
                note(f"… {'one slow' if slowed else 'all whole'}")
                rates[slowed].append(
                    _rate(FleetRun(root / f"{number}{slowed}", server, 6000, data=_picture), slowed)
                )
    whole, skewed = (statistics.median(rates[slowed]) for slowed in (False, True))
    most = MOST_WALL * 4 / 3.25
    rows = [
        ["four whole workers", f"{whole:.0f}", "1"],
        ["one at a quarter", f"{skewed:.0f}", f"{whole / skewed:.2f}"],
    ]
    title = f"A slow worker: 6,000 pictures of {PICTURE / 1000:.0f} kB; at most {most:.2f} × the time"
    return table(title, ("workers", "calls/s", "time"), rows), whole / skewed <= most


def _picture(n: int) -> bytes:
    return b"\xff\xd8\xff\xe0" + n.to_bytes(4) * (PICTURE // 4)


def _rate(run: FleetRun, slowed: bool) -> float:
    run.server.reset()
    process = run.start("--engine", "ray", "--workers", "4", "--max-concurrency", "100")
    try:
        run.await_answers(process, 1)
        began, before = time.monotonic(), run.server.counts()["totals"]["answered"]
        run.wait_for(lambda: len(run.workers()) == 4, 10)
        with _duty(run.workers()[1][1] if slowed else None):
            status = process.wait(600)
        assert status == 0, run.said()
        [(ended_at,)] = run.rows("SELECT max(started_at + response_s) FROM calls")
        took_s = time.monotonic() - began - (time.time() - ended_at)
        return float((run.calls - before) / took_s)
    finally:
        run.family.end()


@contextmanager
def _duty(pid: int | None) -> Iterator[None]:
    """Let a process have its share of the time while the block lasts."""
    ended = threading.Event()

    def work() -> None:
        assert pid is not None
        with suppress(ProcessLookupError):
            while True:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(CYCLE_S * (1 - SHARE))
                os.kill(pid, signal.SIGCONT)
                if ended.wait(CYCLE_S * SHARE):
                    return

    thread = threading.Thread(target=work)
    if pid is not None:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if pid is not None:
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
