"""The tools of an evaluation, with the servers that some of them come from."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterable
from typing import Protocol, Self

from umwelten.errors import UsageError
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.tool_calls import ToolSettings
from umwelten.tools.names import unique_tools
from umwelten.tools.tool import Tool

CHOICES = ("auto", "any", "none")


class Server(Protocol):
    """What gives tools and must be closed."""

    def close(self) -> None:
        """End it; a second time does nothing."""


class Toolbox:
    """The tools of an evaluation. Closing it ends the `servers`; a context manager.

    Raises `UsageError` where two tools would have the same name, or are more than models take.
    """

    def __init__(self, tools: Iterable[Tool], servers: Iterable[Server] = ()) -> None:
        self._servers = tuple(servers)
        if self._servers:
            atexit.register(self.close)
        try:
            self.tools = unique_tools(tools)
        except UsageError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def find(self, name: str) -> Tool | None:
        """Return the tool that models, or users, call so."""
        return next((each for each in self.tools if name in (each.definition.name, each.name)), None)

    def settings(self, choice: str, max_steps: int) -> ToolSettings:
        """Return what calls are offered. Raises `UsageError` for a choice that is no tool of these."""
        if choice not in CHOICES:
            tool = self.find(choice)
            if tool is None:
                names = (*CHOICES, *(each.name for each in self.tools))
                near = did_you_mean(closest(choice, names))
                hint = f"Choose one of {', '.join(names)}."
                raise UsageError(
                    f"tool {choice!r} is not among the tools", sentences(near, hint), argument="tool_choice"
                )
            choice = tool.definition.name
        offered = tuple(tool.offered for tool in self.tools)
        return ToolSettings(tools=offered, choice=choice, max_steps=max_steps)

    def close(self) -> None:
        """End the servers. A second time does nothing."""
        servers, self._servers = self._servers, ()
        if not servers:
            return
        atexit.unregister(self.close)
        with contextlib.ExitStack() as stack:  # each, even where one fails
            for server in servers:
                stack.callback(server.close)
