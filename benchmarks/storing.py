"""What storing an answer costs: `python -m benchmarks.storing [--calls 20000] [--rounds 7] [--group 500]`.

The store alone, without calls: an attempt, a call and an answer of 60 words each, handed to the thread that
writes as fast as it takes them; with a text file for each answer and without, in turn. CPU and wall time from
the first record to the last commit, and how many files and calls a second that is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.rounds import end_well, machine, new_folder, table
from umwelten.identity import content_hash
from umwelten.records import AttemptRecord, CallRecord, StoredSpec
from umwelten.store import writer
from umwelten.store.store import Store
from umwelten.types import (
    Call,
    FinishReason,
    FoundInput,
    ModelRef,
    Prompt,
    Reply,
    RequestSettings,
    Timing,
    Usage,
)

_TIMING = Timing(started_at=1000.0, latency_s=0.5, ttft_s=0.1)
_ANSWER = Reply(
    text="A plain answer of a usual length, as a model writes it. " * 6,
    finish_reason=FinishReason.STOP,
    usage=Usage(input_tokens=900, output_tokens=80),
    request_id="r",
)


class _Cost(NamedTuple):
    cpu_us: float
    calls_s: float
    bytes: float


def _records(call: Call) -> tuple[AttemptRecord, CallRecord]:
    attempt = AttemptRecord(call=call, number=1, outcome=_ANSWER, timing=_TIMING, cost_nusd=5)
    ended = CallRecord(
        call=call,
        key=f"u1:{call.id}",
        content=content_hash(b"x"),
        outcome=_ANSWER,
        timing=_TIMING,
        attempts=1,
        time_s=0.5,
        cost_nusd=5,
    )
    return attempt, ended


def measure(calls: int, *, texts: bool) -> _Cost:
    """Store so many answers."""
    folder = new_folder()
    request = RequestSettings(prompts=(Prompt(name="", text="Describe it."),))
    spec = StoredSpec(id="x", kind="batch", models=(ModelRef("a", "b"),), request=request, repeats=1)
    found = [FoundInput(name=f"in-{n:07}.jpg", path=f"/in/{n}", size=3, stamp="1") for n in range(calls)]
    with Store.create(folder / "x", spec, texts=texts) as store:
        store.set_inputs(found, read_hash=lambda *_: b"")
        leased = [records for call in store.lease(1, calls) for records in _records(call)]
        store.start_run({})
        began, cpu = time.monotonic(), time.process_time()
        for record in leased:
            store.submit(record)
        store.finish_writing()
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
        assert store.error is None
        store.end_run("complete", None, 1)
    size = (folder / "x" / "evaluation.db").stat().st_size
    files = sum(1 for path in (folder / "x").iterdir() if path.suffix == ".txt")
    assert files == (calls if texts else 0)
    return _Cost(cpu_us=cpu_s / calls * 1e6, calls_s=calls / wall_s, bytes=size / calls)


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storing", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--group", type=int, default=writer.GROUP_SIZE, help="records in a commit at most")
    options = parser.parse_args(arguments)
    end_well()
    ways = [("text files", True, writer.GROUP_SIZE), ("no text files", False, writer.GROUP_SIZE)]
    if options.group != writer.GROUP_SIZE:
        ways.append((f"no text files, groups of {options.group:,}", False, options.group))
    costs: dict[str, list[_Cost]] = {name: [] for name, _, _ in ways}
    usual = writer.GROUP_SIZE
    measure(1000, texts=True)  # imports, and pages of the disk
    for _ in range(options.rounds):
        for name, texts, group in ways:
            writer.GROUP_SIZE = group  # type: ignore[misc]
            costs[name].append(measure(options.calls, texts=texts))
            writer.GROUP_SIZE = usual  # type: ignore[misc]
    rows = []
    for name, each in costs.items():
        ratios = [one.cpu_us / base.cpu_us for one, base in zip(each, costs["text files"], strict=True)]
        rows.append(
            [
                name,
                f"{statistics.median(one.cpu_us for one in each):.1f}",
                f"{statistics.median(ratios):.2f}",
                f"{statistics.median(one.calls_s for one in each):,.0f}",
                f"{statistics.median(one.bytes for one in each):.0f}",
            ]
        )
    print(machine())
    head = ("", "CPU µs per call", "ratio", "calls/s", "bytes per call in the database")
    print(table(f"Store alone, {options.calls:,} calls", head, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
