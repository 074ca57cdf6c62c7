"""The entries of `--tools`: what each of them names, without reading or running anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from umwelten.errors import UsageError
from umwelten.text.suggestions import closest, did_you_mean, sentences

T = TypeVar("T")

BUILT_IN = ("calculator", "statistics", "random_number", "now")
ALIASES: Mapping[str, str] = {"randomNumber": "random_number"}
"""Other names that users may know."""

MCP = "mcp:"
LIST = "@"

ENTRY_FORMS = f"Name {', '.join(BUILT_IN)}, FILE.py, FILE.py:name, mcp:SERVER, mcp:SERVER.tool or {LIST}LIST"

_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[^:/\\]*))?", re.DOTALL)

ToolLists = Mapping[str, Sequence[str]]
"""The lists in `[tools]` of umwelten.toml, by their names."""


def is_built_in(entry: str) -> bool:
    """Return whether an entry names a built-in tool, which neither reads, sends nor runs anything."""
    return entry in BUILT_IN or entry in ALIASES


def is_entry(text: str) -> bool:
    """Return whether it may name a tool: a built-in one, or what is looked for later."""
    text = text.strip()
    return is_built_in(text) or named_file(text) is not None or text.startswith((MCP, LIST))


def named_file(entry: str) -> tuple[str, str | None] | None:
    """Return the path and the function's name in `FILE.py` and `FILE.py:name`, `None` for anything else."""
    match = None if entry.startswith((MCP, LIST)) else _FILE.fullmatch(entry)
    return None if match is None else (match["path"], match["name"])


def named_server(entry: str) -> str | None:
    """Return `SERVER` or `SERVER.tool` of `mcp:…`, `None` for anything else."""
    return entry[len(MCP) :] if entry.startswith(MCP) else None


def named_list(entry: str) -> str | None:
    """Return the name of a list in `@NAME`, `None` for anything else."""
    return entry[len(LIST) :] if entry.startswith(LIST) else None


def expand_lists(entries: Iterable[str | T], lists: ToolLists) -> tuple[str | T, ...]:
    """Return the entries with those of lists in place of `@NAME`; a list may name others.

    Raises `UsageError` for a list that is not there, and for one that contains itself.
    """
    return tuple(_expanded(entries, lists, ()))


def used_lists(entries: Iterable[object], lists: ToolLists) -> tuple[str, ...]:
    """Return the names of the lists that the entries use, directly or through others, each once."""
    found: dict[str, None] = {}
    waiting = [entry for entry in entries if isinstance(entry, str)]
    while waiting:
        name = named_list(waiting.pop().strip())
        if name is not None and name in lists and name not in found:
            found[name] = None
            waiting += lists[name]
    return tuple(found)


def _expanded(entries: Iterable[str | T], lists: ToolLists, within: tuple[str, ...]) -> Iterator[str | T]:
    for entry in entries:
        if not isinstance(entry, str):
            yield entry
            continue
        entry = entry.strip()
        name = named_list(entry)
        if name is None:
            yield entry
            continue
        if name in within:
            raise UsageError(
                f"the list {entry} of tools contains itself: {' > '.join((*within, name))}",
                "Leave one of them out.",
                argument="tools",
            )
        if name not in lists:
            raise UsageError(f"there is no list {entry} of tools", _list_hint(name, lists), argument="tools")
        yield from _expanded(lists[name], lists, (*within, name))


def _list_hint(name: str, lists: ToolLists) -> str | None:
    example = 'Write it in umwelten.toml: [tools], then NAME = ["calculator", "rates.py"].'
    there = f"Lists there: {', '.join(f'{LIST}{each}' for each in lists)}." if lists else example
    return sentences(did_you_mean(closest(name, lists), "@{}"), there)
