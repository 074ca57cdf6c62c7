"""The tools that `--tools`, `tools` in an umwelten.toml and the library's `tools=[…]` name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from umwelten.errors import UsageError
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.tools.built_in import built_in_tool
from umwelten.tools.entries import (
    ALIASES,
    BUILT_IN,
    ENTRY_FORMS,
    LIST,
    ToolLists,
    expand_lists,
    named_file,
    named_server,
)
from umwelten.tools.functions import function_tool
from umwelten.tools.names import unique_tools
from umwelten.tools.tool import Tool
from umwelten.tools.tool_files import ToolFiles

Given = str | Tool | Callable[..., Any]
"""An entry of `--tools`, or what a Python program gives."""

McpTools = Callable[[str], Iterable[Tool]]
"""Returns the tools that are offered of `SERVER` or `SERVER.tool`."""


def select_tools(
    entries: Iterable[Given],
    *,
    lists: ToolLists | None = None,
    mcp: McpTools | None = None,
    folder: Path | None = None,
) -> tuple[Tool, ...]:
    """Return the tools that are named or given, each once, in their order. Files of Python are run.

    `lists` are those of `[tools]` in umwelten.toml. `mcp` gives the tools of servers. `folder` is where paths
    begin, the working directory unless given. Raises `UsageError` for a name that is not known, with the
    nearest one, and for a file that cannot be used, with the line.
    """
    files = ToolFiles(folder)
    found: list[Tool] = []
    for entry in expand_lists(entries, lists or {}):
        if not isinstance(entry, str):
            found.append(function_tool(entry))
        elif (server := named_server(entry)) is not None:
            found += _server_tools(server, mcp)
        elif (file := named_file(entry)) is not None:
            found += files.tools(*file)
        else:
            found.append(_built_in(entry, lists or {}))
    return unique_tools(found)


def _server_tools(name: str, mcp: McpTools | None) -> Iterable[Tool]:
    if not name.strip(".") or mcp is None:
        raise UsageError(
            f"mcp:{name} names no server",
            "Servers are sections [mcp.NAME] in umwelten.toml.",
            argument="tools",
        )
    return mcp(name)


def _built_in(entry: str, lists: ToolLists) -> Tool:
    tool = built_in_tool(entry)
    if tool is None:
        names = (*BUILT_IN, *ALIASES, *(f"{LIST}{name}" for name in lists))
        near = did_you_mean(closest(entry, names, ignore_case=True))
        raise UsageError(f"tool {entry!r} is not known", sentences(near, f"{ENTRY_FORMS}."), argument="tools")
    return tool
