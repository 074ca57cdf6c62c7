"""Split a byte stream into lines and server-sent events, wherever the chunks were cut.

Bytes in, bytes out: text is decoded only when an event is complete, so a character split over two chunks
stays whole. Memory is bounded by `limit`; longer items are dropped and `overflowed` is set.
"""

from __future__ import annotations

from collections.abc import Iterable

LIMIT = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
DONE = b"[DONE]"
"""The data of the event with which many servers end a stream."""

_DATA = b"data: "
_BEGINNINGS = (b"data:", b"event")
_SHORT = 64 * 1024

Event = tuple[str, bytes]
"""An event's name, "" where it has none, and its data."""


class LineSplitter:
    """Splits at LF, CRLF or CR (newline-delimited JSON). Empty lines are dropped."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._lines = _Lines(limit)

    @property
    def overflowed(self) -> bool:
        """True once a line was dropped because it exceeded the limit."""
        return self._lines.overflowed

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that these bytes complete."""
        return [line for line in self._lines.feed(chunk) if line]

    def flush(self) -> list[bytes]:
        """Return the last line, if the stream ended without a line end."""
        return [line for line in self._lines.flush() if line]


class SseSplitter:
    """Splits into server-sent events; comments, ids and events without data are dropped."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._lines = _Lines(limit)
        self._limit = limit
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0
        self._too_long = False

    @property
    def overflowed(self) -> bool:
        """True once an event was dropped because it exceeded the limit."""
        return self._too_long or self._lines.overflowed

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that these bytes complete."""
        if chunk[:5] in _BEGINNINGS and len(chunk) < _SHORT and self._is_fresh():
            # Nearly all chunks are whole events, each a JSON object on a line of its own.
            whole = _whole_events(chunk)
            if whole is not None:
                return whole
        events: list[Event] = []
        for line in self._lines.feed(chunk):
            self._take(line, events)
        return events

    def _events(self, name: str, data: bytes) -> Iterable[Event]:
        """Return the events that this one stands for."""
        return ((name, data),)

    def _is_fresh(self) -> bool:
        """Return whether the next byte begins an event and not the stream."""
        return not self._data and not self._event and self._lines.is_fresh

    def flush(self) -> list[Event]:
        """Return the last event, if the stream ended without the empty line that closes it."""
        events: list[Event] = []
        for line in [*self._lines.flush(), b""]:
            self._take(line, events)
        return events

    def _take(self, line: bytes, events: list[Event]) -> None:
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._append(value)
        elif field == b"event":
            self._event = value.decode("utf-8", "replace")

    def _append(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._limit:
            self._too_long = True
            self._data.clear()
        else:
            self._data.append(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.extend(self._events(self._event, b"\n".join(self._data)))
        self._event, self._data, self._size = "", [], 0


def _whole_events(chunk: bytes) -> list[Event] | None:
    """Return the events of a chunk that consists of JSON objects, a line each; `None` for any other."""
    if chunk[-4:] == b"\r\n\r\n":
        chunk = chunk.replace(b"\r\n", b"\n")
    if chunk[-2:] != b"\n\n" or b"\r" in chunk:
        return None
    ends = chunk.count(b"\n")
    if chunk[:7] == b"data: {":
        if ends == 2:
            return [("", chunk[6:-2])]
        payloads = chunk[6:-2].split(b"\n\ndata: ")
        is_plain = ends == 2 * len(payloads) and all(data[:1] == b"{" for data in payloads)
        return [("", data) for data in payloads] if is_plain else None
    name, found, data = chunk[7:-2].partition(b"\ndata: {")
    if ends != 3 or not found or chunk[:7] != b"event: ":
        return None
    return [(name.decode("utf-8", "replace"), b"{" + data)]


class _Lines:
    """Splits at LF, CRLF and CR. Fragments are joined once, so long lines cost linear time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._fragments: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True
        self.overflowed = False

    @property
    def is_fresh(self) -> bool:
        return not self._fragments and not self._after_cr and not self._first

    def feed(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk:
            # The CR already ended a line; an LF right after it belongs to the same line end.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        lines: list[bytes] = []
        for piece in chunk.splitlines(keepends=True):
            self._push(piece.rstrip(b"\r\n"))
            if piece.endswith((b"\n", b"\r")):
                lines.extend(self.flush())
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return lines

    def flush(self) -> list[bytes]:
        """Return the line so far, even an empty one, which ends an event; none if it was too long."""
        line = b"".join(self._fragments)
        too_long = self._size > self._limit
        self._fragments, self._size = [], 0
        if too_long:
            return []
        if self._first:
            self._first = False
            line = line.removeprefix(BOM)
        return [line]

    def _push(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            self.overflowed = True
            self._fragments.clear()
        elif piece:
            self._fragments.append(piece)
