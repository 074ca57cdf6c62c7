"""Which names of the price list can be asked for: it also has patterns, and names of other clouds."""

from __future__ import annotations

from umwelten.types import ModelRef

_OF_GEMINI_API = ("gemini-", "gemma-")
"""What Google's Gemini API serves begins so; the list of Google also has Vertex AI's Claude and others."""


def can_be_asked(model: ModelRef) -> bool:
    """Return whether the name stands for a model that its provider answers to, as far as the name tells."""
    provider, name = model.provider, model.model
    if name.endswith(("-", ".", ":")) or name.startswith(("ft:", "~")):
        return (
            False  # the beginning of names, such as those of fine-tuned models, or an alias of changing price
        )
    if provider == "openrouter":
        return "/" in name
    if provider == "google":
        return name.startswith(_OF_GEMINI_API) and not name.endswith("-maas")
    return provider != "openai" or ":" not in name  # gpt-4o:extended is OpenRouter's
