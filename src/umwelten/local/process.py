"""One llama.cpp child process, managed by its parent: start, health check, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec

from umwelten.errors import LocalModelError
from umwelten.types import FrozenStruct, Secret

START_TIMEOUT_S = 120.0
GRACE_S = 0.2
"""Time for a child to end after SIGTERM, before SIGKILL."""

_SCRIPT = Path(__file__).with_name("child.py")
_HEALTH_EVERY_S = 0.02
_STDERR_TAIL = 2000


class Loading(FrozenStruct):
    """What a child loads. `context` is tokens per slot; `model` the name that the user gave."""

    model: str
    weights: Path
    slots: int
    threads: int
    context: int


class _Report(FrozenStruct):
    """The line that the child prints: its address, or why it failed."""

    address: str | None = None
    error: str | None = None
    kind: str | None = None


class Child:
    """A child process that serves one model. Created by `start`; belongs to the loop that called it."""

    def __init__(self, loading: Loading, process: asyncio.subprocess.Process, key: Secret) -> None:
        self.model = loading.model
        self.key = key
        self.base_url = ""
        self._loading = loading
        self._process = process
        self._since = asyncio.get_running_loop().time()
        self._stderr = b""
        self._stderr_task = asyncio.create_task(self._read_stderr())

    @classmethod
    async def start(
        cls, loading: Loading, *, env: Mapping[str, str], timeout_s: float = START_TIMEOUT_S
    ) -> Self:
        """Start a child and return it when it answers. Raises `LocalModelError`; then no process is left."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_SCRIPT)),  # -P: nothing is imported from the working directory
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            start_new_session=True,  # Ctrl-C at the terminal must reach the parent alone
        )
        child = cls(loading, process, Secret(secrets.token_urlsafe(24)))
        try:
            async with asyncio.timeout(timeout_s):
                child.base_url = await child._send_settings()
                await child._wait_until_healthy()
        except TimeoutError:
            await child.stop()
            raise child._error(f"was not ready after {timeout_s:g} s") from None
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._since

    @property
    def stderr_tail(self) -> str:
        """The last 2,000 bytes that it wrote to stderr."""
        return self._stderr.decode(errors="replace").strip()

    async def stop(self) -> None:
        """End it, by SIGKILL if SIGTERM does not within `GRACE_S`. Safe to call twice."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(GRACE_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._drain()

    async def _drain(self) -> None:
        """Read the pipes to their ends, so that none is left open."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        await self._process.stdout.read()
        await asyncio.wait({self._stderr_task})
        with contextlib.suppress(OSError):
            await self._process.stdin.wait_closed()

    async def _read_stderr(self) -> None:
        assert self._process.stderr
        while chunk := await self._process.stderr.read(_STDERR_TAIL):
            self._stderr = (self._stderr + chunk)[-_STDERR_TAIL:]

    async def _send_settings(self) -> str:
        """Send the child its settings and return the base URL that it reports."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(self._settings())
        line = await self._process.stdout.readline()
        report = msgspec.json.decode(line, type=_Report) if line else _Report(kind="ended")
        if report.address is None:
            await self.stop()
            raise self._start_error(report)
        return f"{report.address}/v1"

    def _settings(self) -> bytes:
        """Return the child's first line of stdin. Command lines, unlike it, can be read by other users."""
        loading = self._loading
        settings = {
            "model": str(loading.weights),
            "alias": Path(loading.model).stem if loading.model.lower().endswith(".gguf") else loading.model,
            "key": self.key.reveal(),
            "slots": loading.slots,
            "threads": loading.threads,
            "context": loading.context,
            "parent": os.getpid(),
        }
        return msgspec.json.encode(settings) + b"\n"

    async def _wait_until_healthy(self) -> None:
        while not await self._is_healthy():  # noqa: ASYNC110 - another process can only be polled
            await asyncio.sleep(_HEALTH_EVERY_S)

    async def _is_healthy(self) -> bool:
        address = urlsplit(self.base_url)
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            return False
        try:
            head = f"GET /health HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
            writer.write(f"{head}Authorization: Bearer {self.key.reveal()}\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _start_error(self, report: _Report) -> LocalModelError:
        if report.kind == "missing":
            return LocalModelError(
                f"llama.cpp is not installed: {report.error}", 'install it: pip install "umwelten[local]"'
            )
        if report.kind == "failed":
            return self._error(f"cannot load {self._loading.weights}: {report.error}")
        return self._error(f"ended during its start (status {self._process.returncode})")

    def _error(self, what: str) -> LocalModelError:
        return LocalModelError(f"the server of local:{self.model} {what}", self.stderr_tail or None)
