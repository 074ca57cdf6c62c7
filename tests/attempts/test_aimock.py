"""aimock, a provider that others wrote in Node.js: all its wires, unary and streamed; then whole runs."""

from __future__ import annotations

import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from peers import AIMOCK, NODE, aimock, ask
from provider import environment
from umwelten.providers.protocol import Endpoint, Wire
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import FailureKind, FinishReason, Secret
from wirekit import KEY, answered, failed, question, told, with_weather

REQUIRED = os.environ.get("UMWELTEN_TEST_NODE") == "required"
MISSING = NODE is None or not AIMOCK.exists()
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(MISSING and not REQUIRED, reason="no aimock here: make node installs it"),
]
K = FailureKind
PATHS = {
    "openai": "/v1",
    "openrouter": "/api/v1",
    "lmstudio": "/v1",
    "anthropic": "",
    "google": "",
    "ollama": "",
}
WORDS = "one two three four five six seven eight nine ten"
LETTERS = 'Grüße 👋 "quoted"\n\ttabbed \\ and 日本語'
TOOL = {"name": "get_weather", "arguments": {"city": "Oslo"}}


def says(asked: str, **response: Any) -> dict[str, Any]:
    return {"match": {"userMessage": asked}, "response": response}


def refuses(status: int, kind: str, code: str | None = None) -> dict[str, Any]:
    return says(f"refuse {status}", error={"message": "Sorry.", "type": kind, "code": code}, status=status)


USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "input_tokens": 11,
    "output_tokens": 7,
}
FIXTURES = [
    says("plain", content=WORDS, usage=USAGE),
    says("letters", content=LETTERS),
    says("long", content=WORDS * 2000),
    says("limit", content="Once", finishReason="length"),
    says("filter", content="Once", finishReason="content_filter"),
    says("tool", toolCalls=[TOOL]),
    says("half", content="Let me look.", toolCalls=[TOOL]),
    says("weather", content="It is 18 in Oslo and 9 in Bergen.")
    | {"match": {"toolResultContains": "9 degrees"}},
    says("weather", content="Before that:", toolCalls=[TOOL, {**TOOL, "arguments": {"city": "Bergen"}}]),
    says("thought", content="Yes.", reasoning="Let me think."),
    says("nothing", content="\n "),
    says("record", content={"title": "Oslo"}),
    refuses(400, "invalid_request_error"),
    refuses(401, "invalid_request_error", "invalid_api_key"),
    refuses(404, "invalid_request_error", "model_not_found"),
    refuses(429, "rate_limit_error"),
    refuses(500, "server_error"),
    refuses(503, "server_error"),
]


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with aimock(FIXTURES, "--chunk-size", "4") as root:
        yield root


@pytest.fixture(params=list(PATHS))
def place(request: pytest.FixtureRequest, mock: str) -> tuple[Wire, Endpoint]:
    vendor = VENDORS[request.param]
    return WIRES[vendor.wire], Endpoint(
        vendor=vendor, base_url=mock + PATHS[request.param], api_key=Secret(KEY)
    )


def both(place: tuple[Wire, Endpoint], asked: str) -> Iterator[tuple[Any, str | None]]:
    """The outcome of a unary and of a streamed request; with the streamed one, the text as it came."""
    for stream in (False, True):
        outcome, text = ask(*place, question(asked, model="m", stream=stream))
        yield outcome, text if stream else None


@pytest.mark.parametrize(
    ("asked", "text"), [("plain", WORDS), ("letters", LETTERS), ("long", WORDS * 2000)], ids=lambda x: x[:9]
)
def test_text_arrives_as_it_was_sent(place: tuple[Wire, Endpoint], asked: str, text: str) -> None:
    for outcome, streamed in both(place, asked):
        reply = answered(outcome)
        assert (reply.text, reply.finish_reason) == (text, FinishReason.STOP)
        assert streamed in (None, text)


def test_tokens_are_those_that_were_stated(place: tuple[Wire, Endpoint]) -> None:
    for outcome, _ in both(place, "plain"):
        usage = answered(outcome).usage
        # On Ollama's wire aimock counts nothing and says 0.
        known = (None, None) if place[1].vendor.wire == "ollama" else (11, 7)
        assert (usage.input_tokens, usage.output_tokens) == known


# aimock's name for it on Ollama's wire is not Ollama's.
@pytest.mark.parametrize("place", [name for name in PATHS if name != "ollama"], indirect=True)
def test_thinking_is_kept_apart(place: tuple[Wire, Endpoint]) -> None:
    for outcome, streamed in both(place, "thought"):
        reply = answered(outcome)
        assert (reply.text, reply.reasoning) == ("Yes.", "Let me think.")
        assert streamed in (None, "Yes.")


# On Ollama's wire aimock ends every answer with `stop`.
@pytest.mark.parametrize("place", [name for name in PATHS if name != "ollama"], indirect=True)
def test_a_limit_and_a_filter_are_told_apart(place: tuple[Wire, Endpoint]) -> None:
    for outcome, _ in both(place, "limit"):
        assert answered(outcome).finish_reason is FinishReason.LENGTH
    for outcome, _ in both(place, "filter"):
        failure = failed(outcome)
        assert (failure.kind, failure.retry) == (K.BAD_REQUEST, False)


def test_nothing_is_never_an_answer(place: tuple[Wire, Endpoint]) -> None:
    for outcome, _ in both(place, "nothing"):
        assert failed(outcome).kind is K.EMPTY


@pytest.mark.parametrize("asked", ["tool", "half"])
def test_a_call_of_a_tool_is_never_an_answer(place: tuple[Wire, Endpoint], asked: str) -> None:
    for outcome, _ in both(place, asked):
        failure = failed(outcome)
        assert (failure.kind, failure.code, failure.retry) == (K.BAD_REQUEST, "tool_calls", False)
        assert "get_weather" in failure.message
        assert failure.partial == ("Let me look." if asked == "half" else None)


def test_a_conversation_with_calls_comes_to_its_answer(place: tuple[Wire, Endpoint]) -> None:
    for stream in (False, True):
        asked = question("weather", model="m", stream=stream)
        reply = answered(ask(*place, with_weather(asked))[0])
        assert [(call.name, json.loads(call.arguments)["city"]) for call in reply.calls] == [
            ("get_weather", "Oslo"),
            ("get_weather", "Bergen"),
        ]
        assert (reply.text, reply.finish_reason) == ("Before that:", FinishReason.TOOL)
        turns = told(reply, "18 degrees", "9 degrees")
        last = answered(ask(*place, with_weather(asked, *turns))[0])
        assert (last.text, last.calls) == ("It is 18 in Oslo and 9 in Bergen.", ())


@pytest.mark.parametrize(
    ("status", "kind", "retry", "lane_down"),
    [
        (400, K.BAD_REQUEST, False, False),
        (401, K.UNAVAILABLE, True, True),
        (404, K.BAD_REQUEST, False, False),
        (429, K.RATE_LIMIT, True, False),
        (500, K.SERVER, True, False),
        (503, K.SERVER, True, False),
    ],
)
def test_a_refusal_is_placed_by_every_wire_alike(
    place: tuple[Wire, Endpoint], status: int, kind: FailureKind, retry: bool, lane_down: bool
) -> None:
    for outcome, _ in both(place, f"refuse {status}"):
        failure = failed(outcome)
        assert (failure.kind, failure.retry, failure.lane_down) == (kind, retry, lane_down)
        assert (failure.status, failure.message) == (status, "Sorry.")


# --- whole runs -------------------------------------------------------------------------------

MODELS = ("openai:m", "openrouter:m", "google:m", "anthropic:m", "ollama:m")
FILES = 12


def journal(root: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{root}/__aimock/journal?limit=10000", timeout=10) as reply:
        return list(json.load(reply))


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_a_run_survives_chaos_and_books_what_the_provider_booked(cli, tmp_path, stream: bool) -> None:
    """One request in five fails: with 500, with JSON that is none, or without a word."""
    (tmp_path / "in").mkdir()
    for number in range(FILES):
        (tmp_path / "in" / f"{number}.txt").write_text(f"plain {number}")
    chaos = ("--chaos-drop", "0.07", "--chaos-malformed", "0.07", "--chaos-disconnect", "0.06")
    with aimock(FIXTURES, *chaos) as root:
        env = environment(urlsplit(root).port or 0)
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", ",".join(MODELS), "-i", "c", "--directory", "in"),
            *("--progress", "none", "--retries", "20", "--max-concurrency", "16"),
            *(("--stream",) if stream else ()),
            env=env,
        )
        assert code == 0, err
        booked = Counter(entry["response"]["status"] for entry in journal(root))
    code, out, err = cli("eval", "report", "-i", "c", "--format", "json")
    report = json.loads(out)
    assert report["summary"]["succeeded"] == FILES * len(MODELS)
    attempts = sum(result["metrics"]["attempts"] for result in report["results"])
    # Status 0 is a connection closed without a word. On an old one, the request goes out again uncounted.
    assert 0 <= sum(booked.values()) - attempts <= booked[0], booked
    answers = [path.read_text() for path in (tmp_path / "output" / "c").rglob("*.txt")]
    assert len(answers) == FILES * len(MODELS)
    assert set(answers) == {WORDS}


def test_records_are_read_on_every_wire(cli, tmp_path) -> None:
    with aimock(FIXTURES) as root:
        env = environment(urlsplit(root).port or 0)
        code, _, err = cli(
            *("eval", "run", "-p", "record", "-m", ",".join(MODELS), "-i", "r", "--schema", "title"),
            *("--progress", "none"),
            env=env,
        )
    assert code == 0, err
    records = [json.loads(path.read_text()) for path in (tmp_path / "output" / "r").rglob("*.json")]
    assert records == [{"title": "Oslo"}] * len(MODELS)
