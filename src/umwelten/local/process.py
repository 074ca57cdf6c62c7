"""One llama.cpp child as its parent sees it: started, found healthy, stopped."""

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
"""How long a child has to end after SIGTERM."""

_SCRIPT = Path(__file__).with_name("child.py")
_HEALTH_EVERY_S = 0.02
_LAST_WORDS = 2000


class Loading(FrozenStruct):
    """What a child is to load. `context` is tokens per slot; `model` the name that users gave."""

    model: str
    weights: Path
    slots: int
    threads: int
    context: int


class _Report(FrozenStruct):
    """The child's only line: where it serves, or why it can't."""

    address: str | None = None
    error: str | None = None
    kind: str | None = None


class Child:
    """A child process that serves one model. Made by `start`; belongs to the loop that ran it."""

    def __init__(self, loading: Loading, process: asyncio.subprocess.Process, key: Secret) -> None:
        self.model = loading.model
        self.key = key
        self.base_url = ""
        self._loading = loading
        self._process = process
        self._since = asyncio.get_running_loop().time()
        self._stderr = b""
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, loading: Loading, *, env: Mapping[str, str], timeout_s: float = START_TIMEOUT_S
    ) -> Self:
        """A child that answers. `LocalModelError` if it can't; then no process is left."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_SCRIPT)),  # -P: nothing is imported from the working directory
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            start_new_session=True,  # Ctrl-C at the terminal is for the parent alone
        )
        child = cls(loading, process, Secret(secrets.token_urlsafe(24)))
        try:
            async with asyncio.timeout(timeout_s):
                child.base_url = await child._introduce()
                await child._healthy()
        except TimeoutError:
            await child.stop()
            raise child._broken(f"was not ready after {timeout_s:g} s") from None
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
        """Seconds since it was started."""
        return asyncio.get_running_loop().time() - self._since

    @property
    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        return self._stderr.decode(errors="replace").strip()

    async def stop(self) -> None:
        """End it, by SIGKILL if SIGTERM does not within `GRACE_S`. May be called again."""
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
        await asyncio.wait({self._listening})
        with contextlib.suppress(OSError):
            await self._process.stdin.wait_closed()

    async def _listen(self) -> None:
        assert self._process.stderr
        while chunk := await self._process.stderr.read(_LAST_WORDS):
            self._stderr = (self._stderr + chunk)[-_LAST_WORDS:]

    async def _introduce(self) -> str:
        """Tell the child what to load and wait until it says where it serves."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(self._settings())
        line = await self._process.stdout.readline()
        report = msgspec.json.decode(line, type=_Report) if line else _Report(kind="ended")
        if report.address is None:
            await self.stop()
            raise self._refusal(report)
        return f"{report.address}/v1"

    def _settings(self) -> bytes:
        """The child's first line. The key goes this way because others can read a command line."""
        loading = self._loading
        settings = {
            "model": str(loading.weights),
            "alias": Path(loading.model).stem if loading.model.endswith(".gguf") else loading.model,
            "key": self.key.reveal(),
            "slots": loading.slots,
            "threads": loading.threads,
            "context": loading.context,
            "parent": os.getpid(),
        }
        return msgspec.json.encode(settings) + b"\n"

    async def _healthy(self) -> None:
        while not await self._is_healthy():  # noqa: ASYNC110 - another process can only be asked
            await asyncio.sleep(_HEALTH_EVERY_S)

    async def _is_healthy(self) -> bool:
        place = urlsplit(self.base_url)
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            return False
        try:
            head = f"GET /health HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
            writer.write(f"{head}Authorization: Bearer {self.key.reveal()}\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _refusal(self, report: _Report) -> LocalModelError:
        if report.kind == "missing":
            return LocalModelError(
                f"llama.cpp is not here: {report.error}", 'install it: pip install "umwelten[local]"'
            )
        if report.kind == "failed":
            return self._broken(f"cannot load {self._loading.weights}: {report.error}")
        return self._broken(f"ended while it started (status {self._process.returncode})")

    def _broken(self, what: str) -> LocalModelError:
        return LocalModelError(f"the server of local:{self.model} {what}", self.last_words or None)
