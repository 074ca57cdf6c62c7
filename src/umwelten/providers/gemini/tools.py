"""Function calling in Google's format: what is offered, and the results of calls."""

from __future__ import annotations

import re
from typing import Any

from umwelten.providers.common.tool_refusals import TOOLS
from umwelten.tool_calls import ToolResult, ToolResults
from umwelten.types import Request

_CONFIG, _CALLING = "toolConfig", "functionCallingConfig"
_MODES = {"any": "ANY", "none": "NONE"}
_VERSION = re.compile(r"gemini-(\d{1,3})(?!\d)")
_ENFORCES = 3
"""The first version that takes a schema beside tools; those before answer with status 400."""


def enforces_beside_tools(model: str) -> bool:
    """Return whether a model takes a schema in a request that declares tools."""
    version = _VERSION.search(model)
    return version is not None and int(version[1]) >= _ENFORCES


def tool_fields(request: Request, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body's fields for the tools; those of `extra`, which run at the provider, come first."""
    extra = request.parameters.extra
    own, given = extra.get(TOOLS), extra.get(_CONFIG)
    offered = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
        for tool in request.tools
    ]
    fields: dict[str, Any] = {
        TOOLS: [*(own if isinstance(own, list) else ()), {"functionDeclarations": offered}],
        _CONFIG: {k: v for k, v in given.items() if k != _CALLING} if isinstance(given, dict) else {},
    }
    choice = request.tool_choice
    if choice != "auto" and dropped.isdisjoint(("tool_choice", _CONFIG)):
        named = {"mode": "ANY", "allowedFunctionNames": [choice]}
        fields[_CONFIG][_CALLING] = {"mode": _MODES[choice]} if choice in _MODES else named
    return {name: value for name, value in fields.items() if value}


def result_contents(results: ToolResults, ids: frozenset[str]) -> list[dict[str, Any]]:
    """Return the content with all results, and nothing else in it, and one with the user's words.

    `ids` are those that the provider gave: it knows no others.
    """
    contents: list[dict[str, Any]] = []
    if results.results:
        parts = [{"functionResponse": _response(result, ids)} for result in results.results]
        contents.append({"role": "user", "parts": parts})
    if results.note:
        contents.append({"role": "user", "parts": [{"text": results.note}]})
    return contents


def _response(result: ToolResult, ids: frozenset[str]) -> dict[str, Any]:
    given = {"id": result.call.id} if result.call.id in ids else {}
    return {
        **given,
        "name": result.call.name,
        "response": {"error" if result.is_error else "output": result.text},
    }
