"""What a request says about tools, and a model's turn that calls some."""

from __future__ import annotations

import json
from typing import Any, Literal

from umwelten.types import FrozenStruct

Json = dict[str, Any]


class OfferedTool(FrozenStruct):
    """A tool that a request declares."""

    name: str
    schema: dict[str, Any]


class Entry(FrozenStruct):
    """A message, in the same form for all wires. `calls` is how many tools a model's turn calls; `results`
    are the texts of results; `text` what stands beside them."""

    role: Literal["system", "user", "model", "results"]
    text: str = ""
    calls: int = 0
    results: tuple[str, ...] = ()
    pauses: int = 0


class Transcript(FrozenStruct):
    """A request that has to do with tools. `body` is all of it.

    `choice` "any": some tool must be called, or the one that is `named`. `conversation` names what the
    request belongs to: the words `mark:…` of the first user's message, or a hash of it. `step` counts
    requests of a conversation from 1: one more than there are turns of the model. `content` is a hash of
    all messages; two requests with the same one ask for the same step. `size`: characters of the tools, the
    model's turns and the results.
    """

    body: dict[str, Any]
    tools: tuple[OfferedTool, ...]
    choice: Literal["auto", "any", "none"]
    named: str | None
    entries: tuple[Entry, ...]
    conversation: str
    content: str
    size: int

    @property
    def turns(self) -> int:
        """How many turns of the model called tools."""
        return sum(1 for entry in self.entries if entry.calls)

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return sum(entry.calls for entry in self.entries)

    @property
    def pauses(self) -> int:
        """How often the model paused."""
        return sum(entry.pauses for entry in self.entries)

    @property
    def step(self) -> int:
        """See above."""
        return 1 + sum(
            max(1, entry.pauses + (entry.calls > 0)) for entry in self.entries if entry.role == "model"
        )

    @property
    def results(self) -> tuple[str, ...]:
        """All results so far, in their order."""
        return tuple(text for entry in self.entries for text in entry.results)

    @property
    def ends_with_results(self) -> bool:
        """Whether nothing, not even words of the user, follows the last results."""
        return bool(self.entries) and self.entries[-1].role == "results" and not self.entries[-1].text


class PlannedCall(FrozenStruct):
    """A call as the model makes it. `arguments` is text, possibly no JSON."""

    name: str
    arguments: str
    id: str | None


class PlannedTurn(FrozenStruct):
    """A model's turn. `thought`: what it thought, "" for nothing. `number` counts the turns with calls from
    0. Without calls it is a pause, or (`gemini`) a call that came to nothing."""

    calls: tuple[PlannedCall, ...]
    thought: str
    quirks: frozenset[str]
    number: int


def fields(value: object) -> Json:
    """An object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Json]:
    """The objects in a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def arguments_object(arguments: str) -> Json:
    """Arguments for wires that have them as objects; what is no JSON becomes one that fits no schema."""
    try:
        made = json.loads(arguments or "{}")
    except ValueError:
        return {"no_such_argument": arguments}
    return made if isinstance(made, dict) else {"no_such_argument": arguments}


def wants_thoughts(body: dict[str, Any]) -> bool:
    """Whether a request of the Responses API asks for the content of thoughts, to send them back."""
    included = body.get("include")
    return isinstance(included, list) and "reasoning.encrypted_content" in included
