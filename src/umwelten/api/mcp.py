"""MCP servers among the tools that a Python program gives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from umwelten.config.mcp_sections import HEADER_NAME, MOST_CALLS, SERVER_NAME, VARIABLE_IN_TEXT
from umwelten.config.mcp_servers import given_server
from umwelten.errors import UsageError
from umwelten.tools.mcp.given_server import GivenServer
from umwelten.tools.mcp.settings import CONCURRENCY, START_TIMEOUT_S, McpSettings
from umwelten.types import Secret


class MCP(GivenServer):
    """An MCP server whose tools models are offered: `tools=[umwelten.MCP("mcp-server-time")]`.

    `target` is a command, as a text or a list of words, or the address of a server over HTTP. It is started
    when a run begins and ended with it. `name` comes before its tools' names, as in `git.git_log`; by default
    it is made of the target.

    Offered are the tools that change nothing, as the server says. `tools` leaves only some: names, and
    patterns such as `get_*`; a tool that is named there is offered whatever it does.

    `env`: variables besides PATH, HOME and their like, as a mapping, or as names of those to pass on.
    `headers` go with each request to an address; `${NAME}` in one stands for a variable of the environment.
    `concurrency`: calls at a time. `start_timeout_s`: seconds until it must have answered.

    Raises `UsageError` for what cannot be meant. Needs the extra: `pip install "umwelten[mcp]"`.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        name: str | None = None,
        tools: Iterable[str] | None = None,
        env: Mapping[str, str] | Iterable[str] | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = CONCURRENCY,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        server = given_server(target) if isinstance(target, str) else _of_words(target)
        if name is not None and not (isinstance(name, str) and SERVER_NAME.fullmatch(name)):
            raise UsageError(f"name={name!r} is not allowed", "Use letters, digits, '_' and '-'.")
        if headers and not server.url:
            raise UsageError("headers are for a server with an address, not for a command", "Use env.")
        if env and server.url:
            raise UsageError("env is for a server with a command, not for an address", "Use headers.")
        if type(concurrency) is not int or not 1 <= concurrency <= MOST_CALLS:
            raise UsageError(
                f"concurrency={concurrency!r} is not allowed",
                f"Give a whole number from 1 to {MOST_CALLS:,}.",
            )
        if not isinstance(start_timeout_s, int | float) or not 0 < start_timeout_s < float("inf"):
            raise UsageError(f"start_timeout_s={start_timeout_s!r} is not allowed", "Give seconds above 0.")
        if isinstance(tools, str):
            raise UsageError(f"tools={tools!r} is not allowed", f"Give a list: tools=[{tools!r}].")
        patterns = None if tools is None else tuple(tools)
        super().__init__(
            msgspec.structs.replace(
                server,
                headers={key: _header(key, text) for key, text in (headers or {}).items()},
                tools=patterns,
                named=tuple(word for word in patterns or () if not re.search(r"[*?\[]", word)),
                concurrency=concurrency,
                start_timeout_s=float(start_timeout_s),
                env=_variables(env),
            ),
            name or "",
        )

    def __repr__(self) -> str:
        return f"MCP({self.server.shown!r})"


def _of_words(target: Any) -> McpSettings:
    words = tuple(target) if isinstance(target, list | tuple) else ()
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words) or not words[0]:
        raise UsageError(
            f"{target!r} is neither a command nor an address",
            'Write it as MCP("mcp-server-time"), or as a list of words.',
        )
    return McpSettings(command=words)


def _variables(env: Mapping[str, str] | Iterable[str] | None) -> dict[str, Secret]:
    if env is None:
        return {}
    if isinstance(env, Mapping):
        return {key: Secret(value) for key, value in env.items()}
    names = [env] if isinstance(env, str) else env
    return {key: Secret(os.environ[key]) for key in names if key in os.environ}


def _header(name: str, text: str) -> Secret:
    for variable in VARIABLE_IN_TEXT.findall(text):
        if variable not in os.environ:
            raise UsageError(f"the header {name} needs the variable {variable}, which is not set")
    value = VARIABLE_IN_TEXT.sub(lambda found: os.environ[found[1]].strip(), text)
    if not HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
        raise UsageError(f"the header {name!r} would hold a line break or a letter that no header has")
    return Secret(value)
