"""The turn of a Claude model that calls tools or pauses, whole or in events: its calls, and what goes back.

All blocks go back as they came: the API checks the signatures in them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.tool_turns import NO_ARGUMENTS, read_part, sendable, sendable_name, with_id
from umwelten.tool_calls import ToolCall

_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")
_INPUT = "partial_json"


class _Content(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


class _TurnEvent(msgspec.Struct):
    index: Any = None
    message: _Content | None = None
    content: list[msgspec.Raw] | None = None
    content_block: msgspec.Raw = _ABSENT
    delta: Any = None


class _ToolUse(msgspec.Struct):
    input: msgspec.Raw = _ABSENT


class _TurnBlock:
    """A block, and what was added to it."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._fields = read_part(raw)
        self._added: dict[str, list[str]] = {}
        self._citations: list[Any] = []

    def add(self, delta: dict[str, Any]) -> None:
        """Take an event's `delta`: texts go on, citations are more of them."""
        for name, value in delta.items():
            if isinstance(value, str) and value and name != "type":
                self._added.setdefault(name, []).append(value)
        if "citation" in delta:
            self._citations.append(delta["citation"])

    @property
    def call(self) -> ToolCall | None:
        """The call of one of our tools, `None` for any other block. Its name may be missing."""
        if self._fields.get("type") != "tool_use":
            return None
        id, name = self._fields.get("id"), self._fields.get("name")
        return ToolCall(
            id=id if isinstance(id, str) else "",
            name=name if isinstance(name, str) else "",
            arguments=self._input(),
        )

    @property
    def is_blank(self) -> bool:
        """Whether it is a text of white space alone, which models write and the API refuses."""
        return self._fields.get("type") == "text" and not self._text("text").strip()

    def raw(self, call: ToolCall | None) -> msgspec.Raw:
        """Return its JSON, unchanged where it came whole and can go back so; `call` is the one in it, if any.

        The API refuses a conversation for a call whose input is no object, or whose name it would not take.
        """
        ours = {} if call is None else {"id": call.id, "name": sendable_name(call.name)}
        is_same = all(self._fields.get(name) == value for name, value in ours.items())
        has_input = call is None or isinstance(self._fields.get("input"), dict)
        if is_same and has_input and not self._added and not self._citations:
            return msgspec.Raw(self._raw)
        fields = self._fields | ours
        for name in self._added:
            if name != _INPUT:
                fields[name] = self._text(name)
        if self._citations:
            known = fields.get("citations")
            fields["citations"] = [*(known if isinstance(known, list) else ()), *self._citations]
        if call is not None or "input" in fields or _INPUT in self._added:
            fields["input"] = msgspec.Raw(sendable(self._input()).encode())
        return msgspec.Raw(msgspec.json.encode(fields))

    def _text(self, name: str) -> str:
        begun = self._fields.get(name)
        return "".join((begun if isinstance(begun, str) else "", *self._added.get(name, ())))

    def _input(self) -> str:
        """Return the input as it came; a stream begins with an empty object, or with all of it."""
        streamed = "".join(self._added.get(_INPUT, ()))
        if streamed.strip():
            return streamed
        if isinstance(self._fields.get("input"), str):
            # Some compatible servers write the object as a text.
            return self._fields["input"] or NO_ARGUMENTS
        begun = bytes((load(self._raw, _ToolUse) or _ToolUse()).input)
        return NO_ARGUMENTS if begun in _NOTHING else begun.decode()


class MessageTurn:
    """A model's turn so far."""

    def __init__(self) -> None:
        self._blocks: list[_TurnBlock] = []
        self._by_index: dict[int, _TurnBlock] = {}

    def take(self, data: bytes) -> None:
        """Take a whole message, or an event of a stream."""
        event = load(data, _TurnEvent)
        if event is None:
            return
        for raw in event.content or (event.message and event.message.content) or ():
            self._open(bytes(raw), event.index)
        if bytes(event.content_block) not in _NOTHING:
            self._open(bytes(event.content_block), event.index)
        elif isinstance(event.delta, dict) and _is_part_of_block(event.delta):
            self._block_of(event).add(event.delta)

    def settle(self, reply_id: str | None) -> tuple[tuple[ToolCall, ...], bytes]:
        """Return the calls and the turn, in which every call has an id of its own.

        `()` and `b""` for a turn of nothing, and for a call without a name.
        """
        blocks: list[msgspec.Raw] = []
        calls: list[ToolCall] = []
        taken: set[str] = set()
        for block in self._blocks:
            call = block.call
            if call is not None:
                if not call.name:
                    return (), b""
                call = with_id(call, reply_id, len(calls), taken)
                calls.append(call)
            if not block.is_blank:
                blocks.append(block.raw(call))
        if not blocks:
            return (), b""
        return tuple(calls), msgspec.json.encode({"role": "assistant", "content": blocks})

    def _open(self, raw: bytes, index: object) -> None:
        block = _TurnBlock(raw)
        self._blocks.append(block)
        if isinstance(index, int | float):
            self._by_index[int(index)] = block

    def _block_of(self, event: _TurnEvent) -> _TurnBlock:
        """Return the block that a delta belongs to; without one, it begins a text."""
        known = self._by_index.get(int(event.index)) if isinstance(event.index, int | float) else None
        if known is None and not self._blocks:
            self._open(b'{"type":"text","text":""}', event.index)
        return known or self._blocks[-1]


def _is_part_of_block(delta: dict[str, Any]) -> bool:
    return ("type" in delta or "text" in delta) and "stop_reason" not in delta
