"""The fault server for tests: on a thread of this process, or in a child of its own.

with provider(Profile(rules=(…,))) as server:
    code, out, err = cli("eval", "run", …, env=server.env())
    assert server.ledger.peak_in_flight == 5

with provider_process(Profile()) as server:
    server.counts()["totals"]["answered"]
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from umwelten.simulate.faultserver import FaultServer, Ledger, Profile

KEYS = {
    "GOOGLE_GENERATIVE_AI_API_KEY": "test-key-google-1c5e90b7d2",
    "OPENAI_API_KEY": "test-key-openai-7f3a46c8e1",
    "OPENROUTER_API_KEY": "test-key-openrouter-b92d07f5a3",
    "ANTHROPIC_API_KEY": "test-key-anthropic-e04b8c13f6",
}
"""Keys that a search through files, logs and reports will find if they leak."""


def environment(port: int) -> dict[str, str]:
    """Variables that point every provider at a port of this machine, with a key for each that needs one."""
    root = f"http://127.0.0.1:{port}"
    return {
        "GOOGLE_BASE_URL": root,
        "OPENAI_BASE_URL": f"{root}/v1",
        "OPENROUTER_BASE_URL": f"{root}/api/v1",
        "ANTHROPIC_BASE_URL": root,
        "OLLAMA_HOST": root,
        "LMSTUDIO_BASE_URL": f"{root}/v1",
        **KEYS,
    }


class Provider:
    """A fault server on a thread with a loop of its own. Made by `provider`."""

    def __init__(self, server: FaultServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server, self._loop = server, loop
        self.port, self.url = server.port, server.url

    @property
    def ledger(self) -> Ledger:
        """What came in so far; read it while no request is under way, see `idle`."""
        return self.server.ledger

    def env(self) -> dict[str, str]:
        """See `environment`."""
        return environment(self.port)

    def use(self, profile: Profile) -> None:
        """Change the behaviour; in force when this returns."""
        self._on_loop(lambda: self.server.use(profile))

    def reset(self) -> None:
        """Forget what came in."""
        self._on_loop(self.server.reset)

    def idle(self, timeout_s: float = 5.0) -> Ledger:
        """The ledger, once nothing is under way: a client may have its answer before it is booked."""
        deadline = time.monotonic() + timeout_s
        while self.ledger.in_flight:
            assert time.monotonic() < deadline, f"{self.ledger.in_flight} requests still under way"
            time.sleep(0.002)
        return self.ledger

    def await_requests(self, count: int, timeout_s: float = 10.0) -> Ledger:
        """The ledger, once `count` requests have come in."""
        deadline = time.monotonic() + timeout_s
        while self.ledger.requests < count:
            assert time.monotonic() < deadline, f"{self.ledger.requests} of {count} requests came in"
            time.sleep(0.002)
        return self.ledger

    def _on_loop(self, act: Any) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (act(), done.set()))
        assert done.wait(5)


@contextmanager
def provider(profile: Profile | None = None) -> Iterator[Provider]:
    """Run a fault server on a thread while the block lasts."""
    ready: list[Provider | BaseException] = []
    started, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with FaultServer(profile) as server:
            ready.append(Provider(server, asyncio.get_running_loop()))
            started.set()
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            ready.append(error)
            started.set()
            raise

    thread = threading.Thread(target=run, name="fault server", daemon=True)
    thread.start()
    assert started.wait(10)
    server = ready[0]
    if isinstance(server, BaseException):
        raise server
    try:
        yield server
    finally:
        server._loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()


class ChildProvider:
    """A fault server in a process of its own. Made by `provider_process`."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"

    def env(self) -> dict[str, str]:
        """See `environment`."""
        return environment(self.port)

    def counts(self, *, records: bool = False) -> dict[str, Any]:
        """The ledger as JSON: `totals`, `models`, and the requests one by one if asked for."""
        return dict(msgspec.json.decode(self._fetch(f"/_ledger?records={int(records)}")))

    def use(self, profile: Profile) -> None:
        """Change the behaviour."""
        self._fetch("/_profile", msgspec.json.encode(profile))

    def reset(self) -> None:
        """Forget what came in."""
        self._fetch("/_reset", b"")

    def _fetch(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.url + path, body, timeout=10) as reply:
            return bytes(reply.read())


@contextmanager
def provider_process(profile: Profile | None = None) -> Iterator[ChildProvider]:
    """Run a fault server as a child while the block lasts. It ends when its standard input does."""
    text = msgspec.json.encode(profile or Profile()).decode()
    command = [sys.executable, "-m", "umwelten.simulate.faultserver", "--json", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield ChildProvider(msgspec.json.decode(process.stdout.readline())["port"], process)
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


# --- clients ---------------------------------------------------------------------------------


def fetch(
    url: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, Mapping[str, str]]:
    """One exchange, POST if there is a body: status, body, headers with names in lower case."""
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(url, data, dict(headers or {}))
    try:
        reply = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        reply = error
    with reply:
        return reply.status, reply.read(), {name.lower(): value for name, value in reply.headers.items()}


def chat(prompt: str, model: str = "m", **fields: object) -> dict[str, object]:
    """The body of a question in the format of OpenAI, Anthropic and Ollama."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


def contents(*parts: dict[str, object]) -> dict[str, object]:
    """The body of a question in the format of Gemini."""
    return {"contents": [{"role": "user", "parts": list(parts)}]}


# --- children --------------------------------------------------------------------------------

_KEPT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SYSTEMROOT", "UMWELTEN_CACHE_DIR"),
    # So that coverage knows a child, and whose it is (scripts/mutants).
    *("COVERAGE_PROCESS_START", "PYTEST_CURRENT_TEST"),
    "XDG_STATE_HOME",
)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child needs to run at all, and `extra`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Nobody's own umwelten.toml has a say in a test.
    return {**kept, "XDG_CONFIG_HOME": os.devnull, **(extra or {})}


class Ran(NamedTuple):
    """A child that ended."""

    code: int
    out: str
    err: str


def run_python(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = 60.0,
) -> Ran:
    """Run this Python with `arguments` in a clean environment and wait for its end."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=clean_environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
