"""Frames over a connected socket, read and written in the thread of the event loop."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable

import msgspec

from umwelten.sharing.messages import LONGEST_FRAME, Message, frame

_READ = 64 << 10
_MOST_READS = 8
"""In a row, before others have their turn."""

_MOST_UNSENT = 1 << 20
"""Bytes that a peer may leave unread: a second of a busy lane takes a tenth."""


class Channel:
    """Sends messages together once per turn of the loop, hands frames to `on_frame`, tells of its end once.

    Whatever is no frame, or is not read by the other side, ends it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_frame: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._loop, self._sock, self._on_frame, self._on_lost = loop, sock, on_frame, on_lost
        self._read, self._unsent = bytearray(), bytearray()
        self._messages: list[Message] = []
        self._due = self._blocked = self.closed = False
        self.heard_at = loop.time()
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._on_readable)

    def send(self, message: Message) -> None:
        """Send a message with all others of this turn of the loop."""
        self._messages.append(message)
        if not self._due and not self.closed:
            self._due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits to be sent now."""
        self._due = False
        if self.closed or not self._messages:
            return
        for i in range(0, len(self._messages), 100):
            self._unsent += frame(self._messages[i : i + 100])
        self._messages.clear()
        if not self._blocked:
            self._write()

    def close(self) -> None:
        """Close without telling anybody here."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock.fileno())
        if self._blocked:
            self._loop.remove_writer(self._sock.fileno())
        self._sock.close()

    def _lose(self) -> None:
        if not self.closed:
            self.close()
            self._on_lost()

    def _write(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
            del self._unsent[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._lose()
            return
        if len(self._unsent) > _MOST_UNSENT:
            self._lose()
        elif bool(self._unsent) is not self._blocked:
            self._blocked = bool(self._unsent)
            if self._blocked:
                self._loop.add_writer(self._sock.fileno(), self._write)
            else:
                self._loop.remove_writer(self._sock.fileno())

    def _on_readable(self) -> None:
        ended = False
        for _ in range(_MOST_READS):
            try:
                data = self._sock.recv(_READ)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                ended = True
                break
            self._read += data
            if len(data) < _READ:
                break
        self._hand_over()
        if ended:
            self._lose()

    def _hand_over(self) -> None:
        while len(self._read) >= 4 and not self.closed:
            size = int.from_bytes(self._read[:4], "big")
            if size > LONGEST_FRAME:
                self._lose()
                return
            if len(self._read) < 4 + size:
                return
            body = bytes(self._read[4 : 4 + size])
            del self._read[: 4 + size]
            self.heard_at = self._loop.time()
            try:
                self._on_frame(body)
            except (msgspec.DecodeError, ArithmeticError, ValueError):
                self._lose()  # no message, or one with numbers that mean nothing


def is_own_peer(sock: socket.socket, uid: int) -> bool:
    """Return whether the process at the other end is this user's, as far as the system tells.

    Where it doesn't, the folder's permissions are all there is.
    """
    if sys.platform != "linux":
        return True
    try:
        peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return False
    return bool(struct.unpack("3i", peer)[1] == uid)
