"""The view over a million calls, in a real Chromium: `python -m benchmarks.view [--keep DIR]`.

First page, jump to the middle, filter of failed calls, search, memory of page and server; and what the view
costs a run that writes 2,000 calls a second: the 99th percentile of its commits with and without it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.rounds import machine, table
from umwelten.records import StoredSpec
from umwelten.store.database import open_database
from umwelten.store.store import Store
from umwelten.store.tables import call_id
from umwelten.types import FoundInput, ModelRef, Prompt, RequestSettings

MODELS = tuple(ModelRef("openai", f"model-{n}") for n in range(1, 5))
NOON = 1_800_000_000.0
SENTENCE = "The text describes a hive, its bees and what can be learnt from them in a year. "
LIMITS = {"first page": 1000, "middle": 300, "failed": 500, "heap MB": 150, "server MB": 150}
"""What LIVE.md demands, in milliseconds and megabytes."""
_GROUP = 100  # calls a transaction, as a run commits them at this pace
_PER_S = 2_000


def make(folder: Path, calls: int) -> None:
    """An evaluation of so many calls: four models, 1 % failed, 400 bytes an answer."""
    inputs = calls // len(MODELS)
    request = RequestSettings(prompts=(Prompt(name="", text="Say what it is."),))
    plan = StoredSpec(id=folder.name, kind="batch", models=MODELS, request=request, repeats=1)
    with Store.resume(folder, plan) as store:
        store.set_inputs(
            (
                FoundInput(name=f"folder/{n:07}.txt", path=f"/data/{n:07}.txt", size=1, stamp=str(n))
                for n in range(inputs)
            ),
            read_hash=lambda path, *_: path.encode(),
        )
        store.start_run({})
        store.end_run("complete", None, 100)
    with closing(sqlite3.connect(folder / "evaluation.db", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE runs SET started_at = ?, seen_at = ?, ended_at = ?", (NOON, *[NOON + 3600] * 2)
        )
        connection.execute("BEGIN")
        insert(connection, range(1, inputs + 1), inputs, NOON)
        connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, inputs: Sequence[int], of: int, start: float) -> None:
    """The calls of these inputs with all models."""
    dice = random.Random(inputs[0])
    calls, answers, attempts = [], [], []
    for number in inputs:
        for model in range(1, len(MODELS) + 1):
            call, took, at = (
                call_id(number, model, 1),
                dice.lognormvariate(0, 0.6),
                start + number / of * 3590,
            )
            failed = dice.random() < 0.01
            kind, message = ("server", "500: no") if failed else (None, None)
            calls.append(
                (call, number, model, 1 + failed, at, took, took, dice.randrange(20_000), kind, message)
            )
            attempts.append((call, at, took, kind, message))
            if not failed:
                answers.append((call, f"{number} {SENTENCE * 5}"))
    connection.executemany(
        """INSERT OR REPLACE INTO calls (id, input_id, model_id, repeat, input_version, key, content, status,
        run_id, started_at, response_s, time_s, attempts, input_tokens, output_tokens, cost_nusd, error_kind,
        error_message) VALUES (?, ?, ?, 1, 1, 'k', x'', ?, 1, ?, ?, ?, 1, 300, 120, ?, ?, ?)""",
        calls,
    )
    connection.executemany("INSERT OR REPLACE INTO answers (call_id, text) VALUES (?, ?)", answers)
    connection.executemany(
        """INSERT INTO attempts (call_id, run_id, number, started_at, latency_s, error_kind, error_message)
        VALUES (?, 1, 1, ?, ?, ?, ?)""",
        attempts,
    )


@contextmanager
def view(output_dir: Path) -> Iterator[tuple[str, int]]:
    """The command itself; yields its address and its process."""
    command = [sys.executable, "-m", "umwelten", "view", "--no-open", "--output-dir", str(output_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=output_dir) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def peak_mb(pid: int) -> float:
    """The most memory that a process held."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


# --- in the browser ------------------------------------------------------------------------------

_FIRST = """const done = arguments[0];
const there = () => document.querySelector('.calls [data-row]');
(function look() { there() ? done(performance.now()) : requestAnimationFrame(look); })()"""
_AFTER = """const [act, done] = arguments;
const first = () => document.querySelector('#list [data-row]')?.dataset.row;
const was = first(), began = performance.now();
new Function(act)();
const there = () => first() !== was && first();
(function look() { there() ? done(performance.now() - began) : requestAnimationFrame(look); })()"""
_JUMP = "const e = document.getElementById('jump'); e.value = %d; e.dispatchEvent(new Event('change'))"
_STATUS = (
    "const e = document.getElementById('by-status'); e.value = 'failed'; e.dispatchEvent(new Event('change'))"
)


def in_browser(url: str, id_: str, pid: int, rounds: int) -> dict[str, list[float]]:
    """What a user waits for, in milliseconds."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from report.browser import chromium

    base, _, token = url.partition("/?")
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as driver:
        driver.set_script_timeout(60)
        driver.get(f"{base}/?{token}")
        for number in range(rounds):
            driver.get(f"{base}/e/{id_}/calls")
            found.setdefault("first page", []).append(driver.execute_async_script(_FIRST))
            jump = _JUMP % (500 + number)
            found.setdefault("middle", []).append(driver.execute_async_script(_AFTER, jump))
            found.setdefault("failed", []).append(driver.execute_async_script(_AFTER, _STATUS))
            driver.get(f"{base}/e/{id_}/calls?at=0.5&status=failed")
            driver.execute_async_script(_FIRST)
        driver.get(f"{base}/e/{id_}")
        time.sleep(8)
        driver.get(f"{base}/e/{id_}/calls?sort=-duration")
        found["slowest first"] = [driver.execute_async_script(_FIRST)]
        driver.get(f"{base}/e/{id_}/calls?q=nothing+of+it")
        time.sleep(4)
        metrics = {
            one["name"]: one["value"] for one in driver.execute_cdp_cmd("Performance.enable", {}) or []
        }
        heap = driver.execute_script("return performance.memory.usedJSHeapSize") / 1e6
        found["heap MB"] = [metrics.get("JSHeapUsedSize", heap)]
    found["server MB"] = [peak_mb(pid)]
    return found


# --- beside a run --------------------------------------------------------------------------------


def commits(folder: Path, seconds: float) -> list[float]:
    """Write at 2,000 calls a second; returns how long each commit took, in milliseconds."""
    took = []
    inputs = _GROUP // len(MODELS)
    with closing(open_database(folder)) as connection:
        began = time.monotonic()
        number = 0
        while (now := time.monotonic() - began) < seconds:
            due = number * _GROUP / _PER_S
            if now < due:
                time.sleep(due - now)
            first = 1 + number * inputs % 100_000
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, range(first, first + inputs), 100_000, time.time())
            at = time.perf_counter()
            connection.execute("COMMIT")
            took.append((time.perf_counter() - at) * 1000)
            number += 1
    return took


def followed(url: str, id_: str) -> subprocess.Popen[bytes]:
    """A client of the events, in a process of its own."""
    code = f"""
import http.client, urllib.parse
url = urllib.parse.urlsplit({url!r})
def ask(path, **headers):
    c = http.client.HTTPConnection(url.hostname, url.port)
    c.request("GET", path, headers=headers)
    return c.getresponse()
cookie = ask(url.path + "?" + url.query).headers["Set-Cookie"].partition(";")[0]
said = ask("/api/e/{id_}/events", Cookie=cookie)
while said.readline(): pass
"""
    return subprocess.Popen([sys.executable, "-c", code])


def beside(output_dir: Path, seconds: float, rounds: int) -> tuple[list[float], list[float]]:
    """How long commits took without and with the view, in turns."""
    found: tuple[list[float], list[float]] = ([], [])
    folder = output_dir / "written"
    make(folder, 400_000)
    for _ in range(rounds):
        found[0].extend(commits(folder, seconds))
        with view(output_dir) as (url, _pid):
            client = followed(url, folder.name)
            time.sleep(2)
            try:
                found[1].extend(commits(folder, seconds))
            finally:
                client.terminate()
                client.wait()
    return found


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def main(arguments: Sequence[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.view", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keep", type=Path, help="where the evaluations are made, and stay")
    parser.add_argument("--part", choices=["all", "browser", "writer"], default="all")
    options = parser.parse_args(arguments)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="umwelten-view-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(machine())
    if options.part != "writer":
        if not (folder / "million").exists():
            timed("made", lambda: make(folder / "million", options.calls))
        with view(folder) as (url, pid):
            found = in_browser(url, "million", pid, options.rounds)
        rows = [
            [name, f"{statistics.median(values):.0f}", f"{max(values):.0f}", str(LIMITS.get(name, ""))]
            for name, values in found.items()
        ]
        print(table(f"{options.calls:,} calls, ms and MB", ("what", "median", "most", "limit"), rows))
    if options.part != "browser":
        alone, seen = beside(folder, options.seconds, options.rounds)
        rows = [
            [name, f"{of(alone):.2f}", f"{of(seen):.2f}", f"{of(seen) / of(alone):.2f}"]
            for name, of in (("median", statistics.median), ("p99", p99))
        ]
        print(table(f"commits, ms, {len(alone):,} each", ("what", "alone", "with the view", "ratio"), rows))
    return 0


def timed(what: str, act: Callable[[], Any]) -> None:
    """Do it, and say how long it took."""
    began = time.monotonic()
    act()
    print(f"{what} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
