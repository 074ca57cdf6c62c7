"""Chat completions: what is sent and what is read, held against the vendors' own packages."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import pairwise
from typing import Any

import openai
import openrouter.components as router
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from umwelten.errors import InputError
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Endpoint, Head, ModelPage
from umwelten.providers.vendors import VENDORS
from umwelten.types import (
    Failure,
    FailureKind,
    FinishReason,
    Media,
    ModelRef,
    Outcome,
    Parameters,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Usage,
)
from wirekit import user

WIRE = OpenAIChat()
NOW = 1_795_514_400.0
PNG = Media(mime="image/png", data=b"\x89PNG\r\n", name="a.png")
PDF = Media(mime="application/pdf", data=b"%PDF-1.7", name="a.pdf")
WAV = Media(mime="audio/wav", data=b"RIFF", name="a.wav")
MP4 = Media(mime="video/mp4", data=b"ftyp", name="a.mp4")


def endpoint(vendor: str = "openai", base_url: str | None = None) -> Endpoint:
    row = VENDORS[vendor]
    return Endpoint(vendor=row, base_url=base_url or row.base_url, api_key=Secret("sk-test-key"))


def head(status: int = 200, **headers: str) -> Head:
    return Head(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, now_unix=NOW)


def request(*parts: Part, model: str = "openai:gpt-4o", stream: bool = False, **settings: Any) -> Request:
    provider, name = model.split(":", 1)
    system = settings.pop("system", None)
    return Request(
        model=ModelRef(provider, name),
        messages=(user(*parts or ("Hello",)),),
        system=system,
        parameters=Parameters(**settings),
        stream=stream,
    )


def sent(asked: Request, vendor: str = "openai", dropped: frozenset[str] = frozenset()) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WIRE.encode(asked, endpoint(vendor), dropped).body or b"")
    return found


def decode(body: object, status: int = 200, vendor: str = "openai", **headers: str) -> Outcome:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WIRE.decode(head(status, **headers), data, endpoint(vendor))


def reply(body: object, vendor: str = "openai") -> Reply:
    outcome = decode(body, vendor=vendor)
    assert isinstance(outcome, Reply), outcome
    return outcome


def failure(body: object, status: int = 200, vendor: str = "openai", **headers: str) -> Failure:
    outcome = decode(body, status, vendor, **headers)
    assert isinstance(outcome, Failure), outcome
    return outcome


def streamed(data: bytes, vendor: str = "openai", size: int | None = None) -> tuple[str, Outcome]:
    decoder = WIRE.stream(head(), endpoint(vendor))
    size = size or len(data) or 1
    text = "".join(decoder.feed(data[i : i + size]) for i in range(0, len(data), size))
    return text, decoder.finish()


# --- what is sent ----------------------------------------------------------------------------

REQUESTS = [
    request(),
    request(Text(text="a"), Text(text="b"), system="Be brief."),
    request(temperature=0.0, max_tokens=10, top_p=0.5, seed=7),
    request(Text(text="what?"), PNG, temperature=1),
    request(PDF, Text(text="what?"), WAV),
    request(stream=True, max_tokens=3),
    request(extra={"reasoning_effort": "low", "stop": ["x"], "frequency_penalty": 0.1}),
]


@pytest.mark.parametrize("asked", REQUESTS)
def test_what_is_sent_is_what_openais_own_types_allow(asked: Request) -> None:
    body = sent(asked)
    shape = CompletionCreateParamsStreaming if asked.stream else CompletionCreateParamsNonStreaming
    TypeAdapter(shape).validate_python(body)
    # A typed dict lets unknown keys pass, and an Iterable is not looked into: both are checked here.
    known = set().union(*(kind.__annotations__ for kind in shape.__mro__ if hasattr(kind, "__annotations__")))
    assert set(body) <= set(TypeAdapter(shape).json_schema()["properties"]) | known
    messages = TypeAdapter(list[ChatCompletionMessageParam]).validate_python(body["messages"], strict=True)
    assert [dict(message)["role"] for message in messages][-1] == "user"


@pytest.mark.parametrize("asked", [*REQUESTS, request(MP4, Text(text="what?"))])
def test_what_is_sent_is_what_openrouters_own_types_allow(asked: Request) -> None:
    body = sent(asked, "openrouter")
    parsed = router.ChatRequest.model_validate(body)
    again = parsed.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert set(body) == set(again)
    assert again["messages"] == body["messages"]


def test_words_alone_are_one_string_joined_by_blank_lines() -> None:
    body = sent(request(Text(text="a"), Text(text="b"), system="s"))
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a\n\nb"},
    ]


def test_files_are_sent_as_data_urls_in_the_order_of_the_parts() -> None:
    content = sent(request(PNG, Text(text="t"), PDF, WAV))["messages"][0]["content"]
    url = "data:image/png;base64," + base64.b64encode(PNG.data).decode()
    assert content[0] == {"type": "image_url", "image_url": {"url": url}}
    assert content[1] == {"type": "text", "text": "t"}
    assert content[2]["file"]["filename"] == "a.pdf"
    assert content[2]["file"]["file_data"].startswith("data:application/pdf;base64,")
    assert content[3]["input_audio"] == {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}


def test_a_file_that_the_wire_cannot_carry_is_named() -> None:
    odd = Media(mime="application/zip", data=b"PK", name="a.zip")
    with pytest.raises(InputError, match=r"a\.zip: application/zip"):
        sent(request(odd))


def test_settings_left_out_are_not_sent_and_zero_is() -> None:
    assert set(sent(request())) == {"model", "messages"}
    assert sent(request(temperature=0.0))["temperature"] == 0.0


@pytest.mark.parametrize(
    ("vendor", "field"),
    [
        ("openai", "max_completion_tokens"),
        ("openrouter", "max_tokens"),
        ("lmstudio", "max_tokens"),
        ("mistral", "max_tokens"),
        ("fireworks", "max_tokens"),
    ],
)
def test_the_longest_answer_is_asked_for_under_the_vendors_name(vendor: str, field: str) -> None:
    body = sent(request(max_tokens=9), vendor)
    assert {name for name in body if name.startswith("max_")} == {field}
    assert body[field] == 9


def test_a_compatible_server_behind_openais_prefix_gets_the_old_name() -> None:
    for url, field in [
        ("http://127.0.0.1:9/v1", "max_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://notapi.openai.com.example/v1", "max_tokens"),
    ]:
        made = WIRE.encode(request(max_tokens=9), endpoint("openai", url))
        assert field in json.loads(made.body or b"")


def test_dropped_fields_are_left_out_and_the_longest_answer_is_renamed() -> None:
    asked = request(temperature=1, top_p=1, seed=1, max_tokens=5, extra={"stop": "x"}, stream=True)
    dropped = frozenset({"temperature", "top_p", "seed", "max_tokens", "stop", "stream_options"})
    assert sent(asked, "openai", dropped) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 5,
        "stream": True,
    }
    assert sent(asked, "lmstudio", dropped)["max_completion_tokens"] == 5
    assert "random_seed" not in sent(asked, "mistral", frozenset({"seed"}))


def test_vendors_quirks_are_kept() -> None:
    mistral = sent(request(seed=4, stream=True), "mistral")
    assert mistral["random_seed"] == 4 and "seed" not in mistral and "stream_options" not in mistral
    assert "stream_options" not in sent(request(stream=True), "together")
    assert sent(request(), "fireworks")["context_length_exceeded_behavior"] == "error"
    assert sent(request(stream=True))["stream_options"] == {"include_usage": True}
    assert WIRE.encode(request(), endpoint("openrouter")).headers["X-Title"] == "umwelten"


def test_extra_settings_are_sent_on_top_level_and_win() -> None:
    body = sent(request(temperature=1, extra={"temperature": 0.3, "top_k": 5, "stream": True}))
    assert (body["temperature"], body["top_k"]) == (0.3, 5)
    assert "stream" not in body, "whether the reply streams is not for extra settings to say"


def test_a_key_is_a_bearer_and_without_one_no_header_is_sent() -> None:
    made = WIRE.encode(request(), endpoint("openai"))
    assert made.headers["Authorization"] == "Bearer sk-test-key"
    assert "sk-test-key" not in repr(made)
    bare = Endpoint(vendor=VENDORS["local"], base_url="http://127.0.0.1:1/v1/")
    made = WIRE.encode(request(), bare)
    assert "Authorization" not in made.headers
    assert made.url == "http://127.0.0.1:1/v1/chat/completions"


@pytest.mark.parametrize("stream", [False, True])
def test_the_official_client_sends_the_same_body_to_the_same_place(stream: bool) -> None:
    asked = request(Text(text="what?"), PNG, system="s", temperature=0.5, max_tokens=5, seed=2, stream=stream)
    made = WIRE.encode(asked, endpoint("openai"))
    ours = json.loads(made.body or b"")
    path, headers, theirs = asyncio.run(_captured(ours))
    assert theirs == ours
    assert made.url == f"https://api.openai.com{path}"
    assert made.headers["Authorization"] == headers["Authorization"]
    assert made.headers["Content-Type"] == headers["Content-Type"]


async def _captured(body: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Path, headers and body that the official client makes of these arguments."""
    seen: list[tuple[str, dict[str, str], Any]] = []

    async def record(asked: web.Request) -> web.Response:
        seen.append((asked.path, dict(asked.headers), await asked.json()))
        return web.Response(status=400, text="{}", content_type="application/json")

    app = web.Application()
    app.router.add_post("/{tail:.*}", record)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with openai.AsyncOpenAI(
            api_key="sk-test-key", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0
        ) as client:
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(**body)
    finally:
        await runner.cleanup()
    return seen[0]


# --- what is read: whole replies -------------------------------------------------------------


def completion(
    content: str | None = "Hi", finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any
) -> dict[str, Any]:
    """A reply as the official package builds it."""
    built = ChatCompletion.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish,
                    "logprobs": None,
                    "message": {"role": "assistant", "content": content, "refusal": None, **message},
                }
            ],
            "usage": usage or {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        }
    )
    dumped: dict[str, Any] = json.loads(built.model_dump_json())
    return dumped


def raw(finish: object = "stop", content: object = "Hi", **top: Any) -> dict[str, Any]:
    """A reply with what the official types do not allow and vendors send all the same."""
    return {"choices": [{"message": {"content": content}, "finish_reason": finish}], **top}


def test_an_official_completion_is_read() -> None:
    usage = CompletionUsage.model_validate(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 40},
        }
    )
    outcome = decode(completion(usage=usage.model_dump()), x_request_id="req_1")
    assert outcome == Reply(
        text="Hi",
        finish_reason=FinishReason.STOP,
        usage=Usage(input_tokens=100, output_tokens=50, cached_tokens=64, reasoning_tokens=40),
        served_model="gpt-4o-2024-08-06",
        request_id="req_1",
    )


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL),
        ("function_call", FinishReason.TOOL),
        ("something_new", FinishReason.UNKNOWN),
        (None, FinishReason.UNKNOWN),
    ],
)
def test_finish_reasons_have_one_vocabulary(word: object, reason: FinishReason) -> None:
    assert reply(raw(word)).finish_reason is reason


@pytest.mark.parametrize("word", ["error", "insufficient_system_resource", "abort", "repetition"])
def test_a_broken_answer_is_a_server_failure_that_is_retried(word: str) -> None:
    found = failure(raw(word, usage={"prompt_tokens": 5, "completion_tokens": 1}))
    assert (found.kind, found.retry, found.code) == (FailureKind.SERVER, True, word)
    assert found.partial == "Hi"
    assert found.usage.input_tokens == 5


def test_blocked_content_and_refusals_are_failures_that_are_not_retried() -> None:
    for body in (completion(finish="content_filter"), completion(None, refusal="I can't.")):
        found = failure(body)
        assert (found.kind, found.retry) == (FailureKind.BAD_REQUEST, False)
        assert found.message.startswith("blocked")
        assert found.usage.input_tokens == 9
    assert "I can't." in failure(completion(None, refusal="I can't.")).message


def test_an_answer_that_was_cut_before_it_began_is_empty_and_was_paid_for() -> None:
    for content in (None, ""):
        found = failure(completion(content, finish="length"))
        assert (found.kind, found.retry) == (FailureKind.EMPTY, False)
        assert found.usage.output_tokens == 3


def test_content_may_be_a_list_of_pieces() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    found = reply(raw(content=content), "mistral")
    assert (found.text, found.reasoning) == ("ab", "hm")


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_is_kept_apart_from_the_answer(field: str) -> None:
    body = {"choices": [{"message": {"content": "4", field: "2+2"}, "finish_reason": "stop"}]}
    found = reply(body)
    assert (found.text, found.reasoning) == ("4", "2+2")


@pytest.mark.parametrize(
    ("vendor", "usage", "expected"),
    [
        ("openai", {"prompt_tokens": 7, "completion_tokens": 2}, Usage(input_tokens=7, output_tokens=2)),
        (
            "xai",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 115,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(input_tokens=10, output_tokens=105, reasoning_tokens=100),
        ),
        (
            "xai",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(input_tokens=10, output_tokens=105, reasoning_tokens=100),
        ),
        (
            "xai",
            {
                "prompt_tokens": 10,
                "completion_tokens": 105,
                "total_tokens": 115,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(input_tokens=10, output_tokens=105, reasoning_tokens=100),
        ),
        (
            "openai",
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40},
            Usage(input_tokens=10, output_tokens=30, reasoning_tokens=25),
        ),
        (
            "deepseek",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "prompt_cache_hit_tokens": 8,
                "prompt_cache_miss_tokens": 2,
            },
            Usage(input_tokens=10, output_tokens=5, cached_tokens=8),
        ),
        (
            "openrouter",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "cost": 0.00123,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6},
            },
            Usage(
                input_tokens=10,
                output_tokens=5,
                cached_tokens=4,
                cache_write_tokens=6,
                cost_nusd=1_230_000,
            ),
        ),
        (
            "openrouter",
            {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
            Usage(cost_nusd=21_000_000),
        ),
        ("openrouter", {"cost": 0}, Usage(cost_nusd=0)),
        ("openai", {"prompt_tokens": "7", "completion_tokens": -1, "cost": "free"}, Usage()),
        ("openai", {"prompt_tokens": True, "completion_tokens": 2.0}, Usage(output_tokens=2)),
        ("openai", {"prompt_tokens": 10**30, "prompt_tokens_details": []}, Usage()),
        ("openai", None, Usage()),
        ("openai", [], Usage()),
    ],
)
def test_usage_of_every_vendor(vendor: str, usage: object, expected: Usage) -> None:
    assert reply(raw(usage=usage), vendor).usage == expected


def test_groqs_usage_may_sit_elsewhere() -> None:
    body = raw(x_groq={"usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    assert reply(body, "groq").usage == Usage(input_tokens=3, output_tokens=4)


def test_an_official_openrouter_result_is_read() -> None:
    result = router.ChatResult.model_validate(
        {
            "id": "gen-1",
            "object": "chat.completion",
            "created": 1,
            "model": "openai/gpt-4o",
            "system_fingerprint": None,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "Hi", "reasoning": "hm"},
                }
            ],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "total_tokens": 12,
                "cost": 0.5,
            },
        }
    )
    body = result.model_dump_json(by_alias=True).encode()
    found = WIRE.decode(head(x_request_id="edge"), body, endpoint("openrouter"))
    assert isinstance(found, Reply)
    assert (found.text, found.reasoning, found.request_id) == ("Hi", "hm", "gen-1")
    assert found.usage.cost_nusd == 500_000_000


def test_blank_lines_before_the_body_are_no_part_of_it() -> None:
    assert reply(b"\n\n\n\n" + json.dumps(raw()).encode(), "deepseek").text == "Hi"


def test_bytes_that_are_not_utf8_do_not_cost_the_answer() -> None:
    body = b'{"choices":[{"message":{"content":"a\xff\\ud83d"},"finish_reason":"stop"}]}'
    assert reply(body).text == "a\ufffd\ufffd"


def test_a_server_that_streams_unasked_is_understood() -> None:
    assert reply(sse(*chunks("Hi"))).text == "Hi"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html><head><title>Bad gateway</title></head></html>", "Bad gateway"),
        (b'{"choices":[{"message":{"content":"Hi', "not a chat completion"),
        (b"[]", "not a chat completion"),
        (b"null", "not a chat completion"),
        (b'{"choices":[]}', "no readable answer"),
        (b'{"choices":null}', "no readable answer"),
        (b'{"id":"x"}', "no readable answer"),
        (b'{"choices":[{"message":{"content":null},"finish_reason":null}]}', "no readable answer"),
        (b'{"choices":"none"}', "not a chat completion"),
        (b'{"object":"error","message":"engine died"}', "engine died"),
    ],
)
def test_a_good_status_without_an_answer_is_a_server_failure(body: bytes, said: str) -> None:
    found = failure(body)
    assert (found.kind, found.retry, found.lane_down) == (FailureKind.SERVER, True, False)
    assert said in found.message


@pytest.mark.parametrize(
    ("body", "kind", "lane_down"),
    [
        ({"error": {"code": 429, "message": "slow"}}, FailureKind.RATE_LIMIT, False),
        ({"error": {"code": 502, "message": "bad"}}, FailureKind.SERVER, False),
        ({"error": {"code": 402, "message": "pay"}}, FailureKind.UNAVAILABLE, True),
        ({"error": {"message": "no", "code": "invalid_api_key"}}, FailureKind.UNAVAILABLE, True),
        ({"error": {"message": "no", "type": "rate_limit_exceeded"}}, FailureKind.RATE_LIMIT, False),
        ({"error": "engine failed"}, FailureKind.SERVER, False),
        ({"error": "engine overloaded"}, FailureKind.RATE_LIMIT, False),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, FailureKind.RATE_LIMIT, False),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, FailureKind.UNAVAILABLE, True),
        ({"base_resp": {"status_code": 1008, "status_msg": "balance"}}, FailureKind.UNAVAILABLE, True),
        ({"base_resp": {"status_code": 1000, "status_msg": "unknown"}}, FailureKind.SERVER, False),
        ({"base_resp": {"status_code": 1026, "status_msg": "sensitive"}}, FailureKind.BAD_REQUEST, False),
        ({"base_resp": {"status_code": 1027, "status_msg": "sensitive"}}, FailureKind.BAD_REQUEST, False),
        ({"base_resp": {"status_code": 1001, "status_msg": "timeout"}}, FailureKind.SERVER, False),
        ({"base_resp": {"status_code": 1039, "status_msg": "tokens"}}, FailureKind.RATE_LIMIT, False),
        ({"base_resp": {"status_code": 2013, "status_msg": "params"}}, FailureKind.BAD_REQUEST, False),
        ({"base_resp": {"status_code": 2049, "status_msg": "key"}}, FailureKind.UNAVAILABLE, True),
        ({"base_resp": {"status_code": 2056, "status_msg": "plan"}}, FailureKind.UNAVAILABLE, True),
    ],
)
def test_an_error_inside_a_good_status_is_read_as_what_it_is(
    body: dict[str, Any], kind: FailureKind, lane_down: bool
) -> None:
    found = failure(body)
    assert (found.kind, found.lane_down) == (kind, lane_down)


def test_a_good_base_resp_is_no_error() -> None:
    assert reply(raw(base_resp={"status_code": 0, "status_msg": ""}), "minimax").text == "Hi"


# --- what is read: streams -------------------------------------------------------------------


def chunk(delta: dict[str, Any], finish: str | None = None, **top: Any) -> dict[str, Any]:
    """A chunk as the official package builds it."""
    built = ChatCompletionChunk.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            **top,
        }
    )
    dumped: dict[str, Any] = json.loads(built.model_dump_json())
    return dumped


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def chunks(*texts: str) -> list[dict[str, Any]]:
    return [
        chunk({"role": "assistant", "content": None}),
        *(chunk({"content": text}) for text in texts),
        chunk({}, "stop"),
        chunk({}, choices=[], usage=USAGE),
    ]


def sse(*frames: dict[str, Any], done: bool = True) -> bytes:
    body = b"".join(b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\n\n" for frame in frames)
    return body + (b"data: [DONE]\n\n" if done else b"")


def test_a_stream_of_official_chunks_is_read() -> None:
    text, outcome = streamed(sse(*chunks("Grü", "ße 🌍")))
    assert text == "Grüße 🌍"
    assert outcome == Reply(
        text="Grüße 🌍",
        finish_reason=FinishReason.STOP,
        usage=Usage(input_tokens=9, output_tokens=3),
        served_model="gpt-4o-2024-08-06",
        request_id="chatcmpl-1",
    )


def test_a_stream_is_done_at_its_end_mark_and_not_before() -> None:
    decoder = WIRE.stream(head(), endpoint())
    decoder.feed(sse(*chunks("a"), done=False))
    assert not decoder.done
    decoder.feed(b"data: [DO")
    assert not decoder.done
    decoder.feed(b"NE]\n\n")
    assert decoder.done
    assert decoder.feed(sse(chunk({"content": "late"}))) == ""
    outcome = decoder.finish()
    assert isinstance(outcome, Reply) and outcome.text == "a"


def test_an_end_mark_at_the_very_end_needs_no_empty_line() -> None:
    data = sse(*chunks("a")).rstrip(b"\n")
    assert isinstance(streamed(data)[1], Reply)


def test_a_stream_without_an_end_is_a_failure_with_the_text_so_far() -> None:
    _, outcome = streamed(sse(*chunks("Hel", "lo")[:3], done=False))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.retry, outcome.partial) == (FailureKind.SERVER, True, "Hello")


def test_a_finish_reason_is_an_end_for_servers_that_send_no_mark() -> None:
    _, outcome = streamed(sse(*chunks("Hel", "lo"), done=False))
    assert isinstance(outcome, Reply) and outcome.text == "Hello"


def test_an_empty_stream_is_a_server_failure() -> None:
    for data in (b"", b"\n\n", b": PROCESSING\n\n", b"data: [DONE]\n\n"):
        outcome = streamed(data)[1]
        assert isinstance(outcome, Failure) and outcome.kind is FailureKind.SERVER


def test_comments_keep_a_stream_alive_and_say_nothing() -> None:
    data = b": OPENROUTER PROCESSING\n\n: keep-alive\n\n" + sse(*chunks("a"))
    assert streamed(data)[0] == "a"


def test_thinking_in_a_stream_is_kept_apart() -> None:
    frames = [{"choices": [{"delta": {"reasoning_content": t}}]} for t in ("h", "m")]
    text, outcome = streamed(sse(*frames, *chunks("4")))
    assert text == "4"
    assert isinstance(outcome, Reply) and outcome.reasoning == "hm"


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b'data: {"error":{"code":502,"message":"upstream"}}\n\n', FailureKind.SERVER),
        (b'event: error\ndata: {"error":{"message":"overloaded","code":529}}\n\n', FailureKind.RATE_LIMIT),
        (b'event: error\ndata: {"message":"model crashed"}\n\n', FailureKind.SERVER),
        (b"event: error\ndata: it broke\n\n", FailureKind.SERVER),
        (b'data: {"object":"error","message":"CUDA out of memory"}\n\n', FailureKind.MEMORY),
        (
            b'data: {"id":"x","error":{"code":429,"message":"slow"},"choices":[{"delta":{"content":""},'
            b'"finish_reason":"error"}]}\n\n',
            FailureKind.RATE_LIMIT,
        ),
        (b"data: {broken\n\n", FailureKind.SERVER),
    ],
)
def test_an_error_after_the_stream_began_ends_it_with_the_text_so_far(tail: bytes, kind: FailureKind) -> None:
    decoder = WIRE.stream(head(), endpoint("openrouter"))
    assert decoder.feed(sse(*chunks("Hel", "lo")[:3], done=False)) == "Hello"
    decoder.feed(tail)
    assert decoder.done
    decoder.feed(b"data: [DONE]\n\n")
    outcome = decoder.finish()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.partial) == (kind, "Hello")


def test_an_error_inside_a_choice_is_a_failure() -> None:
    body = {
        "choices": [
            {
                "message": {"content": "Hel"},
                "finish_reason": "error",
                "error": {"code": 429, "message": "slow"},
            }
        ]
    }
    found = failure(body, vendor="openrouter")
    assert (found.kind, found.message, found.partial) == (FailureKind.RATE_LIMIT, "slow", "Hel")


def test_a_byte_order_mark_before_a_stream_may_be_cut() -> None:
    data = b"\xef\xbb\xbf" + sse(*chunks("a"))
    for place in range(6):
        decoder = WIRE.stream(head(), endpoint())
        assert decoder.feed(data[:place]) + decoder.feed(data[place:]) == "a"
        assert isinstance(decoder.finish(), Reply)
    whole = b"\xef\xbb\xbf" + json.dumps(raw()).encode()
    for place in range(6):
        decoder = WIRE.stream(head(), endpoint())
        decoder.feed(whole[:place])
        decoder.feed(whole[place:])
        outcome = decoder.finish()
        assert isinstance(outcome, Reply) and outcome.text == "Hi"


def test_an_official_openrouter_error_chunk_is_a_failure() -> None:
    frame = router.ChatStreamChunk.model_validate(
        {
            "id": "gen-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            "error": {"code": 503, "message": "Provider is overloaded"},
        }
    )
    outcome = streamed(sse(json.loads(frame.model_dump_json(by_alias=True))), "openrouter")[1]
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.status, outcome.request_id) == (FailureKind.RATE_LIMIT, 503, "gen-1")


def test_a_refusal_in_a_stream_is_blocked() -> None:
    frames = [chunk({"refusal": "I "}), chunk({"refusal": "can't."}), chunk({}, "stop")]
    outcome = streamed(sse(*frames))[1]
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.BAD_REQUEST and "I can't." in outcome.message


def test_usage_of_groqs_streams_is_found() -> None:
    frames = [chunk({"content": "a"}), {**chunk({}, "stop"), "x_groq": {"id": "r", "usage": USAGE}}]
    outcome = streamed(sse(*frames), "groq")[1]
    assert isinstance(outcome, Reply) and outcome.usage == Usage(input_tokens=9, output_tokens=3)


def test_frames_of_unknown_kinds_are_passed_over() -> None:
    frames = [{"type": "ping"}, *chunks("a")[:2], {"choices": [], "prompt_filter_results": []}, *chunks()[1:]]
    text, outcome = streamed(sse(*frames))
    assert text == "a" and isinstance(outcome, Reply)


def test_a_server_that_does_not_stream_when_asked_to_is_understood() -> None:
    for body in (completion(), raw()):
        data = json.dumps(body, indent=1).encode()
        outcome = streamed(b"\n" + data, size=3)[1]
        assert isinstance(outcome, Reply) and outcome.text == "Hi"
    outcome = streamed(b"<html><title>Login</title>")[1]
    assert isinstance(outcome, Failure) and "Login" in outcome.message


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(bounds)]


FRAMES = st.lists(
    st.sampled_from(
        [
            sse(chunk({"content": "é🌍"}), done=False),
            sse(chunk({}, "stop"), done=False),
            sse(chunk({}, choices=[], usage=USAGE), done=False),
            b": c\n\n",
            b"data: [DONE]\n\n",
            b'event: error\ndata: {"error":"x"}\n\n',
            b"data: {\n\n",
            b"\r\n",
            b"\xff",
            b"\xef\xbb\xbf",
            json.dumps(raw()).encode(),
        ]
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(FRAMES | st.binary(max_size=100), st.lists(st.integers(0, 600), max_size=12))
def test_where_a_stream_was_cut_never_changes_its_text_or_outcome(data: bytes, places: list[int]) -> None:
    decoder = WIRE.stream(head(), endpoint())
    text = "".join(decoder.feed(piece) for piece in cut(data, places))
    assert (text, decoder.finish()) == streamed(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "delta",
                    "content",
                    "error",
                    "code",
                    "type",
                    "usage",
                    "detail",
                    "loc",
                    "msg",
                    "metadata",
                    "headers",
                    "raw",
                    "finish_reason",
                    "base_resp",
                    "status_code",
                    "prompt_tokens",
                    "cost",
                    "param",
                    "data",
                    "id",
                    "pricing",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    JSON,
    st.integers(200, 599),
    st.sampled_from(["openai", "openrouter", "mistral", "minimax"]),
)
def test_no_reply_makes_reading_raise(value: object, status: int, vendor: str) -> None:
    data = json.dumps(value).encode()
    outcome = WIRE.decode(head(status), data, endpoint(vendor))
    assert isinstance(outcome, Reply | Failure)
    assert isinstance(WIRE.decode_models(head(status), data, endpoint(vendor)), ModelPage | Failure)
    streamed(b"data: " + data + b"\n\n", vendor)


@given(st.binary(max_size=200), st.sampled_from([200, 400, 500]))
def test_no_bytes_make_reading_raise(data: bytes, status: int) -> None:
    assert isinstance(WIRE.decode(head(status), data, endpoint()), Reply | Failure)


def test_depth_does_not_make_reading_raise() -> None:
    for data in (
        b"[" * 100_000,
        b'{"error":' * 50_000,
        b'{"choices":[{"message":{"content":' + b"[" * 50_000,
    ):
        for status in (200, 500):
            assert isinstance(WIRE.decode(head(status), data, endpoint()), Failure)
        streamed(b"data: " + data + b"\n\n")


# --- lists of models -------------------------------------------------------------------------


def models(body: object, vendor: str = "openai") -> ModelPage:
    page = WIRE.decode_models(head(), json.dumps(body).encode(), endpoint(vendor))
    assert isinstance(page, ModelPage)
    return page


def test_models_are_listed_where_each_vendor_lists_them() -> None:
    made = WIRE.list_models(endpoint("openai"))
    assert (made.method, made.url) == ("GET", "https://api.openai.com/v1/models")
    assert made.headers["Authorization"] == "Bearer sk-test-key"


def test_openrouters_list_has_sizes_and_prices() -> None:
    body = {
        "data": [
            {
                "id": "openai/gpt-4o",
                "name": "GPT-4o",
                "context_length": 128000,
                "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
            },
            {"id": "openrouter/auto", "context_length": None, "pricing": {"prompt": "-1"}},
        ]
    }
    first, second = models(body, "openrouter").models
    assert (first.name, first.context_tokens) == ("GPT-4o", 128000)
    assert (first.input_price, first.output_price) == (2.5e-6, 1e-5)
    assert (second.context_tokens, second.input_price) == (None, None)


def test_lists_of_other_shapes_are_read() -> None:
    assert models([{"id": "a", "context_length": 4096}], "together").models[0].context_tokens == 4096
    assert models({"data": [{"id": "a", "max_model_len": 8192}]}, "vllm").models[0].context_tokens == 8192
    limits = [{"id": "openai/gpt-4o", "limits": {"max_input_tokens": 131072}}]
    assert models(limits).models[0].context_tokens == 131072
    assert models({"data": [{"id": "a"}, {"no": "id"}, 7]}).models[0].context_tokens is None
    assert len(models({"data": [{"id": "a"}, {"no": "id"}, 7]}).models) == 1


def test_a_list_that_cannot_be_read_is_a_failure() -> None:
    for body in (b"", b"<html>", b'{"data":7}', b"{}"):
        found = WIRE.decode_models(head(), body, endpoint())
        assert isinstance(found, Failure) and found.kind is FailureKind.SERVER
    refused = WIRE.decode_models(head(401), b'{"error":{"message":"no"}}', endpoint())
    assert isinstance(refused, Failure) and refused.lane_down
