"""How the context of a server is made larger, in the terms of each."""

from __future__ import annotations

from umwelten.phrases import Phrase
from umwelten.providers.protocol import Vendor

SMALLEST_CONTEXT = 2048
"""Tokens: what Ollama gave a model by default until 2025, and no server gives less."""


def larger_context(vendor: Vendor, tokens: int) -> Phrase:
    """Return what to do so that a prompt of at least so many tokens fits."""
    if vendor.wire == "ollama":
        return Phrase("set a larger one with {option:params} num_ctx={size}", size=_size(2 * tokens))
    if vendor.name == "lmstudio":
        return Phrase("load the model with a larger one in LM Studio")
    if vendor.name == "vllm":
        return Phrase(
            "start the server with a larger one, and take `truncate_prompt_tokens` out of {option:params}"
        )
    return Phrase("start the server with a larger one, or take a model that has one")


def _size(tokens: int) -> int:
    """Return a power of two that is at least so large."""
    return max(2 * SMALLEST_CONTEXT, 1 << (tokens - 1).bit_length())
