"""The calls of tools that led to an answer."""

from __future__ import annotations

from pathlib import Path

from umwelten.report.queries.call_steps import call_steps
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct


class AnswerToolCall(FrozenStruct):
    """A call of a tool by a model. `step` is the number of the request, from 1, that was answered with it.

    `tool` is what you call it, `arguments` JSON as the model wrote it, `result` what the model was told.
    `state` is "done", or why there is no result: "error", "timeout", "denied", "unknown" (no such tool) or
    "stopped"; `error` is the traceback of an exception. `took_s` in seconds, `None` if it was not run.
    """

    step: int
    tool: str
    arguments: str
    state: str
    result: str | None
    error: str | None
    took_s: float | None


def answer_tool_calls(folder: Path, call: int, input_id: int) -> tuple[AnswerToolCall, ...]:
    """Return the calls of tools of the call with this number, in order. Raises StoreError."""
    with Reader.open(folder) as reader, store_errors(folder):
        steps = call_steps(reader.connection, call, input_id)
    return tuple(
        AnswerToolCall(
            step=step.number,
            tool=one.tool,
            arguments=one.arguments,
            state=one.state,
            result=one.result,
            error=one.error,
            took_s=one.took_s,
        )
        for step in steps
        for one in step.calls
    )
