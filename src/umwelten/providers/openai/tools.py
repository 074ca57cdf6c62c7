"""Function calling in chat completions: what is offered, and the turns with calls and their results."""

from __future__ import annotations

from typing import Any

from umwelten.providers.common.tool_refusals import TOOLS
from umwelten.providers.common.tool_turns import words_of
from umwelten.providers.protocol import Quirks
from umwelten.tool_calls import ToolResults
from umwelten.types import Request

_CHOICES = {"any": "required", "none": "none"}


def tool_fields(request: Request, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body's fields for the tools; {} where none are offered, since an empty list is refused.

    Those of `extra`, which run at the provider, come first. Nothing is sent for the choice "auto": it is the
    default, and some servers know no other.
    """
    if not request.tools:
        return {}
    own = request.parameters.extra.get(TOOLS)
    offered = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in request.tools
    ]
    fields: dict[str, Any] = {TOOLS: [*(own if isinstance(own, list) else ()), *offered]}
    if request.tool_choice != "auto" and "tool_choice" not in dropped:
        named = {"type": "function", "function": {"name": request.tool_choice}}
        fields["tool_choice"] = _CHOICES.get(request.tool_choice, named)
    return fields


def result_messages(results: ToolResults, quirks: Quirks) -> list[dict[str, Any]]:
    """Return a message for each result, in their order, and one with the user's words."""
    messages = [
        {"role": "tool", "tool_call_id": result.call.id, "content": words_of(result)}
        for result in results.results
    ]
    if results.note and messages and not quirks.user_after_tools:
        messages[-1]["content"] += f"\n\n{results.note}"
    elif results.note:
        messages.append({"role": "user", "content": results.note})
    return messages
