"""The turn of a model that calls functions, whole or in pieces: its calls, and what goes back of it.

The pieces of a call belong together by index, or by id, or because they come one after the other. Servers
leave out either, number all calls 0, put a wrong index on the tails, and give each piece an id of its own.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from umwelten.providers.common.tool_turns import NO_ARGUMENTS, sendable, sendable_name, with_id
from umwelten.providers.protocol import Quirks
from umwelten.tool_calls import ToolCall

Fields = dict[str, Any]

_RETURNED = ("reasoning_content", "reasoning_details", "reasoning", "thinking_blocks", "extra_content")
"""Fields of a turn that go back: DeepSeek and Moonshot require the first with calls, OpenRouter the second,
LiteLLM the fourth, Google's OpenAI address the last; what else a message has, many refuse."""

_IN_PIECES = ("text", "thinking", "reasoning.text", "reasoning.summary")
"""Types of pieces of a list that are the rest of one another."""

_GROWING = ("text", "summary", "thinking")
_QUOTED = re.compile(r'["\\]')
_BARE = re.compile(r'["{}\[\]]')


class Message(msgspec.Struct):
    """A whole message or a piece of one. Types differ between vendors, so each field is checked."""

    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_details: Any = None
    thinking_blocks: Any = None
    extra_content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    images: Any = None
    audio: Any = None


class _Call:
    """A call so far. `fields` are those of its entry but its index and the arguments.

    `repeats`: it has no id and the name of a whole call before it, so it may be no call but the end of that
    one.
    """

    def __init__(self, index: int | None, *, repeats: bool = False) -> None:
        self.index, self.id, self.name, self.repeats = index, "", "", repeats
        self.fields: Fields = {}
        self.function: Fields = {}
        self._pieces: list[str] = []
        self._scanned = self._depth = 0
        self._quoted = self._escaped = self._closed = False

    def add(self, id: str, name: str, fields: Fields, function: Fields) -> None:
        """Take the next piece: what comes twice is taken once, but for the arguments."""
        self.id, self.name = self.id or id, self.name or name
        self.fields = {**fields, **self.fields}
        self.function = {**function, **self.function}
        piece = _arguments(function.get("arguments"))
        if piece:
            self._pieces.append(piece)

    @property
    def begun(self) -> bool:
        """Whether any arguments came."""
        return bool(self._pieces)

    @property
    def arguments(self) -> str:
        """The arguments as they came, "{}" where there are none."""
        pieces = self._pieces
        if len(pieces) > 1 and pieces[0].strip() == NO_ARGUMENTS:
            # Gateways to Anthropic begin with the empty object that its streams begin with.
            pieces = pieces[1:]
        text = "".join(pieces)
        return text if text.strip() else NO_ARGUMENTS

    @property
    def whole(self) -> bool:
        """Whether an object has ended in the arguments. Every letter is looked at once."""
        while not self._closed and self._scanned < len(self._pieces):
            self._scan(self._pieces[self._scanned])
            self._scanned += 1
        return self._closed

    def _scan(self, piece: str) -> None:
        at, self._escaped = int(self._escaped), False
        while (mark := (_QUOTED if self._quoted else _BARE).search(piece, at)) is not None:
            at = mark.end()
            match mark[0]:
                case '"':
                    self._quoted = not self._quoted
                case "\\":
                    self._escaped = at == len(piece)
                    at += 1
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    self._closed = self._closed or self._depth <= 0


class ModelTurnPieces:
    """A model's turn so far."""

    def __init__(self, quirks: Quirks) -> None:
        self._ids = re.compile(quirks.call_ids) if quirks.call_ids else None
        self._content: list[Any] = []
        self._is_list = False
        self._returned: dict[str, list[Any]] = {}
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def add(self, message: Message, *, whole: bool) -> None:
        """Take a message, whole or the next piece of it."""
        content = message.content
        if isinstance(content, str) and content:
            self._content.append({"type": "text", "text": content})
        elif isinstance(content, list):
            self._is_list = True
            self._content += content
        for name in _RETURNED:
            value = getattr(message, name)
            # Moonshot misses it even where it is empty.
            if value or value == "":
                self._returned.setdefault(name, []).append(value)
        entries = message.tool_calls
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, dict):
                self._take(entry, whole)

    @property
    def has_calls(self) -> bool:
        """Whether the model called anything."""
        return bool(self._calls)

    def settle(self, reply_id: str | None) -> tuple[tuple[ToolCall, ...], bytes]:
        """Return the calls and the turn, in which every call has an id of its own.

        Nothing (`()`, `b""`) where it holds no calls, or one without a name.
        """
        found = [call for call in self._calls if not call.repeats or call.begun]
        if not all(call.name for call in found):
            return (), b""
        calls: list[ToolCall] = []
        taken: set[str] = set()
        for place, each in enumerate(found):
            id = each.id if self._ids is None or self._ids.fullmatch(each.id) else ""
            call = ToolCall(id=id, name=each.name, arguments=each.arguments)
            calls.append(with_id(call, reply_id, place, taken))
        return (tuple(calls), self._raw(found, calls)) if calls else ((), b"")

    def _raw(self, found: list[_Call], calls: list[ToolCall]) -> bytes:
        entries = [
            {
                **each.fields,
                "id": call.id,
                "type": each.fields.get("type") or "function",
                "function": {
                    **each.function,
                    "name": sendable_name(call.name),
                    "arguments": sendable(call.arguments),
                },
            }
            for each, call in zip(found, calls, strict=True)
        ]
        returned = {name: _merged(values) for name, values in self._returned.items()}
        if "reasoning_details" in returned:
            # They hold the same text.
            returned.pop("reasoning", None)
        return msgspec.json.encode(
            {"role": "assistant", "content": self._whole_content(), **returned, "tool_calls": entries}
        )

    def _whole_content(self) -> Any:
        if self._is_list:
            return _joined(self._content)
        return "".join(piece["text"] for piece in self._content) or None

    def _take(self, entry: Fields, whole: bool) -> None:
        function = entry.get("function")
        function = function if isinstance(function, dict) else {}
        id, name, index = _text(entry.get("id")), _text(function.get("name")), _index(entry.get("index"))
        call = None if whole else self._open_call(id, name, index, function)
        if call is None:
            before = self._calls[-1] if self._calls else None
            repeats = not whole and not id and before is not None and before.name == name and before.whole
            call = _Call(index, repeats=repeats)
            self._calls.append(call)
            if index is not None:
                self._by_index[index] = call
        if id:
            self._by_id.setdefault(id, call)
        fields = {key: value for key, value in entry.items() if key not in ("index", "function", "id")}
        call.add(id, name, fields, function)

    def _open_call(self, id: str, name: str, index: int | None, function: Fields) -> _Call | None:
        """Return the call that an entry of a stream is a piece of, `None` for a new one."""
        known, last = self._by_id.get(id), self._calls[-1] if self._calls else None
        at = last if index is None else self._by_index.get(index)
        if known is not None:
            is_other = name and known.name and name != known.name and index != known.index
            return None if is_other else known
        if name:
            # Without ids, a name that is repeated goes on with a call until its arguments are whole.
            is_same = at is not None and name == (at.name or name) and not at.whole
            return at if is_same and not id else None
        if at is None:
            # An id may come before the name; an index alone is a wrong one.
            return None if id else last
        if last is not None and at.whole and not last.whole and _arguments(function.get("arguments")).strip():
            return last
        return at


def _merged(values: list[Any]) -> Any:
    """Return the pieces of a field as one value: texts and lists are joined, of others the last counts."""
    if all(isinstance(value, str) for value in values):
        return "".join(values)
    if all(isinstance(value, list) for value in values):
        return _joined([item for value in values for item in value])
    return values[-1]


def _joined(pieces: list[Any]) -> list[Any]:
    """Return typed pieces with the texts of those that belong together joined; the others as they are."""
    joined: list[Any] = []
    growing: dict[str, list[Any]] = {}
    for piece in pieces:
        last = joined[-1] if joined else None
        if not (isinstance(piece, dict) and isinstance(last, dict) and _continues(last, piece)):
            _grow(last, growing)
            growing = {}
            joined.append(dict(piece) if isinstance(piece, dict) else piece)
            last = joined[-1]
        if isinstance(last, dict) and isinstance(piece, dict):
            for name, value in piece.items():
                if name in _GROWING and value:
                    growing.setdefault(name, []).append(value)
                elif value is not None:
                    last[name] = value
    _grow(joined[-1] if joined else None, growing)
    return joined


def _continues(last: Fields, piece: Fields) -> bool:
    """Return whether a piece is the rest of the one before it; a signature ends one."""
    if piece.get("type") != last.get("type") or piece.get("type") not in _IN_PIECES:
        return False
    ids = {last.get("id"), piece.get("id")} - {None}
    return piece.get("index") == last.get("index") and not last.get("signature") and len(ids) < 2


def _grow(piece: Any, growing: dict[str, list[Any]]) -> None:
    for name, values in growing.items():
        piece[name] = _merged(values)


def _arguments(value: object) -> str:
    """Return a piece of arguments as text; some servers send the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(value: object) -> int | None:
    """Return an index, which may be a float or a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return int(value)
    return None
