"""Our own wires hold conversations with the rehearsal server's models, whose judge finds nothing wrong."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest

from toolturnkit import PARAMETERS, profile
from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver import FaultServer
from umwelten.simulate.faultserver.tools.spec import Quirk
from umwelten.tool_calls import ModelTurn, ToolDefinition, ToolResult, ToolResults
from umwelten.types import ModelRef, Reply, Request
from wirekit import user

RESPONSES = "responses"
"""OpenAI's other wire, in the place of a provider."""
ADDRESSES = {"openai": "/v1", "openrouter": "/api/v1", "deepseek": "/v1", "mistral": "/v1"}
ADDRESSES |= {"anthropic": "", "google": "", "ollama": "", RESPONSES: "/v1"}
TOOLS = tuple(
    ToolDefinition(name=name, description="", parameters=PARAMETERS) for name in ("weather", "time", "rate")
)
# What ends otherwise than in an answer, or needs other settings.
ELSEWHERE = {"always_calls", "empty_reply", "pause_turn", "malformed_call", "unexpected_call"}
QUIRKS = [quirk for quirk in get_args(Quirk) if quirk not in ELSEWHERE]
THINKERS = ("openrouter", "deepseek", "anthropic", "google", "ollama", RESPONSES)


async def converse(server: FaultServer, party: str, *, stream: bool, note: str = "") -> list[Reply]:
    """All replies of a conversation, the answer last. Results are the numbers of their calls."""
    vendor = "openai" if party == RESPONSES else party
    row = VENDORS[vendor]
    home = Endpoint(vendor=row, base_url=server.url + ADDRESSES[party])
    wire = WIRES[RESPONSES if party == RESPONSES else row.wire]
    turns: list[Any] = [user("How is mark:a?")]
    replies: list[Reply] = []
    async with Transport(timeout_s=10) as transport:
        while not replies or replies[-1].calls or replies[-1].paused:
            asked = Request(model=ModelRef(vendor, "m"), messages=tuple(turns), stream=stream, tools=TOOLS)
            http = wire.encode(asked, home, frozenset())
            reply, _ = await transport.ask(http, wire, home, stream=stream, tools=True)
            assert isinstance(reply, Reply), (reply, server.ledger.verdicts)
            results = tuple(ToolResult(call=call, text=str(n)) for n, call in enumerate(reply.calls))
            turns.append(ModelTurn(raw=reply.turn, calls=reply.calls))
            turns += [ToolResults(results=results, note=note)] if results else []
            replies.append(reply)
    return replies


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("party", ADDRESSES)
def test_our_client_is_right(party: str, stream: bool) -> None:
    """Of all quirks, in one server: every call arrives, and everything comes back as it must."""

    async def main() -> None:
        async with FaultServer() as server:
            for quirks in [(), *((quirk,) for quirk in QUIRKS)]:
                turns: dict[str, Any] = {"turns": 2, "calls": (2, 1), "tools": ("*",)}
                turns["thinking"] = party in THINKERS
                if party == "mistral":
                    turns |= {"ids": "mistral", "refuse": ("user_after_tool",)}
                server.use(profile(**turns, quirks=quirks))
                replies = await converse(server, party, stream=stream, note="Go on.")
                assert server.ledger.verdicts == [], quirks
                assert [len(reply.calls) for reply in replies] == [2, 1, 0], quirks
                names = [call.name for reply in replies for call in reply.calls]
                unknown = "unknown_tool" in quirks
                assert names == (["no_such_tool"] * 3 if unknown else ["weather", "time", "rate"]), quirks
                arguments = [call.arguments for reply in replies for call in reply.calls]
                assert ("{}" in arguments) is ("empty_arguments" in quirks), quirks
                told = [part.strip() for part in replies[-1].text.partition(":")[2].split("|")]
                assert [part.split()[0] for part in told] == ["0", "1", "0"], quirks

    asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_our_client_goes_on_after_a_pause(stream: bool) -> None:
    async def main() -> None:
        async with FaultServer(profile(quirks=("pause_turn",), thinking=True)) as server:
            replies = await converse(server, "anthropic", stream=stream)
            assert [(reply.paused, len(reply.calls)) for reply in replies] == [
                (True, 0),
                (False, 1),
                (False, 0),
            ]
            assert server.ledger.verdicts == []

    asyncio.run(main())
