"""A server that a Python program gives, by itself: options of commands name the type, and are loaded fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from umwelten.tools.mcp.settings import McpSettings


class GivenServer:
    """A server that a Python program gives among its tools.

    `name`: the name that it shall have, "" for any. `server` has no name yet.
    """

    def __init__(self, server: McpSettings, name: str = "") -> None:
        self.server = server
        self.name = name
