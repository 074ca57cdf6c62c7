"""OpenAI's Responses API, at the addresses that end in `/responses`."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.tools.values import wants_thoughts
from umwelten.simulate.faultserver.wires.base import Frames, Json, ScriptedAnswer, Trouble, encode, sse
from umwelten.simulate.faultserver.wires.openai import OpenAIWire
from umwelten.simulate.faultserver.wires.responses_calls import events_of, items_of

_STATUS = {"stop": "completed", "length": "incomplete", "blocked": "incomplete"}
_REASON = {"length": "max_output_tokens", "blocked": "content_filter"}


class ResponsesWire(OpenAIWire):
    """The format as OpenAI speaks it. A model that thinks has a reasoning item before its message."""

    name = "responses"

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode(self._response(answer, self._items(answer)))

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode(self._response(answer, []))

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        message = {"type": "message", "role": 7, "content": {"text": answer.text}}
        return encode(
            {"id": answer.n, "model": [], "status": 1, "output": [message], "usage": {"input_tokens": "many"}}
        )

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`."""
        events = _Events()
        items = self._items(answer)
        start = self._response(answer, [], status="in_progress")
        begin = [events.of("response.created", response=start)]
        begin.append(events.of("response.in_progress", response=start))
        if answer.turn is not None:
            told = [events.of(kind, **fields) for kind, fields in events_of(items)]
            return [b"".join((*begin, told[0])), *told[1:]], [self._end(events, answer, items)]
        for index, item in enumerate(items[:-1]):
            begin.append(events.of("response.output_item.added", output_index=index, item=item))
            begin.append(events.of("response.output_item.done", output_index=index, item=item))
        index, message = len(items) - 1, items[-1]
        opened = message | {"status": "in_progress", "content": []}
        where: Json = {"item_id": message["id"], "output_index": index, "content_index": 0}
        begin.append(events.of("response.output_item.added", output_index=index, item=opened))
        begin.append(events.of("response.content_part.added", **where, part=_part("")))
        deltas = [
            events.of("response.output_text.delta", **where, delta=piece, logprobs=[]) for piece in pieces
        ]
        deltas[0] = b"".join((*begin, deltas[0]))
        text = message["content"][0]
        ends = [
            events.of("response.output_text.done", **where, text=answer.text, logprobs=[]),
            events.of("response.content_part.done", **where, part=text),
            events.of("response.output_item.done", output_index=index, item=message),
            self._end(events, answer, items),
        ]
        return deltas, ends

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """See `Wire`."""
        return [], [self._end(_Events(), answer, [])]

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        response = {"id": 1, "status": "completed", "output": "none", "usage": []}
        return _Events().of("response.completed", response=response)

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        inner = self.error_fields(trouble)
        fields = {name: inner[name] for name in ("code", "message", "param")}
        return _Events().of("error", **fields)

    def _end(self, events: _Events, answer: ScriptedAnswer, items: list[Json]) -> bytes:
        response = self._response(answer, items)
        return events.of(f"response.{response['status']}", response=response)

    def _items(self, answer: ScriptedAnswer) -> list[Json]:
        message: Json = {
            "id": f"msg_{answer.n:08x}",
            "type": "message",
            "role": "assistant",
            "status": _STATUS[answer.finish],
            "content": [_part(answer.text)],
        }
        if answer.turn is not None:
            transcript = answer.ask.transcript
            encrypted = transcript is not None and wants_thoughts(transcript.body)
            return items_of(answer.turn, message if answer.text else None, encrypted=encrypted)
        if not answer.reasoning_tokens:
            return [message]
        summary = [{"type": "summary_text", "text": "Thinking it over."}]
        return [{"id": f"rs_{answer.n:08x}", "type": "reasoning", "summary": summary}, message]

    def _response(self, answer: ScriptedAnswer, items: list[Json], *, status: str | None = None) -> Json:
        reason = None if status else _REASON.get(answer.finish)
        return {
            "id": f"resp_{answer.n:08x}",
            "object": "response",
            "created_at": int(answer.now_unix),
            "status": status or _STATUS[answer.finish],
            "error": None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "instructions": None,
            "metadata": {},
            "model": answer.ask.model,
            "output": items,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": None if status else self._usage(answer),
        }

    def _usage(self, answer: ScriptedAnswer) -> Json:
        return {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }


class _Events:
    """The events of one stream, which are numbered."""

    def __init__(self) -> None:
        self._number = 0

    def of(self, kind: str, **fields: object) -> bytes:
        """The next event."""
        body = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return sse(encode(body), kind.encode())


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
