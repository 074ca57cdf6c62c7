"""The fault server speaks the Responses API well enough for the official client, and ours reads the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from provider import KEYS, Provider, provider
from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver import Behaviour, Profile
from umwelten.types import Failure, FailureKind, FinishReason, Outcome, Reply, Secret
from wirekit import PNG, body_of, image, question

USAGE = {"input_tokens": 100, "cached_tokens": 40, "output_tokens": 30, "reasoning_tokens": 20}
THINKING = Behaviour(text="one two three four", **USAGE)


def client(server: Provider) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEYS["OPENAI_API_KEY"], max_retries=0)


def reading(server: Provider, *, stream: bool, **settings: Any) -> tuple[list[str], Outcome]:
    """What our wire hands out and makes of the reply."""
    home = Endpoint(vendor=VENDORS["openai"], base_url=f"{server.url}/v1", api_key=Secret("k"))
    wire, heard = WIRES["responses"], list[str]()

    async def ask() -> Outcome:
        async with Transport(timeout_s=10) as transport:
            http = wire.encode(question("Hi", stream=stream, **settings), home)
            return (await transport.ask(http, wire, home, stream=stream, on_text=heard.append))[0]

    return heard, asyncio.run(ask())


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_both_read_the_same_whole_answer(finish: Any) -> None:
    profile = Profile(default=Behaviour(text="one two three four", finish=finish, **USAGE))
    with provider(profile) as server:
        with client(server) as official:
            theirs = official.responses.create(model="some-model", input="Hi", store=False)
        _, outcome = reading(server, stream=False)
    assert isinstance(outcome, Reply)
    assert theirs.output[0].type == "reasoning"
    assert theirs.output_text == outcome.text == "one two three four"
    assert theirs.status == ("completed" if finish == "stop" else "incomplete")
    assert outcome.finish_reason is (FinishReason.STOP if finish == "stop" else FinishReason.LENGTH)
    usage = theirs.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (
        outcome.usage.input_tokens,
        outcome.usage.output_tokens,
    )
    assert usage.input_tokens_details.cached_tokens == outcome.usage.cached_tokens == 40
    assert usage.output_tokens_details.reasoning_tokens == outcome.usage.reasoning_tokens == 20


def test_both_read_the_same_stream() -> None:
    with provider(Profile(default=THINKING)) as server:
        with client(server) as official, official.responses.stream(model="some-model", input="Hi") as stream:
            events = list(stream)
            final = stream.get_final_response()
        heard, outcome = reading(server, stream=True)
    assert isinstance(outcome, Reply)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "".join(heard) == final.output_text == outcome.text
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == sorted(
        event.sequence_number for event in events if hasattr(event, "sequence_number")
    )
    assert final.usage is not None and final.usage.output_tokens == outcome.usage.output_tokens == 30
    assert outcome.reasoning == "Thinking it over."


def test_the_server_reads_what_either_sends() -> None:
    home = Endpoint(vendor=VENDORS["openai"], base_url="http://x/v1")
    body = body_of(WIRES["responses"].encode(question("See", image(), system="Be brief."), home))
    with provider(Profile(default=Behaviour(text="{prompt}"), keep_bodies=True)) as server:
        with client(server) as official:
            theirs = official.responses.create(**body)
        (record,) = server.ledger.records
    assert theirs.output_text == "See"
    # The official client sends it as it is.
    assert json.loads(record.body or "") == body
    assert [(file.mime, file.size) for file in record.files] == [("image/png", len(PNG))]


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_answer_and_an_error_are_failures(stream: bool) -> None:
    with provider(Profile(default=Behaviour(finish="blocked"))) as server:
        _, outcome = reading(server, stream=stream)
    assert isinstance(outcome, Failure) and outcome.code == "content_filter" and not outcome.retry
    with provider(Profile(default=Behaviour(fault=429, retry_after_s=2))) as server:
        _, outcome = reading(server, stream=stream)
    assert isinstance(outcome, Failure) and outcome.kind is FailureKind.RATE_LIMIT
    assert outcome.hints.retry_after_s == 2


@pytest.mark.parametrize("fault", ["wrong_type", "hollow", "cut", "error_in_stream"])
@pytest.mark.parametrize("stream", [False, True])
def test_no_fault_of_the_server_makes_an_answer(fault: Any, stream: bool) -> None:
    with provider(Profile(default=Behaviour(fault=fault))) as server:
        _, outcome = reading(server, stream=stream)
    assert isinstance(outcome, Failure)
