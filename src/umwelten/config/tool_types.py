"""How the lists of tools are read: flags, settings files and Python programs name them alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from umwelten.config.option_types import OptionType
from umwelten.tools.entries import named_file
from umwelten.user_folders import expand_home


def _entries(given: Any) -> tuple[str, ...]:
    """Several, each by itself or separated by commas."""
    found = tuple(
        entry for one in _listed(given) for part in _words(one).split(",") if (entry := part.strip())
    )
    if not found:
        raise ValueError("name a tool, such as calculator or FILE.py:NAME")
    return found


def _words(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("give names of tools, such as calculator or FILE.py:NAME")
    return given


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _arguments(given: Any) -> tuple[Any, ...]:
    """Names in texts; functions, classes and servers as they are."""
    found: list[Any] = []
    for one in _listed(given):
        found += _entries(one) if isinstance(one, str) else [one]
    if not found:
        raise ValueError("name a tool, or give a function")
    return tuple(found)


def _files(entries: tuple[Any, ...]) -> Iterator[str]:
    for entry in entries:
        file = named_file(entry) if isinstance(entry, str) else None
        if file is not None:
            yield file[0]


def rebased_tools(entries: Iterable[Any], base: Path) -> tuple[Any, ...]:
    """Return the entries with the paths of files from the folder that they were written in."""
    return tuple(
        str(base / expand_home(Path(entry))) if any(_files((entry,))) else entry for entry in entries
    )


TOOLS = OptionType(
    read=_entries,
    read_argument=_arguments,
    rebase=rebased_tools,
    paths=_files,
    metavar="LIST",
    repeatable=True,
    complete="tools",
)
