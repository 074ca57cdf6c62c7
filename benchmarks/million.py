"""A million calls: `python -m benchmarks.million [--files 100000] [--repeats 10]`. Takes about ten minutes.

100,000 files × 10 repeats against a provider without latency, 200 in flight, beside 1,000 files × 10:
peak memory, time to the first call, how the cost of a call grows (without that of starting up), and how fast
the last tenth of the calls is beside the first. `--workers 4`: made by workers on Ray; CPU is that of the
run's own process and of those it waited for.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.child import Ran, run
from benchmarks.contestants import UMWELTEN, Work
from benchmarks.provider import Provider, provider
from benchmarks.rounds import end_well, machine, new_folder, table
from benchmarks.solo import first_call_s


def measure(
    served: Provider, files: int, repeats: int, limit_s: float, more: Sequence[str] = ()
) -> tuple[Ran, float, float]:
    """The run, seconds to its first call, and the pace of its last tenth beside the first."""
    served.use({"records": 0})
    folder = new_folder()
    options = ("--progress", "plain", "--repeat", str(repeats), *more)
    work = Work(url=served.url, folder=folder, calls=files, in_flight=200, options=options)
    command, env = UMWELTEN.command(work)
    ran = run(command, cwd=folder, env=env, limit_s=limit_s)
    assert ran.late or ran.status == 0, ran.said[-2000:]
    return ran, first_call_s(folder, ran), _pace(folder / "output" / "bench" / "evaluation.db")


def _pace(database: Path) -> float:
    """Calls a second of the last tenth of the calls beside those of the first."""
    with closing(sqlite3.connect(database)) as connection:
        ends = [end for (end,) in connection.execute("SELECT started_at + response_s FROM calls ORDER BY 1")]
    tenth = len(ends) // 10
    if not tenth:
        return 1.0
    return float((ends[tenth - 1] - ends[0]) / (ends[-1] - ends[-tenth]))


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--limit", type=float, default=2400.0, metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=0, help="on Ray; 0: none")
    parser.add_argument("--texts", choices=("on", "off"), default="on")
    options = parser.parse_args(arguments)
    end_well()
    more = ["--texts", "off"] if options.texts == "off" else []
    more += ["--engine", "ray", "--workers", str(options.workers)] if options.workers else []
    rows = []
    costs: list[float] = []
    with provider() as served:
        start_s = measure(served, 1, 1, options.limit, more)[0].cpu_s
        for files in (max(1, options.files // 100), options.files):
            ran, first, pace = measure(served, files, options.repeats, options.limit, more)
            answered = served.ledger()["totals"]["answered"]
            costs.append((ran.cpu_s - start_s) / answered)
            rows.append(
                [
                    f"{answered:,}" + (f" of {files * options.repeats:,}" if ran.late else ""),
                    f"{first:.2f}",
                    f"{ran.peak_mb:.0f}",
                    f"{costs[-1] * 1000:.3f}",
                    f"{answered / ran.wall_s:,.0f}",
                    f"{costs[-1] / costs[0]:.2f}",
                    f"{pace:.2f}",
                ]
            )
    print(machine())
    head = ("calls", "s to first call", "peak MB", "CPU ms per call", "calls/s", "growth", "last tenth")
    print(table("Many calls, zero latency, 200 in flight", head, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
