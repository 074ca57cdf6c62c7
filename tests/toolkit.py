"""Helpers of the tests of tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from umwelten.tool_calls import ToolCall, ToolOutcome
from umwelten.tools.functions import function_tool
from umwelten.tools.runner import ToolRunner
from umwelten.tools.tool import Tool, ToolContext

CONTEXT = ToolContext(model="simulated:a", input_name="a.txt", call_key="key", started_at=1_700_000_000.0)


def call(name: str, arguments: str | None = None, **given: Any) -> ToolCall:
    text = json.dumps(given) if arguments is None else arguments
    return ToolCall(id=f"call_{name}", name=name, arguments=text)


def tool_runner(tools: Iterable[Tool], **options: Any) -> ToolRunner:
    """Return a runner with room and time for what the tests do, unless the options say otherwise."""
    usual = {"timeout_s": 30.0, "concurrency": 32, "masked": str, "masked_error": str}
    return ToolRunner(tools, **{**usual, **options})


def run(
    functions: list[Any], *calls: ToolCall, context: ToolContext = CONTEXT, **options: Any
) -> tuple[ToolOutcome, ...]:
    """Return what comes of these calls of one turn."""

    async def main() -> tuple[ToolOutcome, ...]:
        return await tool_runner(map(function_tool, functions), **options).run(calls, context)

    return asyncio.run(main())


def result(function: Any, arguments: str | None = None, **given: Any) -> ToolOutcome:
    """Return what comes of one call of a function."""
    tool = function_tool(function)
    (outcome,) = run([tool], call(tool.definition.name, arguments, **given))
    return outcome
