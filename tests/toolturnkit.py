"""What the tests of tools on the rehearsal server share: profiles, offered tools, requests."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
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


def anthropic_tools(*names: str) -> list[Any]:
    return [{"name": name, "description": name, "input_schema": PARAMETERS} for name in names or NAMES]


def gemini_tools(*names: str) -> list[Any]:
    declared = [{"name": name, "parametersJsonSchema": PARAMETERS} for name in names or NAMES]
    return [{"functionDeclarations": declared}]


def gemini_results(parts: list[Any]) -> Any:
    """The content that answers all calls in some parts by their numbers."""
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    named = [{key: call[key] for key in ("id", "name") if key in call} for call in calls]
    answers = [{"functionResponse": name | {"response": {"output": str(n)}}} for n, name in enumerate(named)]
    return {"role": "user", "parts": answers}


Break = Callable[[Any], object]


def told(reply: Any) -> str:
    """The message of an error, on any wire."""
    error = reply["error"]
    return str(error["message"] if isinstance(error, dict) else error)


def swap(items: list[Any], one: int, other: int) -> None:
    """Put each of two in the other's place."""
    items[one], items[other] = items[other], items[one]


def expect(
    server: Any, path: str, right: Any, table: list[tuple[str, Break]], headers: dict[str, str] | None = None
) -> None:
    """What is right passes, and each damage meets the words that belong to it."""
    status, reply = post(server, path, headers, **right)
    assert status == 200, reply
    for words, damage in table:
        body = copy.deepcopy(right)
        damage(body)
        status, reply = post(server, path, headers, **body)
        assert (status, words in told(reply)) == (400, True), (words, reply)
    ledger = server.idle()
    assert ledger.totals.invalid == len(ledger.verdicts) == len(table)


def responses_tools(*names: str) -> list[Any]:
    return [{"type": "function", "name": name, "parameters": PARAMETERS} for name in names or NAMES]
