"""What tests of the view ask its server with: plain HTTP, so that every header is the test's own."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from umwelten.view.server import ViewServer


class Said(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asked:
    """A server, and a user who has opened the printed address."""

    def __init__(self, server: ViewServer) -> None:
        self.server, self.host = server, f"127.0.0.1:{server.port}"
        first = self.raw("GET", self.token_path, {})
        self.cookie = first.headers.get("Set-Cookie", "").partition(";")[0]
        self.first = first

    @property
    def token_path(self) -> str:
        parts = urlsplit(self.server.url())
        return f"{parts.path}?{parts.query}"

    def raw(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Said:
        """Ask with these headers alone, and Host unless it is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": self.host, **headers}.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Said(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Said:
        """Ask as the page does."""
        return self.raw("GET", path, {"Cookie": self.cookie, **headers})

    def post(self, path: str, value: object, **headers: str) -> Said:
        """Ask as the page does."""
        given = {"Cookie": self.cookie, "Content-Type": "application/json", "X-Umwelten": "1", **headers}
        return self.raw("POST", path, given, json.dumps(value).encode())


@contextmanager
def viewed(output_dir: Path, **options: object) -> Iterator[Asked]:
    """A server that answers meanwhile, and what asks it, with its cookie."""
    server = ViewServer(output_dir, **options)  # type: ignore[arg-type]
    ready = threading.Event()
    thread = threading.Thread(target=server.serve, args=(ready.set,), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield Asked(server)
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()
