"""Which of OpenAI's two APIs a model is asked by: chat completions, or Responses where it needs that.

A table, as of November 2026; what is not in it is learned from the first refusal. Sources: the names in the
official client's `ResponsesModel` beyond `ChatModel`, `mode: responses` in litellm's price map, and OpenAI's
refusal of function tools with reasoning from GPT-5.4 on.
"""

from __future__ import annotations

import re

from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.protocol import Endpoint
from umwelten.types import Parameters, RequestSettings

_ONLY_RESPONSES = re.compile(
    r"(?:o1-pro|o3-pro|o3-deep-research|o4-mini-deep-research|computer-use-preview"
    r"|gpt-5-codex|gpt-5\.1-codex(?:-mini|-max)?|gpt-5\.[23]-codex"
    r"|gpt-5(?:\.[245])?-pro|gpt-(?:5\.6|6)-cyber|gpt-daybreak-(?:blue|red)-latest"
    r"|gpt-rosalind-research|gpt-6-rosalind|gpt-6\.2-astra-law)(?:-\d{4}-\d{2}-\d{2})?"
)
_VERSION = re.compile(r"gpt-(\d{1,2})(?:\.(\d{1,2}))?(?![\d.])")
_NO_TOOLS_WITH_REASONING = (5, 4)
"""The first version whose chat completions refuse function tools while it reasons, as it does by itself."""

_ON_CHAT = ("function", "custom")
"""The types of tools that chat completions know."""

_OPENAI = "openai"


def needs_responses(model: str, endpoint: Endpoint, settings: RequestSettings) -> bool:
    """Return whether a model of a provider with OpenAI's wire is asked by Responses."""
    vendor = endpoint.vendor
    if vendor.api != "auto":
        return vendor.api == "responses"
    if vendor.name != _OPENAI or not has_vendor_address(endpoint):
        # Others may know either of the two by the same names, and may have no other.
        return False
    if _ONLY_RESPONSES.fullmatch(model):
        return True
    parameters = settings.parameters
    if _asks_for_summary(parameters) or _has_hosted_tools(parameters):
        return True
    return settings.tools is not None and _reasons_with(model, parameters)


def _asks_for_summary(parameters: Parameters) -> bool:
    """Return whether a summary of the reasoning is asked for, which chat completions do not have."""
    given = parameters.extra.get("reasoning")
    return "reasoning.summary" in parameters.extra or (isinstance(given, dict) and "summary" in given)


def _has_hosted_tools(parameters: Parameters) -> bool:
    """Return whether there are tools that run at OpenAI, such as a web search: chat completions have none."""
    tools = parameters.extra.get("tools")
    kinds = [tool.get("type") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return any(kind not in _ON_CHAT for kind in kinds)


def _reasons_with(model: str, parameters: Parameters) -> bool:
    """Return whether the model reasons and, doing so, takes tools over Responses alone."""
    version = _VERSION.match(model)
    if version is None or (int(version[1]), int(version[2] or 0)) < _NO_TOOLS_WITH_REASONING:
        return False
    reasoning = parameters.extra.get("reasoning")
    inner = reasoning.get("effort") if isinstance(reasoning, dict) else None
    efforts = (parameters.extra.get("reasoning_effort"), parameters.extra.get("reasoning.effort"), inner)
    return "none" not in efforts
