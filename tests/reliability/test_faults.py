"""Every fault on every wire, unary and streamed: right kind, bounded time and memory, and the run goes on."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provider import clean_environment, provider, provider_process
from reliability.matrix import FAULTS, MODES, ROOTS, Cell, bench, problems
from umwelten.simulate.faultserver import Behaviour, Outage, Profile, Rule

Cells = dict[tuple[str, str, str], Cell]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cells, int]]:
    """All cells, and how often someone came to where the redirects lead."""
    noise = logging.getLogger("asyncio")
    level = noise.level
    noise.setLevel(logging.CRITICAL)  # the provider goes on talking to clients that have left
    with bench(tmp_path_factory.mktemp("tls")) as tried:
        yield tried.run(), tried.elsewhere
    noise.setLevel(level)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wire", ROOTS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_comes_to_its_kind_in_time_and_the_next_call_works(ran, fault, wire, mode):
    assert problems(fault, ran[0][fault.name, wire, mode]) == []


def test_a_redirect_takes_the_key_nowhere(ran):
    assert ran[1] == 0


CHILD = """
import asyncio, resource, sys
from reliability.matrix import ROOTS, MODES, ask_at
def peak():  # in kB; ru_maxrss starts at the size of the process that this one was forked from
    if sys.platform == "linux":
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
base = peak()
for wire in sys.argv[2:]:
    for mode in MODES:
        print(wire, mode, asyncio.run(ask_at(wire, sys.argv[1] + ROOTS[wire], mode, timeout_s=60)).kind)
print((peak() - base) >> 10)
"""


@pytest.mark.parametrize(("fault", "wires"), [("huge", tuple(ROOTS)), ("gzip_bomb", ("openai", "ollama"))])
def test_a_reply_without_measure_costs_a_bounded_amount_of_memory(fault, wires):
    with provider_process(Profile(default=Behaviour(fault=fault, size_mb=200.0))) as server:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.url, *wires],
            env=clean_environment({"PYTHONPATH": os.pathsep.join(map(str, sys.path))}),
            capture_output=True,
            text=True,
            timeout=100,
        )
    *cells, grown = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in cells] == ["server"] * 2 * len(wires)
    # 64 MB is the longest reply that is read; it is held up to four times for a moment, while it is put
    # together and decoded. What is packed comes out of aiohttp a network chunk at a time.
    assert int(grown) < 360, f"{grown} MB"


MIXED: dict[str, tuple[Behaviour, str | None]] = {
    "status500": (Behaviour(fault=500), "server"),
    "status502": (Behaviour(fault=502), "server"),
    "status400": (Behaviour(fault=400), "bad_request"),
    "resetbefore": (Behaviour(fault="reset_before"), "connection"),
    "resetbody": (Behaviour(fault="reset_body"), "connection"),
    "silence": (Behaviour(fault="hang"), "timeout"),
    "stall": (Behaviour(fault="hang_stream"), "timeout"),
    "cutjson": (Behaviour(fault="cut_json"), "server"),
    "cutstream": (Behaviour(fault="cut_stream"), "server"),
    "garbage": (Behaviour(fault="garbage"), "server"),
    "nothttp": (Behaviour(fault="not_http"), "server"),
    "empty": (Behaviour(fault="empty"), "server"),
    "late": (Behaviour(latency_s=3.0), "timeout"),
    "invalid": (Behaviour(fault="invalid_utf8"), None),
}
MODELS = {"openai:a": "openai", "google:g": "gemini", "anthropic:c": "anthropic", "ollama:o": "ollama"}
GOOD = 12


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in MIXED:
        (tmp_path / "in" / f"{name}.txt").write_text(f"fault-{name}\n")
    for n in range(GOOD):
        (tmp_path / "in" / f"good{n:02}.txt").write_text(f"sound {n}\n")
    return tmp_path


@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_meets_every_fault_on_every_wire_goes_on_to_its_end(cli, texts, mode):
    rules = tuple(Rule(prompt=f"fault-{name}", behaviour=found[0]) for name, found in MIXED.items())
    with provider(Profile(rules=rules)) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", ",".join(MODELS), "-i", "f", "--directory", "in"),
            *("--max-concurrency", "16", "--timeout", "1s", "--retries", "1", "--progress", "none"),
            "--stream" if mode == "stream" else "--no-stream",
            env=server.env(),
        )
        assert server.ledger.peak_in_flight <= 16
    assert code == 1, err
    code, out, err = cli("eval", "report", "-i", "f", "--format", "json")
    assert code == 0, err
    for result in json.loads(out)["results"]:
        kind = MIXED.get(result["file"].removesuffix(".txt"), (None, None))[1]
        said = None if result["error"] is None else result["error"]["kind"]
        assert said == kind, (result["file"], result["error"], result["metrics"])
        assert result["metrics"]["attempts"] == (2 if kind not in (None, "bad_request") else 1), result
    # Every slot came back: nothing is left over or there twice.
    summary = json.loads(out)["summary"]
    failing = sum(kind is not None for _, kind in MIXED.values())
    assert summary["failed"] == failing * len(MODELS)
    assert summary["succeeded"] == (GOOD + len(MIXED) - failing) * len(MODELS)
    assert summary["pending"] == 0
    if mode == "stream":
        assert _partials(texts / "output" / "f") >= 2 * len(MODELS)


def _partials(folder: Path) -> int:
    """Attempts that failed in mid-stream and kept the text that had come; no such text is an answer."""
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        rows = connection.execute(
            "SELECT t.partial, c.status FROM attempts t JOIN calls c ON c.id = t.call_id"
            " JOIN inputs i ON i.id = c.input_id WHERE i.name = 'stall.txt'"
        ).fetchall()
        answers = connection.execute(
            "SELECT count(*) FROM answers a JOIN calls c ON c.id = a.call_id WHERE c.status <> 1"
        ).fetchone()
    assert answers == (0,)
    assert all(partial and status == 2 for partial, status in rows)
    return len(rows)


def test_a_storm_of_rate_limits_costs_time_and_no_call(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(30):
        (tmp_path / "in" / f"{n:02}.txt").write_text(f"text {n}\n")
    # Of 90 calls, 60 at most have begun by then, for 30 are in flight at a time.
    storm = Profile(default=Behaviour(latency_s=0.02), outages=(Outage(from_s=0.03, to_s=0.5, fault=429),))
    with provider(storm) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a,google:g,anthropic:c", "-i", "f"),
            *("--directory", "in", "--max-concurrency", "30", "--retries", "0", "--progress", "none"),
            env=server.env(),
        )
        assert code == 0, err
        sums = server.idle()
        assert sums.answered == 90
        assert 0 < sums.refused <= 90 * 3
