"""Servers that others wrote, as child processes on 127.0.0.1, ended by their pid.

with llmock() as root:            # Google's, OpenAI's and Anthropic's wires, with faults on demand
with aimock(fixtures) as root:    # the same and Ollama's and OpenRouter's, in Node.js
with llama(weights) as root:      # llama.cpp with a small model: OpenAI's and Anthropic's wires
with ollama_proxy(root) as root:  # Ollama's wire in front of an OpenAI-compatible server
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from umwelten.providers.protocol import Endpoint, Head, HttpRequest, Wire
from umwelten.types import Outcome, Request

LLAMA_KEY = "test-key-llama"
AIMOCK = Path(sys.prefix, "aimock/node_modules/@copilotkit/aimock/dist/cli.js")
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
_START_S = 60.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9]\d*")
_LISTENING = "0A"
_LOOPBACK = "0100007F"
# Proxies of the environment are not asked: all of this stays on the machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_LLAMA = """
import sys, threading
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = 0
params.api_keys = [sys.argv[2]]
params.n_ctx = 512
params.n_parallel = 1
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.verbosity = 0
params.offline = True
params.ui = False
params.cache_ram_mib = 0
server = xllamacpp.Server(params)
print(server.listening_address, file=sys.stderr, flush=True)
threading.Event().wait()
"""


@contextmanager
def llmock(*flags: str) -> Iterator[str]:
    """llmock's address; `flags` are those of its `serve`."""
    with _served(_script("llmock"), "serve", "--host", "127.0.0.1", "--port", "0", *flags) as root:
        yield root


@contextmanager
def aimock(fixtures: list[dict[str, Any]], *flags: str) -> Iterator[str]:
    """aimock's address. It answers by `fixtures`, in its own format: the first whose `match` fits."""
    assert NODE is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fixtures.json"
        path.write_text(json.dumps({"fixtures": fixtures}))
        command = (NODE, str(AIMOCK), "--port", "0", "--fixtures", str(path), "--validate-on-load")
        with _served(*command, *flags) as root:
            yield root


@contextmanager
def ollama_proxy(upstream: str) -> Iterator[str]:
    """The proxy's address; models are named `llama/…`. Flags before `serve` would bind all interfaces."""
    env = {"PROVIDERS_LLAMA_API_KEY": LLAMA_KEY, "PROVIDERS_LLAMA_BASE_URL": f"{upstream}/v1"}
    flags = ("--host", "127.0.0.1", "--port", "0")
    with _served(_script("ollama-proxy"), "serve", *flags, env={**env, "EXTRA_MODELS": "llama/tiny"}) as root:
        yield root


@contextmanager
def llama(weights: Path) -> Iterator[str]:
    """A llama.cpp server's address: one thread, one slot, 512 tokens of context, `LLAMA_KEY`."""
    with _served(sys.executable, "-c", _LLAMA, str(weights), LLAMA_KEY) as root:
        yield root


def _script(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@contextmanager
def _served(*command: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address that a server reports on stderr. Its log goes to a file, so that no pipe fills up."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        bare = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                command, cwd=folder, env={**bare, **(env or {})}, stdout=stderr, stderr=stderr
            )
        try:
            yield _address(process, log)
        finally:
            _end(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        found = _ADDRESS.search(said)
        if found and _is_up(found[0]):
            return found[0]
        assert process.poll() is None, f"the server ended:\n{said[-3000:]}"
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _is_up(root: str) -> bool:
    try:
        _OPENER.open(root, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def listening(root: str) -> set[str]:
    """The addresses, in the kernel's hexadecimal, at which this port is open."""
    port = f"{urlsplit(root).port:04X}"
    rows = [row.split() for name in ("tcp", "tcp6") for row in _rows(Path(f"/proc/net/{name}"))]
    return {row[1].partition(":")[0] for row in rows if row[1].endswith(f":{port}") and row[3] == _LISTENING}


def is_loopback_only(root: str) -> bool:
    """Whether the port is open on 127.0.0.1 and nowhere else."""
    return listening(root) == {_LOOPBACK}


def _rows(table: Path) -> list[str]:
    return table.read_text().splitlines()[1:] if table.exists() else []


def queue(root: str, *behaviors: Mapping[str, Any]) -> None:
    """Have llmock do these things to the requests that come next."""
    _post(f"{root}/_llmock/reset", {})
    if behaviors:
        _post(f"{root}/_llmock/scenario", {"behaviors": list(behaviors)})


def _post(url: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    _OPENER.open(request, timeout=10).close()


def exchange(sent: HttpRequest) -> tuple[Head, Iterator[bytes]]:
    """Send a request as it is: the reply's head, and its body in the pieces in which it comes."""
    request = urllib.request.Request(sent.url, sent.body, sent.headers, method=sent.method)
    try:
        reply = _OPENER.open(request, timeout=60)
    except urllib.error.HTTPError as error:
        reply = error
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Head(status=reply.status, headers=headers, now_unix=time.time()), _pieces(reply)


def _pieces(reply: Any) -> Iterator[bytes]:
    """The body until its end, or until the server hangs up."""
    with reply:
        try:
            while piece := reply.read1(4096):
                yield piece
        except (http.client.IncompleteRead, ConnectionError):
            return


def ask(wire: Wire, endpoint: Endpoint, request: Request) -> tuple[Outcome, str]:
    """A real exchange: the outcome, and the text that came while it streamed ("" for a unary one)."""
    head, pieces = exchange(wire.encode(request, endpoint))
    if not request.stream or head.status != 200:
        return wire.decode(head, b"".join(pieces), endpoint, tools=bool(request.tools)), ""
    decoder = wire.stream(head, endpoint, tools=bool(request.tools))
    text = ""
    for piece in pieces:
        text += decoder.feed(piece)
        if decoder.done:
            break
    return decoder.finish(), text
