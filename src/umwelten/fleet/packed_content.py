"""Contents of inputs, and the errors in their place, as they are sent to workers."""

from __future__ import annotations

from typing import Literal

import msgspec

from umwelten.attempts.input_reader import ReadInput
from umwelten.errors import InputError, MachineError
from umwelten.fleet.packing import pack, unpack
from umwelten.fleet.wire_turns import WirePart, pack_parts, unpack_parts
from umwelten.inputs.content import Content, Conversion, InputChanged, Question, UnsupportedInput
from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct

_ERRORS: dict[str, type[InputError]] = {
    "machine": MachineError,
    "changed": InputChanged,
    "unsupported": UnsupportedInput,
    "input": InputError,
}


class PreparedContent(Content, kw_only=True):
    """A content of which is known what is sent: `ready`, as `InputReader.prepare` returned it."""

    ready: ReadInput


class PackedError(FrozenStruct, omit_defaults=True):
    """An `InputError` of a type of `_ERRORS`."""

    kind: Literal["machine", "changed", "unsupported", "input"]
    message: Phrase
    hint: Phrase | None = None
    exhausted: bool = False


class _PackedContent(FrozenStruct, omit_defaults=True):
    """The fields of `Content`. With `origin`, it is a prepared one: parts and values are what is sent."""

    digest: bytes
    parts: tuple[WirePart, ...] = ()
    changed: bool = False
    values: dict[str, str] = msgspec.field(default_factory=dict)
    convert: Conversion | None = None
    question: _PackedQuestion | None = None
    is_ready: bool = False
    origin: tuple[str, bytes] | None = None


class _PackedQuestion(FrozenStruct, omit_defaults=True):
    prompt: str
    name: str
    path: str
    names: tuple[str, ...] = ()
    content: _PackedContent | None = None


def pack_content(content: Content) -> bytes:
    """Return a content as bytes; what has to be converted is not yet."""
    return pack(_packed(content))


def unpack_content(data: bytes) -> Content:
    """Return what `pack_content` was given."""
    return _unpacked(unpack(data, _PackedContent))


def pack_error(error: InputError) -> PackedError:
    """Return an error as a value; the options in its text are spelled where it is raised again."""
    kind = next(kind for kind, of in _ERRORS.items() if isinstance(error, of))
    return PackedError(
        kind=kind,  # type: ignore[arg-type]  # one of the keys
        message=_phrase(error.wording),
        hint=None if error.hint_wording is None else _phrase(error.hint_wording),
        exhausted=isinstance(error, MachineError) and error.exhausted,
    )


def unpack_error(packed: PackedError) -> InputError:
    """Return the error again."""
    if packed.kind == "machine":
        return MachineError(packed.message, packed.hint, exhausted=packed.exhausted)
    return _ERRORS[packed.kind](packed.message, packed.hint)


def _phrase(wording: Wording) -> Phrase:
    return wording if isinstance(wording, Phrase) else Phrase.of((wording,))


def _packed(content: Content) -> _PackedContent:
    if isinstance(content, PreparedContent):
        ready = content.ready
        return _PackedContent(
            digest=content.digest,
            parts=pack_parts(ready.parts),
            values=dict(ready.values or {}),
            is_ready=True,
            origin=ready.origin,
        )
    asked = content.question
    return _PackedContent(
        digest=content.digest,
        parts=pack_parts(content.parts),
        changed=content.changed,
        values=dict(content.values),
        convert=content.convert,
        question=None
        if asked is None
        else _PackedQuestion(
            prompt=asked.prompt,
            name=asked.name,
            path=asked.path,
            names=asked.names,
            content=None if asked.content is None else _packed(asked.content),
        ),
    )


def _unpacked(packed: _PackedContent) -> Content:
    parts = unpack_parts(packed.parts)
    if packed.is_ready:
        ready = ReadInput(parts=parts, values=packed.values, origin=packed.origin)
        return PreparedContent(digest=packed.digest, parts=(), ready=ready)
    asked = packed.question
    return Content(
        digest=packed.digest,
        parts=parts,
        changed=packed.changed,
        values=packed.values,
        convert=packed.convert,
        question=None
        if asked is None
        else Question(
            prompt=asked.prompt,
            name=asked.name,
            path=asked.path,
            names=asked.names,
            content=None if asked.content is None else _unpacked(asked.content),
        ),
    )
