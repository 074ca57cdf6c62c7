"""A tool as each wire format offers it, and what that costs."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.prompts.token_estimates import text_tokens
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ToolDefinition
from umwelten.types import Message, ModelRef, Request, Role, Text


def wire_schemas(tool: ToolDefinition) -> dict[str, Any]:
    """Return what each wire format sends for a tool, by the formats' names; those that can't are left out."""
    found = {}
    for wire in WIRES:
        # No vendor has the Responses API alone: OpenAI speaks it beside chat completions.
        vendor = next((vendor for vendor in VENDORS.values() if vendor.wire == wire), VENDORS["openai"])
        request = Request(
            model=ModelRef(provider=vendor.name, model="model"),
            messages=(Message(role=Role.USER, parts=(Text(text="?"),)),),
            tools=(tool,),
        )
        endpoint = Endpoint(vendor=vendor, base_url="http://127.0.0.1")
        body = WIRES[wire].encode(request, endpoint).body
        offered = msgspec.json.decode(body or b"{}").get("tools")
        if offered:
            found[wire] = offered[0]
    return found


def schema_tokens(schemas: dict[str, Any]) -> dict[str, int]:
    """Return an estimate of the tokens that each form of a tool takes in every request."""
    return {
        wire: text_tokens(len(msgspec.json.encode(schema)), "tool.json") for wire, schema in schemas.items()
    }
