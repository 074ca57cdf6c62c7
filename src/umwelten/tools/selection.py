"""The tools that `--tools`, `tools=` of a file and the library's `tools=[…]` name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from umwelten.errors import UsageError
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.tools.built_in import ALIASES, BUILT_IN, built_in_tool
from umwelten.tools.functions import function_tool
from umwelten.tools.names import unique_tools
from umwelten.tools.tool import Tool
from umwelten.tools.tool_files import ToolFiles, named_file

MCP = "mcp:"
LIST = "@"

McpTools = Callable[[str], Iterable[Tool]]
"""Returns the tools of `SERVER` or `SERVER.tool`; starts the server."""

_FORMS = "Name {}, FILE.py, FILE.py:name, mcp:SERVER, mcp:SERVER.tool or @LIST.".format


def split_tools(text: str) -> tuple[str, ...]:
    """Return the entries of a list such as `calculator,rates.py:rate`."""
    return tuple(entry for part in re.split(r"[,\n]", text) if (entry := part.strip()))


def runs_nothing(entry: str) -> bool:
    """Return whether an entry can only be a built-in tool, which runs nothing of the project's."""
    return entry in BUILT_IN or entry in ALIASES


def expand_lists(entries: Iterable[Any], lists: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    """Return the entries with those of lists in place of `@NAME`. Raises `UsageError` for one not known."""
    return tuple(_expanded(entries, lists, ()))


def select_tools(
    entries: Iterable[str | Tool | Callable[..., Any]],
    *,
    lists: Mapping[str, Sequence[str]] | None = None,
    mcp: McpTools | None = None,
    folder: Path | None = None,
) -> tuple[Tool, ...]:
    """Return the tools that are named or given, each once, in their order.

    `lists` are those of `[tools]` in umwelten.toml. `mcp` starts servers. `folder` is where paths begin, the
    working directory unless given. Raises `UsageError` for a name that is not known, with the nearest one.
    """
    files = ToolFiles(folder)
    found: list[Tool] = []
    for entry in _expanded(entries, lists or {}, ()):
        if not isinstance(entry, str):
            found.append(function_tool(entry))
        elif entry.startswith(MCP):
            found += _mcp_tools(entry, mcp)
        elif (file := named_file(entry)) is not None:
            found += files.tools(*file)
        else:
            found.append(_built_in(entry, lists or {}))
    return unique_tools(found)


def _expanded(
    entries: Iterable[Any], lists: Mapping[str, Sequence[str]], within: tuple[str, ...]
) -> Iterator[Any]:
    """Yield the entries with those of lists in place of `@NAME`; a list may name others."""
    for entry in entries:
        if not isinstance(entry, str):
            yield entry
            continue
        entry = entry.strip()
        if not entry.startswith(LIST):
            yield entry
            continue
        name = entry[len(LIST) :]
        if name in within:
            raise UsageError(
                f"[tools] {name} contains itself: {' > '.join((*within, name))}",
                "Leave one of them out.",
                argument="tools",
            )
        if name not in lists:
            raise UsageError(f"there is no list {entry} of tools", _list_hint(name, lists), argument="tools")
        yield from _expanded(lists[name], lists, (*within, name))


def _list_hint(name: str, lists: Mapping[str, Sequence[str]]) -> str | None:
    example = 'Write it in umwelten.toml: [tools], then NAME = ["calculator", "rates.py"].'
    there = f"Lists there: {', '.join(f'@{each}' for each in lists)}." if lists else example
    return sentences(did_you_mean(closest(name, lists), "@{}"), there)


def _mcp_tools(entry: str, mcp: McpTools | None) -> Iterable[Tool]:
    name = entry[len(MCP) :]
    if not name or mcp is None:
        raise UsageError(
            f"{entry}: there is no such server",
            "Servers are sections [mcp.NAME] in umwelten.toml.",
            argument="tools",
        )
    return mcp(name)


def _built_in(entry: str, lists: Mapping[str, Sequence[str]]) -> Tool:
    tool = built_in_tool(entry)
    if tool is None:
        names = (*BUILT_IN, *ALIASES, *(f"{LIST}{name}" for name in lists))
        near = did_you_mean(closest(entry, names, ignore_case=True))
        raise UsageError(
            f"tool {entry!r} is not known", sentences(near, _FORMS(", ".join(BUILT_IN))), argument="tools"
        )
    return tool
