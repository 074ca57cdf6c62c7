"""Calls with tools: `python -m benchmarks.tools [--files 300] [--peers [--calls 200] [--rounds 3]]`.

How long a batch takes whose calls have four requests each, with tools of a second in between, against what
its requests alone would take, and how busy its lane was. `--peers`: the same in other tools instead, with one
model, in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks import contestants, rounds  # noqa: E402
from benchmarks.provider import provider  # noqa: E402
from provider import provider_process  # noqa: E402
from reliability.tool_kills import MODELS, SLOTS, TURNS, Job, profile  # noqa: E402

LATENCY_S, TOOL_S = 0.4, 1.0


def alone(files: int) -> None:
    """Print the figures of umwelten."""
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


def beside_peers(calls: int, times: int) -> str:
    """A table of umwelten and its peers."""
    turns = {"turns": TURNS - 1, "tools": ["look"]}
    behaviour = {"latency_s": LATENCY_S, "tool_turns": turns}
    job = rounds.Job(calls=calls, in_flight=SLOTS, behaviour=behaviour, records=True, limit_s=600)
    found = rounds.present(contestants.TOOLS)
    with provider() as served:
        shots = rounds.in_turn(((each.name, each, job) for each in found), times, served)
    ideal_s = calls * TURNS * LATENCY_S / SLOTS
    rows = [_row(name, turn, calls * TURNS, ideal_s) for name, turn in shots.items()]
    title = f"{calls} calls × {TURNS} requests of {LATENCY_S:g} s, tools of {TOOL_S:g} s, {SLOTS} connections"
    head = ("", "requests", "at once", "first request to last answer, s", "× ideal", "whole process, s")
    return rounds.table(f"{title}; ideal {ideal_s:g} s", (*head, "CPU s", "peak MB"), rows)


def _row(name: str, turn: Sequence[rounds.Shot], requests: int, ideal_s: float) -> list[str]:
    spans = [shot.span_s or 0.0 for shot in turn]
    answered = {shot.answered for shot in turn}
    assert answered == {requests} or any(shot.ran.status for shot in turn), (name, answered)
    return [
        name,
        "all" if answered == {requests} else f"{min(answered)} of {requests}",
        str(max(shot.peak for shot in turn)),
        rounds.figure(spans).text(1),
        rounds.figure(span / ideal_s for span in spans).text(2),
        rounds.figure(shot.ran.wall_s for shot in turn).text(1),
        rounds.figure(shot.ran.cpu_s for shot in turn).text(1),
        rounds.figure(shot.ran.peak_mb for shot in turn).text(0),
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tools", description=__doc__)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--calls", type=int, default=200, help="of each in a round with peers")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds.end_well()
    if options.peers:
        print(rounds.machine())
        print(beside_peers(options.calls, options.rounds))
    else:
        alone(options.files)


if __name__ == "__main__":
    main()
