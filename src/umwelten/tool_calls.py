"""The values of function calling: what a model is offered, what it called, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from umwelten.frozen import FrozenStruct

LAST_TURN = "last turn without tools"
"""The mark of an answer to a request that let the model call no more tools."""

ToolChoice = str
"""Whether a request's tools are called: "auto", "any", "none", or the name of the one that is."""


class ToolDefinition(FrozenStruct):
    """A tool as models are offered it.

    `name` matches `[A-Za-z_][A-Za-z0-9_-]{0,63}`, which every wire takes. `parameters` is a JSON Schema whose
    root is an object.
    """

    name: str
    description: str
    parameters: dict[str, Any]


class OfferedTool(FrozenStruct):
    """A tool that an evaluation's calls are offered, as its store keeps and compares it.

    `name` is what users call it: `calculator`, `rate`, `git.git_log`. `fingerprint` changes whenever the tool
    may do something else: a hash of its code, or a version. `source` is where it comes from: "built-in",
    "rates.py", "mcp:git".
    """

    name: str
    definition: ToolDefinition
    fingerprint: str
    source: str = ""


class ToolSettings(FrozenStruct):
    """The tools that all calls of an evaluation are offered. All of it is part of a call's identity.

    A call has at most `max_steps` requests. `choice` "any", or a tool's name, holds for the first one only.
    """

    tools: tuple[OfferedTool, ...]
    choice: ToolChoice = "auto"
    max_steps: int = 5


class ToolCall(FrozenStruct):
    """A call that a model asked for. `arguments` is JSON as the model wrote it, "{}" where it gave none.

    `id` is the provider's, or one of ours where it gave none.
    """

    id: str
    name: str
    arguments: str = "{}"


class ModelTurn(FrozenStruct):
    """A model's turn that called tools, or paused.

    `raw` is JSON: the turn as its wire has it, signatures included, which goes back to the provider
    unchanged. `cut`: the limit of tokens ended it. `context_tokens` are those of its request and of the turn
    itself, as the provider counted them.
    """

    raw: bytes
    calls: tuple[ToolCall, ...] = ()
    cut: bool = False
    context_tokens: int | None = None


class ToolResult(FrozenStruct):
    """What a model is told of one of its calls."""

    call: ToolCall
    text: str
    is_error: bool = False


class ToolResults(FrozenStruct):
    """What follows a model's turn: the results of all its calls, in their order.

    `note` are the user's words after them, "" for none.
    """

    results: tuple[ToolResult, ...] = ()
    note: str = ""


class RunEnds(Exception):
    """A tool is not started any more, since its run is to end."""


class ToolCallState(StrEnum):
    """What became of a call of a tool."""

    PENDING = "pending"
    """It was not started yet."""
    STARTED = "started"
    """It was started, and may have run; noted of tools that may run once only."""
    DONE = "done"
    ERROR = "error"
    TIMEOUT = "timeout"
    DENIED = "denied"
    UNKNOWN = "unknown"
    STOPPED = "stopped"
    """The tool ended the whole call (`StopCall`)."""


UNRESOLVED = (ToolCallState.PENDING, ToolCallState.STARTED)
"""The states of calls that have no result yet."""


class ToolOutcome(FrozenStruct):
    """A call of a tool that ended. `tool` is what users call it.

    `text` is what the model is told. `error`: the traceback, or why it ended the call. `started_at` in Unix
    seconds, `took_s` in seconds; `None`: it was not run.
    """

    call: ToolCall
    tool: str
    state: ToolCallState
    text: str
    error: str | None = None
    started_at: float | None = None
    took_s: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether the model is told that the call failed."""
        return self.state is not ToolCallState.DONE

    @property
    def result(self) -> ToolResult:
        """What the model is told."""
        return ToolResult(call=self.call, text=self.text, is_error=self.is_error)
