"""Plain listeners that are no provider: they count who comes, say one thing and hang up."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Listener:
    """Takes connections on a port of this machine. `heard` is all that was said to it."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None) -> None:
        self._answer, self._tls = answer, tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.heard = b""

    def serve(self) -> None:
        """Until `close`."""
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with peer, suppress(OSError):
                peer.settimeout(2)
                self._talk(peer)

    def _talk(self, peer: socket.socket) -> None:
        if self._tls is not None:
            with self._tls.wrap_socket(peer, server_side=True) as inside:
                self.heard += inside.recv(65_536)
            return
        self.heard += peer.recv(65_536)
        peer.sendall(self._answer)

    def close(self) -> None:
        """Take no more."""
        # A thread in accept() is woken by this and not by close().
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def listener(answer: bytes = b"", tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """A listener while the block lasts."""
    found = Listener(answer, tls)
    thread = threading.Thread(target=found.serve, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.close()
        thread.join(5)


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate for this machine that nobody has vouched for."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-batch"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
