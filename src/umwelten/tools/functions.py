"""Python functions and classes as tools."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from umwelten.errors import UsageError
from umwelten.tool_calls import ToolDefinition
from umwelten.tools.complete_schemas import complete_schema
from umwelten.tools.fingerprints import code_fingerprint, version_fingerprint
from umwelten.tools.names import LONGEST_DESCRIPTION, wire_name
from umwelten.tools.results import result_text
from umwelten.tools.signatures import Arguments, function_place
from umwelten.tools.tool import OPTIONS_ATTRIBUTE, Tool, ToolContext, ToolOptions


class FunctionTool(Tool):
    """A function, a coroutine function, or a class whose `__call__` runs it, as a tool.

    Its schema and the check of its arguments come from the type hints. Raises `UsageError` that names the
    function and the parameter where there can be none.
    """

    def __init__(self, function: Callable[..., Any], *, source: str | None = None, path: str = "") -> None:
        options = _options(function)
        self.name = options.name or _own_name(function)
        self._arguments = Arguments(function)
        text = self._arguments.description or self.name.replace("_", " ")
        self.definition = ToolDefinition(
            name=wire_name(self.name),
            description=text if len(text) <= LONGEST_DESCRIPTION else f"{text[: LONGEST_DESCRIPTION - 1]}…",
            parameters=complete_schema(self._arguments.schema),
        )
        self.fingerprint = (
            version_fingerprint(self.name, options.version) if options.version else code_fingerprint(function)
        )
        self.source = _file_name(function) if source is None else source
        self.path = path
        self.timeout_s, self.sequential, self.once = options.timeout_s, options.sequential, options.once
        self.retries, self.read_only = options.retries, options.read_only
        self.blocking = not _is_coroutine_function(function)

    async def call(self, arguments: str, context: ToolContext) -> str:
        """Return the result of the function; one that blocks is run in a thread."""
        if self.blocking:
            return await asyncio.to_thread(self.run, arguments, context)
        return result_text(await self._arguments.read(arguments, context)())

    def run(self, arguments: str, context: ToolContext) -> str:
        """Return the result of a function that blocks."""
        value = self._arguments.read(arguments, context)()
        return result_text(asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value)


def function_tool(given: Any, *, source: str | None = None) -> Tool:
    """Return what a user gave as a tool. Raises `UsageError` for what is none."""
    if isinstance(given, Tool):
        return given
    if not callable(given):
        raise UsageError(
            f"{given!r:.80} is not a tool", "Give functions, or names such as 'calculator'.", argument="tools"
        )
    return FunctionTool(given, source=source)


async def _awaited(value: Any) -> Any:
    return await value


def _original(function: Any) -> Any:
    """Return what has the source: not a partial application, but the function in it."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type) or inspect.isroutine(function):
        return function
    return type(function)


def _options(function: Any) -> ToolOptions:
    # Not what a class inherits: a subclass is another tool.
    found = vars(function).get(OPTIONS_ATTRIBUTE) if hasattr(function, "__dict__") else None
    if found is None and not isinstance(function, type):
        found = getattr(function, OPTIONS_ATTRIBUTE, None)
    if found is None and isinstance(function, functools.partial):
        return _options(function.func)
    return found if isinstance(found, ToolOptions) else ToolOptions()


def _own_name(function: Any) -> str:
    name: str = getattr(_original(function), "__name__", "")
    if not name or name == "<lambda>":
        raise UsageError(
            f"{function_place(function)}: a lambda has no name and no type hints",
            "Define a function.",
            argument="tools",
        )
    return name


def _is_coroutine_function(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isasyncgenfunction(function):
        raise UsageError(
            f"{function_place(function)}: it is an asynchronous generator", "Return a list.", argument="tools"
        )
    called = function if inspect.isroutine(function) else _call_of(function)
    return inspect.iscoroutinefunction(called)


def _call_of(function: Any) -> Any:
    return (function if isinstance(function, type) else type(function)).__call__


def _file_name(function: Any) -> str:
    try:
        file = inspect.getsourcefile(_original(function))
    except TypeError:
        file = None
    # A cell of a notebook has the name of a file that is not there, another one each time.
    return Path(file).name if file and Path(file).is_file() else "python"
