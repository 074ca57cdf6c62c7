"""Calls with tools: `python -m benchmarks.tools [--files 300]`.

How long a batch takes whose calls have four requests each, with tools of a second in between, against what
its requests alone would take, and how busy its lane was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from provider import provider_process  # noqa: E402
from reliability.tool_kills import MODELS, SLOTS, TURNS, Job, profile  # noqa: E402

LATENCY_S, TOOL_S = 0.4, 1.0


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder, provider_process(profile(LATENCY_S)) as server:
        job = Job(Path(folder) / "job", files, TOOL_S, server, once=False)
        job.finish()
        (took, peak) = job.rows("SELECT ended_at - started_at, peak_in_flight FROM runs")[0]
        busy = job.rows(
            "SELECT total(CASE WHEN reason IN ('concurrency', 'latency') THEN seconds END) / total(seconds)"
            " FROM attributions"
        )[0][0]
        calls, steps, seconds = job.rows("SELECT count(*), total(steps), total(tool_s) FROM calls")[0]
        invalid = server.counts()["totals"]["invalid"]
    ideal = steps * LATENCY_S / SLOTS
    print(f"{files} files × {len(MODELS)} models × {TURNS} requests, tools of {TOOL_S:g} s, {SLOTS} slots")
    print(f"  calls {calls}, requests {steps:.0f}, of which the provider refused {invalid}")
    print(f"  wall time {took:.1f} s, {took / ideal:.3f} × the requests alone ({ideal:.1f} s)")
    print(f"  lane busy {100 * busy:.1f} % of the time, {peak} in flight at most")
    print(f"  tools ran {seconds:.0f} s beside it")


if __name__ == "__main__":
    main()
