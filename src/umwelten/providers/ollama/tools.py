"""Function calling in Ollama's format: what is offered, the turns with calls, and their results.

The format has no field for the choice. Where no tool may be called, none is declared: the server takes a
conversation with calls all the same, and then it can enforce a schema. That one has to be called cannot be
said.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.tool_refusals import TOOLS
from umwelten.providers.common.tool_turns import NO_ARGUMENTS, read_part, sendable, with_id, words_of
from umwelten.tool_calls import ToolCall, ToolResults
from umwelten.types import Request

_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")


class _Function(msgspec.Struct):
    name: Any = None
    arguments: msgspec.Raw = _ABSENT


class _Entry(msgspec.Struct):
    id: Any = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: Any = None
    thinking: Any = None
    tool_calls: Any = None


class _Entries(msgspec.Struct):
    tool_calls: list[msgspec.Raw] = []


class _Line(msgspec.Struct):
    message: _Message | None = None


class _EntryLine(msgspec.Struct):
    message: _Entries | None = None


def declares_tools(request: Request) -> bool:
    """Return whether the tools of a request are declared to the server."""
    return bool(request.tools) and request.tool_choice != "none"


def tool_fields(request: Request) -> dict[str, Any]:
    """Return the body's fields for the tools; those of `extra` come first."""
    if not declares_tools(request):
        return {}
    own = request.parameters.extra.get(TOOLS)
    offered = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in request.tools
    ]
    return {TOOLS: [*(own if isinstance(own, list) else ()), *offered]}


def result_messages(results: ToolResults, ids: frozenset[str]) -> list[dict[str, Any]]:
    """Return a message for each result, in their order, and one with the user's words.

    `ids` are those that the server gave: older ones know none.
    """
    messages: list[dict[str, Any]] = []
    for result in results.results:
        given = {"tool_call_id": result.call.id} if result.call.id in ids else {}
        messages.append({"role": "tool", "tool_name": result.call.name, **given, "content": words_of(result)})
    return [*messages, {"role": "user", "content": results.note}] if results.note else messages


class OllamaTurn:
    """A model's turn so far. Calls come whole, in one line or in several."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._entries: list[msgspec.Raw] = []
        self._calls: list[ToolCall] = []
        self._is_unread = False

    def take(self, line: bytes) -> None:
        """Take the next line."""
        message = (load(line, _Line) or _Line()).message or _Message()
        for value, pieces in ((message.content, self._content), (message.thinking, self._thinking)):
            if isinstance(value, str):
                pieces.append(value)
        if message.tool_calls:
            entries = (load(line, _EntryLine) or _EntryLine()).message
            self._is_unread = self._is_unread or entries is None
            for entry in entries.tool_calls if entries is not None else ():
                self._add(bytes(entry))

    def settle(self, reply_id: str | None) -> tuple[tuple[ToolCall, ...], bytes]:
        """Return the calls and the turn; `()` and `b""` where it holds none, or one that cannot be read.

        A call without an id gets one of ours, which the turn does not have.
        """
        if not self._calls or self._is_unread:
            return (), b""
        taken: set[str] = set()
        calls = tuple(with_id(call, reply_id, place, taken) for place, call in enumerate(self._calls))
        turn: dict[str, Any] = {"role": "assistant", "content": "".join(self._content)}
        if self._thinking:
            turn["thinking"] = "".join(self._thinking)
        return calls, msgspec.json.encode({**turn, "tool_calls": self._entries})

    def _add(self, raw: bytes) -> None:
        raw, fields = read_part(raw)
        entry = load(raw, _Entry) or _Entry()
        function = entry.function or _Function()
        if not isinstance(function.name, str) or not function.name:
            self._is_unread = True
            return
        arguments, written = _arguments(function.arguments)
        if written is not None:
            fields["function"]["arguments"] = written
            raw = msgspec.json.encode(fields)
        self._entries.append(msgspec.Raw(raw))
        id = entry.id if isinstance(entry.id, str) else ""
        self._calls.append(ToolCall(id=id, name=function.name, arguments=arguments))


def ids_in(turn: bytes) -> frozenset[str]:
    """Return the ids that the server gave to the calls of a turn."""
    entries = (load(turn, _Entries) or _Entries()).tool_calls
    found = (load(bytes(raw), _Entry) or _Entry() for raw in entries)
    return frozenset(entry.id for entry in found if isinstance(entry.id, str) and entry.id)


def _arguments(raw: msgspec.Raw) -> tuple[str, msgspec.Raw | None]:
    """Return the arguments, and what goes back for them where that is not what came: it must be an object."""
    text = NO_ARGUMENTS if bytes(raw) in _NOTHING else bytes(raw).decode()
    if text.lstrip()[:1] == "{":
        return text, None if bytes(raw) not in _NOTHING else msgspec.Raw(text.encode())
    inner = load(text.encode(), str)
    text = text if inner is None else inner or NO_ARGUMENTS
    return text, msgspec.Raw(sendable(text).encode())
