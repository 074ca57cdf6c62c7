"""A tool of an MCP server, as any other tool."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from umwelten.tool_calls import ToolDefinition
from umwelten.tools.arguments import read_arguments
from umwelten.tools.complete_schemas import complete_schema
from umwelten.tools.mcp.schemas import plain_schema
from umwelten.tools.names import LONGEST_DESCRIPTION, wire_name
from umwelten.tools.tool import Tool, ToolContext

if TYPE_CHECKING:
    import mcp_types

_CUT = " …"

Call = Callable[[str, dict[str, Any]], Awaitable[str]]


class McpTool(Tool):
    """A tool by its entry in a server's list. `called`: its name there.

    `read_only` is the server's word. `was_cut`: its description was too long.
    """

    def __init__(self, server: str, entry: mcp_types.Tool, call: Call, *, at_once: int) -> None:
        description = entry.description or (entry.title or "")
        self.called = entry.name
        self.was_cut = len(description) > LONGEST_DESCRIPTION
        if self.was_cut:
            description = description[: LONGEST_DESCRIPTION - len(_CUT)] + _CUT
        self.name = f"{server}.{entry.name}"
        self.definition = ToolDefinition(
            name=wire_name(self.name),
            description=description,
            parameters=complete_schema(plain_schema(entry.input_schema)),
        )
        self.fingerprint = fingerprint(entry)
        self.source = f"mcp:{server}"
        self.read_only = entry.annotations is not None and entry.annotations.read_only_hint is True
        self.at_once = at_once
        self._call = call

    async def call(self, arguments: str, context: ToolContext) -> str:
        """Return the server's result. Raises `ToolError` for its errors, and where no object is given."""
        return await self._call(self.called, read_arguments(arguments))


def fingerprint(entry: mcp_types.Tool) -> str:
    """Return a hash of what a server says of a tool, but for its icon and what is about the connection."""
    said = {
        "name": entry.name,
        "description": entry.description,
        "inputSchema": entry.input_schema,
        "outputSchema": entry.output_schema,
        "annotations": entry.annotations and entry.annotations.model_dump(by_alias=True, exclude_none=True),
    }
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()
