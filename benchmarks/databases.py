"""Databases of strangers, thousands of them: `python -m benchmarks.databases [--count 5000] [--seed 0]`.

Each is a sound one with one to three changes, put to every reader; `tests/reliability/databases.py` says what
counts. Prints what went wrong; exit status 1 if anything did. A seed makes the same database again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from reliability import databases  # noqa: E402


def main() -> int:
    """Try them, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    chosen = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        template = databases.sound(Path(folder, "template"))
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            root = Path(folder, "tried")
            root.mkdir()
            problems = databases.attempt(root, template, seed)
            shutil.rmtree(root)
            wrong += bool(problems)
            for problem in problems:
                print(problem, flush=True)
    print(f"{chosen.count} databases, {wrong} of them read wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
