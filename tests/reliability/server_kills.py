"""End batches that use MCP servers, in every way and at random moments; no process of theirs is left."""

from __future__ import annotations

import contextlib
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mcpkit import HOSTILE, running, script
from provider import clean_environment, provider_process
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

WAYS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C twice": signal.SIGINT}
_START_S, _LONGEST_S = 0.5, 6.0
"""From before the servers are there until the batch has long been at work."""
_WAIT_S = 20.0


@dataclass
class Figures:
    """What it came to. `with_servers`: batches whose servers ran when they were ended."""

    ways: Counter[str] = field(default_factory=Counter)
    with_servers: int = 0
    left: int = 0
    slowest_s: float = 0.0


def end_batches(root: Path, *, count: int, seed: int = 1) -> Figures:
    """So many batches with three servers: one that others wrote, one that obeys, one that ignores SIGTERM."""
    dice, figures = random.Random(seed), Figures()
    texts = root / "in"
    texts.mkdir(parents=True)
    for number in range(400):
        (texts / f"{number}.txt").write_text(str(number))
    arguments = ({"seconds": 0.05, "text": "x", "timezone": "Asia/Tokyo"},)
    turns = ToolTurns(turns=3, calls=2, tools=("hostile__[es]*", "time__*"), arguments=arguments)
    with provider_process(Profile(default=Behaviour(tool_turns=turns))) as server:
        env = {**clean_environment(), **server.env(), "XDG_STATE_HOME": str(root / "state")}
        for number in range(count):
            way = list(WAYS)[number % len(WAYS)]
            process = subprocess.Popen(
                _command(root, number),
                cwd=root,
                env=env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(dice.uniform(_START_S, _LONGEST_S))
            figures.with_servers += len(_left(root)) > 1
            _end(process, way)
            figures.ways[way] += 1
            began = time.monotonic()
            while _left(root) and time.monotonic() - began < _WAIT_S:
                time.sleep(0.02)
            figures.slowest_s = max(figures.slowest_s, time.monotonic() - began)
            figures.left += len(_left(root))
    return figures


def _left(root: Path) -> set[int]:
    """The processes that have the mark in their command line or among their variables."""
    found = set(running(root))
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"MARK={root}\0".encode() in path.read_bytes():
                found.add(int(path.parent.name))
    return found


def _command(root: Path, number: int) -> list[str]:
    servers = [
        shlex.join([sys.executable, "-S", str(HOSTILE), mode, str(root)]) for mode in ("ok", "stubborn")
    ]
    # It takes no argument of ours.
    servers.append(shlex.join(["env", f"MARK={root}", script("mcp-server-time")]))
    named = [word for server in servers for word in ("--mcp", server)]
    batch = [sys.executable, "-m", "umwelten", "eval", "batch", "--id", f"e{number}", "-p", "x"]
    models = ["-m", "openai:gpt-4o-mini", "--directory", str(root / "in"), "--progress", "none"]
    return [*batch, *models, *named]


def _end(process: subprocess.Popen[bytes], way: str) -> None:
    process.send_signal(WAYS[way])
    if way == "Ctrl-C twice":
        time.sleep(0.2)
        process.send_signal(WAYS[way])
    process.wait(_WAIT_S)
