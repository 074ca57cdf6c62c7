"""Turns of conversations and their parts, as messages between coordinator and workers have them."""

from __future__ import annotations

import msgspec

from umwelten.tool_calls import ModelTurn, ToolResults
from umwelten.types import FrozenStruct, Media, Message, Part, Role, Text, Turn


class WirePart(FrozenStruct, omit_defaults=True):
    """A part of a message; one of both."""

    text: Text | None = None
    media: Media | None = None


class WireTurn(FrozenStruct, omit_defaults=True):
    """A turn of a conversation: a message by its `role` and `parts`, or one of the others."""

    role: Role | None = None
    parts: tuple[WirePart, ...] = ()
    model: ModelTurn | None = None
    results: ToolResults | None = None


def pack_turns(turns: tuple[Turn, ...]) -> tuple[WireTurn, ...]:
    """Return turns as messages have them."""
    return tuple(map(_pack_turn, turns))


def unpack_turns(turns: tuple[WireTurn, ...]) -> tuple[Turn, ...]:
    """Return what `pack_turns` was given."""
    return tuple(map(_unpack_turn, turns))


def pack_parts(parts: tuple[Part, ...]) -> tuple[WirePart, ...]:
    """Return parts as messages have them."""
    return tuple(WirePart(text=part) if isinstance(part, Text) else WirePart(media=part) for part in parts)


def unpack_parts(parts: tuple[WirePart, ...]) -> tuple[Part, ...]:
    """Return what `pack_parts` was given. Raises `msgspec.ValidationError` for a part that has nothing."""
    return tuple(map(_unpack_part, parts))


def _unpack_part(part: WirePart) -> Part:
    found = part.text or part.media
    if found is None:
        raise msgspec.ValidationError("a part without content")
    return found


def _pack_turn(turn: Turn) -> WireTurn:
    if isinstance(turn, Message):
        return WireTurn(role=turn.role, parts=pack_parts(turn.parts))
    return WireTurn(model=turn) if isinstance(turn, ModelTurn) else WireTurn(results=turn)


def _unpack_turn(turn: WireTurn) -> Turn:
    if turn.model is not None:
        return turn.model
    if turn.results is not None:
        return turn.results
    if turn.role is None:
        raise msgspec.ValidationError("a turn without content")
    return Message(role=turn.role, parts=unpack_parts(turn.parts))
