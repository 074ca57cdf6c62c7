"""Streamed replies, as pieces that add up to an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.sse import BOM, DONE, Event, SseSplitter
from umwelten.types import Failure, FailureKind, Outcome

Piece = TypeVar("Piece")
In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

_EVENTS = re.compile(rb"(\xef\xbb\xbf)?\s*(data|event|id|retry)?:")
# The beginning of JSON or of a page of HTML.
_WHOLE = (b"{", b"[", b"<")
# What any piece of an answer holds, even half of one.
_JSON_PART = re.compile(rb'[{}]|":')
_LONGEST_STRAY = 300


class Splitter(Protocol[Out]):
    """Splits bytes into pieces, such as those in `sse`."""

    @property
    def overflowed(self) -> bool:
        """True once a piece was dropped because it was too large."""

    def feed(self, chunk: bytes) -> Iterable[Out]:
        """Return the pieces that these bytes complete."""

    def flush(self) -> Iterable[Out]:
        """Return the last piece, if the stream ended within it."""


class StreamedAnswer(Protocol[In]):
    """The answer that the pieces of one reply add up to."""

    @property
    def done(self) -> bool:
        """True once no more pieces are needed: after the end mark or an error."""

    @property
    def complete(self) -> bool:
        """True once the model has finished, by its own finish reason: see `protocol.StreamDecoder`."""

    def add(self, piece: In) -> str:
        """Read a piece; return the answer's text in it."""

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""

    def outcome(self) -> Outcome:
        """Return the reply or the failure, from the pieces so far."""


class WholeBody:
    """A `protocol.StreamDecoder` for a reply that is one body: `decode` is called once it is all there."""

    done = False
    is_body = True

    def __init__(self, decode: Callable[[bytes], Outcome]) -> None:
        self._decode = decode
        self._pieces: list[bytes] = []
        self._last = b""

    def feed(self, chunk: bytes) -> str:
        """Keep the next bytes. No text is handed out before the end."""
        self._pieces.append(chunk)
        self._last = chunk[-16:].rstrip()[-1:] or self._last
        return ""

    @property
    def complete(self) -> bool:
        """True where the body may end: after a closing bracket."""
        return self._last in (b"}", b"]")

    def finish(self) -> Outcome:
        """Return the outcome of the bytes so far."""
        return self._decode(b"".join(self._pieces))


class AnswerStream(Generic[Piece]):
    """A `protocol.StreamDecoder`. `word` names a piece in messages: "an event", "a line".

    Some servers answer with one JSON body although a stream was requested: that goes to `decode`.
    """

    def __init__(
        self,
        splitter: Splitter[Piece],
        answer: StreamedAnswer[Piece],
        word: str,
        decode: Callable[[bytes], Outcome],
    ) -> None:
        self._splitter, self._answer, self._word, self._decode = splitter, answer, word, decode
        self._is_plain = False
        self._start = b""
        self._whole: WholeBody | None = None

    def feed(self, chunk: bytes) -> str:
        """Read the next bytes; return the answer's text in them."""
        if self._is_plain:
            return "".join(map(self._answer.add, self._splitter.feed(chunk)))
        if self._whole is None:
            chunk = self._begin(chunk)
        return self._whole.feed(chunk) if self._whole is not None else self.feed(chunk) if chunk else ""

    @property
    def done(self) -> bool:
        """True once the rest of the body need not be read."""
        return self._answer.done

    @property
    def complete(self) -> bool:
        """True once the answer seems to be whole."""
        return self._answer.complete if self._whole is None else self._whole.complete

    @property
    def is_body(self) -> bool:
        """True where the reply is one JSON body."""
        return self._whole is not None

    def finish(self) -> Outcome:
        """Return the outcome so far."""
        if self._whole is not None and not self.done:
            return self._whole.finish()
        for piece in (*self._splitter.feed(self._start), *self._splitter.flush()):
            self._answer.add(piece)
        if self._splitter.overflowed:
            self._answer.fail(f"{self._word} of the reply is too large")
        return self._answer.outcome()

    def _begin(self, chunk: bytes) -> bytes:
        """Return the bytes to split: none until it is clear whether this is a stream or a whole body."""
        start = self._start + chunk
        first = start.removeprefix(BOM).lstrip()
        is_whole = None if BOM.startswith(first) else self._is_whole(first)
        if is_whole is None:
            self._start = start
            return b""
        self._start, self._is_plain = b"", not is_whole
        if is_whole:
            self._whole = WholeBody(self._decode)
        return start

    def _is_whole(self, first: bytes) -> bool | None:
        """Return whether a reply that begins so is one body, or `None` while that is open."""
        return first.startswith(_WHOLE)


class EventStream(AnswerStream[Event]):
    """An answer in server-sent events whose data are JSON objects."""

    def __init__(self, answer: StreamedAnswer[Event], decode: Callable[[bytes], Outcome]) -> None:
        self._events = _AnswerEvents()
        super().__init__(self._events, answer, "an event", decode)

    def finish(self) -> Outcome:
        """Return the outcome so far. A failure quotes a sentence that came in place of JSON."""
        outcome = super().finish()
        stray = self._events.stray
        if stray and isinstance(outcome, Failure) and outcome.kind is FailureKind.SERVER:
            return msgspec.structs.replace(outcome, message=f"{outcome.message}: {stray}")
        return outcome


class _AnswerEvents(SseSplitter):
    """The events that belong to an answer, and the mark `[DONE]`.

    Servers and gateways also send events that say nothing, to keep the connection open: without data,
    with a word ("ping"), or with a comment that was wrapped in data. They are left out. Whatever holds a
    part of a JSON object is left in, so that an answer of which a piece is broken fails.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stray = ""

    def _events(self, name: str, data: bytes) -> Iterable[Event]:
        if data[:1] == b"{" and b"\n" not in data:
            return ((name, data),)
        data = data.strip()
        if data.strip(b'"') == DONE:
            return (("", DONE),)
        if b"\n" in data and load(data, object) is None:
            # The empty line between events is missing.
            return [event for line in data.split(b"\n") for event in self._events(name, line)]
        if name == "error" or _JSON_PART.search(data):
            return ((name, data),)
        if b" " in data and not data.startswith(b":"):
            self.stray = self.stray or data[:_LONGEST_STRAY].decode("utf-8", "replace")
        return ()


def is_event_stream(body: bytes) -> bool:
    """Return whether a body consists of server-sent events: some servers stream even if not asked to."""
    return _EVENTS.match(body) is not None
