"""Complete replies of every wire format, whole or as a stream, from the same few facts."""

from __future__ import annotations

import json
from typing import Any

from umwelten.providers.protocol import Endpoint, Wire
from umwelten.providers.wires import WIRES
from umwelten.types import Outcome
from wirekit import decoded, place, sse, streamed

ROOTS = {
    "openai": "https://api.example/v1",
    "responses": "https://api.example/v1",
    "anthropic": "https://api.example",
    "gemini": "https://api.example",
    "ollama": "http://127.0.0.1:11434",
}
STOP = {
    "openai": "stop",
    "responses": "completed",
    "anthropic": "end_turn",
    "gemini": "STOP",
    "ollama": "stop",
}
LENGTH = {
    "openai": "length",
    "responses": "max_output_tokens",
    "anthropic": "max_tokens",
    "gemini": "MAX_TOKENS",
    "ollama": "length",
}
TOOL = {
    "openai": "tool_calls",
    "responses": "completed",
    "anthropic": "tool_use",
    "gemini": "STOP",
    "ollama": "stop",
}
MODES = (False, True)


def wire_of(name: str) -> tuple[Wire, Endpoint]:
    """A wire with an endpoint of its own."""
    return WIRES[name], place(name, ROOTS[name])


def outcome(
    wire: str,
    stream: bool,
    pieces: tuple[str, ...] = (),
    *,
    stop: str | None = None,
    thinking: str = "",
    call: str | None = None,
    usage: tuple[int, int] | None = (20, 7),
    cuts: tuple[int, ...] = (),
) -> tuple[str, Outcome]:
    """What was handed out as text, and the outcome of a reply with these pieces of text.

    `call` names a function that is called after them.
    """
    made, endpoint = wire_of(wire)
    stop = STOP[wire] if stop is None else stop
    if not stream:
        body = _WHOLE[wire]("".join(pieces), stop, thinking, call, usage)
        found = decoded(made, endpoint, body)
        return "", found
    return streamed(made, endpoint, _STREAMS[wire](pieces, stop, thinking, call, usage), cuts)


Counts = tuple[int, int] | None


def _openai_usage(usage: Counts) -> dict[str, Any]:
    return {} if usage is None else {"usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}


def _openai_fields(text: str, thinking: str, call: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"content": text or None}
    if thinking:
        fields["reasoning_content"] = thinking
    if call is not None:
        function = {"name": call, "arguments": "{}"}
        fields["tool_calls"] = [{"index": 0, "id": "c1", "type": "function", "function": function}]
    return fields


def _openai(text: str, stop: str, thinking: str, call: str | None, usage: Counts) -> dict[str, Any]:
    message = {"role": "assistant", **_openai_fields(text, thinking, call)}
    return {"choices": [{"index": 0, "message": message, "finish_reason": stop}], **_openai_usage(usage)}


def _openai_stream(
    pieces: tuple[str, ...], stop: str, thinking: str, call: str | None, usage: Counts
) -> bytes:
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [_openai_fields("", thinking, None)] if thinking else []
    deltas += [{"content": piece} for piece in pieces]
    deltas += [_openai_fields("", "", call)] if call is not None else []
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": stop}]}
    return sse(*chunks, last, {"choices": [], **_openai_usage(usage)}) + b"data: [DONE]\n\n"


def _response(text: str, stop: str, thinking: str, call: str | None, usage: Counts) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    if thinking:
        items.append(
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": thinking}]}
        )
    if text:
        items.append({"type": "message", "id": "msg", "content": [{"type": "output_text", "text": text}]})
    if call is not None:
        items.append({"type": "function_call", "id": "fc", "call_id": "c1", "name": call, "arguments": "{}"})
    counts = None if usage is None else {"input_tokens": usage[0], "output_tokens": usage[1]}
    cut = stop != "completed"
    return {
        "object": "response",
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": stop} if cut else None,
        "output": items,
        "usage": counts,
    }


def _response_stream(
    pieces: tuple[str, ...], stop: str, thinking: str, call: str | None, usage: Counts
) -> bytes:
    whole = _response("".join(pieces), stop, thinking, call, usage)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
    ]
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index, "content_index": 0}
        opened = {**item, "content": []} if item["type"] == "message" else item
        events.append({"type": "response.output_item.added", **at, "item": opened})
        if item["type"] == "message":
            events += [{"type": "response.output_text.delta", **at, "delta": piece} for piece in pieces]
        events.append({"type": "response.output_item.done", **at, "item": item})
    return sse(*events, {"type": f"response.{whole['status']}", "response": whole}, named=True)


def _claude_usage(usage: Counts) -> dict[str, int]:
    return {} if usage is None else {"input_tokens": usage[0], "output_tokens": usage[1]}


def _claude_blocks(text: str, thinking: str, call: str | None) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if thinking:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": "x"})
    if text:
        blocks.append({"type": "text", "text": text})
    if call is not None:
        blocks.append({"type": "tool_use", "id": "t1", "name": call, "input": {}})
    return blocks


def _claude(text: str, stop: str, thinking: str, call: str | None, usage: Counts) -> dict[str, Any]:
    blocks = _claude_blocks(text, thinking, call)
    return {"type": "message", "content": blocks, "stop_reason": stop, "usage": _claude_usage(usage)}


def _claude_stream(
    pieces: tuple[str, ...], stop: str, thinking: str, call: str | None, usage: Counts
) -> bytes:
    start = {"type": "message", "content": [], "stop_reason": None, "usage": _claude_usage(usage)}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]

    def block(number: int, opened: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        events.append({"type": "content_block_start", "index": number, "content_block": opened})
        events.extend({"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": number})

    if thinking:
        block(0, {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": thinking}])
    if pieces:
        block(1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])
    if call is not None:
        block(2, {"type": "tool_use", "id": "t1", "name": call, "input": {}}, [])
    end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": _claude_usage(usage)}
    return sse(*events, end, {"type": "message_stop"}, named=True)


def _gemini_parts(text: str, thinking: str, call: str | None) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": thinking, "thought": True}] if thinking else []
    parts += [{"text": text}] if text else []
    return parts + ([{"functionCall": {"name": call, "args": {}}}] if call is not None else [])


def _gemini(text: str, stop: str | None, thinking: str, call: str | None, usage: Counts) -> dict[str, Any]:
    parts = _gemini_parts(text, thinking, call)
    content: dict[str, Any] = {"role": "model", **({"parts": parts} if parts else {})}
    candidate = {"content": content, **({"finishReason": stop} if stop else {})}
    counts = {} if usage is None else {"promptTokenCount": usage[0], "candidatesTokenCount": usage[1]}
    return {"candidates": [candidate], **({"usageMetadata": counts} if counts else {})}


def _gemini_stream(
    pieces: tuple[str, ...], stop: str, thinking: str, call: str | None, usage: Counts
) -> bytes:
    chunks = [_gemini("", None, thinking, None, usage)] if thinking else []
    chunks += [_gemini(piece, None, "", None, usage) for piece in pieces]
    return sse(*chunks, _gemini("", stop, "", call, usage))


def _ollama(text: str, stop: str | None, thinking: str, call: str | None, usage: Counts) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if call is not None:
        message["tool_calls"] = [{"function": {"name": call, "arguments": {}}}]
    if stop is None:
        return {"model": "m", "message": message, "done": False}
    counts = {} if usage is None else {"prompt_eval_count": usage[0], "eval_count": usage[1]}
    return {"model": "m", "message": message, "done": True, "done_reason": stop, **counts}


def _ollama_stream(
    pieces: tuple[str, ...], stop: str, thinking: str, call: str | None, usage: Counts
) -> bytes:
    lines = [_ollama("", None, thinking, None, None)] if thinking else []
    lines += [_ollama(piece, None, "", None, None) for piece in pieces]
    lines.append(_ollama("", stop, "", call, usage))
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


_WHOLE = {
    "openai": _openai,
    "responses": _response,
    "anthropic": _claude,
    "gemini": _gemini,
    "ollama": _ollama,
}
_STREAMS = {
    "openai": _openai_stream,
    "responses": _response_stream,
    "anthropic": _claude_stream,
    "gemini": _gemini_stream,
    "ollama": _ollama_stream,
}
