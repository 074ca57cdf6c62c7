"""What the next request of a conversation with tools offers, and in which words it closes."""

from __future__ import annotations

import msgspec

from umwelten.tool_calls import ToolChoice, ToolDefinition, ToolResults, ToolSettings
from umwelten.types import Message, Turn, steps_in

CLOSING_WORDS = "Answer now with what you have."
"""What a model is told with its last request, in which it may call no tools."""

SAME_FAILURES = 3
"""Times in a row that a call may fail alike: a model that repeats itself would do so until the step limit."""


class NextRequest(msgspec.Struct, frozen=True):
    """What follows the question, the tools that are offered, and whether they are to be called."""

    turns: tuple[Turn, ...]
    tools: tuple[ToolDefinition, ...]
    choice: ToolChoice


def next_request(turns: tuple[Turn, ...], settings: ToolSettings) -> NextRequest:
    """Return the next request of a conversation.

    The tools are declared in all of its requests: some providers refuse calls of undeclared ones. A choice
    that forces a call holds for the first request only, lest it goes on forever.
    """
    tools = tuple(tool.definition for tool in settings.tools)
    if is_closing(turns, settings):
        return NextRequest(_with_words(turns), tools, "none")
    choice = _wire_name(settings)
    if turns and choice != "none":
        choice = "auto"
    return NextRequest(turns, tools, choice)


def is_closing(turns: tuple[Turn, ...], settings: ToolSettings) -> bool:
    """Return whether the next request lets the model call no tools."""
    if any(isinstance(turn, Message) for turn in turns):
        return True  # an answer that did not fit its schema is put right by words alone
    last = turns[-1] if turns else None
    if isinstance(last, ToolResults) and last.note:
        return True
    return steps_in(turns) + 1 >= settings.max_steps or _fails_alike(turns)


def _with_words(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    last = turns[-1] if turns else None
    if not isinstance(last, ToolResults) or last.note:
        return turns
    return (*turns[:-1], msgspec.structs.replace(last, note=CLOSING_WORDS))


def _fails_alike(turns: tuple[Turn, ...]) -> bool:
    """Return whether the same call has failed several times in a row."""
    results = [turn.results for turn in turns if isinstance(turn, ToolResults)][-SAME_FAILURES:]
    if len(results) < SAME_FAILURES:
        return False
    failed = [{(one.call.name, one.call.arguments) for one in few if one.is_error} for few in results]
    return bool(set.intersection(*failed))


def _wire_name(settings: ToolSettings) -> ToolChoice:
    """Return the choice with a tool's name as the wires have it."""
    names = {tool.name: tool.definition.name for tool in settings.tools}
    return names.get(settings.choice, settings.choice)
