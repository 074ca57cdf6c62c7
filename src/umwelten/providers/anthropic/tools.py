"""Function calling in Anthropic's format: what is offered, and the results of calls."""

from __future__ import annotations

from typing import Any

from umwelten.providers.common.tool_refusals import TOOLS
from umwelten.tool_calls import ToolResult, ToolResults
from umwelten.types import Request

_CHOICE = "tool_choice"
_ONE_AT_A_TIME = "disable_parallel_tool_use"


def tool_fields(request: Request, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body's fields for the tools; those of `extra`, which run at the provider, come first.

    A model that refuses to be made to call one ("tool_choice" is dropped) may still be told not to.
    """
    extra = request.parameters.extra
    own, given = extra.get(TOOLS), extra.get(_CHOICE)
    offered = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
        for tool in request.tools
    ]
    fields: dict[str, Any] = {TOOLS: [*(own if isinstance(own, list) else ()), *offered]}
    one = (
        {_ONE_AT_A_TIME: given[_ONE_AT_A_TIME]} if isinstance(given, dict) and _ONE_AT_A_TIME in given else {}
    )
    choice = request.tool_choice
    if choice == "none":
        fields[_CHOICE] = {"type": "none"}
    elif choice == "auto" or _CHOICE in dropped:
        fields |= {_CHOICE: {"type": "auto", **one}} if one else {}
    elif choice == "any":
        fields[_CHOICE] = {"type": "any", **one}
    else:
        fields[_CHOICE] = {"type": "tool", "name": choice, **one}
    return fields


def result_message(results: ToolResults) -> dict[str, Any] | None:
    """Return the one message that all results must be in, before any words; `None` for nothing to say."""
    words = [{"type": "text", "text": results.note}] if results.note else []
    blocks = [*map(_result, results.results), *words]
    return {"role": "user", "content": blocks} if blocks else None


def _result(result: ToolResult) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.call.id}
    if result.text:
        # An empty text is refused, an absent one is not.
        block["content"] = result.text
    return {**block, "is_error": True} if result.is_error else block
