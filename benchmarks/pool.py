"""What deciding about a call costs by the number of lanes: `python -m benchmarks.pool [--beside SOURCES]`.

In a steady state, one call after another ends and others start in its place. A figure is the time of all
questions to the pool (`Pool.next`) for one call that starts, the mean without the slowest tenth, in which
other programs had their turn; the second one has `Pool.on_end` in it too. `--beside` names the `src` of
another version, which takes turns with this one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

COUNTS = (1, 10, 100, 300)
IN_FLIGHT = 4
"""Calls in flight of each lane."""


def _pool(models: int, lanes: int, calls: int, *, together: bool = False, **more: Any) -> Any:
    from umwelten.control.lane import Lane
    from umwelten.control.limit import Limit
    from umwelten.control.pool import Pool
    from umwelten.control.retry import RetryPolicy
    from umwelten.control.scheduled_call import ScheduledCall
    from umwelten.types import Call

    made: Any = [
        Lane(f"l{i}", "g", Limit(float(IN_FLIGHT), IN_FLIGHT, slow_start=False)) for i in range(lanes)
    ]
    if together:
        serving = dict.fromkeys(range(models), made)
    else:
        serving = {model: made[model % lanes] for model in range(models)}
    pool = Pool(serving, policy=RetryPolicy(), **more)
    for model in range(models):
        scheduled = [
            ScheduledCall(
                Call(id=model * calls + i, model=model, input=None),
                size=900 + 37 * i % 200,
                reserve=900 + 31 * i % 200,
            )
            for i in range(calls)
        ]
        pool.add_calls(model, scheduled, drained=True)
    return pool


def _lanes(n: int, calls: int) -> Any:
    return _pool(n, n, calls)


def _few_slots(n: int, calls: int) -> Any:
    return _pool(n, n, calls, max_in_flight=max(1, n))


def _few_bytes(n: int, calls: int) -> Any:
    return _pool(n, n, calls, max_bytes=1000 * max(1, n))


def _group(n: int, calls: int) -> Any:
    return _pool(n, n, calls, group_caps={"g": max(1, n)})


def _cost(n: int, calls: int) -> Any:
    from umwelten.control.stop import CostCap

    return _pool(n, n, calls, cap=CostCap(cap=1000 * max(1, n)))


def _models(n: int, calls: int) -> Any:
    return _pool(n, 1, calls)


def _members(n: int, calls: int) -> Any:
    return _pool(1, n, n * calls, together=True)


CASES: dict[str, Callable[[int, int], Any]] = {
    "lanes, each full": _lanes,
    "lanes, few slots for all": _few_slots,
    "lanes, few bytes for all": _few_bytes,
    "lanes, one provider's cap": _group,
    "lanes, cost cap reached": _cost,
    "models of one lane": _models,
    "lanes of one model": _members,
}


def measure(case: str, n: int, starts: int = 6000) -> tuple[float, float]:
    """Return µs for a start: of the questions, and with ends."""
    from umwelten.control.steps import Start
    from umwelten.types import Reply

    pool = CASES[case](n, starts // n + 3 * IN_FLIGHT)
    answer, running, now = Reply(text=""), deque[Any](), 0.0
    asked, whole = [], []
    clock = time.perf_counter
    while isinstance(step := pool.next(now), Start):
        running.append(step.lease)
    while len(asked) < starts and running:
        lease = running.popleft()
        now += 0.001
        a = clock()
        pool.on_end(lease, answer, now, 0.5)
        pool.models_to_refill()
        b = clock()
        started = 0
        while isinstance(step := pool.next(now), Start):
            running.append(step.lease)
            started += 1
        c = clock()
        if started:
            asked.append((c - b) / started)
            whole.append((c - a) / started)
    return _usual(asked), _usual(whole)


def _usual(seconds: list[float]) -> float:
    kept = sorted(seconds)[: max(1, 9 * len(seconds) // 10)]
    return 1e6 * statistics.fmean(kept)


def _child(sources: str | None, case: str, n: int, starts: int) -> tuple[float, float]:
    environment = os.environ | (
        {"PYTHONPATH": os.pathsep.join([sources, str(Path.cwd())])} if sources else {}
    )
    command = [sys.executable, "-m", "benchmarks.pool", "--one", case, str(n), str(starts)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    return float(first), float(second)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", metavar="SOURCES")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=6000)
    parser.add_argument("--one", nargs=3, metavar=("CASE", "N", "STARTS"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        print(*measure(options.one[0], int(options.one[1]), int(options.one[2])))
        return 0
    versions = [None, options.beside] if options.beside else [None]
    print("µs a start, with the ends" + (" | beside it | ratio" if options.beside else ""))
    for case in CASES:
        print(f"\n{case}")
        for n in COUNTS:
            shots = [[_child(v, case, n, options.starts) for v in versions] for _ in range(options.rounds)]
            middle = [
                tuple(statistics.median(shot[i][j] for shot in shots) for j in (0, 1))
                for i in range(len(versions))
            ]
            cells = " | ".join(f"{asked:7.1f} {whole:7.1f}" for asked, whole in middle)
            ratio = f" | {middle[1][0] / middle[0][0]:6.1f} x" if options.beside else ""
            print(f"{n:4d}: {cells}{ratio}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
