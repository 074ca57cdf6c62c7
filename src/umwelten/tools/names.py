"""The names of tools as users and as models know them, and the limits of what models are told of tools."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from umwelten.errors import UsageError
from umwelten.tools.tool import Tool

MOST_TOOLS = 128
"""OpenAI's limit; the other providers' are higher or not stated."""

LONGEST_DESCRIPTION = 1_024
"""Characters. It is sent with every request; OpenAI refuses a longer one."""

_LONGEST = 64
_KEPT = 55
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def wire_name(name: str) -> str:
    """Return the name as every provider takes it: `git.git_log` becomes `git__git_log`.

    It matches `[A-Za-z_][A-Za-z0-9_-]{0,63}`. A longer one keeps 55 characters and ends with a hash of it.
    """
    plain = _OTHER.sub("_", name.replace(".", "__"))
    if not plain[:1].isalpha() and not plain.startswith("_"):
        plain = f"_{plain}"
    if len(plain) <= _LONGEST:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{plain[:_KEPT]}_{digest}"


def unique_tools(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """Return the tools, each once. Raises `UsageError` for two of one name, and for too many."""
    by_name: dict[str, Tool] = {}
    for tool in tools:
        other = by_name.setdefault(tool.definition.name, tool)
        if other is not tool and not _is_same(other, tool):
            raise UsageError(
                f"two tools would be called {tool.definition.name}: {_shown(other)} and {_shown(tool)}",
                "Give one of them another name.",
                argument="tools",
            )
    if len(by_name) > MOST_TOOLS:
        raise UsageError(
            f"{len(by_name)} tools are too many: models are offered at most {MOST_TOOLS}",
            "Name those that are needed, such as mcp:SERVER.tool.",
            argument="tools",
        )
    return tuple(by_name.values())


def _is_same(one: Tool, other: Tool) -> bool:
    return (one.name, one.source, one.fingerprint) == (other.name, other.source, other.fingerprint)


def _shown(tool: Tool) -> str:
    place = tool.path or tool.source  # of two files of one name, the source is the same
    return f"{tool.name} ({place})" if place else tool.name
