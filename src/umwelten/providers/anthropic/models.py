"""What Claude models are known to do otherwise than the rest: a table, as of November 2026.

A model that is not in it is asked as any other, and what it refuses is learned from its first refusal.
Sources: Anthropic's migration guides, "Forcing tool use" and "Thinking"; the capabilities in litellm's price
map (`supports_forced_tool_use`, `thinking_always_on`, `supports_sampling_params`).
"""

from __future__ import annotations

import re
from typing import Any

from umwelten.types import FrozenStruct, Parameters


class Traits(FrozenStruct):
    """`forced_tools`: it can be made to call a tool. `thinks`: also if thinking is not asked for.

    `sampling`: it takes `temperature`, `top_p` and `top_k`.
    """

    forced_tools: bool = True
    thinks: bool = False
    sampling: bool = True


_NAME = re.compile(r"claude-(sonnet|opus|haiku|fable|mythos)-(preview|\d{1,2}(?!\d)(?:[-.]\d{1,2}(?!\d))?)")
"""Family and version within a name: `us.anthropic.claude-opus-5-5-v1:0`, `claude-sonnet-5@20260801`."""

_COLD = Traits(sampling=False)
_THINKING = Traits(thinks=True, sampling=False)
_UNFORCED = Traits(forced_tools=False, thinks=True, sampling=False)
_TRAITS = {
    "opus-4.7": _COLD,
    "opus-4.8": _COLD,
    "opus-5": _THINKING,
    "opus-5.5": _UNFORCED,
    "sonnet-5": _THINKING,
    "sonnet-5.5": _UNFORCED,
    "haiku-5.5": _THINKING,
    "fable-5": _THINKING,
    "fable-5.1": _UNFORCED,
    "mythos-preview": _THINKING,
    "mythos-5": _THINKING,
    "mythos-5.1": _UNFORCED,
}
_ORDINARY = Traits()
_SAMPLING = ("temperature", "top_p", "top_k")


def traits_of(model: str) -> Traits:
    """Return what is known of the model, whatever surrounds its name: a date, a region, a vendor."""
    match = _NAME.search(model.lower())
    return _TRAITS.get(f"{match[1]}-{match[2].replace('-', '.')}", _ORDINARY) if match else _ORDINARY


def knows_traits(model: str) -> bool:
    """Return whether the model is in the table: it is new enough for `output_config.format`."""
    return traits_of(model) is not _ORDINARY


def enables_thinking(extra: dict[str, Any]) -> bool:
    """Return whether the user's parameters ask for thinking."""
    thinking = extra.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") != "disabled"


def refused_parameters(model: str, parameters: Parameters) -> tuple[str, ...]:
    """Return the parameters that are set and that the model is known to refuse: they are not sent."""
    if traits_of(model).sampling:
        return ()
    given = {"temperature": parameters.temperature, "top_p": parameters.top_p, **parameters.extra}
    return tuple(name for name in _SAMPLING if given.get(name) is not None)
