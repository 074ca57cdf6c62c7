"""What of an evaluation's requests changes their price, as far as it is known before they are sent."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from umwelten.evaluation.spec import EvaluationSpec
from umwelten.file_types import Family, type_by_name
from umwelten.pricing import RequestTerms
from umwelten.types import RequestSettings

_TIER_FIELDS = frozenset({"servicetier", "speed"})
"""Parameters that ask for a tier, without underscores: OpenAI's and Gemini's, and Anthropic's speed."""

_TOOL_FIELDS = frozenset({
    "tools", "functions", "plugins", "websearchoptions", "searchparameters", "mcpservers", "container",
})  # fmt: skip
"""Parameters with which an answer may do something, or costs more than its tokens, without underscores."""

_HOUR = b'"1h"'
"""The lifetime of a cache mark, wherever in the parameters it stands."""

# Pages of a PDF are billed as images by many vendors, and a film's sound as audio.
_MEDIA: dict[Family, tuple[str, ...]] = {
    "picture": ("image",),
    "pdf": ("image",),
    "audio": ("audio",),
    "video": ("audio", "image", "video"),
}


def request_terms(settings: RequestSettings) -> RequestTerms:
    """Return the terms of a model's requests; their `media` are those of the attachments."""
    extra = settings.parameters.extra
    tiers = [
        value
        for name, value in extra.items()
        if name.replace("_", "").lower() in _TIER_FIELDS and isinstance(value, str) and value
    ]
    return RequestTerms(
        tier="+".join(tiers) or None,
        media=_media(name for name, _ in settings.attachments),
        hour_cache=_HOUR in msgspec.json.encode(extra),
    )


def with_input(terms: RequestTerms, name: str) -> RequestTerms:
    """Return the terms of a request about an input of that name."""
    media = _MEDIA.get(type_by_name(name).family)
    return msgspec.structs.replace(terms, media=frozenset((*terms.media, *media))) if media else terms


def hedge_share(spec: EvaluationSpec) -> float:
    """Return the part of an evaluation's calls that may be sent once more."""
    return 0.0 if any_tools(spec) else spec.limits.hedge


def callable_tools(request: RequestSettings) -> tuple[str, ...]:
    """Return the tools that the models may call, as users call them; none where they may only be offered."""
    tools = request.tools
    if tools is None or tools.choice == "none" or tools.max_steps == 1:
        return ()
    return tuple(tool.name for tool in tools.tools)


def any_tools(spec: EvaluationSpec) -> bool:
    """Return whether requests offer tools: what such a call does is done again if it is sent again."""
    return spec.tools is not None or any(
        _offers_tools(spec.request.of(model).parameters.extra) for model in spec.models
    )


def _offers_tools(value: object) -> bool:
    if isinstance(value, dict):
        named = any(_plain(name) in _TOOL_FIELDS and part for name, part in value.items())
        return named or any(_offers_tools(part) for part in value.values())
    return isinstance(value, list | tuple) and any(_offers_tools(part) for part in value)


def _plain(name: object) -> str:
    return str(name).replace("_", "").replace("-", "").lower()


def _media(names: Iterable[str]) -> frozenset[str]:
    return frozenset(medium for name in names for medium in _MEDIA.get(type_by_name(name).family, ()))
