"""What watching and changing a run costs, and how soon a change holds: `python -m benchmarks.live_control`.

    python -m benchmarks.live_control            # all of it (4 minutes)
    python -m benchmarks.live_control cpu        # one of answers, cpu, effects, many
    python -m benchmarks.live_control --small    # fewer calls and one round

Answers: 200 times the state of a run with 1,000 calls in flight, also while every second answer is a 500.
CPU: of a request to a run that is paused; and of a run that is asked four times a second, beside one that is
not and one that cannot be, which on a busy machine says little.
Effects: by the provider's ledger, from the moment at which a change was acknowledged.
Runs: 30 at once, listed by `umwelten ctl`.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.provider import CONTESTANT_CORES, TICKS, Provider, provider
from umwelten.live.client import Run, all_runs, ask_all

ASKED, IN_FLIGHT = 200, 1_000
CPU_CALLS, ROUNDS, POLL_S = 20_000, 3, 0.25
AFTER_S = 0.05
MANY = 30
Record = dict[str, Any]


def command(server: Provider, calls: int, in_flight: int, *options: str) -> list[str]:
    """A run of so many calls."""
    given = [
        "-p",
        "hello",
        "-m",
        "openai:m",
        "--repeat",
        str(calls),
        "--no-stream",
        "-i",
        "run",
        "--overwrite",
    ]
    limits = ["--max-concurrency", str(in_flight), "--no-remember-limits", "--no-share-limits"]
    return [sys.executable, "-m", "umwelten", "eval", "run", *given, *limits, "--progress", "none", *options]


def start(words: Sequence[str], server: Provider, folder: str) -> subprocess.Popen[bytes]:
    """Start it beside the provider, on other cores where there are any."""
    env = {
        **os.environ,
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "k",
        "XDG_STATE_HOME": f"{folder}/state",
        "XDG_CONFIG_HOME": os.devnull,
    }
    child = subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(child.pid, CONTESTANT_CORES)
    return child


@contextmanager
def running(
    server: Provider, in_flight: int, behaviour: dict[str, Any], *, records: int = 0
) -> Iterator[Run]:
    """A run that has more to do than there is time, once it has all calls in flight."""
    server.use({"records": records, **behaviour})
    with tempfile.TemporaryDirectory() as folder:
        child = start(command(server, 60_000, in_flight), server, folder)
        try:
            run = wait_for(folder)
            deadline = time.monotonic() + 60
            while run.state().in_flight < 0.9 * in_flight and time.monotonic() < deadline:
                time.sleep(0.05)
            yield run
        finally:
            child.kill()
            child.wait()


def wait_for(folder: str) -> Run:
    """The run that begins, once it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = all_runs(Path(folder) / "state" / "umwelten" / "run")
        if found:
            return found[0]
        time.sleep(0.01)
    raise SystemExit("the run did not begin to listen")


# --- answers -----------------------------------------------------------------------------------


def answers(server: Provider, asked: int) -> None:
    """Print how long the state of a busy run takes."""
    print(f"{asked} x GET /status, {IN_FLIGHT:,} in flight:    p50 ms   p99 ms   most ms   failed")
    storm = {"rules": [{"behaviour": {"fault": 500, "latency_s": 1.0}, "every": 2}]}
    for name, more in (("sound answers", {}), ("every second a 500", storm)):
        with running(server, IN_FLIGHT, {"default": {"latency_s": 1.0}, **more}) as run:
            took, failed = [], 0
            for _ in range(asked):
                began = time.perf_counter()
                try:
                    run.state()
                except Exception:  # noqa: BLE001 - it is counted
                    failed += 1
                took.append(1000 * (time.perf_counter() - began))
                time.sleep(0.02)
        took.sort()
        p99 = took[int(0.99 * len(took))]
        print(f"{name:<40} {statistics.median(took):>8.1f} {p99:>8.1f} {took[-1]:>9.1f} {failed:>8}")


# --- CPU ---------------------------------------------------------------------------------------


def cpu(server: Provider, calls: int, rounds: int) -> None:
    """Print what a call costs in a run that is asked, that is not, and that cannot be."""
    found: dict[str, list[float]] = {"asked every 250 ms": [], "not asked": [], "--no-control": []}
    for _ in range(rounds):
        for name, each in found.items():
            each.append(_cpu_ms(server, calls, name))
    least = {name: min(each) for name, each in found.items()}
    base = least["not asked"]
    print(f"{calls:,} calls, {IN_FLIGHT:,} in flight, least of {rounds} rounds:   CPU ms a call   ratio")
    for name, ms in least.items():
        print(f"{name:<50} {ms:>12.4f} {ms / base:>8.3f}")


def request(server: Provider, asked: int) -> None:
    """Print the CPU of a request, of a run that does nothing else: it is paused."""
    with running(server, 200, {"default": {"latency_s": 0.5}}) as run:
        run.change("POST", "/pause", {})
        while not run.state().quiet:
            time.sleep(0.1)
        before = _cpu_s(run.file.pid)
        for _ in range(asked):
            run.state()
        ms = 1000 * (_cpu_s(run.file.pid) - before) / asked
    print(f"CPU of one request: {ms:.2f} ms; four a second: {0.4 * ms:.2f} % of a core")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _cpu_ms(server: Provider, calls: int, name: str) -> float:
    server.use({"records": 0, "default": {"latency_s": 0.5}})
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        options = ["--no-control"] if name == "--no-control" else []
        child = start(command(server, calls, IN_FLIGHT, *options), server, folder)
        if name.startswith("asked"):
            threading.Thread(target=_poll, args=(folder, child), daemon=True).start()
        assert child.wait(300) == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * used / calls


def _poll(folder: str, child: subprocess.Popen[bytes]) -> None:
    try:
        run = wait_for(folder)
        while child.poll() is None:
            run.state()
            time.sleep(POLL_S)
    except Exception:  # noqa: BLE001 - it has ended
        return


# --- effects -----------------------------------------------------------------------------------


def effects(server: Provider) -> None:
    """Print how soon changes hold, as the provider saw it."""
    behaviour = {"default": {"latency_s": 0.5}}
    with running(server, 200, behaviour, records=100_000) as run:
        low = change(server, run, "PATCH", "/settings", {"key": "max_concurrency", "value": 40})
        time.sleep(2)
        high = change(server, run, "PATCH", "/settings", {"key": "max_concurrency", "value": 400})
        time.sleep(2)
        paused = change(server, run, "POST", "/pause", {})
        time.sleep(2)
        resumed = change(server, run, "POST", "/resume", {})
        time.sleep(2)
        records = [record for record in server.ledger()["records"] if record["model"] != "mark"]
    records.sort(key=lambda record: record["at_s"])
    late = [r for r in records if low.at + AFTER_S < r["at_s"] < high.asked and _beside(records, r) > 40]
    abandoned = sum(r["fate"] == "abandoned" and (r["done_s"] or 0) < resumed.at for r in records)
    print(
        f"200 -> 40: acknowledged after {low.took_ms:.1f} ms; started above 40 later than 50 ms: {len(late)}"
    )
    print(f"           calls cancelled: {abandoned}")
    full = next((r["at_s"] for r in records if r["at_s"] > high.at and _beside(records, r) >= 360), None)
    took = "never" if full is None else f"{1000 * (full - high.at):.0f} ms"
    print(f"40 -> 400: acknowledged after {high.took_ms:.1f} ms; 360 in flight after {took}")
    arrived = [r["at_s"] for r in records if paused.at + AFTER_S < r["at_s"] < resumed.asked]
    print(f"pause:     acknowledged after {paused.took_ms:.1f} ms; requests later than 50 ms: {len(arrived)}")
    before = sum(high.at + 1 < r["at_s"] < paused.asked for r in records) / (paused.asked - high.at - 1)
    again = sum(resumed.at < r["at_s"] < resumed.at + 1 for r in records)
    print(f"resume:    acknowledged after {resumed.took_ms:.1f} ms; {again} in the first second,", end=" ")
    print(f"{before:.0f} a second before the pause")


class Changed:
    """A change: when it was asked for and acknowledged, in the provider's seconds."""

    def __init__(self, asked: float, at: float, took_ms: float) -> None:
        self.asked, self.at, self.took_ms = asked, at, took_ms


def change(server: Provider, run: Run, method: str, path: str, body: dict[str, Any]) -> Changed:
    """Make it, with a request of our own before and behind, which the ledger has at its own times."""
    asked = _mark(server)
    began = time.perf_counter()
    run.change(method, path, body)
    took = time.perf_counter() - began
    return Changed(asked, _mark(server), 1000 * took)


def _mark(server: Provider) -> float:
    """Send the provider a request, and return when it came by its ledger."""
    body = b'{"model": "mark", "messages": [{"role": "user", "content": "mark:now"}]}'
    request = urllib.request.Request(f"{server.url}/chat/completions", body, {"Authorization": "Bearer mark"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        reply.read()
    return max(float(r["at_s"]) for r in server.ledger()["records"] if r["model"] == "mark")


def _beside(records: Sequence[Record], one: Record) -> int:
    """How many calls were in flight when one came, with it."""
    at = one["at_s"]
    return sum(r["at_s"] <= at and (r["done_s"] is None or r["done_s"] > at) for r in records)


# --- many runs ---------------------------------------------------------------------------------


def many(server: Provider, runs: int) -> None:
    """Print how long it takes to ask so many runs at once, and to list them with the command."""
    server.use({"records": 0, "default": {"latency_s": 1.0}})
    with tempfile.TemporaryDirectory() as folder:
        words = command(server, 60_000, 2)
        at = words.index("run", 5)
        children = [start([*words[:at], f"run-{n}", *words[at + 1 :]], server, folder) for n in range(runs)]
        try:
            place = Path(folder) / "state" / "umwelten" / "run"
            while len(all_runs(place)) < runs:
                time.sleep(0.2)
            time.sleep(2)
            began = time.perf_counter()
            said = ask_all(all_runs(place), lambda run: run.state())
            asked = time.perf_counter() - began
            env = {**os.environ, "XDG_STATE_HOME": f"{folder}/state"}
            began = time.perf_counter()
            ctl = subprocess.run(
                [sys.executable, "-m", "umwelten", "ctl"], env=env, capture_output=True, text=True
            )
            listed = time.perf_counter() - began
            answered = sum(not isinstance(each, Exception) for each in said)
            print(
                f"{runs} runs: {answered} answered within {asked:.2f} s; `umwelten ctl` took {listed:.2f} s"
            )
            assert len(ctl.stdout.splitlines()) == runs + 1, ctl.stderr
        finally:
            for child in children:
                child.kill()
            for child in children:
                child.wait()


PARTS = ("answers", "cpu", "effects", "many")


def main(parts: Sequence[str], small: bool) -> None:
    """Print these tables."""
    with provider() as server:
        if "answers" in parts:
            answers(server, 40 if small else ASKED)
        if "cpu" in parts:
            request(server, 200 if small else 2_000)
            cpu(server, 2_000 if small else CPU_CALLS, 1 if small else ROUNDS)
        if "effects" in parts:
            effects(server)
        if "many" in parts:
            many(server, 3 if small else MANY)


if __name__ == "__main__":
    main([part for part in PARTS if part in sys.argv] or PARTS, "--small" in sys.argv)
