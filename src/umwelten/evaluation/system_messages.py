"""The system prompt of prompts that begin with a system message."""

from __future__ import annotations

import msgspec

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.prompts.messages import without_system
from umwelten.types import Prompt


def split_system(prompts: tuple[Prompt, ...], system: str | None) -> tuple[str | None, tuple[Prompt, ...]]:
    """Return the system prompt, which may be the first of a prompt's messages, and the prompts without it.

    `system` is the one that is given beside them. Raises `UsageError` where they do not go together.
    """
    pairs = [(prompt, *without_system(prompt.text)) for prompt in prompts]
    own = {found for _, found, _ in pairs}
    if own == {None}:
        return system, prompts
    if system is not None:
        raise UsageError(
            Phrase("the messages begin with a system message, and {option:system} is given as well"),
            "Give one of the two.",
            argument="system",
        )
    if len(own) > 1:
        raise UsageError(
            "the prompts begin with different system messages, and all calls of a model have the same",
            Phrase("Take them out and give {option:system}; models with {option:variants} may have several."),
            argument="prompts",
        )
    return own.pop(), tuple(msgspec.structs.replace(prompt, text=text) for prompt, _, text in pairs)
