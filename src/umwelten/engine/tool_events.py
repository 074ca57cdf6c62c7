"""What observers are told of calls of tools that ended."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.events import Note, Observer, ToolEnded
from umwelten.text.tracebacks import last_place
from umwelten.tool_calls import ToolCallState, ToolOutcome
from umwelten.types import Call, ModelRef

_MESSAGE = 200
"""Characters of a failure's message; what the model was told is stored as a whole."""


class ToolNews:
    """Tells what came of calls of tools, and of each tool once that it raised what it should not."""

    def __init__(self, observer: Observer, models: Mapping[int, ModelRef]) -> None:
        self._observer, self._models = observer, models
        self._raised: set[str] = set()

    def __call__(self, call: Call, step: int, outcome: ToolOutcome) -> None:
        tool = outcome.tool
        self._observer(
            ToolEnded(
                call=call,
                model=self._models[call.model],
                step=step,
                tool=tool,
                state=outcome.state,
                took_s=outcome.took_s,
                message=outcome.text[:_MESSAGE] if outcome.is_error else None,
                text=outcome.text,
            )
        )
        if outcome.state is ToolCallState.ERROR and outcome.error is not None and tool not in self._raised:
            self._raised.add(tool)
            text = f"tool {tool} raised {outcome.text[:_MESSAGE]} at {last_place(outcome.error)}"
            self._observer(Note(text=f"{text}; models are told"))
