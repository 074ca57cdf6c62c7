"""Runs the tools that models call, with what they may know of the call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.target import Target
from umwelten.errors import UmweltenError
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.prompts.template import ROW
from umwelten.tool_calls import ToolCall, ToolOutcome
from umwelten.tools.tool import Tool, ToolContext
from umwelten.types import Call

if TYPE_CHECKING:  # most runs have no tools
    from umwelten.tools.runner import ToolRunner


class EvaluationTools:
    """The tools of one evaluation: an `engine.interfaces.ToolCaller`. `targets` by the models' numbers."""

    def __init__(
        self,
        runner: ToolRunner,
        *,
        builder: RequestBuilder,
        targets: Mapping[int, Target],
        inputs: InputReader,
    ) -> None:
        self._runner, self._builder, self._targets, self._inputs = runner, builder, targets, inputs
        self._once = frozenset(tool.name for tool in runner.tools if tool.once)

    def name(self, asked: ToolCall) -> str:
        """Return what users call the tool; for one that is not known, what the model called it."""
        tool = self._runner.find(asked.name)
        return asked.name if tool is None else tool.name

    def is_once(self, name: str) -> bool:
        """Return whether the tool may run once a call only."""
        return name in self._once

    async def run(
        self,
        call: Call,
        asked: tuple[ToolCall, ...],
        *,
        step: int,
        key: str,
        started_at: float,
        known: Mapping[int, ToolOutcome],
        on_start: Callable[[int], Awaitable[None]],
        on_end: Callable[[int, ToolOutcome], None],
    ) -> tuple[ToolOutcome, ...]:
        """Run them, see `engine.interfaces.ToolCaller`."""
        target = self._targets[call.model]
        context = ToolContext(
            model=str(target.model),
            input_name=None if call.input is None else call.input.name,
            row=await self._row(call, target),
            step=step,
            call_key=key,
            seed=self._builder.settings.of(target.model).parameters.seed,
            started_at=started_at,
        )

        async def started(place: int, _asked: ToolCall, _tool: Tool) -> None:
            await on_start(place)

        return await self._runner.run(asked, context, on_start=started, on_end=on_end, known=known)

    async def _row(self, call: Call, target: Target) -> Mapping[str, str] | None:
        """Return the fields of a call's row, read again; `None`: it is about no row, or that is gone."""
        if call.input is None or not call.input.part.startswith("row "):
            return None
        try:
            content = await self._inputs.load(call.input, target)
        except (UmweltenError, OSError):
            return None
        return {
            name.removeprefix(ROW): value for name, value in content.values.items() if name.startswith(ROW)
        }
