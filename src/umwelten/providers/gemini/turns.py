"""The turn of a Gemini model that calls functions: its calls, and what goes back of it.

All parts go back as they came: a signature belongs to its part, and may come in one that is otherwise empty.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.tool_turns import NO_ARGUMENTS, read_part, with_id
from umwelten.tool_calls import ToolCall

_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")


class _Content(msgspec.Struct):
    parts: list[msgspec.Raw] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None


class _FunctionCall(msgspec.Struct):
    id: Any = None
    name: Any = None
    args: msgspec.Raw = _ABSENT


class _Part(msgspec.Struct, rename="camel"):
    function_call: _FunctionCall | None = None


class _Turn(msgspec.Struct):
    parts: list[_Part] = []


class GeminiTurn:
    """A model's turn so far."""

    def __init__(self) -> None:
        self._parts: list[msgspec.Raw] = []
        self._text: list[str] = []
        self._calls: list[ToolCall] = []
        self._is_unread = False

    def take(self, chunks: bytes) -> None:
        """Take the next chunks, a JSON list of them."""
        for chunk in load(chunks, list[_Chunk]) or ():
            content = chunk.candidates[0].content if chunk.candidates else None
            for raw in (content and content.parts) or ():
                self._add(bytes(raw))

    def settle(self, reply_id: str | None) -> tuple[tuple[ToolCall, ...], bytes]:
        """Return the calls and the turn; `()` and `b""` where it holds none, or one that cannot be read.

        A call without an id gets one of ours, which the turn does not have.
        """
        if not self._calls or self._is_unread:
            return (), b""
        taken: set[str] = set()
        calls = tuple(with_id(call, reply_id, place, taken) for place, call in enumerate(self._calls))
        self._end_text()
        return calls, msgspec.json.encode({"role": "model", "parts": self._parts})

    def _add(self, raw: bytes) -> None:
        raw, fields = read_part(raw)
        if fields.keys() == {"text"} and isinstance(fields["text"], str):
            # Streams have thousands of these; nothing but their text is in them.
            self._text.append(fields["text"])
            return
        self._end_text()
        self._parts.append(msgspec.Raw(raw))
        if fields.get("functionCall") is not None:
            call = _call_in(load(raw, _Part))
            self._is_unread = self._is_unread or call is None
            if call is not None:
                self._calls.append(call)

    def _end_text(self) -> None:
        text, self._text = "".join(self._text), []
        if text:
            self._parts.append(msgspec.Raw(msgspec.json.encode({"text": text})))


def ids_in(turn: bytes) -> frozenset[str]:
    """Return the ids that the provider gave to the calls of a turn."""
    parts = (load(turn, _Turn) or _Turn()).parts
    calls = (part.function_call for part in parts)
    return frozenset(call.id for call in calls if call is not None and isinstance(call.id, str))


def _call_in(part: _Part | None) -> ToolCall | None:
    call = part.function_call if part is not None else None
    if call is None or not isinstance(call.name, str) or not call.name:
        return None
    arguments = bytes(call.args)
    return ToolCall(
        id=call.id if isinstance(call.id, str) else "",
        name=call.name,
        arguments=NO_ARGUMENTS if arguments in _NOTHING else arguments.decode(),
    )
