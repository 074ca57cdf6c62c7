"""A provider on this machine that answers every wire and keeps what it was sent.

It uses the standard library alone, so that nothing of the code under test has a say in what is recorded.

with recorder() as provider, surroundings(provider.port, folder):
    umwelten.run("Name a river.", "openai:gpt-4o-mini").wait()
    provider.take()  # [Request(path="/v1/chat/completions", body=b'{"model":…')]
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

KEY = "golden-0123456789"
_WITH_KEYS = (
    *("anthropic", "cerebras", "deepinfra", "deepseek", "fireworks", "groq", "minimax", "mistral"),
    *("nvidia", "openai", "openrouter", "together", "vllm", "xai"),
)
_PATHS = {
    **dict.fromkeys(("openai", "lmstudio"), "/v1"),
    **dict.fromkeys(("anthropic", "google"), ""),
    "openrouter": "/api/v1",
    "groq": "/openai/v1",
}
_SETTING = re.compile(r".*_(API_KEY|BASE_URL)|OLLAMA_HOST|GITHUB_TOKEN|LM_API_TOKEN|UMWELTEN_.*")


class Request(NamedTuple):
    """What came in. `path` has the query, and the method in front where that is not POST."""

    path: str
    body: bytes


class Refusal(NamedTuple):
    """An answer that is none."""

    status: int
    message: str


Respond = Callable[[Request], str | Refusal]
"""Gives the text of the answer to a question."""


class Recorder:
    """Made by `recorder`. `respond` may be changed between two questions; `tokens` are stated if given."""

    def __init__(self) -> None:
        self.port = 0
        self.respond: Respond = lambda request: "An answer."
        self.tokens: tuple[int, int] | None = None
        self._came: list[Request] = []

    def take(self) -> list[Request]:
        """What came in since the last time."""
        came, self._came = self._came, []
        return came

    def reply(self, request: Request) -> tuple[int, str, bytes]:
        """Keep the request; status, content type and body of the answer."""
        self._came.append(request)
        wire = next((wire for ending, wire in _WIRES.items() if re.search(ending, request.path)), None)
        if wire is None:
            return 404, "application/json", _dump({"error": {"message": "nothing is here"}})
        said = self.respond(request)
        if isinstance(said, Refusal):
            error = {"message": said.message, "type": "refused", "code": said.status}
            return said.status, "application/json", _dump({"error": error})
        return 200, *wire(request.path, json.loads(request.body), said, self.tokens)


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Answer on a free port while the block lasts."""
    made, ready, end = Recorder(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        writers: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                await _converse(made, reader, writer)
            finally:
                writers.discard(writer)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        loops.append(asyncio.get_running_loop())
        ready.set()
        await end.wait()
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="recorder", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join(10)


async def _converse(made: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            length = re.search(r"(?im)^content-length:\s*(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            status, kind, reply = made.reply(Request(path if method == "POST" else f"{method} {path}", body))
            fields = f"Content-Type: {kind}\r\nContent-Length: {len(reply)}\r\n"
            writer.write(f"HTTP/1.1 {status} Status\r\n{fields}\r\n".encode() + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass


# --- where the code under test works -------------------------------------------------------------


@contextmanager
def surroundings(port: int, folder: Path, toml: str = "") -> Iterator[None]:
    """Work in `folder`, with every provider at this port and no settings but those in `toml`."""
    before, where = dict(os.environ), Path.cwd()
    for name in [name for name in os.environ if _SETTING.fullmatch(name) and name != "UMWELTEN_CACHE_DIR"]:
        del os.environ[name]
    os.environ.update(_environment(port), XDG_CONFIG_HOME=os.devnull)
    # The nearest files count: these keep those of the folders above away.
    (folder / ".env").write_bytes(b"")
    (folder / "umwelten.toml").write_bytes(toml.encode())
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(where)
        os.environ.clear()
        os.environ.update(before)


def _environment(port: int) -> dict[str, str]:
    root = f"http://127.0.0.1:{port}"
    providers = {*_WITH_KEYS, "google", "lmstudio"}
    addresses = {
        f"{name.upper().replace('-', '_')}_BASE_URL": root + _PATHS.get(name, f"/{name}/v1")
        for name in sorted(providers)
    }
    keys = {f"{name.upper()}_API_KEY": KEY for name in _WITH_KEYS}
    return {
        **addresses,
        **keys,
        "OLLAMA_HOST": root,
        "GOOGLE_GENERATIVE_AI_API_KEY": KEY,
        "GITHUB_TOKEN": KEY,
    }


# --- the wires -----------------------------------------------------------------------------------

Tokens = tuple[int, int] | None
_JSON, _EVENTS, _LINES = "application/json", "text/event-stream", "application/x-ndjson"


def _openai(path: str, asked: dict[str, Any], text: str, tokens: Tokens) -> tuple[str, bytes]:
    same = {"id": "r-1", "created": 0, "model": asked["model"]}
    usage = {"usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}} if tokens else {}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return _JSON, _dump({**same, "object": "chat.completion", "choices": [choice], **usage})
    deltas = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in _halves(text)]
    choices = [[delta] for delta in deltas] + [[{"index": 0, "delta": {}, "finish_reason": "stop"}]]
    chunks = [{**same, "object": "chat.completion.chunk", "choices": choice} for choice in choices]
    chunks[-1].update(usage)
    return _EVENTS, b"".join(b"data: " + _dump(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def _gemini(path: str, asked: dict[str, Any], text: str, tokens: Tokens) -> tuple[str, bytes]:
    counts = {"promptTokenCount": tokens[0], "candidatesTokenCount": tokens[1]} if tokens else {}
    end = {"finishReason": "STOP"}

    def chunk(piece: str, last: bool) -> bytes:
        candidate = {"content": {"role": "model", "parts": [{"text": piece}]}, **(end if last else {})}
        return _dump({"candidates": [candidate], **({"usageMetadata": counts} if last and counts else {})})

    if "alt=sse" not in path:
        return _JSON, chunk(text, True)
    first, second = _halves(text)
    return _EVENTS, b"".join(
        b"data: " + part + b"\n\n" for part in (chunk(first, False), chunk(second, True))
    )


def _anthropic(path: str, asked: dict[str, Any], text: str, tokens: Tokens) -> tuple[str, bytes]:
    usage = {"usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]}} if tokens else {}
    tool = asked.get("tool_choice", {}).get("name")
    block = {"type": "tool_use", "id": "t-1", "name": tool} if tool else {"type": "text"}
    stop = "tool_use" if tool else "end_turn"
    text = text[text.index("{") :] if tool else text  # what a tool is given is JSON alone
    same = {"id": "r-1", "type": "message", "role": "assistant", "model": asked["model"]}
    if not asked.get("stream"):
        filled = {**block, **({"input": json.loads(text)} if tool else {"text": text})}
        return _JSON, _dump({**same, "content": [filled], "stop_reason": stop, **usage})
    field = ("input_json_delta", "partial_json") if tool else ("text_delta", "text")
    empty = {**block, **({"input": {}} if tool else {"text": ""})}
    events = [
        {"type": "message_start", "message": {**same, "content": [], "stop_reason": None, **usage}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": field[0], field[1]: piece}}
            for piece in _halves(text)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, **usage},
        {"type": "message_stop"},
    ]
    return _EVENTS, b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + _dump(event) + b"\n\n" for event in events
    )


def _ollama(path: str, asked: dict[str, Any], text: str, tokens: Tokens) -> tuple[str, bytes]:
    same = {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z"}
    counts = {"prompt_eval_count": tokens[0], "eval_count": tokens[1]} if tokens else {}
    end = {"done": True, "done_reason": "stop", **counts}
    if not asked["stream"]:
        return _JSON, _dump({**same, "message": {"role": "assistant", "content": text}, **end})
    lines = [
        {**same, "message": {"role": "assistant", "content": piece}, "done": False} for piece in _halves(text)
    ]
    last = {**same, "message": {"role": "assistant", "content": ""}, **end}
    return _LINES, b"".join(_dump(line) + b"\n" for line in (*lines, last))


_WIRES: dict[str, Callable[[str, dict[str, Any], str, Tokens], tuple[str, bytes]]] = {
    r"/chat/completions$": _openai,
    r":(generateContent|streamGenerateContent\?alt=sse)$": _gemini,
    r"/v1/messages$": _anthropic,
    r"/api/chat$": _ollama,
}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
