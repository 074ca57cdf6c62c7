"""Names: which wire formats there are, and which model a user means."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from umwelten.errors import UsageError
from umwelten.providers.anthropic_messages import AnthropicMessages
from umwelten.providers.gemini import Gemini
from umwelten.providers.groups import expand_groups
from umwelten.providers.ollama import Ollama
from umwelten.providers.openai_chat import OpenAIChat
from umwelten.providers.protocol import Vendor, Wire
from umwelten.types import ModelRef

WIRES: Mapping[str, Wire] = {
    "openai": OpenAIChat(),
    "gemini": Gemini(),
    "anthropic": AnthropicMessages(),
    "ollama": Ollama(),
}

_ROUTER = "openrouter"
_FORMS = (
    "A model is written provider:model (ollama:gemma3:12b), "
    "or vendor/model for a model at OpenRouter (openai/gpt-4o)."
)
# What people call a provider, and beginnings of names of models that are at home at one.
_NICKNAMES = {
    "chatgpt": "openai",
    "claude": "anthropic",
    "gemini": "google",
    "gemma": "ollama",
    "gpt": "openai",
    "grok": "xai",
    "llama": "ollama",
    "lm-studio": "lmstudio",
    "qwen": "ollama",
    "smollm2": "local",
}


def parse_model(text: str, vendors: Mapping[str, Vendor]) -> ModelRef:
    """The model a user means by `provider:model`, or by `vendor/model` at OpenRouter.

    Raises `UsageError` that lists the valid forms and the nearest provider's name.
    """
    name = text.strip()
    prefix, colon, model = (piece.strip() for piece in name.partition(":"))
    if colon and prefix in vendors:
        if not model:
            raise _refusal(f"{name!r} names a provider but no model", vendors, None)
        return ModelRef(prefix, model)
    if _is_routed(prefix) and _ROUTER in vendors:
        return ModelRef(_ROUTER, name)
    if colon:
        raise _refusal(f"{prefix!r} in {name!r} is not a known provider", vendors, _guess(name, vendors))
    raise _refusal(f"{name!r} is not a model name", vendors, _guess(name, vendors))


def parse_models(
    text: str, vendors: Mapping[str, Vendor], groups: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[tuple[ModelRef, ...], tuple[str, ...]]:
    """The models of a comma list in the order given, each once, and notes on what was dropped.

    `@fast` stands for the models of that group. Raises `UsageError` for a name that cannot be used and for
    a list without any.
    """
    models: dict[ModelRef, None] = {}
    notes: list[str] = []
    for piece in expand_groups(text, groups):
        model = parse_model(piece, vendors)
        if model in models:
            notes.append(f"{piece} is listed twice; it is asked once (use --repeat to ask again)")
        models[model] = None
    if not models:
        raise _refusal("no model is named", vendors, None)
    return tuple(models), tuple(notes)


def _is_routed(prefix: str) -> bool:
    """Whether the words before a colon are `vendor/model`, and no path of a file."""
    vendor, slash, model = prefix.partition("/")
    return bool(slash and vendor.strip(".~ ") and model.strip() and not prefix.endswith(".gguf"))


def _guess(name: str, vendors: Mapping[str, Vendor]) -> str | None:
    """The `provider:model` that was perhaps meant."""
    if name.endswith(".gguf"):
        return f"local:{name}" if "local" in vendors else None
    word, _, model = name.partition(":")
    low = word.lower()
    if low in vendors or low in _NICKNAMES:
        return f"{_NICKNAMES.get(low, low)}:{model.strip() or 'MODEL'}"
    home = next((home for start, home in _NICKNAMES.items() if low.startswith(start)), None)
    if home in vendors:
        return f"{home}:{name}"
    close = difflib.get_close_matches(low, vendors, n=1)
    return f"{close[0]}:{model.strip() or name}" if close else None


def _refusal(message: str, vendors: Mapping[str, Vendor], nearest: str | None) -> UsageError:
    guess = f"Did you mean {nearest}? " if nearest else ""
    return UsageError(message, f"{guess}{_FORMS} Providers: {', '.join(sorted(vendors))}.")
