"""Which tools may be run: the user's patterns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from umwelten.tools.entries import MCP
from umwelten.tools.names import wire_name
from umwelten.tools.tool import Tool


def matching_pattern(names: Iterable[str], patterns: Sequence[str]) -> str | None:
    """Return the first pattern, such as `git.*` or `mcp:git.*`, that one of a tool's names fits."""
    names = tuple(names)
    return next(
        (each for each in patterns if any(fnmatchcase(name, each.removeprefix(MCP)) for name in names)), None
    )


class ToolRules:
    """The patterns of tools that are allowed and denied; what is denied stays so even where it is allowed.

    A tool is allowed by its whole name alone, and denied by any that a user may know it by.
    """

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow, self._deny = tuple(allow), tuple(deny)
        self._asked: set[str] = set()

    def denied(self, tool: Tool) -> str | None:
        """Return what a model is told that calls a denied tool, `None` where it may."""
        pattern = matching_pattern(_names(tool.name), self._deny)
        return None if pattern is None else f"denied: the user does not allow {pattern}"

    def allows(self, name: str) -> bool:
        """Return whether the user allowed it, so that it need not be read-only to be offered."""
        self._asked.add(name)
        allowed = matching_pattern((name,), self._allow) is not None
        return allowed and matching_pattern(_names(name), self._deny) is None

    def idle(self, tools: Iterable[Tool]) -> tuple[str, ...]:
        """Return the patterns that deny none of these tools, nor any that might have been allowed.

        They may be misspelt.
        """
        known = {*self._asked, *(tool.name for tool in tools)}
        names = [each for name in known for each in _names(name)]
        return tuple(each for each in self._deny if matching_pattern(names, (each,)) is None)


def _names(name: str) -> tuple[str, ...]:
    """Return a tool's name as users write it, as models do, and without its server."""
    return name, wire_name(name), name.partition(".")[2] or name
