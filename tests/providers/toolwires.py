"""Requests with tools, and replies to them, on the wires of Anthropic, Google and Ollama."""

from __future__ import annotations

import json
from typing import Any

import anthropic.types as claude
import pytest
from pydantic import TypeAdapter

from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.schema import load_schema
from umwelten.tool_calls import ToolDefinition
from umwelten.types import ModelRef, Outcome, Request, Secret, Turn
from wirekit import body_of, head, question, user

VENDOR_OF = {"anthropic": "anthropic", "gemini": "google", "ollama": "ollama"}
on_every_wire = pytest.mark.parametrize("wire", VENDOR_OF)
TOOL = ToolDefinition(
    name="add",
    description="Adds.",
    parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
)
CLAUDE_MESSAGE: TypeAdapter[Any] = TypeAdapter(claude.MessageParam)
CLAUDE_TOOLS: TypeAdapter[Any] = TypeAdapter(list[claude.ToolParam])
CLAUDE_CHOICE: TypeAdapter[Any] = TypeAdapter(claude.ToolChoiceParam)


def at(wire: str) -> Endpoint:
    row = VENDORS[VENDOR_OF[wire]]
    return Endpoint(vendor=row, base_url=row.base_url, api_key=Secret("sk-key"))


def unary(wire: str, body: Any, status: int = 200, tools: bool = True) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return WIRES[wire].decode(head(status), raw, at(wire), tools=tools)


def streamed(wire: str, data: bytes, *ends: int) -> Outcome:
    decoder = WIRES[wire].stream(head(), at(wire), tools=True)
    for start, end in zip((0, *ends), (*ends, len(data)), strict=True):
        decoder.feed(data[start:end])
    return decoder.finish()


def asked(
    *turns: Turn, model: str = "some-model", choice: str = "auto", schema: str = "", **more: Any
) -> Request:
    return Request(
        model=ModelRef("p", model),
        messages=(user("Hi"), *turns),
        parameters=question(**more).parameters,
        schema=load_schema(schema).schema if schema else None,
        tools=(TOOL,),
        tool_choice=choice,
    )


def sent(wire: str, request: Request, *dropped: str) -> dict[str, Any]:
    return body_of(WIRES[wire].encode(request, at(wire), frozenset(dropped)))
