"""Kills a suite again and again, repeats it, and compares its leaderboard with an undisturbed one.

python -m benchmarks.suite_kills                      20 kills, 1,200 calls a suite
python -m benchmarks.suite_kills --kills 200          more of them

Exit status 1: a leaderboard differs, a verdict or an answer is missing, or a kill cost more calls than those
in flight and one group.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from reliability import suite_kills  # noqa: E402 - found by the line above


def main() -> int:
    """Kill, print the figures, and return the exit status."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kills-a-suite", type=int, default=20, help="kills of one suite before its end")
    parser.add_argument("--size", type=int, default=200, help="rows; a suite makes six calls for each")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = suite_kills.torture(
            Path(folder), kills=chosen.kills, size=chosen.size, kills_a_suite=chosen.kills_a_suite
        )
    print(f"kills                                 {figures.kills} of {figures.suites} suites")
    print(f"calls                                 {figures.calls}, {figures.in_flight} in flight")
    print(f"answers and verdicts missing or twice {abs(figures.calls - figures.stored)}")
    print(f"leaderboards unlike the undisturbed   {figures.unlike}")
    print(f"calls paid for more than once         {figures.again}, most for one kill {figures.most_again}")
    print(f"limit for one kill                    {figures.bound}")
    print(f"time                                  {figures.wall_s:.0f} s")
    good = figures.stored == figures.calls and not figures.unlike and figures.most_again <= figures.bound
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
