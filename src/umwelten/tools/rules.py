"""Which tools may be run: the user's patterns."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from umwelten.tools.tool import Tool


def matching_pattern(name: str, patterns: Sequence[str]) -> str | None:
    """Return the first pattern, such as `git.*`, that a tool's name fits."""
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


class ToolRules:
    """The patterns of tools that are allowed and denied; what is denied stays so even where it is allowed."""

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow, self._deny = tuple(allow), tuple(deny)

    def denied(self, tool: Tool) -> str | None:
        """Return what a model is told that calls a denied tool, `None` where it may."""
        pattern = matching_pattern(tool.name, self._deny)
        return None if pattern is None else f"denied: the user does not allow {pattern}"

    def allows(self, name: str) -> bool:
        """Return whether the user allowed it, so that it need not be read-only to be offered."""
        allowed = matching_pattern(name, self._allow) is not None
        return allowed and matching_pattern(name, self._deny) is None
