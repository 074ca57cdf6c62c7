"""Read a streamed response: events that build up its items, and one that ends it."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load, read
from umwelten.providers.common.sse import DONE, Event
from umwelten.providers.common.usage import read_fields
from umwelten.providers.openai.responses.replies import Content, ResponsesAnswer
from umwelten.providers.protocol import Endpoint, Head
from umwelten.text.thinking import AnswerText
from umwelten.types import Failure, Outcome

_ENDS = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The events that end a stream, and the status that each stands for."""

_BEGINNINGS = ("response.created", "response.in_progress", "response.queued")
_MOST_ITEMS = 10_000
"""Items and parts of one reply. A number in an event is not trusted to be a place in a list."""


class _StreamEvent(msgspec.Struct):
    """The fields of all events together; types differ between servers, so each is checked."""

    type: Any = None
    output_index: Any = None
    content_index: Any = None
    delta: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    item: Any = None
    part: Any = None
    response: Any = None
    error: Any = None


class _Item:
    """An item of the output under construction: as it began, what was added to it, and as it ended."""

    __slots__ = ("arguments", "begun", "ended", "is_commentary", "parts", "refusal")

    def __init__(self) -> None:
        self.begun: dict[str, Any] = {}
        self.ended: dict[str, Any] | None = None
        self.parts: dict[int, list[str]] = {}
        self.arguments: list[str] = []
        self.refusal: list[str] = []
        self.is_commentary = False

    def value(self) -> dict[str, Any]:
        """Return the item as it ended, or from its pieces where no event said so or its end holds nothing."""
        has_pieces = bool(self.parts or self.arguments or self.refusal)
        if self.ended is not None and (not has_pieces or Content([self.ended]).says_anything):
            return self.ended
        item = self.begun if self.ended is None else self.ended
        if item.get("type") == "reasoning":
            # What is sealed is whole only at its end, and half of it is refused when it goes back.
            return {name: value for name, value in item.items() if name != "encrypted_content"}
        if item.get("type") == "function_call" or self.arguments:
            return {"type": "function_call", **item, "arguments": "".join(self.arguments)}
        content: list[dict[str, Any]] = [
            {"type": "output_text", "text": "".join(self.parts[i])} for i in sorted(self.parts)
        ]
        if self.refusal:
            content.append({"type": "refusal", "refusal": "".join(self.refusal)})
        return {"type": "message", **item, "content": content} if content else item


class ResponsesEvents:
    """The answer that the events of a stream add up to: a `StreamedAnswer`."""

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool) -> None:
        self._answer = ResponsesAnswer(head, endpoint, tools=tools)
        self._items: dict[int, _Item] = {}
        self._told = AnswerText()
        self._end: dict[str, Any] | None = None
        self._failure: Failure | None = None
        self.done = False

    @property
    def complete(self) -> bool:
        """True once the end came, which has all counts with it."""
        return self.done

    def add(self, piece: Event) -> str:
        """Read an event; return the answer's text in it."""
        name, data = piece
        if self.done or data == DONE:
            return ""
        event = load(data, _StreamEvent)
        if event is None and name != "error":
            self.fail("an event of the reply cannot be read")
            return ""
        event = event or _StreamEvent(type=name)
        kind = event.type if isinstance(event.type, str) else name
        if kind == "error" or (event.error and not isinstance(event.response, dict)):
            self._note_partial()
            self._stop(self._answer.report_error(_error_of(event, data)))
            return ""
        return self._take(kind, event)

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self._note_partial()
        self._stop(self._answer.failure(message))

    def outcome(self) -> Outcome:
        """Return the outcome so far: without an end, a failure with the partial text."""
        if self._failure is not None:
            return self._failure
        self._note_partial()
        if self._end is None:
            return self._answer.failure("the reply was cut off before its end")
        return self._answer.outcome(self._end, self._content())

    def _take(self, kind: str, event: _StreamEvent) -> str:
        if kind in _ENDS:
            response = read_fields(event.response)
            self._end = {"status": _ENDS[kind], "output": [], **response}
            self.done = True
            return ""
        if kind in _BEGINNINGS:
            self._answer.note({name: read_fields(event.response).get(name) for name in ("id", "model")})
            return ""
        number = event.output_index
        if not isinstance(number, int) or not 0 <= number < _MOST_ITEMS:
            number = max(self._items, default=0)
        match kind:
            case "response.output_item.added":
                self._item(number).begun = read_fields(event.item)
                self._item(number).is_commentary = read_fields(event.item).get("phase") == "commentary"
            case "response.output_item.done":
                return self._end_item(number, read_fields(event.item))
            case "response.output_text.delta":
                return self._add_text(number, event.content_index, event.delta)
            case "response.output_text.done":
                return self._end_text(number, event.content_index, event.text)
            case "response.refusal.delta" if isinstance(event.delta, str):
                self._item(number).refusal.append(event.delta)
            case "response.refusal.done" if isinstance(event.refusal, str):
                self._item(number).refusal[:] = [event.refusal]
            case "response.function_call_arguments.delta" if isinstance(event.delta, str):
                self._item(number).arguments.append(event.delta)
            case "response.function_call_arguments.done" if isinstance(event.arguments, str):
                self._item(number).arguments[:] = [event.arguments]
        return ""

    def _item(self, number: int) -> _Item:
        return self._items.setdefault(number, _Item())

    def _add_text(self, number: int, part: object, delta: object) -> str:
        if not isinstance(delta, str):
            return ""
        item = self._item(number)
        item.parts.setdefault(_place(part), []).append(delta)
        return "" if item.is_commentary else self._told.add(delta)

    def _end_text(self, number: int, part: object, text: object) -> str:
        """Take the whole text of a part where no piece of it came before."""
        item = self._item(number)
        if not isinstance(text, str) or any(item.parts.get(_place(part), ())):
            return ""
        return self._add_text(number, part, text)

    def _end_item(self, number: int, item: dict[str, Any]) -> str:
        """Take a finished item, with its text where no event told that."""
        known = self._item(number)
        if not item:
            return ""
        known.ended = item
        if any(any(pieces) for pieces in known.parts.values()) or item.get("type") != "message":
            return ""
        known.is_commentary = item.get("phase") == "commentary"
        return self._add_text(number, 0, Content([item]).text)

    def _content(self) -> Content:
        values = (self._items[number].value() for number in sorted(self._items))
        return Content(value for value in values if value)

    def _note_partial(self) -> None:
        self._answer.note_partial(self._told.split(cut=True).text)

    def _stop(self, failure: Failure) -> None:
        self.done, self._failure = True, self._failure or failure


def _place(number: object) -> int:
    return number if isinstance(number, int) and 0 <= number < _MOST_ITEMS else 0


def _error_of(event: _StreamEvent, data: bytes) -> dict[str, Any]:
    """Return the error in an event: in an object of its own, or its fields beside `type`."""
    if event.error:
        return {"error": event.error}
    fields = load(data, dict) or {"message": read(data).message}
    return {"error": {name: value for name, value in fields.items() if name != "type"}}
