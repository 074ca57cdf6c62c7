"""What an MCP server is started or reached by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from umwelten.frozen import FrozenStruct
from umwelten.types import Secret

CONCURRENCY = 4
"""Calls at a time. Servers on stdio are programs for one user: more at once have ended some of them."""

START_TIMEOUT_S = 20.0
"""A server that is installed answers within 3 s; `uvx` and `npx` may have to fetch it first."""

PASSED_ON = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""Variables of the environment that every server gets; the others may be keys."""

_LAUNCHERS = (
    *(("uvx", 1), ("npx", 1), ("bunx", 1), ("node", 1), ("python", 1), ("python3", 1), ("sh", 1), ("env", 1)),
    *(("uv", 2), ("pipx", 2), ("docker", 2), ("podman", 2)),
)
"""Programs that start what their arguments name, and how many words are theirs."""

_SAY_NOTHING = frozenset(
    ("index", "main", "server", "mcp", "stdio", "dist", "build", "src", "bin", "__main__")
)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")
_ENDING = re.compile(r"\.(?:py|js|mjs|cjs|ts|sh|exe)$")
_COMMON = re.compile(r"^(?:mcp[-_])?(?:server[-_])?(?:mcp[-_])?|[-_](?:mcp[-_]server|server|mcp)$")
_LONGEST_NAME = 32
_NAMES_KEY = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_SHORTEST_SECRET = 8
"""Characters. A shorter one is part of ordinary words, as "Bearer" is."""


class McpSettings(FrozenStruct):
    """One server: a `command`, a program with its arguments that runs in `folder`, or a `url`.

    `tools` are patterns of which a tool's name must match one; `None`: all. Tools that the user `named` are
    offered whatever they do, the others only where they change nothing or are allowed. `env` holds the
    variables that it gets besides `PASSED_ON`, `headers` what goes with each request to a `url`. `where`:
    where it is set up.
    """

    name: str = ""
    command: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, Secret] = {}
    tools: tuple[str, ...] | None = None
    named: tuple[str, ...] = ()
    concurrency: int = CONCURRENCY
    start_timeout_s: float = START_TIMEOUT_S
    env: Mapping[str, Secret] = {}
    folder: Path = Path()
    where: str = ""

    @property
    def shown(self) -> str:
        """The command, or the address without what may be secret."""
        if not self.url:
            return " ".join(self.command)
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What a server must not repeat: the words of its headers, and variables that are named like keys."""
        words = [word for value in self.headers.values() for word in value.reveal().split()]
        words += [value.reveal() for name, value in self.env.items() if _NAMES_KEY.search(name)]
        return tuple(Secret(word) for word in words if len(word) >= _SHORTEST_SECRET)

    def mask(self, text: str) -> str:
        """Return what a server wrote without its secrets."""
        if self.url:
            text = text.replace(self.url, self.shown)
        for secret in self.secrets:
            text = text.replace(secret.reveal(), "***")
        return text


def is_url(text: str) -> bool:
    """Return whether it is the address of a server, not a command."""
    return text.startswith(("http://", "https://"))


def server_name(target: str | Sequence[str], taken: Iterable[str] = ()) -> str:
    """Return a name for a server that has none: `time` for `uvx mcp-server-time`, `example` for an address.

    Where it is `taken`, a number follows: `time-2`.
    """
    plain = _of_address(target) if isinstance(target, str) else _of_command(target)
    name, number = plain, 1
    known = set(taken)
    while name in known:
        number += 1
        name = f"{plain}-{number}"
    return name


def _of_address(url: str) -> str:
    host = urlsplit(url).hostname or ""
    parts = host.split(".")
    is_number = host.replace(".", "").isdigit() or ":" in host
    named = [part for part in parts[:-1] if part not in ("www", "api", "mcp")] or parts[:1]
    return "mcp" if is_number else _plain(named[-1])


def _of_command(command: Sequence[str]) -> str:
    words = [word for word in command if not word.startswith("-")] or list(command)
    skipped = dict(_LAUNCHERS).get(PurePath(command[0]).name.lower(), 0)
    word = words[min(skipped, len(words) - 1)]
    # `@scope/server-memory@2026.8.31`, `mcp-server-git==1.0`, `./tools/weather/server.py`
    parts = [_ENDING.sub("", part) for part in re.split(r"==|(?<=.)@", word)[0].split("/") if part]
    named = [part for part in parts if part.lower() not in _SAY_NOTHING]
    return _plain((named or parts or [word])[-1])


def _plain(word: str) -> str:
    plain = _NOT_IN_NAMES.sub("-", word.lower()).strip("-_")
    return (_COMMON.sub("", plain).strip("-_") or plain or "mcp")[:_LONGEST_NAME]
