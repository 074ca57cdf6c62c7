"""Whole conversations with calls, against a server that refuses what providers refuse of a client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from peers import ask
from provider import Provider, provider
from toolturnkit import profile
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver.tools.spec import Quirk
from umwelten.tool_calls import ModelTurn, ToolCall, ToolResult, ToolResults
from umwelten.types import Failure, FailureKind, FinishReason, Reply, Secret, Turn
from wirekit import KEY, WEATHER, answered, failed, question, with_weather

PATHS = {
    "openai": "/v1",
    "openrouter": "/api/v1",
    "deepseek": "",
    "mistral": "/v1",
    "anthropic": "",
    "google": "",
    "ollama": "",
}
ONE_OF = pytest.mark.parametrize("vendor", PATHS)
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
CALLS = (2, 1)
MORE = {"mistral": {"ids": "mistral", "refuse": ("user_after_tool",)}}
# What no wire can make calls of, or only once.
ODD = frozenset(("always_calls", "empty_reply", "malformed_call", "unexpected_call"))
AT: dict[str, tuple[str, ...]] = {
    "google": ("late_signature",),
    "anthropic": ("pause_turn", "redacted_thinking"),
}
OF_STREAMS = (
    "no_index",
    "zero_index",
    "wrong_tail_index",
    "shared_index",
    "float_index",
    "whole_calls",
    "interleaved",
    "name_twice",
    "id_on_tails",
)
WIRE_OF = ("openai", "mistral", "anthropic", "google", "ollama")
EVERYWHERE = sorted(
    frozenset(get_args(Quirk)) - ODD - {*OF_STREAMS, "late_signature", "pause_turn", "redacted_thinking"}
)


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with provider() as made:
        yield made


def at(server: Provider, vendor: str) -> Endpoint:
    return Endpoint(vendor=VENDORS[vendor], base_url=server.url + PATHS[vendor], api_key=Secret(KEY))


def conversation(
    server: Provider, vendor: str, stream: bool, *, note: str = "", last: str = "auto", **behaviour: Any
) -> tuple[Reply, list[Reply]]:
    """The answer, and the replies before it. Every call gets its number as a result.

    `note` comes with the last results, with the choice `last`.
    """
    server.reset()
    server.use(
        profile(**{"turns": 2, "calls": CALLS, "tools": ("get_*",), **MORE.get(vendor, {}), **behaviour})
    )
    turns: list[Turn] = []
    replies: list[Reply] = []
    asked = question("How is mark:a?", model="m", stream=stream)
    wire = WIRES[VENDORS[vendor].wire]
    for _ in range(5):
        told = bool(turns) and isinstance(turns[-1], ToolResults) and bool(turns[-1].note)
        request = with_weather(asked, *turns, choice=last if told else "auto")
        reply = answered(ask(wire, at(server, vendor), request)[0])
        if not reply.calls and not reply.paused:
            return reply, replies
        replies.append(reply)
        made = sum(len(each.calls) for each in replies[:-1])
        results = tuple(
            ToolResult(call, f"result {made + place}", is_error=place == 1)
            for place, call in enumerate(reply.calls)
        )
        is_last = len([each for each in replies if each.calls]) == 2
        turns.append(ModelTurn(raw=reply.turn, calls=reply.calls))
        if not reply.paused:
            turns.append(ToolResults(results=results, note=note if is_last else ""))
    raise AssertionError("no answer came")


def accepted(server: Provider) -> bool:
    """Whether the server has nothing to say against what it got."""
    verdicts = server.idle().verdicts
    assert verdicts == []
    return True


@ONE_OF
@STREAMED
@pytest.mark.parametrize("more", [{}, {"thinking": True, "text": "Let me see."}], ids=["plain", "thinking"])
def test_a_server_that_looks_at_every_turn_is_content(
    server: Provider, vendor: str, stream: bool, more: Any
) -> None:
    reply, before = conversation(server, vendor, stream, **more)
    assert accepted(server)
    assert [len(each.calls) for each in before] == list(CALLS)
    assert all(each.finish_reason is FinishReason.TOOL for each in before)
    assert all(each.text == more.get("text", "") for each in before)
    assert all(bool(each.reasoning) is (bool(more) and vendor != "google") for each in before)
    assert all(f"result {number}" in reply.text for number in range(3))


@STREAMED
@pytest.mark.parametrize(
    ("vendor", "quirk"),
    [
        *((vendor, quirk) for vendor in WIRE_OF for quirk in EVERYWHERE),
        *((vendor, quirk) for vendor, quirks in AT.items() for quirk in quirks),
    ],
)
def test_it_is_whatever_the_model_does(server: Provider, vendor: str, quirk: str, stream: bool) -> None:
    reply, before = conversation(server, vendor, stream, quirks=(quirk,), thinking=True)
    assert accepted(server)
    calls = [call for each in before for call in each.calls]
    assert len(calls) == 3
    if quirk == "no_ids":
        assert len({call.id for call in calls}) == 3
    if quirk == "cut_arguments":
        assert {each.finish_reason for each in before} == {FinishReason.LENGTH}
    if quirk == "empty_arguments":
        assert {call.arguments for call in calls} == {"{}"}
    if quirk == "pause_turn":
        assert [each.paused for each in before] == [True, False, False]
    assert all(f"result {number}" in reply.text for number in range(3))


@pytest.mark.parametrize("vendor", ["openai", "mistral"])
@pytest.mark.parametrize("ids", [(), ("no_ids",)], ids=["ids", "no ids"])
@pytest.mark.parametrize("quirk", OF_STREAMS)
def test_pieces_of_calls_find_their_calls(
    server: Provider, vendor: str, quirk: str, ids: tuple[str, ...]
) -> None:
    reply, before = conversation(
        server, vendor, True, quirks=(quirk, *ids), arguments=({"city": "Rome {turn}"}, {"city": 'O"slo'}, {})
    )
    assert accepted(server)
    assert [json.loads(call.arguments) for each in before for call in each.calls] == [
        {"city": "Rome 1"},
        {"city": 'O"slo'},
        {},
    ]
    assert "result 2" in reply.text


@ONE_OF
@STREAMED
def test_words_of_the_user_come_after_the_results(server: Provider, vendor: str, stream: bool) -> None:
    # It would go on calling, were it not told to answer.
    reply, before = conversation(server, vendor, stream, note="Answer now.", last="none", turns=9)
    assert accepted(server)
    assert len(before) == 2 and "result 2" in reply.text


@ONE_OF
@STREAMED
@pytest.mark.parametrize("choice", ["any", "get_weather"])
def test_a_choice_that_forces_a_call_is_obeyed(
    server: Provider, vendor: str, stream: bool, choice: str
) -> None:
    server.reset()
    server.use(profile(turns=0 if vendor != "ollama" else 1))
    asked = with_weather(question("Hi", model="m", stream=stream), choice=choice)
    reply = answered(ask(WIRES[VENDORS[vendor].wire], at(server, vendor), asked)[0])
    assert [call.name for call in reply.calls] == [WEATHER.name]
    assert accepted(server)


@STREAMED
@pytest.mark.parametrize("quirk", ["malformed_call", "unexpected_call"])
def test_a_call_that_google_could_not_read_is_asked_for_again(
    server: Provider, quirk: str, stream: bool
) -> None:
    server.reset()
    server.use(profile(quirks=(quirk,)))
    failure = failed(
        ask(WIRES["gemini"], at(server, "google"), with_weather(question("Hi", model="m", stream=stream)))[0]
    )
    assert (failure.kind, failure.retry) == (FailureKind.EMPTY, True)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_choice_that_is_refused_is_left_out(server: Provider, vendor: str) -> None:
    server.reset()
    server.use(profile(refuse=("forced_choice",)))
    asked = with_weather(question("Hi", model="m"), choice="any")
    wire = WIRES[VENDORS[vendor].wire]
    failure = failed(ask(wire, at(server, vendor), asked)[0])
    assert (failure.parameter, failure.model_down) == ("tool_choice", False)
    dropped = wire.encode(asked, at(server, vendor), frozenset(("tool_choice",)))
    assert b"tool_choice" not in (dropped.body or b"")


def test_the_judge_can_be_displeased(server: Provider) -> None:
    """The other tests mean something: a turn that is not what it was is refused."""
    server.reset()
    server.use(profile(thinking=True))
    asked = question("Hi", model="m")
    for vendor in PATHS:
        wire, place = WIRES[VENDORS[vendor].wire], at(server, vendor)
        reply = answered(ask(wire, place, with_weather(asked))[0])
        missing = (ModelTurn(raw=reply.turn), ToolResults(note="And now?"))
        stranger = ToolCall(id="x", name="get_weather")
        for turns in (missing, (missing[0], ToolResults(results=(ToolResult(stranger, "18"),)))):
            outcome = ask(wire, place, with_weather(asked, *turns))[0]
            if isinstance(outcome, Failure):
                assert (outcome.kind, outcome.retry) == (FailureKind.BAD_REQUEST, False)
                break
        else:
            raise AssertionError(f"{vendor} took it")
        assert msgspec.json.decode(reply.turn)
