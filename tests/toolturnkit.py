"""What the tests of tools on the rehearsal server share: profiles, offered tools, requests."""

from __future__ import annotations

import json
from typing import Any

from provider import Provider, fetch
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
}
NAMES = ("weather", "time", "rate")


def profile(**turns: Any) -> Profile:
    return Profile(default=Behaviour(tool_turns=ToolTurns(**turns)))


def openai_tools(*names: str) -> list[Any]:
    return [
        {"type": "function", "function": {"name": name, "description": name, "parameters": PARAMETERS}}
        for name in names or NAMES
    ]


def post(server: Provider, path: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
    """A status and a decoded body."""
    status, data, _ = fetch(server.url + path, {"model": "m"} | body, headers)
    return status, json.loads(data)


def fetched(server: Provider) -> Any:
    return json.loads(fetch(f"{server.url}/_ledger")[1])
