"""Tools of the tests that run the llama.cpp child: look it up in /proc, ask it something."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from umwelten.local import LocalServers
from umwelten.types import Secret

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def small(**changes: Any) -> LocalServers:
    return LocalServers(**{"slots": 2, "threads": 1, "context": 256, **changes})


def children(parent: int) -> list[int]:
    """The llama.cpp children of a process, living or starting."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if (
                int(ppid) == parent
                and state != "Z"
                and b"local/child.py" in (folder / "cmdline").read_bytes()
            ):
                found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true: Callable[[], bool], limit_s: float) -> float:
    """Seconds until something became true; fails after `limit_s`."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < limit_s, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


def post(base_url: str, key: Secret | None, max_tokens: int = 4) -> tuple[int, Any]:
    body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": max_tokens, "temperature": 0}
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key.reveal()}"
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(body).encode(), headers)
    try:
        with OPENER.open(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def ask(base_url: str, key: Secret | None, max_tokens: int = 4) -> tuple[int, Any]:
    return await asyncio.to_thread(post, base_url, key, max_tokens)


async def pid_of(servers: LocalServers, model: str) -> int:
    """The process that serves the model: the only child there is once it has an address."""
    await servers.address(model)
    (pid,) = children(os.getpid())
    return pid


async def killed(pid: int) -> None:
    """Kill a child; it is over when the event loop knows."""
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_until, lambda: not Path(f"/proc/{pid}").exists(), 5)
    await asyncio.sleep(0.05)
