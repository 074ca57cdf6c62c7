"""Whether a model takes tools, as servers tell it that can be asked before anything is paid.

Ollama tells of each model what it can do, OpenRouter's list which parameters it takes, and llama.cpp what
its chat template has a place for: without one it takes the tools and shows the model nothing of them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.base_url import split_version
from umwelten.providers.common.bodies import load
from umwelten.providers.ollama.requests import headers as ollama_headers
from umwelten.providers.ollama.requests import root_of
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, Scope
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef

_OLLAMA, _SILENT = "ollama", ("anthropic", "gemini")
"""Wires by name; servers of the second kind say nothing of tools."""


def support_request(model: ModelRef, endpoint: Endpoint) -> HttpRequest | None:
    """Return the request that tells whether a model takes tools; `None` where nothing tells it."""
    vendor = endpoint.vendor
    if vendor.wire == _OLLAMA:
        return HttpRequest(
            method="POST",
            url=f"{root_of(endpoint)}/api/show",
            headers=ollama_headers(endpoint),
            body=msgspec.json.encode({"model": model.model}),
        )
    if vendor.wire in _SILENT or not endpoint.base_url:
        return None
    listing = WIRES[vendor.wire].list_models(endpoint)
    if vendor.quirks.lists_parameters:
        return listing
    if vendor.scope is not Scope.HOST:
        return None
    root, _ = split_version(endpoint.base_url)
    return HttpRequest(method="GET", url=f"{root}/props", headers=listing.headers)


def why_no_tools(model: ModelRef, endpoint: Endpoint, head: Head, body: bytes) -> str | None:
    """Return how a reply says that a model takes no tools; `None` if it says no such thing."""
    fields = load(body, dict[str, Any]) if head.status == 200 else None
    if fields is None:
        return None
    if endpoint.vendor.wire == _OLLAMA:
        known = fields.get("capabilities")
        is_without = isinstance(known, list) and bool(known) and "tools" not in known
        return f"`ollama show {model.model}` has no tools among its capabilities" if is_without else None
    if endpoint.vendor.quirks.lists_parameters:
        return _by_list(model, fields.get("data"))
    known = fields.get("chat_template_caps")
    is_without = isinstance(known, dict) and known.get("supports_tools") is False
    return f"the chat template of {endpoint.base_url} has no place for them" if is_without else None


def _by_list(model: ModelRef, rows: object) -> str | None:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("id") == model.model:
            known = row.get("supported_parameters")
            is_without = isinstance(known, list) and bool(known) and "tools" not in known
            return "they are not among the parameters that are listed for it" if is_without else None
    return None
