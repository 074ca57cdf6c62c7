"""The MCP servers that are to start: by sections `[mcp.NAME]`, and given as a command or an address."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from umwelten.config.mcp_demands import server_demands, server_folder
from umwelten.config.mcp_sections import VARIABLE_IN_TEXT, url_problem
from umwelten.config.option_types import LONG_DURATION
from umwelten.config.settings import Settings
from umwelten.errors import ConfigError, UsageError
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.tools.entries import MCP
from umwelten.tools.mcp.given_server import GivenServer
from umwelten.tools.mcp.settings import McpSettings, is_url, server_name
from umwelten.types import FrozenStruct, Secret


class WantedServers(FrozenStruct):
    """The servers to start, and the tools that are wanted, with each server by its name: `mcp:NAME`."""

    servers: tuple[McpSettings, ...]
    entries: tuple[Any, ...]


def wanted_servers(entries: Iterable[Any], given: Iterable[str], settings: Settings) -> WantedServers:
    """Return which servers the tools are of that are wanted. Commands and addresses are `given`, too.

    `entries`: what `select_tools` takes, with lists in place of their names, and any `GivenServer`.

    Raises `UsageError` for a name that is not known and a command that cannot be read, `ConfigError` for a
    variable that is not set, `Untrusted` for what a project's file demands and the user has not trusted.
    """
    started: dict[str, McpSettings] = {}
    named: list[Any] = []
    for entry in entries:
        if isinstance(entry, GivenServer):
            name = entry.name or server_name(_target(entry.server), (*settings.mcp, *started))
            if name in started or name in settings.mcp:
                raise UsageError(f"there are two MCP servers {name!r}", "Give one of them another name.")
            started[name] = msgspec.structs.replace(entry.server, name=name)
            entry = f"{MCP}{name}"
        named.append(entry)
    for server in _given_servers(given, settings, started):
        started[server.name] = server
        named.append(f"{MCP}{server.name}")
    selected: dict[str, list[str]] = {}
    for entry in named:
        if isinstance(entry, str) and entry.startswith(MCP):
            name, _, tool = entry[len(MCP) :].partition(".")
            if name not in started and name not in settings.mcp:
                raise _unknown(name, {*started, *settings.mcp})
            selected.setdefault(name, []).extend([tool] if tool else [])
    configured = [name for name in selected if name not in started]
    settings.trust.require(server_demands(settings, configured))
    servers = [started.get(name) or configured_server(name, settings) for name in selected]
    return WantedServers(
        servers=tuple(
            msgspec.structs.replace(server, named=(*server.named, *selected[server.name]))
            for server in servers
        ),
        entries=tuple(named),
    )


def _given_servers(
    given: Iterable[str], settings: Settings, started: Mapping[str, McpSettings]
) -> Iterator[McpSettings]:
    """Yield the servers of commands and addresses, each once."""
    taken = {*settings.mcp, *started}
    for text in dict.fromkeys(word.strip() for word in given):
        if text in settings.mcp:
            raise UsageError(
                f"{text} is a server of {settings.mcp[text].source}",
                f"Name it among the tools: {MCP}{text}.",
                argument="mcp",
            )
        server = given_server(text)
        server = msgspec.structs.replace(server, name=server_name(_target(server), taken))
        taken.add(server.name)
        yield server


def _target(server: McpSettings) -> str | tuple[str, ...]:
    return server.url or server.command


def given_server(text: str) -> McpSettings:
    """Return the server of a command or an address, without a name. Raises `UsageError`."""
    if is_url(text):
        if (problem := url_problem(text)) is not None:
            raise UsageError(f"the address of an MCP server {problem}", argument="mcp")
        return McpSettings(url=text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"cannot read the command {text!r}: {error}", argument="mcp") from None
    if not words or not words[0] or "\0" in text:
        raise UsageError(
            f"{text!r} is neither a command nor an address",
            "Write it as mcp-server-time, or as http://127.0.0.1:8080/mcp.",
            argument="mcp",
        )
    return McpSettings(command=tuple(words))


def configured_server(name: str, settings: Settings) -> McpSettings:
    """Return a server by its section. Raises `ConfigError` for a variable in its headers that is not set."""
    row = settings.mcp[name]
    fields = row.fields
    server = McpSettings(
        name=name,
        command=tuple(fields.get("command", ())),
        url=fields.get("url", ""),
        headers={key: _header(text, name, settings) for key, text in fields.get("headers", {}).items()},
        tools=tuple(fields["tools"]) if "tools" in fields else None,
        env={
            key: settings.variables[key].secret for key in fields.get("env", ()) if key in settings.variables
        },
        folder=server_folder(row),
        where=f"{row.source}, [mcp.{name}]",
    )
    if "concurrency" in fields:
        server = msgspec.structs.replace(server, concurrency=fields["concurrency"])
    if "start_timeout" in fields:
        server = msgspec.structs.replace(server, start_timeout_s=LONG_DURATION.read(fields["start_timeout"]))
    return server


def _header(text: str, server: str, settings: Settings) -> Secret:
    for variable in VARIABLE_IN_TEXT.findall(text):
        if variable not in settings.variables:
            raise ConfigError(
                f"the MCP server {server} needs {variable}, which is not set",
                f"Put the line {variable}=… in a file .env here or above, or export it.",
            )
    value = VARIABLE_IN_TEXT.sub(lambda found: settings.variables[found[1]].secret.reveal().strip(), text)
    if not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"a header of the MCP server {server} would hold a line break or a letter that no header has",
            "It comes from a variable; copy that again.",
        )
    return Secret(value)


def _unknown(name: str, known: Iterable[str]) -> UsageError:
    names = sorted(known)
    hint = did_you_mean(closest(name, names), "{!r}") or (
        f"Known are: {', '.join(names)}." if names else "Set it up as a section [mcp.NAME] of umwelten.toml."
    )
    return UsageError(f"there is no MCP server {name!r}", hint, argument="tools")
