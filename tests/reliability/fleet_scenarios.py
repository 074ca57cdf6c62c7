"""What is promised of runs whose workers are elsewhere, besides surviving kills, each tried by one scenario.

A scenario returns what it came to as a line, and fails by an assertion. Ray, processes, provider are real.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from provider import KEYS, provider_process
from reliability import fleet_equality as equality
from reliability.fleet_runs import FleetRun, profile
from reliability.processes import Family
from reliability.ray_cluster import Cluster, cluster

OWN = ("--engine", "ray", "--workers", "2")
FIRST_CALL_S = {"a Ray of its own": 15.0, "a running cluster": 6.0}
_LEFT_S = 10.0
_PIECE = 1 << 20
_TEXTS = ("--file-pattern", "*.txt")
_HIDE = 'mount -t tmpfs none "$HIDDEN" && exec "$@"'


def on_cluster(running: Cluster, workers: int = 4) -> tuple[str, ...]:
    """Return the options of a run on a cluster."""
    return ("--engine", f"ray:{running.address}", "--workers", str(workers))


# --- start and end -----------------------------------------------------------------------------


def first_call(root: Path) -> str:
    """Return how long it takes to the first request, with a Ray of its own and on a running cluster."""
    with provider_process(profile()) as server, cluster(KEYS) as running:
        took = {}
        for number, (name, engine) in enumerate(zip(FIRST_CALL_S, (OWN, on_cluster(running)), strict=True)):
            run = FleetRun(root / str(number), server, 40)
            server.reset()
            began = time.monotonic()
            process = run.start(*engine)
            try:
                run.wait_for(lambda: bool(server.counts()["totals"]["requests"]), 60.0)
                took[name] = time.monotonic() - began
                assert process.wait(60) == 0, run.said()
                left = run.family.await_end(_LEFT_S)
                assert not left, left
            finally:
                run.family.end()
    return ", ".join(f"{name}: {seconds:.1f} s of {FIRST_CALL_S[name]:g}" for name, seconds in took.items())


def interrupts(root: Path) -> str:
    """Ctrl-C once, twice, and twice at the start leave no process, and nothing that is half."""
    said = []
    with provider_process(profile()) as server:
        for number, (name, after, signals) in enumerate(
            (("once", 40, 1), ("twice", 40, 2), ("twice while Ray starts", 0, 2))
        ):
            server.reset()
            run = FleetRun(root / str(number), server, 2000)
            process = run.start(*OWN)
            try:
                if after:
                    run.await_answers(process, after)
                else:
                    run.wait_for(lambda run=run: len(run.family.processes()) > 2, 30.0)  # type: ignore[misc]
                began = time.monotonic()
                for _ in range(signals):
                    process.send_signal(signal.SIGINT)
                    time.sleep(0.2)
                code = process.wait(30)
                ended_s = time.monotonic() - began
                left = run.family.await_end(_LEFT_S)
                gone_s = time.monotonic() - began
                assert not left, (name, left)
                assert code in (130, 3), (name, code, run.said())
                said.append(f"{name}: {ended_s:.1f} s, all processes gone after {gone_s:.1f} s")
            finally:
                run.family.end()
    return "; ".join(said)


# --- paths -------------------------------------------------------------------------------------


@contextmanager
def blind_node(folder: Path) -> Iterator[Cluster]:
    """A cluster whose second node sees an empty folder in place of this one."""
    before = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _HIDE, "sh")
    with cluster({**KEYS, "HIDDEN": str(folder)}, before) as running:
        yield running


def hidden_inputs(root: Path) -> str:
    """Workers that cannot see the inputs get them: same answers, same hashes, one note."""
    root = root / "project"
    equality.write_texts(root, 60)
    equality.write_uploads(root, 2)
    words = ("--prompts", "prompts.toml", "-m", "google:gemini-3.5-flash")
    with provider_process(equality.profile()) as server, blind_node(root / "in") as running:
        seen = equality.compare(root, server, on_cluster(running), "hidden", *words)
        notes = equality.said(root, "hidden-workers")
    told = [line for line in notes.splitlines() if "cannot read" in line or "sent" in line]
    assert len(told) == 1, notes
    return f"{seen['summary']['calls']} calls alike; {told[0]}"


# --- keys --------------------------------------------------------------------------------------


def shipped_keys(root: Path) -> str:
    """A key that is sent to workers is in no file of Ray, no environment, no command, no memory of Ray."""
    looked = []
    with provider_process(profile()) as server:
        looked.append(_searched(FleetRun(root / "own", server, 400, _canary()), OWN, ()))
        with cluster() as running:
            run = FleetRun(root / "cluster", server, 800, _canary())
            looked.append(_searched(run, (*on_cluster(running), "--ship-keys"), running.families))
        sent = {record["key"] for record in server.counts(records=True)["records"]}
    assert len(sent) == 2, sent
    return f"{sum(looked)} processes, their memory except the workers', and all files: none has it"


def _canary() -> dict[str, str]:
    return {"OPENAI_API_KEY": f"canary-{os.urandom(8).hex()}"}


def _searched(run: FleetRun, engine: tuple[str, ...], families: Sequence[Family]) -> int:
    """Search for the run's key while it runs and afterwards; returns in how many processes."""
    needle = run.env["OPENAI_API_KEY"].encode()
    asked = run.server.counts()["totals"]["answered"]
    process = run.start(*engine, "--debug")
    found: list[str] = []
    try:
        run.await_answers(process, asked + run.calls // 4)
        around = [each for family in (*families, run.family) for each in family.processes()]
        workers = {pid for _, pid in run.workers().values()}
        assert len(workers) == int(engine[3]), workers
        folders = {word for each in around for word in re.findall(r"/tmp/[a-z]+-[^/\s=]+", each.command)}
        assert folders
        for each in around:
            if each.pid != process.pid:
                found += _in_process(each.pid, needle)
                if each.pid not in workers:
                    found += _in_memory(each.pid, needle)
        places = [run.root, *map(Path, folders)]
        found += _in_files(places, needle)
        assert process.wait(120) == 0, run.said()
    finally:
        run.family.end()
    found += _in_files(places, needle)
    assert not found, found
    return len(around)


def _in_process(pid: int, needle: bytes) -> list[str]:
    found = []
    for name in ("environ", "cmdline"):
        with suppress(OSError):
            if needle in Path(f"/proc/{pid}/{name}").read_bytes():
                found.append(f"{name} of {Path(f'/proc/{pid}/cmdline').read_bytes()[:80]!r}")
    return found


def _in_memory(pid: int, needle: bytes) -> list[str]:
    """Whether a process has the bytes in memory that it may write to."""
    with suppress(OSError), Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(edge, 16) for edge in span.split("-"))
                if any(needle in piece for piece in _pieces(memory, start, end)):
                    return [f"memory of {Path(f'/proc/{pid}/cmdline').read_bytes()[:80]!r}"]
    return []


def _pieces(memory: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Memory that can be read, in pieces that overlap."""
    for at in range(start, end, _PIECE):
        with suppress(OSError, OverflowError):
            memory.seek(at)
            yield memory.read(min(_PIECE + 100, end - at))


def _in_files(folders: Sequence[Path], needle: bytes) -> list[str]:
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(OSError):
                if path.is_file() and needle in path.read_bytes():
                    found.append(str(path))
    return found


# --- reports -----------------------------------------------------------------------------------


def equal_reports(root: Path) -> str:
    """2,000 calls with a schema and corrections, uploads, several prompts, caps: one report both ways."""
    root = root / "project"
    with cluster(KEYS) as running:
        engine = on_cluster(running)
        total = shapes_alike(root, engine, files=480)
        equality.write_uploads(root, 4)
        one_by_one = ("-p", "Describe.", "-m", equality.MODELS[0], *_TEXTS, "--max-concurrency", "1")
        # Without retries: which of two calls comes first is not a matter of how long one waits.
        with provider_process(equality.profile(with_retries=False)) as server:
            for name, options in {
                "uploads": ("--prompts", "prompts.toml", "-m", equality.MODELS[1], "--file-pattern", "*.mp3"),
                "errors": (*one_by_one, "--max-errors", "3"),
                "cost": (*one_by_one, "--max-cost", "0.003", "--max-tokens", "20"),
            }.items():
                total += _made(equality.compare(root, server, engine, name, *options))
    return f"{total:,} calls with equal reports"


def shapes_alike(root: Path, engine: tuple[str, ...], *, files: int) -> int:
    """Return how many calls with a schema, corrections and several prompts were reported alike."""
    equality.write_texts(root, files)
    models = ("-m", ",".join(equality.MODELS))
    with provider_process(equality.profile()) as server:
        options = ("--prompts", "prompts.toml", *models, *_TEXTS, "--schema", equality.SCHEMA)
        return _made(equality.compare(root, server, engine, "shapes", *options))


def _made(seen: dict[str, Any]) -> int:
    return int(seen["summary"]["calls"] - seen["summary"]["pending"])


SCENARIOS: dict[str, Callable[[Path], str]] = {
    "from the command to the first call": first_call,
    "Ctrl-C": interrupts,
    "workers that cannot read the inputs": hidden_inputs,
    "a key that is sent to workers": shipped_keys,
    "reports of the same evaluation by one process and by workers": equal_reports,
}
