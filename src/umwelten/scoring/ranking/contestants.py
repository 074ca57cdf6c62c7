"""Who is ranked."""

from __future__ import annotations

from umwelten.types import FrozenStruct


class Contestant(FrozenStruct, order=True):
    """A model; its prompt where prompts are ranked, its evaluation where several are."""

    model: str
    prompt: str | None = None
    evaluation: str | None = None

    def __str__(self) -> str:
        return " · ".join(part for part in (self.evaluation, self.model, self.prompt) if part is not None)
