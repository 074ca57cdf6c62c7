"""How a simulated model uses tools, as data that TOML and JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from umwelten.simulate.profile import Strict

Quirk = Literal[
    "no_index",
    "zero_index",
    "wrong_tail_index",
    "shared_index",
    "float_index",
    "whole_calls",
    "interleaved",
    "name_twice",
    "id_on_tails",
    "no_ids",
    "repeated_ids",
    "empty_arguments",
    "malformed_arguments",
    "cut_arguments",
    "unknown_tool",
    "finish_stop",
    "always_calls",
    "empty_reply",
    "pause_turn",
    "redacted_thinking",
    "late_signature",
    "malformed_call",
    "unexpected_call",
]
"""What models and gateways do in the wild.

Of streams on the wire `openai`: calls without an index, all of index 0, arguments under the index of the
next call, two entries of one index in a chunk, indexes such as 1.0, all calls whole in one chunk, arguments
of several calls in turn, the name or the id again with every piece. Of calls on all wires: no ids, the same
ids in every turn, no arguments, arguments that are no JSON (where the wire has objects: that fit no
schema), arguments cut off at the limit of tokens, a tool that was not offered, and `finish_stop`: the
finish reason of an answer. `always_calls`: whatever the choice, and never an answer. `empty_reply`: neither
text nor calls where results end the request. `anthropic`: the first turn pauses; thinking is redacted.
`gemini`: the signature comes in a later, empty part; the reply ends with `MALFORMED_FUNCTION_CALL` or
`UNEXPECTED_TOOL_CALL` and has no call.
"""

Refused = Literal["forced_choice", "json_with_tools", "parallel_tool_calls", "user_after_tool"]
"""What some models refuse with 400: a choice that forces a call, a JSON format beside tools (Gemini 2.5),
the field `parallel_tool_calls`, a user's message right after a tool's (Mistral)."""


def fits_any(name: str, globs: Sequence[str]) -> bool:
    """Whether a name fits one of the globs."""
    return any(fnmatchcase(name, glob) for glob in globs)


class ToolTurns(Strict, kw_only=True):
    """How a model uses the tools that a request offers.

    It calls tools in `turns` turns, `calls` at a time (a number, or several in turn), then answers; in the
    text of the answer {results} are the results, and the default text quotes them. A choice that forces a
    call is obeyed, however many turns there were, and "none" as well.

    Tools are called in turn: those that match a glob of `tools`, the first one offered if there are none.
    `arguments` in turn, too; their texts may hold what `Behaviour.text` may, {turn} and {call}. Without any
    they are made up from the tool's schema. `text` stands before the calls. `thinking`: the model thinks,
    in whatever form the wire has, and what it thought and signed must come back.

    `quirks` strike in the first `quirk_turns` turns (0: in all). `ids = "mistral"`: ids are nine letters or
    digits, and no others are taken. `judge = false` lets everything pass.
    """

    turns: int = 1
    calls: int | tuple[int, ...] = 1
    tools: tuple[str, ...] = ()
    arguments: tuple[dict[str, Any], ...] = ()
    text: str = ""
    thinking: bool = False
    quirks: tuple[Quirk, ...] = ()
    quirk_turns: int = 0
    ids: Literal["own", "mistral"] = "own"
    refuse: tuple[Refused, ...] = ()
    judge: bool = True

    def __post_init__(self) -> None:
        counts = (self.calls,) if isinstance(self.calls, int) else self.calls
        if not counts or min(counts) < 1:
            raise ValueError("a turn has at least one call")
        if self.turns < 0 or self.quirk_turns < 0:
            raise ValueError("turns and quirk_turns are not negative")

    def calls_in(self, turn: int) -> int:
        """How many calls turn number `turn`, from 0, has."""
        return self.calls if isinstance(self.calls, int) else self.calls[turn % len(self.calls)]

    def quirks_in(self, turn: int) -> frozenset[str]:
        """What is wrong with turn number `turn`, from 0."""
        return frozenset(self.quirks if not self.quirk_turns or turn < self.quirk_turns else ())
