"""What may stand in the sections `[mcp.NAME]` of an `umwelten.toml`, each an MCP server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from umwelten.config.option_types import LONG_DURATION
from umwelten.config.private_networks import sounds_private
from umwelten.config.problems import Problems
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import check_rows, check_table, unknown
from umwelten.errors import ConfigError

SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Without a dot, which parts it from a tool's name: `git.git_log`."""

VARIABLE_IN_TEXT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MOST_CALLS = 1_000

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET_HEADER = re.compile(r"authorization|token|key|secret|cookie", re.IGNORECASE)


def check_servers(servers: dict[str, Any], section: TomlPosition, problems: Problems) -> None:
    """Keep what cannot be meant in the sections of servers as problems, and take these sections out."""
    check_rows(servers, section, _check_server, problems)


def _check_server(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    place, before = section.below(name), len(problems)
    if not SERVER_NAME.fullmatch(name):
        raise ConfigError(f"{place}: a server's name is made of letters, digits, '_' and '-'")
    check_table(row, place)
    for key, value in row.items():
        with problems.keeping():
            if key not in _CHECKS:
                raise unknown(key, _CHECKS, place.at(key))
            if (problem := _CHECKS[key](value)) is not None:
                raise ConfigError(f"{place.at(key)}: {key} {problem}")
    if len(problems) == before:
        _check_together(row, place)


def _check_together(row: Mapping[str, Any], place: TomlPosition) -> None:
    if ("command" in row) == ("url" in row):
        what = "is missing" if "url" not in row else "and url exclude each other"
        raise ConfigError(
            f"{place}: command {what}",
            'Give one of them: command = ["mcp-server-time"], or url = "http://127.0.0.1:8080/mcp".',
        )
    for key, needs in (("headers", "url"), ("env", "command")):
        if key in row and needs not in row:
            raise ConfigError(f"{place.at(key)}: {key} is for a server with a {needs}")


def url_problem(value: Any) -> str | None:
    """Return what is wrong with the address of a server, `None` for nothing."""
    if not isinstance(value, str):
        return "must be a text in quotes"
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        return "must be an address such as http://127.0.0.1:8080/mcp"
    if "@" in parts.netloc:
        return "holds a user or a password; send it as a header, from a variable"
    if parts.scheme == "http" and not sounds_private(host):
        return "is not encrypted and leaves the private network; write https://"
    return None


def _command(value: Any) -> str | None:
    words: list[Any] = value if isinstance(value, list) else []
    if words and all(isinstance(word, str) and "\0" not in word for word in words) and words[0].strip():
        return None
    return 'must be a list of words, such as ["mcp-server-git", "-r", "."]'


def _headers(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'must be a table, such as { Authorization = "Bearer ${SEARCH_TOKEN}" }'
    for name, text in value.items():
        if not HEADER_NAME.fullmatch(name) or not isinstance(text, str) or not text.isprintable():
            return "must be names of headers with texts on one line"
        if _SECRET_HEADER.search(name) and not VARIABLE_IN_TEXT.search(text):
            return f"must take {name} from a variable, as keys are not kept in this file: ${{MY_TOKEN}}"
    return None


def _patterns(value: Any) -> str | None:
    words: list[Any] = value if isinstance(value, list) else [None]
    if words and all(isinstance(word, str) and word.strip() for word in words):
        return None
    return 'must be a list of the server\'s tools, such as ["find", "get_*"]'


def _variables(value: Any) -> str | None:
    words: list[Any] = value if isinstance(value, list) else [None]
    if all(isinstance(word, str) and _VARIABLE.fullmatch(word) for word in words):
        return None
    return 'must be a list of environment variables by their names, such as ["HTTP_PROXY"]'


def _concurrency(value: Any) -> str | None:
    is_number = type(value) is int and 1 <= value <= MOST_CALLS
    return None if is_number else f"must be a whole number from 1 to {MOST_CALLS:,}"


def _start_timeout(value: Any) -> str | None:
    try:
        LONG_DURATION.read(value)
    except ValueError as problem:
        return f"cannot be {value!r}; {problem}"
    return None


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "command": _command,
    "url": url_problem,
    "headers": _headers,
    "tools": _patterns,
    "concurrency": _concurrency,
    "start_timeout": _start_timeout,
    "env": _variables,
}
"""What is wrong with the value of a key, `None` for nothing. Texts that may be keys are not repeated."""
