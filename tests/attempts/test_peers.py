"""The wires against servers that others wrote: real HTTP, real errors, real broken streams.

What a model says is never looked at.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jsonschema
import msgspec
import pytest

from peers import LLAMA_KEY, ask, exchange, is_loopback_only, llama, llmock, ollama_proxy, queue
from umwelten.local import find_weights
from umwelten.providers.protocol import Endpoint, ModelPage, Vendor, Wire
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ModelTurn, ToolCall, ToolResult, ToolResults
from umwelten.types import FailureKind, FinishReason, ModelRef, Request, Resource, Schema, Secret, Text
from wirekit import KEY, answered, assistant, failed, image, question, told, user, with_weather

pytestmark = pytest.mark.peer
K = FailureKind


@pytest.fixture(scope="session")
def mock() -> Iterator[str]:
    with llmock() as root:
        yield root


@pytest.fixture(scope="session")
def tight() -> Iterator[str]:
    """Two requests a minute."""
    with llmock("--rpm", "2") as root:
        yield root


@pytest.fixture(scope="session")
def model() -> Iterator[str]:
    with llama(find_weights("smollm2")) as root:
        yield root


@pytest.fixture(scope="session")
def proxy(model: str) -> Iterator[str]:
    with ollama_proxy(model) as root:
        yield root


class Peer(NamedTuple):
    """A wire format and a place where it is spoken."""

    wire: Wire
    endpoint: Endpoint
    model: str


def _peer(vendor: Vendor, base_url: str, key: str, model: str) -> Peer:
    return Peer(WIRES[vendor.wire], Endpoint(vendor=vendor, base_url=base_url, api_key=Secret(key)), model)


# How each peer's fixture, vendor, path, key and model are called.
PEERS = {
    "openai-llama": ("model", "local", "/v1", LLAMA_KEY, "tiny"),
    "anthropic-llama": ("model", "anthropic", "", LLAMA_KEY, "tiny"),
    "ollama-proxy": ("proxy", "ollama", "", KEY, "llama/tiny"),
    "gemini-llmock": ("mock", "google", "/gemini", KEY, "gemini-2.0-flash"),
    "openai-llmock": ("mock", "openai", "/v1", KEY, "gpt-4o-mini"),
    "anthropic-llmock": ("mock", "anthropic", "/anthropic", KEY, "claude-haiku-4-5-20251001"),
}
MOCKED = [name for name in PEERS if name.endswith("llmock")]
LLAMA = ["openai-llama", "anthropic-llama"]


def _open(name: str, request: pytest.FixtureRequest, key: str | None = None, fixture: str = "") -> Peer:
    usual_fixture, vendor, path, usual, model = PEERS[name]
    root = request.getfixturevalue(fixture or usual_fixture)
    return _peer(VENDORS[vendor], root + path, key or usual, model)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Peer:
    return _open(request.param, request)


def every(names: Iterable[str] = tuple(PEERS)) -> pytest.MarkDecorator:
    """The test with each of these peers."""
    return pytest.mark.parametrize("peer", [_marked(name) for name in names], indirect=True)


def _marked(name: str) -> Any:
    return name if name in MOCKED else pytest.param(name, marks=pytest.mark.local)


# --- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every()
def test_a_question_is_answered_with_text_usage_and_a_reason_to_stop(peer: Peer, stream: bool) -> None:
    asked = question(
        model=peer.model, system="Be brief.", stream=stream, temperature=0.0, max_tokens=8, top_p=0.9, seed=1
    )
    outcome, text = ask(peer.wire, peer.endpoint, asked)
    reply = answered(outcome)
    assert reply.text.strip()
    assert reply.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)
    assert reply.usage.input_tokens and reply.usage.input_tokens > 0
    assert reply.usage.output_tokens and reply.usage.output_tokens > 0
    assert text == (reply.text if stream else "")


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every()
def test_a_conversation_is_continued_and_all_of_it_is_read(peer: Peer, stream: bool) -> None:
    turns = (assistant("The capital of France is Paris."), user("And of Italy? One word."))
    inputs = []
    for following in ((), turns):
        asked = question(
            "What is the capital of France?", model=peer.model, stream=stream, max_tokens=8, turns=following
        )
        reply = answered(ask(peer.wire, peer.endpoint, asked)[0])
        assert reply.text.strip()
        inputs.append(reply.usage.input_tokens or 0)
    assert inputs[1] >= inputs[0] + 10


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(LLAMA)
def test_an_answer_that_reached_its_limit_says_so_and_counts_its_tokens(peer: Peer, stream: bool) -> None:
    outcome, _ = ask(peer.wire, peer.endpoint, question(model=peer.model, stream=stream, max_tokens=3))
    reply = answered(outcome)
    assert (reply.finish_reason, reply.usage.output_tokens) == (FinishReason.LENGTH, 3)


@every()
def test_the_models_on_offer_are_listed(peer: Peer) -> None:
    head, pieces = exchange(peer.wire.list_models(peer.endpoint))
    page = peer.wire.decode_models(head, b"".join(pieces), peer.endpoint)
    assert isinstance(page, ModelPage)
    assert page.models and all(model.id for model in page.models)
    if peer.endpoint.vendor.wire == "gemini":
        assert all(not model.id.startswith("models/") for model in page.models)
        assert all(model.context_tokens for model in page.models)


# --- tools ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(MOCKED)
def test_a_conversation_with_calls_comes_to_its_answer(peer: Peer, mock: str, stream: bool) -> None:
    cities = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Oslo", 'Tromsø "N"')]
    queue(mock, {"type": "reply", "tool_calls": cities})
    asked = question("How warm is it?", model=peer.model, stream=stream)
    reply = answered(ask(peer.wire, peer.endpoint, with_weather(asked))[0])
    assert [{"name": c.name, "arguments": json.loads(c.arguments)} for c in reply.calls] == cities
    assert len({call.id for call in reply.calls}) == 2
    # By itself it calls a tool until a result is there.
    last = answered(ask(peer.wire, peer.endpoint, with_weather(asked, *told(reply, "18", "9")))[0])
    assert last.text and not last.calls


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(MOCKED)
def test_arguments_that_are_no_json_are_handed_on_and_taken_back(peer: Peer, mock: str, stream: bool) -> None:
    queue(mock, {"type": "tool_fault", "kind": "malformed_arguments"})
    asked = question("How warm is it?", model=peer.model, stream=stream)
    reply = answered(ask(peer.wire, peer.endpoint, with_weather(asked))[0])
    assert [call.name for call in reply.calls] == ["get_weather"]
    last = answered(ask(peer.wire, peer.endpoint, with_weather(asked, *told(reply, "no JSON")))[0])
    assert last.text


@every(["openai-llama", "anthropic-llama"])
def test_a_real_server_takes_a_conversation_with_calls(peer: Peer) -> None:
    """Its template knows no tools: it ignores them, and answers."""
    turn = {
        "openai": b'{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":'
        b'{"name":"get_weather","arguments":"{}"}}]}',
        "anthropic": b'{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"get_weather",'
        b'"input":{}}]}',
    }[peer.endpoint.vendor.wire]
    call = ToolCall(id="a", name="get_weather")
    turns = (ModelTurn(raw=turn, calls=(call,)), ToolResults(results=(ToolResult(call, "18 degrees"),)))
    asked = question("How warm is it?", model=peer.model, max_tokens=1)
    for choice in ("auto", "none"):
        answered(ask(peer.wire, peer.endpoint, with_weather(asked, *turns, choice=choice))[0])


# --- shapes ------------------------------------------------------------------------------------

FACTS = Schema(
    name="facts",
    json={
        "type": "object",
        "properties": {
            "year": {"type": "integer", "minimum": 1800, "maximum": 1899},
            "day": {"type": "string", "format": "date"},
            "kind": {"type": "string", "enum": ["novel", "poem"]},
            "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}$"},
            "words": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 2},
            "read": {"type": ["boolean", "null"]},
        },
        "required": ["year", "day", "kind", "code", "words"],
        "additionalProperties": False,
    },
)


def _shaped(peer: Peer, schema: Schema, text: str, stream: bool, **settings: Any) -> Request:
    asked = question(Text(text=text), model=peer.model, stream=stream, temperature=0.0, **settings)
    return msgspec.structs.replace(asked, schema=schema)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(["openai-llama"])
def test_a_real_server_enforces_types_ranges_of_numbers_enums_patterns_and_lengths(
    peer: Peer, stream: bool
) -> None:
    asked = _shaped(peer, FACTS, "Facts about A Christmas Carol of 1843.", stream, max_tokens=160)
    outcome, text = ask(peer.wire, peer.endpoint, asked)
    reply = answered(outcome)
    assert reply.finish_reason is FinishReason.STOP
    jsonschema.validate(json.loads(reply.text), FACTS.json, format_checker=jsonschema.FormatChecker(["date"]))
    assert text == (reply.text if stream else "")


@every(["openai-llama"])
def test_a_schema_that_a_real_server_cannot_read_is_refused_by_its_name(peer: Peer) -> None:
    odd = Schema(json={"type": "object", "properties": {"x": {"$ref": "https://elsewhere.invalid/x.json"}}})
    failure = failed(ask(peer.wire, peer.endpoint, _shaped(peer, odd, "x", False))[0])
    assert (failure.kind, failure.parameter) == (K.BAD_REQUEST, "schema")


@every(["openai-llama"])
def test_the_embedded_models_answer_ends_and_fits_where_the_schema_sets_no_limits(peer: Peer) -> None:
    loose = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["title", "date", "tags", "score"],
        "additionalProperties": False,
    }
    asked = _shaped(peer, Schema(json=loose), "A Christmas Carol, by Charles Dickens.", False)
    asked = msgspec.structs.replace(asked, model=ModelRef("local", "smollm2"))
    reply = answered(ask(peer.wire, peer.endpoint, asked)[0])
    assert reply.finish_reason is FinishReason.STOP
    jsonschema.validate(json.loads(reply.text), loose, format_checker=jsonschema.FormatChecker(["date"]))


@every()
def test_a_shape_is_no_hindrance_to_any_server(peer: Peer) -> None:
    answered(ask(peer.wire, peer.endpoint, _shaped(peer, FACTS, "Facts.", False, max_tokens=60))[0])


# --- refusals of a real model's server --------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.local
@pytest.mark.parametrize("name", LLAMA)
def test_a_wrong_key_takes_the_lane_down(name: str, stream: bool, request: pytest.FixtureRequest) -> None:
    peer = _open(name, request, key="wrong-key-0000")
    outcome, _ = ask(peer.wire, peer.endpoint, question(model=peer.model, stream=stream))
    failure = failed(outcome)
    assert (failure.kind, failure.lane_down, failure.status) == (K.UNAVAILABLE, True, 401)
    assert "wrong-key-0000" not in failure.message


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(LLAMA)
def test_a_prompt_that_is_too_long_is_a_bad_request(peer: Peer, stream: bool) -> None:
    asked = question(model=peer.model, system="word " * 2000, stream=stream)
    failure = failed(ask(peer.wire, peer.endpoint, asked)[0])
    assert (failure.kind, failure.retry, failure.lane_down) == (K.BAD_REQUEST, False, False)


@every(LLAMA)
def test_a_picture_for_a_model_that_cannot_see_is_a_bad_request(peer: Peer) -> None:
    failure = failed(ask(peer.wire, peer.endpoint, question(image(), model=peer.model))[0])
    assert (failure.kind, failure.retry, failure.lane_down) == (K.BAD_REQUEST, False, False)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@every(["ollama-proxy"])
def test_what_ollamas_server_cannot_do_is_a_failure_in_either_form(peer: Peer, stream: bool) -> None:
    unknown = failed(ask(peer.wire, peer.endpoint, question(model="nowhere/x", stream=stream))[0])
    assert (unknown.kind, unknown.status) == (K.BAD_REQUEST, 400)
    # Refused by the server behind it: a 502, or a line with an error after a 200.
    asked = question(model=peer.model, system="word " * 2000, stream=stream)
    assert failed(ask(peer.wire, peer.endpoint, asked)[0]).message


# --- refusals on demand -----------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(
    ("status", "kind", "retry", "lane_down"),
    [
        (400, K.BAD_REQUEST, False, False),
        (401, K.UNAVAILABLE, True, True),
        (402, K.UNAVAILABLE, True, True),
        (403, K.UNAVAILABLE, True, True),
        (404, K.BAD_REQUEST, False, False),
        (408, K.SERVER, True, False),
        (413, K.BAD_REQUEST, False, False),
        (429, K.RATE_LIMIT, True, False),
        (500, K.SERVER, True, False),
        (502, K.SERVER, True, False),
        (504, K.SERVER, True, False),
        (529, K.RATE_LIMIT, True, False),
    ],
)
@every(MOCKED)
def test_a_refusal_is_placed_by_every_wire_alike(
    peer: Peer, mock: str, status: int, kind: FailureKind, retry: bool, lane_down: bool, stream: bool
) -> None:
    queue(mock, {"type": "fail", "status": status, "message": "Sorry."})
    failure = failed(ask(peer.wire, peer.endpoint, question(model=peer.model, stream=stream))[0])
    assert (failure.kind, failure.retry, failure.lane_down) == (kind, retry, lane_down)
    assert (failure.status, failure.message) == (status, "Sorry.")


@every(MOCKED)
def test_the_time_to_wait_is_read_from_the_reply(peer: Peer, mock: str) -> None:
    queue(mock, {"type": "fail", "status": 429, "retry_after": 0.25})
    failure = failed(ask(peer.wire, peer.endpoint, question(model=peer.model))[0])
    assert failure.hints.retry_after_s == 0.25
    answered(ask(peer.wire, peer.endpoint, question(model=peer.model))[0])


@pytest.mark.parametrize("name", MOCKED)
def test_a_quota_that_is_used_up_says_when_it_is_back(name: str, request: pytest.FixtureRequest) -> None:
    peer = _open(name, request, fixture="tight")
    first, second, third = (ask(peer.wire, peer.endpoint, question(model=peer.model))[0] for _ in range(3))
    hints = answered(first).hints, answered(second).hints, failed(third).hints
    assert failed(third).kind is K.RATE_LIMIT
    assert hints[2].retry_after_s is not None and 0 < hints[2].retry_after_s <= 30
    # Google's wire states budgets only in the details of its own refusals.
    if peer.endpoint.vendor.wire != "gemini":
        stated = [next(b for b in hint.budgets if b.resource is Resource.REQUESTS) for hint in hints]
        assert [(budget.limit, budget.remaining) for budget in stated] == [(2, 1), (2, 0), (2, 0)]


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
@every(MOCKED)
def test_a_broken_stream_is_a_failure_with_the_text_so_far(peer: Peer, mock: str, kind: str) -> None:
    words = "one two three four five six seven eight nine ten"
    fault = {"type": "stream_fault", "kind": kind, "after_chunks": 5}
    queue(mock, {"type": "reply", "text": words}, fault)
    outcome, text = ask(peer.wire, peer.endpoint, question(model=peer.model, stream=True))
    failure = failed(outcome)
    assert (failure.kind, failure.retry) == (K.SERVER, True)
    assert (failure.partial or "") == text
    assert text != words and words.startswith(text)


@every(MOCKED)
def test_an_answer_that_was_cut_and_one_that_was_blocked_are_told_apart(peer: Peer, mock: str) -> None:
    queue(
        mock,
        {"type": "reply", "text": "Once", "finish_reason": "length"},
        {"type": "reply", "text": "Once", "finish_reason": "content_filter"},
    )
    assert (
        answered(ask(peer.wire, peer.endpoint, question(model=peer.model))[0]).finish_reason
        is FinishReason.LENGTH
    )
    blocked = failed(ask(peer.wire, peer.endpoint, question(model=peer.model))[0])
    assert (blocked.kind, blocked.retry, blocked.partial) == (K.BAD_REQUEST, False, "Once")


# --- the servers themselves -------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="open ports are looked up in /proc")
@pytest.mark.local
@pytest.mark.parametrize("fixture", ["mock", "model", "proxy"])
def test_the_servers_listen_on_this_machine_only(fixture: str, request: pytest.FixtureRequest) -> None:
    assert is_loopback_only(request.getfixturevalue(fixture))
