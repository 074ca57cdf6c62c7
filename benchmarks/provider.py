"""The provider that all contestants ask: the fault server in its own process, on its own core.

With records off it answers some 25,000 requests a second on one core, so that it is never what a
contestant waits for; every table shows the share of its core that it used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
PROVIDER_CORE = {CORES[0]}
CONTESTANT_CORES = set(CORES[1:]) or {CORES[0]}


class Provider:
    """A running provider. `url` ends in /v1; `records` is how many requests it remembers one by one."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process, self._root = process, f"http://127.0.0.1:{port}"
        self.url = f"{self._root}/v1"

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU seconds that it used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def use(self, profile: dict[str, Any]) -> None:
        """Behave like this from now on and forget what was."""
        self._ask("/_profile", json.dumps(profile).encode())
        self._ask("/_reset", b"")

    def ledger(self) -> dict[str, Any]:
        """Sums, and the requests that it remembers."""
        ledger: dict[str, Any] = json.loads(self._ask("/_ledger"))
        return ledger

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self._root + path, body, timeout=60) as reply:
            answer: bytes = reply.read()
        return answer


@contextmanager
def provider(profile: dict[str, Any] | None = None) -> Iterator[Provider]:
    """Start one; it ends with the block, and with this process."""
    text = json.dumps(profile or {"records": 0})
    command = [sys.executable, "-m", "umwelten.simulate.faultserver", "--port", "0", "--json", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.sched_setaffinity(process.pid, PROVIDER_CORE)
            assert process.stdout is not None
            yield Provider(process, json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for its end; one whose clients left it hanging is not asked twice."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
