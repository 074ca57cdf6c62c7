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
        vendor = next((vendor for vendor in VENDORS.values() if vendor.wire == wire), None)
        if vendor is not None:
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


def most_tokens(schemas: dict[str, Any]) -> int:
    """Return an estimate of the tokens of a tool in each request: those of the longest of its forms."""
    sizes = [len(msgspec.json.encode(schema)) for schema in schemas.values()]
    return text_tokens(max(sizes, default=0), "tool.json")
