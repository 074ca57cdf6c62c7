"""Who made a model, as far as its name tells."""

from __future__ import annotations

import re
from collections.abc import Mapping

from umwelten.scoring.judge.diagnostics import bare_name, same_model

_MAKERS: Mapping[str, str] = {
    "Alibaba": "qwen|qwq|qvq",
    "Amazon": "nova|titan",
    "Anthropic": "claude",
    "Cohere": "command|c4ai|aya",
    "DeepSeek": "deepseek",
    "Google": "gemini|[a-z]*gemma|palm",
    "Hugging Face": "smollm|smolvlm|zephyr",
    "IBM": "granite",
    "Meta": "llama|codellama",
    "Microsoft": "phi|wizardlm",
    "MiniMax": "minimax",
    "Mistral AI": "mistral|ministral|mixtral|magistral|codestral|devstral|pixtral|voxtral",
    "Moonshot AI": "kimi|moonshot",
    "NVIDIA": "nemotron",
    "OpenAI": "gpt|chatgpt|o1|o3|o4|davinci",
    "Technology Innovation Institute": "falcon",
    "xAI": "grok",
    "Zhipu AI": "glm|chatglm",
}
"""Beginnings of words in names. Whoever tuned another's model has its habits: the first word decides."""
_NAMES = re.compile(
    r"(?<![a-z0-9])(?:"
    + "|".join(f"(?P<m{place}>{names})" for place, names in enumerate(_MAKERS.values()))
    + r")(?![a-z])",
)


def maker_of(model: str) -> str | None:
    """Return who made a model, `provider:model`, wherever it is served; `None` if its name does not tell."""
    match = _NAMES.search(bare_name(model))
    if match is None or match.lastgroup is None:
        return None
    return tuple(_MAKERS)[int(match.lastgroup[1:])]


def same_maker(judge: str, model: str) -> bool:
    """Return whether two models are of one maker, or the same by name."""
    maker = maker_of(judge)
    return same_model(judge, model) or (maker is not None and maker == maker_of(model))
