"""What a worker and its parent say to each other: frames of a length (8 bytes, little-endian) and msgpack.

The parent believes a reply as far as these types go. A file that took over its converter can say what it
likes about itself and nothing about another file.
"""

from __future__ import annotations

from typing import IO, Annotated, Literal

import msgspec
from msgspec import Meta

from umwelten.errors import InputError, MachineError
from umwelten.inputs.content import Conversion, Converted, UnsupportedInput
from umwelten.phrases import Named, Phrase, Wording
from umwelten.types import FrozenStruct, Media, Part, Text

MAX_REPLY = 512 << 20
"""Bytes: a process of 1 GB can't make a longer one, as it holds the parts beside it."""

READY = b"ready"
"""The first frame of a worker: all is imported that every conversion needs."""

_LENGTH = 8
# Characters, and texts in a list: far more than any converter says. An error holds a path of 4,096 bytes.
_MOST_CHARS, _MOST_TEXTS = 20_000, 100
_Said = Annotated[str, Meta(max_length=_MOST_CHARS)]
_Texts = Annotated[tuple[_Said, ...], Meta(max_length=_MOST_TEXTS)]


class Broken(Exception):
    """The other side is gone, or says what it may not."""


class Gone(Broken):
    """The other side is gone."""


class Question(FrozenStruct):
    """A file to convert, in turn `id`. `folder`: where temporary files may be."""

    id: int
    conversion: Conversion
    folder: str


class _Part(FrozenStruct):
    text: str | None = None
    mime: str = ""
    data: bytes = b""
    name: str = ""


class Result(FrozenStruct):
    """A `Converted`."""

    parts: tuple[_Part, ...]
    notes: _Texts
    warnings: _Texts


class _Option(FrozenStruct):
    """The options that a converter may advise."""

    option: Literal["pdf", "rows"]
    value: _Said | None = None


_Words = Annotated[tuple[_Said | _Option, ...], Meta(max_length=_MOST_TEXTS)]
"""The pieces of a `Wording`. They are finished: a template of a stranger's is never filled in."""


class Problem(FrozenStruct):
    """Why a file was not converted. `memory` and `internal`: no `InputError`, but what came instead."""

    kind: Literal["unsupported", "input", "machine", "memory", "internal"]
    words: _Words = ()
    hint: _Words | None = None
    exhausted: bool = False


class Answer(FrozenStruct):
    """The reply to the question `id`. `is_spent`: the worker should answer no other."""

    id: int
    result: Result | None = None
    problem: Problem | None = None
    is_spent: bool = False


def read_frame(stream: IO[bytes], most: int) -> bytes:
    """Return a frame of at most so many bytes. Raises `Broken`."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        raise Gone("no frame")
    size = int.from_bytes(head, "little")
    if size > most:
        raise Broken(f"a frame of {size:,} bytes")
    data = stream.read(size)
    if len(data) < size:
        raise Gone("half a frame")
    return data


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write a frame at once."""
    stream.write(len(data).to_bytes(_LENGTH, "little"))
    stream.write(data)
    stream.flush()


def pack_result(converted: Converted) -> Result:
    """Return what is sent to the parent."""
    return Result(
        parts=tuple(_pack_part(part) for part in converted.parts),
        notes=_cut(converted.notes),
        warnings=_cut(converted.warnings),
    )


def unpack_result(result: Result) -> Converted:
    """Return what the worker sent."""
    parts = tuple(_unpack_part(part) for part in result.parts)
    return Converted(parts=parts, notes=result.notes, warnings=result.warnings)


def pack_error(error: InputError) -> Problem:
    """Return an error with its message and hint as they are, options unspelled."""
    return Problem(
        kind="machine"
        if isinstance(error, MachineError)
        else "unsupported"
        if isinstance(error, UnsupportedInput)
        else "input",
        words=pack_words(error.wording),
        hint=None if error.hint_wording is None else pack_words(error.hint_wording),
        exhausted=isinstance(error, MachineError) and error.exhausted,
    )


def unpack_error(problem: Problem) -> InputError:
    """Return the error that the worker met."""
    text = unpack_words(problem.words)
    hint = None if problem.hint is None else unpack_words(problem.hint)
    if problem.kind == "machine":
        return MachineError(text, hint, exhausted=problem.exhausted)
    return (UnsupportedInput if problem.kind == "unsupported" else InputError)(text, hint)


def pack_words(text: Wording) -> _Words:
    """Return the text as it is sent, cut where it is longer than the parent reads."""
    pieces = (text,) if isinstance(text, str) else text.pieces
    return tuple(
        _Option(option=piece.option, value=piece.value)  # type: ignore[arg-type]  # the parent looks
        if isinstance(piece, Named)
        else piece[:_MOST_CHARS]
        for piece in pieces[:_MOST_TEXTS]
    )


def unpack_words(words: _Words) -> Phrase:
    """Return what the worker said."""
    return Phrase.of(Named(word.option, word.value) if isinstance(word, _Option) else word for word in words)


def _cut(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text[:_MOST_CHARS] for text in texts[:_MOST_TEXTS])


def _pack_part(part: Part) -> _Part:
    if isinstance(part, Text):
        return _Part(text=part.text)
    return _Part(mime=part.mime, data=part.data, name=part.name)


def _unpack_part(part: _Part) -> Part:
    if part.text is not None:
        return Text(text=part.text)
    return Media(mime=part.mime, data=part.data, name=part.name)


question_decoder = msgspec.msgpack.Decoder(Question)
answer_decoder = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode
