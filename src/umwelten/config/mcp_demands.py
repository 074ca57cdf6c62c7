"""What MCP servers demand that a project's files set up: to start a command, or to send to an address."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from umwelten.config.mcp_sections import VARIABLE_IN_TEXT
from umwelten.config.merged_sections import TomlSection
from umwelten.config.project_files import Place
from umwelten.config.settings import Settings
from umwelten.config.trust import Demand
from umwelten.errors import UmweltenError
from umwelten.tools.mcp.settings import is_url
from umwelten.user_folders import expand_home


def server_demands(settings: Settings, names: Iterable[str] | None = None) -> Iterator[Demand]:
    """Yield what servers demand that a project's file sets up; `names`: only these."""
    for name in settings.mcp if names is None else names:
        row = settings.mcp[name]
        place = next(iter(row.places.values()), None)
        if place is not None:
            yield _demand(name, row, place)


def given_demands(given: Iterable[str], place: Place) -> Iterator[Demand]:
    """Yield what commands and addresses demand that a project's file gives."""
    for text in given:
        verb = "lets models use the MCP server" if is_url(text) else "starts the MCP server"
        shown = place.shown(text)
        code = None if is_url(text) else _code(text.split(), Path())
        yield Demand(kind="mcp", places=(place,), text=f"{verb} {shown}", facts=(str(shown),), code=code)


def server_folder(row: TomlSection) -> Path:
    """Return where a server runs: in the project whose file sets it up, else in the working directory."""
    place = next(iter(row.places.values()), None)
    return Path() if place is None else place.file.folder


def _demand(name: str, row: TomlSection, place: Place) -> Demand:
    fields, folder = row.fields, server_folder(row)
    if "url" in fields:
        used = [
            found for text in fields.get("headers", {}).values() for found in VARIABLE_IN_TEXT.findall(text)
        ]
        sent = " and ".join([*dict.fromkeys(used), "what models ask of its tools"])
        text = f"sends {sent} to {fields['url']} (MCP server {name})"
        headers = [part for pair in sorted(fields.get("headers", {}).items()) for part in pair]
        return Demand(kind="mcp", places=(place,), text=text, facts=(name, fields["url"], *headers))
    passed = ", ".join(fields.get("env", ()))
    text = f"starts the command {shlex.join(fields['command'])} (MCP server {name})"
    return Demand(
        kind="mcp",
        places=(place,),
        text=f"{text}, and passes {passed} on to it" if passed else text,
        facts=(name, *fields["command"], str(folder), "env", *fields.get("env", ())),
        code=_code(fields["command"], folder),
    )


def _code(words: Iterable[str], folder: Path) -> bytes | None:
    """Return the files of a command: who changes one that is the project's changes what runs."""
    files = [data for word in words if (data := _bytes(folder / word)) is not None]
    return b"\0".join(files) if files else None


def _bytes(path: Path) -> bytes | None:
    """Return what a file holds, `None` where there is none or it can't be read."""
    try:
        path = expand_home(path)
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError, UmweltenError):
        return None
