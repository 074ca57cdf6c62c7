"""Streamed replies, as pieces that add up to an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from umwelten.types import Outcome

Piece = TypeVar("Piece")
In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


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

    def add(self, piece: In) -> str:
        """Read a piece; return the answer's text in it."""

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""

    def outcome(self) -> Outcome:
        """Return the reply or the failure, from the pieces so far."""


class AnswerStream(Generic[Piece]):
    """A `protocol.StreamDecoder`. `word` names a piece in messages: "an event", "a line"."""

    def __init__(self, splitter: Splitter[Piece], answer: StreamedAnswer[Piece], word: str) -> None:
        self._splitter, self._answer, self._word = splitter, answer, word

    def feed(self, chunk: bytes) -> str:
        """Read the next bytes; return the answer's text in them."""
        return "".join(map(self._answer.add, self._splitter.feed(chunk)))

    @property
    def done(self) -> bool:
        """True once the rest of the body need not be read."""
        return self._answer.done

    def finish(self) -> Outcome:
        """Return the outcome so far."""
        for piece in self._splitter.flush():
            self._answer.add(piece)
        if self._splitter.overflowed:
            self._answer.fail(f"{self._word} of the reply is too large")
        return self._answer.outcome()
