"""Requests, responses and events of the Responses API, with the official client's types beside them."""

from __future__ import annotations

import json
from typing import Any

from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ModelTurn, ToolCall, ToolDefinition, ToolResult, ToolResults
from umwelten.types import (
    Media,
    ModelRef,
    Outcome,
    Request,
    Schema,
)
from wirekit import (
    body_of,
    head,
    place,
    user,
)

WIRE = WIRES["responses"]
HOME = place("responses", "https://api.example/v1")
OPENAI = Endpoint(vendor=VENDORS["openai"], base_url=VENDORS["openai"].base_url)
PDF = Media(mime="application/pdf", data=b"%PDF-1.7", name="a.pdf")
WAV = Media(mime="audio/wav", data=b"RIFF", name="a.wav")
BOOK = Schema(
    name="book",
    json={
        "type": "object",
        "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
        "required": ["title"],
        "additionalProperties": False,
    },
)
WEATHER = ToolDefinition(
    name="weather",
    description="The weather in a town.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "encrypted_content": "gAAAA",
    "content": None,
    "status": "completed",
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"town": "Ulm"}',
    "status": "completed",
}
TURN = ModelTurn(
    raw=json.dumps([REASONING, CALL]).encode(),
    calls=(ToolCall(id="call_1", name="weather", arguments='{"town": "Ulm"}'),),
)
RESULTS = ToolResults(results=(ToolResult(call=TURN.calls[0], text="rain"),), note="Go on.")
UNARY: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)
STREAMED: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsStreaming)


def sent(request: Request, home: Endpoint = HOME, dropped: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body of a request, which the official client could send as well."""
    body = body_of(WIRE.encode(request, home, frozenset(dropped)))
    (STREAMED if request.stream else UNARY).validate_python(body, strict=True, extra="forbid")
    return body


def asking(*turns: Any, choice: str = "auto", model: str = "gpt-6", schema: Schema | None = None) -> Request:
    """A question that offers a tool."""
    return Request(
        model=ModelRef("openai", model),
        messages=(user("Rain in Ulm?"), *turns),
        tools=(WEATHER,),
        tool_choice=choice,
        schema=schema,
    )


def message(*texts: str, **fields: Any) -> dict[str, Any]:
    """An item with the model's words."""
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": parts,
    } | fields


def response(*items: Any, **fields: Any) -> dict[str, Any]:
    """A whole response."""
    usage = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 42,
    }
    made = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-6",
        "output": list(items),
    }
    return made | {"usage": usage, "service_tier": "default", "error": None} | fields


def events(*items: dict[str, Any], end: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The events that OpenAI tells these items with, each text in pieces of three letters."""
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress", usage=None)}
    ]
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item.get("id", "")}
        opened = {**item, **({"content": []} if item.get("content") else {})}
        opened |= {"arguments": ""} if "arguments" in item else {}
        # What is sealed is whole only at the item's end.
        opened |= {"encrypted_content": "gA"} if "encrypted_content" in item else {}
        told.append({"type": "response.output_item.added", **at, "item": opened})
        for number, part in enumerate(item.get("content") or ()):
            where, text = {**at, "content_index": number}, part["text"]
            told += [
                {"type": "response.output_text.delta", **where, "delta": text[i : i + 3]}
                for i in range(0, len(text), 3)
            ]
            told.append({"type": "response.output_text.done", **where, "text": text})
        if "arguments" in item:
            for i in range(0, len(item["arguments"]), 4):
                delta = item["arguments"][i : i + 4]
                told.append({"type": "response.function_call_arguments.delta", **at, "delta": delta})
            kind = "response.function_call_arguments.done"
            told.append({"type": kind, **at, "arguments": item["arguments"]})
        told.append({"type": "response.output_item.done", **at, "item": item})
    whole = response(*items) if end is None else end
    return [*told, {"type": f"response.{whole['status']}", "response": whole}]


def stream(data: bytes, *, tools: bool = False, step: int = 0) -> tuple[str, Outcome]:
    """What a decoder hands out and its outcome; `step`: for pieces of so many bytes."""
    decoder = WIRE.stream(head(), HOME, tools=tools)
    step = step or len(data)
    text = "".join(decoder.feed(data[i : i + step]) for i in range(0, len(data), step))
    return text, decoder.finish()
