"""Facts learnt from 10,000 rows: `python -m benchmarks.learning [--rows 10000] [--scopes 100]`.

How fast `memory learn` asks a provider that answers 50 calls at a time after 100 ms each (500 calls a second
at most), how long it then takes to store the facts, and what recalling them adds to a batch that is answered
at once.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.rounds import machine, table  # noqa: E402
from memory.kills import make_rows, slowed  # noqa: E402
from memory.kit import ECHO, MODEL, profile  # noqa: E402
from memory.kit import table as write_table  # noqa: E402
from provider import ChildProvider, clean_environment, provider_process  # noqa: E402

IN_FLIGHT, LATENCY_S = 50, 0.1
SOURCE = ("--rows", "rows.csv", "-m", MODEL, "--progress", "none")
SCOPE = ("--scope", "{{row.user}}")
_NOISE_S, _TOO_SHORT = 0.5, "too short to measure"
"""By so much the same command may take longer or shorter: a smaller difference of two says nothing."""


def main() -> int:
    """Measure once, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--scopes", type=int, default=100)
    chosen = parser.parse_args()
    given = slowed(profile(ECHO), LATENCY_S)
    with tempfile.TemporaryDirectory() as folder, provider_process(given) as server:
        rows = _measure(Path(folder), server, chosen.rows, chosen.scopes)
    print(machine())
    print(table("Learning and recalling", ("what", "figure"), rows))
    return 0


def _measure(root: Path, server: ChildProvider, count: int, scopes: int) -> list[tuple[str, str]]:
    write_table(root / "rows.csv", make_rows(count, scopes, doubled=0.3))
    learn = ("memory", "learn", "people", *SOURCE, *SCOPE, "-p", "{{row.text}}")
    fast = ("--max-concurrency", str(IN_FLIGHT))
    whole_s = _run(root, server, *learn, *fast)
    asked_s = _asked_s(root)
    again_s = _run(root, server, *learn, *fast)
    _run(root, server, "memory", "clear", "people", "--yes")
    stored_s = _run(root, server, *learn, *fast)
    batch = ("eval", "batch", *SOURCE, *fast, "-p", "{{row.text}}", "-i")
    plain_s = _run(root, server, *batch, "plain")
    recalled_s = _run(
        root,
        server,
        "eval",
        "batch",
        *SOURCE,
        *fast,
        "-p",
        "{{memory}} {{row.text}}",
        "--recall",
        "people",
        *SCOPE,
        "-i",
        "recalled",
    )
    storing_s = stored_s - again_s
    measurable = storing_s > _NOISE_S
    return [
        (f"asking about {count:,} rows, {IN_FLIGHT} at a time, {LATENCY_S:g} s each", f"{asked_s:.1f} s"),
        ("calls a second", f"{count / asked_s:.0f} of {IN_FLIGHT / LATENCY_S:.0f}"),
        ("the command as a whole", f"{whole_s:.1f} s"),
        (
            "storing the facts of all answers, nothing to ask",
            f"{storing_s:.1f} s" if measurable else _TOO_SHORT,
        ),
        ("inputs stored a second", f"{count / storing_s:,.0f}" if measurable else _TOO_SHORT),
        ("repeated, with nothing to do", f"{again_s:.1f} s"),
        (f"a batch of {count:,} rows, answered at once", f"{plain_s:.1f} s"),
        (f"the same, recalling from {scopes} scopes", f"{recalled_s:.1f} s"),
    ]


def _asked_s(root: Path) -> float:
    """Return how long the calls of the run took that learnt first."""
    (folder,) = (root / "output").glob("people.learn-rows-*")
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        query = "SELECT ended_at - started_at FROM runs ORDER BY id LIMIT 1"
        return float(connection.execute(query).fetchone()[0])


def _run(root: Path, server: ChildProvider, *arguments: str) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "umwelten", *arguments],
        cwd=root,
        env=clean_environment(server.env()),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
