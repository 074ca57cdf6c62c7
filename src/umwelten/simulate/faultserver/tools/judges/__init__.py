"""Refuses what providers refuse of a conversation with tools, in their words where they are known.

Words that begin with "faultserver:" are this server's own: no provider would notice, but a client that
sends this has changed or mixed up what it was told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from umwelten.simulate.faultserver.tools.judges.anthropic import judge_anthropic
from umwelten.simulate.faultserver.tools.judges.gemini import judge_gemini
from umwelten.simulate.faultserver.tools.judges.ollama import judge_ollama
from umwelten.simulate.faultserver.tools.judges.openai import judge_openai
from umwelten.simulate.faultserver.tools.judges.responses import judge_responses
from umwelten.simulate.faultserver.tools.judges.verdict import Wrong
from umwelten.simulate.faultserver.tools.spec import ToolTurns, fits_any
from umwelten.simulate.faultserver.tools.values import Transcript

_JUDGES: dict[str, Callable[[ToolTurns, Transcript], None]] = {
    "openai": judge_openai,
    "openrouter": judge_openai,
    "anthropic": judge_anthropic,
    "gemini": judge_gemini,
    "ollama": judge_ollama,
    "responses": judge_responses,
}


def judge(wire: str, spec: ToolTurns, transcript: Transcript) -> Wrong | None:
    """Return what is wrong with a request; `None` if nothing is."""
    if not spec.judge or wire not in _JUDGES:
        return None
    try:
        _JUDGES[wire](spec, transcript)
    except Wrong as wrong:
        return wrong
    return None


# What a model that takes no tools says, and the status.
_NO_TOOLS = {
    "ollama": (400, "registry.ollama.ai/library/{model} does not support tools"),
    "openrouter": (
        404,
        "No endpoints found that support tool use. To learn more about provider routing, visit: "
        "https://openrouter.ai/docs/guides/routing/provider-selection",
    ),
    "gemini": (400, "Function calling is not enabled for models/{model}"),
}


def refuse_tools(
    wire: str, model: str, transcript: Transcript, *, no_tools: Sequence[str], responses_only: Sequence[str]
) -> Wrong | None:
    """Return how a model refuses tools as such: one that fits a glob of `no_tools` anywhere, one of
    `responses_only` on chat completions.
    """
    if not transcript.tools:
        return None
    if fits_any(model, no_tools):
        status, words = _NO_TOOLS.get(wire, (400, "{model} does not support tools"))
        return Wrong(words.format(model=model), "tools", status=status)
    only = wire == "openai" and fits_any(model, responses_only)
    if only and transcript.body.get("reasoning_effort") != "none":
        return Wrong(
            f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
            "reasoning_effort",
        )
    return None
