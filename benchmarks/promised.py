"""The figures promised, at 1/100 of their scale: `python -m benchmarks.promised`.

The real command line runs against a provider on this machine that answers after a fixed time. Wall time
is the run's own, from its report; the process's start is not in it. Ideal is max(longest call, sum of
calls / slots): no schedule can be faster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCALE = 100
SLOTS = 5
ALLOWED = 1.1
RUNS = 5

FIVE = {"m8": 8.0, "m6": 6.0, "m5": 5.0, "m4": 4.0, "m2": 2.0}

# name, promised seconds, latencies by model, files
CASES = (
    ("5 models × 1 prompt", 8.0, FIVE, 0),
    ("1 model × 100 files", 60.0, {"m3": 3.0}, 100),
    ("3 models × 50 files", 90.0, {"a3": 3.0, "b3": 3.0, "c3": 3.0}, 50),
)


def main() -> int:
    """Print the table; 1 if a figure misses its bound."""
    print(f"{'case':<22}{'promised':>10}{'ideal':>9}{'measured':>10}{'× ideal':>9}{'in flight':>11}")
    missed = False
    for name, promised, latencies, files in CASES:
        calls = [latency for latency in latencies.values() for _ in range(max(1, files))]
        ideal = max(*calls, sum(calls) / SLOTS) / SCALE
        walls, peak = zip(*(measure(latencies, files) for _ in range(RUNS)), strict=True)
        wall = sorted(walls)[RUNS // 2]
        over = wall > ALLOWED * ideal or max(peak) > SLOTS
        missed = missed or over
        flag = "  missed" if over else ""
        times = f"{promised / SCALE:>9.2f}s{ideal:>8.2f}s{wall:>9.3f}s{wall / ideal:>9.2f}"
        print(f"{name:<22}{times}{max(peak):>11}{flag}")
    print(f"median of {RUNS} runs; bound {ALLOWED} × ideal and never more than {SLOTS} in flight")
    return int(missed)


def measure(latencies: dict[str, float], files: int) -> tuple[float, int]:
    """Wall seconds and peak in flight of one run of the command line."""
    rules = [
        {"model": model, "behaviour": {"latency_s": latency / SCALE}} for model, latency in latencies.items()
    ]
    command = [
        sys.executable,
        "-m",
        "umwelten.simulate.faultserver",
        "--port",
        "0",
        "--json",
        json.dumps({"rules": rules}),
    ]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        try:
            return _run(Path(folder), port, latencies, files)
        finally:
            server.terminate()


def _run(folder: Path, port: int, latencies: dict[str, float], files: int) -> tuple[float, int]:
    models = ",".join(f"openai:{model}" for model in latencies)
    base = [sys.executable, "-m", "umwelten", "eval"]
    command = ["run" if not files else "batch", "-p", "Say something.", "-m", models, "-i", "bench"]
    if files:
        (folder / "in").mkdir()
        for n in range(files):
            (folder / "in" / f"{n:03}.txt").write_text(f"Text number {n}.\n")
        command += ["--directory", "in"]
    environ = {**os.environ, "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "bench"}
    environ["XDG_STATE_HOME"] = str(folder)  # no limits of earlier runs, and none left behind
    subprocess.run(
        [*base, *command, "--max-concurrency", str(SLOTS), "--no-stream", "--progress", "none"],
        cwd=folder,
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    report = subprocess.run(
        [*base, "report", "-i", "bench", "--format", "json"],
        cwd=folder,
        env=environ,
        check=True,
        capture_output=True,
    )
    summary = json.loads(report.stdout)["summary"]
    return float(summary["wall_s"]), int(summary["peak_in_flight"])


if __name__ == "__main__":
    sys.exit(main())
