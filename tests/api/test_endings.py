"""How a program that uses the library ends: Ctrl-C, its own end, and what it leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import umwelten
from provider import ChildProvider, Profile, clean_environment, provider_process, run_python
from umwelten.simulate.faultserver.profile import Behaviour

LATENCY_S = 0.5
ASK = 'umwelten.run("hello", "openai:a", id="cut", repeat=100, max_concurrency=2)'


def interrupted(tmp_path: Path, code: str, server: ChildProvider) -> tuple[int, str]:
    """Run a program, press Ctrl-C once calls are in flight, and wait: its status and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(server.env()),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        deadline = time.monotonic() + 30
        while server.counts()["totals"]["requests"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    return process.wait(30), said


@pytest.mark.parametrize(
    "use",
    [
        f"{ASK}.wait()",
        f"for answer in {ASK}: pass",
        f"""
async def main():
    await {ASK}
asyncio.run(main())""",
        f"""
async def main():
    async for answer in {ASK}: pass
asyncio.run(main())""",
        f"""
async def cell():
    {ASK}.wait()
asyncio.new_event_loop().run_until_complete(cell())""",
    ],
    ids=["wait", "for", "await", "async for", "wait in a notebook"],
)
def test_ctrl_c_keeps_the_calls_in_flight_and_is_raised(tmp_path: Path, use: str) -> None:
    with provider_process(Profile(default=Behaviour(latency_s=LATENCY_S))) as server:
        status, said = interrupted(tmp_path, f"import asyncio, umwelten\n{use}", server)
        totals = server.counts()["totals"]
    assert status in (-signal.SIGINT, 130)
    assert said.rstrip().splitlines()[-1].startswith("KeyboardInterrupt")
    stored = umwelten.open("cut", tmp_path / "output")
    assert stored.status == "interrupted"
    assert len(stored.answers) == totals["requests"] == totals["answered"]
    assert len(stored.answers) < 100


def test_a_program_that_ends_stops_its_runs(tmp_path: Path) -> None:
    code = f"import umwelten\nanswers = iter({ASK})\nnext(answers)\nraise SystemExit(7)"
    with provider_process(Profile(default=Behaviour(latency_s=0.1))) as server:
        ran = run_python(["-c", code], cwd=tmp_path, env=server.env(), timeout_s=30)
        totals = server.counts()["totals"]
    assert (ran.code, ran.out, ran.err) == (7, "", "")
    stored = umwelten.open("cut", tmp_path / "output")
    assert 1 <= len(stored.answers) == totals["answered"] < 100


def test_the_library_prints_nothing_and_leaves_signals_alone(tmp_path: Path) -> None:
    code = """
import signal, umwelten
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
during = []
watch = lambda event: during.append([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])
results = umwelten.run("hello", "openai:a,openai:broken,openai:a", on_event=watch).wait()
assert len(results) == 2 and during and all(handlers == before for handlers in during)
"""
    with provider_process(Profile()) as server:
        ran = run_python(["-c", code], cwd=tmp_path, env=server.env())
    assert ran == (0, "", "")


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys, umwelten
heavy = {"asyncio", "aiohttp", "click", "rich", "msgspec", "sqlite3", "umwelten.evaluation.evaluation"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
umwelten.Results
light = {"aiohttp", "click", "rich", "umwelten.evaluation", "pandas", "polars", "pyarrow", "pydantic"}
assert not light & set(sys.modules), light & set(sys.modules)
"""
    assert run_python(["-c", code], cwd=tmp_path) == (0, "", "")
