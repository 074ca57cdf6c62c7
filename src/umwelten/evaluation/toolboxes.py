"""From the tools that are named or given to a toolbox, with the MCP servers of some of them started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from umwelten.config.mcp_servers import wanted_servers
from umwelten.config.settings import Settings
from umwelten.config.tool_lists import trusted_lists
from umwelten.tools.entries import expand_lists
from umwelten.tools.mcp.servers import McpServers
from umwelten.tools.rules import ToolRules
from umwelten.tools.selection import select_tools
from umwelten.tools.toolbox import Toolbox


def open_toolbox(
    entries: Iterable[Any],
    settings: Settings,
    *,
    mcp: Sequence[str] = (),
    rules: ToolRules | None = None,
    folder: Path | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Toolbox:
    """Return the tools of these entries and of the servers in `mcp`, which are commands and addresses.

    Starts the servers that they come from and waits for them, which takes seconds; closing the toolbox ends
    them. `entries` and `folder` as in `select_tools`, `GivenServer` besides. `rules`
    say which tools may be offered that change something. `on_note` gets what the user should know, in other
    threads too, also while the tools are in use.

    Raises `UsageError`, `ConfigError` and `Untrusted`; then no server is left running.
    """
    entries = tuple(entries)
    lists = trusted_lists(entries, settings)
    wanted = wanted_servers(expand_lists(entries, lists), mcp, settings)
    allows = (rules or ToolRules()).allows
    servers = McpServers(wanted.servers, on_note)
    servers.start()
    try:
        tools = select_tools(
            wanted.entries, lists=lists, mcp=lambda entry: servers.find(entry, allows), folder=folder
        )
    except BaseException:
        servers.close()
        raise
    return Toolbox(tools, [servers] if wanted.servers else [])
