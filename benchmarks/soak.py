"""A long run under mixed faults and a changing limit: `python -m benchmarks.soak [--minutes 30]`.

200 calls in flight through the real engine, store and transport, streamed and not, to a provider in a
process of its own that spoils one request in ten and changes its limit every few seconds. Memory, file
handles and tasks must stay flat, and what the provider counted must be what is stored. Prints a JSON
object; exit status 1 if something does not add up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

IN_FLIGHT = 200
FAULTS = (500, 502, 503, "reset_before", "reset_body", "hang", "hang_stream", "cut_json", "garbage", "empty")
LIMITS = (None, 150, 300, 220)
FILES, REPEATS = 50, 60_000


def main() -> int:
    """Run, print what came of it; 1 if something grew or does not add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--latency", type=float, default=0.8, help="seconds an answer takes")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = soak(Path(folder), seconds=chosen.minutes * 60, latency_s=chosen.latency)
    print(json.dumps(figures, indent=1))
    return 1 if figures["problems"] else 0


def soak(root: Path, *, seconds: float, latency_s: float) -> dict[str, Any]:
    """The figures of one run; `problems` says what grew or does not add up."""
    (root / "in").mkdir()
    for n in range(FILES):
        (root / "in" / f"{n:02}.txt").write_text(f"This is file number {n:02}.")
    profiles = [_profile(limit, latency_s) for limit in LIMITS]
    server = [sys.executable, "-m", "umwelten.simulate.faultserver", "--json", json.dumps(profiles[0])]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdout is not None
        url = f"http://127.0.0.1:{json.loads(provider.stdout.readline())['port']}"
        ended = threading.Event()
        turning = threading.Thread(target=_turn, args=(url, profiles, ended, min(20.0, seconds / 8)))
        turning.start()
        try:
            samples, result = _work(root, url, seconds)
        finally:
            ended.set()
            turning.join()
        with urllib.request.urlopen(f"{url}/_ledger?records=0", timeout=30) as reply:
            totals = json.load(reply)["totals"]
        provider.terminate()
    return _judge(root, samples, result, totals, seconds)


def _profile(limit: int | None, latency_s: float) -> dict[str, Any]:
    rules = [
        {"every": 10 * len(FAULTS), "behaviour": {"fault": fault, "retry_after_s": 0.2}} for fault in FAULTS
    ]
    limiters = [] if limit is None else [{"kind": "concurrency", "n": limit}]
    default = {"latency_s": [latency_s * share for share in (0.5, 1.0, 1.5)]}
    return {"default": default, "rules": rules, "limiters": limiters, "records": 0}


def _turn(url: str, profiles: list[dict[str, Any]], ended: threading.Event, every_s: float) -> None:
    turn = 0
    while not ended.wait(every_s):
        turn += 1
        body = json.dumps(profiles[turn % len(profiles)]).encode()
        urllib.request.urlopen(f"{url}/_profile", body, timeout=10).close()


def _work(root: Path, url: str, seconds: float) -> tuple[list[list[float]], dict[str, Any]]:
    """The run in a child: its samples (seconds, bytes resident, handles, tasks) and how it ended."""
    environ = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "soak"}
    environ["XDG_STATE_HOME"] = str(root)  # no limits of earlier runs, and none left behind
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(seconds)],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]


def _judge(
    root: Path, samples: list[list[float]], result: dict[str, Any], totals: dict[str, int], seconds: float
) -> dict[str, Any]:
    with closing(sqlite3.connect(root / "output" / "soak" / "evaluation.db")) as connection:
        attempts = connection.execute("SELECT count(*) FROM attempts").fetchone()[0]
        answers = connection.execute("SELECT count(*) FROM attempts WHERE error_kind IS NULL").fetchone()[0]
        stored = connection.execute("SELECT count(*) FROM calls WHERE status = 1").fetchone()[0]
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    figures = {
        "seconds": round(seconds),
        "calls": stored,
        "attempts": attempts,
        "requests": totals["requests"],
        "answered": totals["answered"],
        "faulted_or_refused": totals["faulted"] + totals["refused"],
        "peak_in_flight": result["peak_in_flight"],
        "memory_mb": [round(median(row[1] for row in part) / 1e6, 1) for part in (early, late)],
        "handles": [int(max(row[2] for row in part)) for part in (early, late)],
        "tasks": [int(max(row[3] for row in part)) for part in (early, late)],
    }
    memory, handles, tasks = figures["memory_mb"], figures["handles"], figures["tasks"]
    checks = {
        # A request on a connection that the server had closed is sent again within the same attempt.
        "requests are not attempts": 0 <= totals["requests"] - attempts <= totals["faulted"],
        "answers are not calls": totals["answered"] == answers == stored,
        "memory grew": memory[1] <= memory[0] * 1.15 + 8,
        "handles grew": handles[1] <= max(handles[0], IN_FLIGHT) + 40,
        "tasks grew": tasks[1] <= 2 * IN_FLIGHT + 20,
        "too much in flight": totals["peak_in_flight"] <= IN_FLIGHT,
        "hardly anything happened": stored > seconds * 10,
    }
    return figures | {"problems": [name for name, holds in checks.items() if not holds]}


# --- the child -------------------------------------------------------------------------------


async def _child(seconds: float) -> None:
    from umwelten.config.endpoints import vendors
    from umwelten.config.settings import load
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.evaluation.spec import EvaluationSpec, Limits, Output
    from umwelten.inputs.files.scan import scan
    from umwelten.inputs.sources import Inputs
    from umwelten.types import ModelRef, Prompt, RequestSettings

    settings = load(Path.cwd(), os.environ)
    spec = EvaluationSpec(
        kind="batch",
        models=(ModelRef("openai", "m"),),
        request=RequestSettings(prompts=(Prompt(name="", text="go"),)),
        inputs=Inputs(files=lambda: scan(Path("in"))),
        repeats=REPEATS,
        stream=True,
        limits=Limits(max_concurrency=IN_FLIGHT, timeout_s=4.0, retries=20),
        output=Output(id="soak"),
    )
    evaluation = Evaluation.prepare(spec, settings, vendors(settings))
    sampling = asyncio.create_task(_sample())
    stopping = asyncio.get_running_loop().call_later(seconds, evaluation.stop, "time is up")
    result = await evaluation.run()
    stopping.cancel()
    sampling.cancel()
    evaluation.close()
    print(json.dumps({"status": result.status, "peak_in_flight": result.peak_in_flight}), flush=True)


async def _sample() -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(0.5)
        handles = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208
        row = [time.monotonic() - began, _resident(), handles, len(asyncio.all_tasks())]
        print(json.dumps(row), flush=True)


def _resident() -> int:
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        import uvloop

        uvloop.run(_child(float(sys.argv[2])))
        sys.exit(0)
    sys.exit(main())
