"""No server outlives umwelten, however that ends: the processes after are those from before."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mcpkit import HOSTILE, call, hostile, running, started, tools_of, wait_until_gone
from umwelten import child_processes
from umwelten.tools.mcp.servers import McpServers

# What another process does: it starts servers and says so.
_PARENT = f"""
import sys, threading, time
sys.path.insert(0, {str(HOSTILE.parent)!r})
from mcpkit import hostile, tools_of, call
from umwelten.tools.mcp.servers import McpServers
servers = McpServers([hostile(mode, sys.argv[1]) for mode in sys.argv[2:]])
servers.start()
never = tools_of(servers)["ok.never"]
threading.Thread(target=call, args=(never, "{{}}", 1000), daemon=True).start()
while not servers.servers[0].busy:
    time.sleep(0.01)
print("ready", flush=True)
"""


def start_parent(mark: Path, then: str, *modes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-c", _PARENT + then, str(mark), *modes), stdout=subprocess.PIPE, text=True
    )


def ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def end(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(30)


def test_nothing_is_left_of_a_stubborn_server_after_a_kill_and_a_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, closed = tmp_path / "killed", tmp_path / "closed"
    at_exit: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    parent = start_parent(killed, "time.sleep(1000)", "ok", "stubborn")
    servers = McpServers([hostile("stubborn", closed)])
    servers.start()
    assert len(running(closed)) == 4  # the watcher, the server, and two of its own
    assert ready(parent) and len(running(killed)) == 7
    parent.send_signal(signal.SIGKILL)
    for ends in at_exit:
        ends()
    assert running(closed) == []
    end(parent)
    wait_until_gone(killed)


def test_a_server_that_is_killed_takes_its_own_along(tmp_path: Path) -> None:
    with started(hostile("stubborn", tmp_path), hostile("ok", tmp_path)) as servers:
        for pid in running(tmp_path):
            with suppress(OSError):  # it may end with one that was killed
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"stubborn" in words and not any(b"watcher.py" in word for word in words):
                    os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while len(running(tmp_path)) > 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert call(tools_of(servers)["ok.echo"], '{"text": "on"}') == "on"


def test_all_are_ended_at_once_where_nobody_waits(tmp_path: Path) -> None:
    servers = McpServers([hostile("stubborn", tmp_path)])
    servers.start()
    child_processes.end_all()
    wait_until_gone(tmp_path)
    servers.close()
