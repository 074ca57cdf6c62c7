"""Figures of umwelten alone, and of the provider."""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
from pathlib import Path

from benchmarks.child import Ran, run
from benchmarks.contestants import HERE, UMWELTEN, Contestant, Work
from benchmarks.provider import Provider
from benchmarks.rounds import Figure, Job, figure, new_folder, shoot, table, varied


def help_cpu_ms(times: int) -> Figure:
    """CPU of `umwelten --help`, by the installed command."""
    command = [str(Path(sys.executable).with_name("umwelten")), "--help"]
    folder = new_folder()
    runs = [run(command, cwd=folder, env=os.environ, limit_s=30) for _ in range(times)]
    assert all(ran.status == 0 for ran in runs), runs[0].said
    return figure(ran.cpu_s * 1000 for ran in runs)


def capacity(provider: Provider, small: bool) -> str:
    """Requests per second of the provider where next to nothing is done with its answers."""
    requests, sockets = (200, 10) if small else (100_000, 50)
    port = provider.url.rpartition(":")[2].partition("/")[0]
    command = [sys.executable, str(HERE / "hammer.py"), port, str(requests), str(sockets)]
    provider.use({"records": 0})
    before = provider.cpu_s()
    ran = run(command, cwd=new_folder(), env=os.environ, limit_s=90)
    used = provider.cpu_s() - before
    answered = provider.ledger()["totals"]["answered"]
    assert answered == requests, ran.said
    row = [f"{answered / ran.wall_s:,.0f}", f"{used / answered * 1000:.3f}", f"{used / ran.wall_s:.0%}"]
    head = ("requests/s", "its CPU ms per request", "its core in use")
    return table(f"The provider alone, asked by bare sockets, {requests:,} requests", head, [row])


# --- lateness ----------------------------------------------------------------------------------


def _watched(histogram: Path) -> Contestant:
    def command(work: Work) -> tuple[list[str], dict[str, str]]:
        line, env = UMWELTEN.command(work)
        return [line[0], str(HERE / "watched.py"), str(histogram), *line[3:]], env

    return Contestant(name="watched", missing=UMWELTEN.missing, command=command)


def late_ms(histogram: Path) -> tuple[float, float]:
    """Milliseconds, p99 and most, to the upper edge of the bucket."""
    data = histogram.read_bytes()
    counts = struct.unpack(f"{len(data) // 8}Q", data)
    wanted, seen = 0.99 * sum(counts), 0
    p99 = next(ms for ms, count in enumerate(counts) if (seen := seen + count) >= wanted)
    most = max(ms for ms, count in enumerate(counts) if count)
    return p99 + 1.0, most + 1.0


def lateness(provider: Provider, rounds: int, small: bool) -> str:
    """How late the event loop's timers come: with answers spread out, all at once, and in a storm."""
    spread = {"latency_s": {"median_s": 0.05 if small else 0.5, "sigma": 0.4}}
    calm = Job(calls=12 if small else 4000, in_flight=200, behaviour=spread)
    many = varied(calm, in_flight=1000, calls=12 if small else 8000)
    at_once = varied(many, behaviour={"latency_s": 0.05 if small else 0.5})
    # Failed calls wait before they go again: fewer of them, or it is waiting that is measured. A 503 would be
    # taken for "slow down", and the storm would be over.
    storm = varied(
        many, calls=12 if small else 3000, rules=({"every": 2, "behaviour": {"fault": 500, **spread}},)
    )
    cases = (
        ("200 in flight, 0.5 s median, spread", calm),
        ("1,000 in flight, 0.5 s median, spread", many),
        ("1,000 in flight, 0.5 s each, so that a thousand answers come at once", at_once),
        ("1,000 in flight, spread, every second answer a 500", storm),
    )
    rows = []
    for name, job in cases:
        found = []
        for _ in range(rounds):
            histogram = new_folder() / "late"
            shoot(_watched(histogram), job, provider)
            found.append(late_ms(histogram))
        p99, most = (figure(values).text(0) for values in zip(*found, strict=True))
        rows.append([name, p99, most])
    return table("Lateness of umwelten's event loop", ("with", "p99 ms", "most ms"), rows)


# --- resuming ----------------------------------------------------------------------------------


def first_call_s(folder: Path, ran: Ran) -> float:
    """Seconds from the process's start to its first request, as the store has it."""
    with sqlite3.connect(folder / "output/bench/evaluation.db") as db:
        query = "SELECT min(started_at) FROM attempts WHERE run_id = (SELECT max(id) FROM runs)"
        return float(db.execute(query).fetchone()[0]) - ran.began


def resume(provider: Provider, rounds: int, small: bool) -> str:
    """From start to first call with 100,000 done and one new file."""
    done = 12 if small else 100_000
    provider.use({"records": 0})
    folder = new_folder()
    options = ("--progress", "none", "--resume")
    work = Work(url=provider.url, folder=folder, calls=done, in_flight=200, options=options)
    command, env = UMWELTEN.command(work)
    whole = run(command, cwd=folder, env=env, limit_s=600)
    assert whole.status == 0, whole.said
    waits, peaks = [], []
    for n in range(rounds):
        (folder / "in" / f"new{n}.txt").write_text("One more.")
        ran = run(command, cwd=folder, env=env, limit_s=120)
        assert ran.status == 0, ran.said
        waits.append(first_call_s(folder, ran))
        peaks.append(ran.peak_mb)
    rows = [
        [f"--resume, {done:,} done and one new file", f"{figure(waits).text(2)} s, {max(peaks):.0f} MB"],
        [f"the {done:,} calls before it, zero latency", _whole(whole, done)],
    ]
    return table("From start to first call", ("what", "measured"), rows)


def _whole(ran: Ran, calls: int) -> str:
    return (
        f"{ran.cpu_s / calls * 1000:.3f} ms CPU per call, {calls / ran.wall_s:,.0f}/s, {ran.peak_mb:.0f} MB"
    )
