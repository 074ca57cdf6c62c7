"""Judges that decide by a function of the two answers they are shown, over real sockets.

with judges(lambda ask: "first") as server:
    cli("eval", "rank", "x", "--judge", "lmstudio:always-first", env=server.env())
    assert len(server.asks) == 120
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from provider import environment

_FRAME = r"<{0}-([0-9a-f]+)>\n(.*?)\n</{0}-\1>"


class Ask(NamedTuple):
    """A request: the model, the whole user message, and the two answers by their seats."""

    model: str
    text: str
    first: str
    second: str


Judge = Callable[[Ask], str]
"""Returns who wins; another text is the whole reply, "" an error of the server."""


def _framed(name: str, text: str) -> str:
    found = re.search(_FRAME.format(name), text, re.DOTALL)
    return found[2] if found else ""


class JudgeServer:
    """Answers chat completions. `asks` are the requests so far, `judge` may be changed at any time."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.asks = judge, list[Ask]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.answer(self)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        # Asked often whether it is to end: `shutdown` waits for it.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def env(self) -> dict[str, str]:
        """Variables that point every provider here."""
        return environment(self.port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Reply to a request as the judge says."""
        asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        said_by_user = [turn["content"] for turn in asked["messages"] if turn["role"] == "user"]
        text = "\n".join(
            content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
            for content in said_by_user
        )
        ask = Ask(asked["model"], text, _framed("first", text), _framed("second", text))
        self.asks.append(ask)
        said = self.judge(ask)
        if not said:
            handler.send_error(400)
            return
        reply = json.dumps({"reason": "so", "winner": said}) if said in ("first", "second", "tie") else said
        body = json.dumps(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": ask.model,
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            }
        ).encode()
        # In one write: two would wait for each other's acknowledgement, 40 ms.
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        handler.wfile.write(head.encode() + body)


@contextmanager
def judges(judge: Judge) -> Iterator[JudgeServer]:
    """Serve a judge while the block lasts."""
    server = JudgeServer(judge)
    try:
        yield server
    finally:
        server.close()
