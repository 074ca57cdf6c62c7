"""Anthropic messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.wires.anthropic_calls import blocks_of, events_of, stop_of
from umwelten.simulate.faultserver.wires.base import (
    Frames,
    Json,
    ScriptedAnswer,
    Trouble,
    encode,
    number,
    sse,
)

_FINISH = {"stop": "end_turn", "length": "max_tokens", "blocked": "refusal"}

# status: type, message
_ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The request could not be understood."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is a problem with your billing."),
    403: ("permission_error", "Your API key does not have permission to use the resource."),
    404: ("not_found_error", "model not found"),
    408: ("timeout_error", "Request timed out"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "The request could not be processed."),
    429: ("rate_limit_error", "This request would exceed your rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}


class AnthropicWire:
    """The format of `/v1/messages`."""

    name = "anthropic"

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        if answer.turn is not None:
            blocks = blocks_of(answer.turn, answer.text)
            return encode(self._message(answer, blocks, self._stop(answer), answer.output_tokens))
        record = _input(answer)
        content: Json = {"type": "text", "text": answer.text}
        if record is not None:
            content = {
                "type": "tool_use",
                "id": f"toolu_{answer.n:08d}",
                "name": answer.ask.tool,
                "input": record,
            }
        return encode(self._message(answer, [content], self._stop(answer), answer.output_tokens))

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode(self._message(answer, [], _FINISH[answer.finish], answer.output_tokens))

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        message = {"id": 1, "type": "message", "content": {"text": answer.text}, "stop_reason": 3}
        return encode(message | {"usage": {"input_tokens": "many"}})

    def stream_type(self, ask: IncomingRequest) -> str:
        """See `Wire`."""
        return "text/event-stream; charset=utf-8"

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`."""
        if answer.turn is not None:
            told = [_event(**event) for events in events_of(answer.turn, answer.text) for event in events]
            told[0] = self._start(answer) + told[0] + _event("ping")
            return told, self._ends(answer)
        block: Json = {"type": "text", "text": ""}
        kind, field = "text_delta", "text"
        if _input(answer) is not None:
            name = answer.ask.tool
            block = {"type": "tool_use", "id": f"toolu_{answer.n:08d}", "name": name, "input": {}}
            kind, field = "input_json_delta", "partial_json"
        deltas = [
            _event("content_block_delta", index=0, delta={"type": kind, field: piece}) for piece in pieces
        ]
        opened = _event("content_block_start", index=0, content_block=block)
        deltas[0] = self._start(answer) + opened + _event("ping") + deltas[0]
        return deltas, [_event("content_block_stop", index=0), *self._ends(answer)]

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """See `Wire`."""
        return [self._start(answer)], self._ends(answer)

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return _event("content_block_delta", index="zero", delta=[{"text": 1}])

    def error(self, trouble: Trouble) -> bytes:
        """See `Wire`."""
        kind, message = _ERRORS.get(trouble.status, ("api_error", "Internal server error"))
        error: Json = {"type": kind, "message": trouble.message or message}
        if trouble.code is not None:
            error["details"] = {"error_code": trouble.code}
        return encode({"type": "error", "error": error, "request_id": "req_error"})

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        return sse(self.error(trouble), b"error")

    def headers(self, n: int) -> str:
        """See `Wire`."""
        return f"request-id: req_{n:08x}\r\n"

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """See `Wire`."""
        after = query.get("after_id", "")
        start = models.index(after) + 1 if after in models else 0
        end = start + min(number(query.get("limit"), page_size) or page_size, page_size)
        names = models[start:end]
        created_at = "2026-01-01T00:00:00Z"
        rows = [
            {"type": "model", "id": name, "display_name": name, "created_at": created_at} for name in names
        ]
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return encode({"data": rows, "has_more": end < len(models)} | ends)

    def _stop(self, answer: ScriptedAnswer) -> str:
        if answer.turn is not None:
            return stop_of(answer.turn, _FINISH[answer.finish])
        called = answer.finish == "stop" and _input(answer) is not None
        return "tool_use" if called else _FINISH[answer.finish]

    def _usage(self, answer: ScriptedAnswer, output_tokens: int) -> Json:
        # Input is counted without what came from the cache.
        usage: Json = {
            "input_tokens": answer.input_tokens - answer.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": answer.cached_tokens,
            "output_tokens": output_tokens,
        }
        if answer.reasoning_tokens:
            usage["output_tokens_details"] = {"thinking_tokens": answer.reasoning_tokens}
        return usage

    def _message(
        self, answer: ScriptedAnswer, content: list[Json], stop: str | None, output_tokens: int
    ) -> Json:
        return {
            "id": f"msg_{answer.n:08d}",
            "type": "message",
            "role": "assistant",
            "model": answer.ask.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": self._usage(answer, output_tokens),
        }

    def _start(self, answer: ScriptedAnswer) -> bytes:
        return _event("message_start", message=self._message(answer, [], None, 1))

    def _ends(self, answer: ScriptedAnswer) -> list[bytes]:
        delta = {"stop_reason": self._stop(answer), "stop_sequence": None}
        usage = {"output_tokens": answer.output_tokens}
        return [_event("message_delta", delta=delta, usage=usage), _event("message_stop")]


def _input(answer: ScriptedAnswer) -> Json | None:
    """The record as the input of the tool that has to be called; a model that ignores it just talks."""
    if answer.ask.tool is None:
        return None
    try:
        return msgspec.json.decode(answer.text, type=Json)
    except msgspec.DecodeError:
        return None


def _event(type: str, **fields: object) -> bytes:
    return sse(encode({"type": type} | fields), type.encode())
