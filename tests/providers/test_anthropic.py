"""Anthropic's wire format, judged by the types of its official client."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from anthropic import types as official
from anthropic.types import message_create_params as params
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from umwelten.errors import InputError
from umwelten.providers.anthropic.messages import AnthropicMessages
from umwelten.providers.protocol import ModelPage
from umwelten.providers.vendors import VENDORS
from umwelten.types import FailureKind, FinishReason, Media, Resource, Text, Usage
from wirekit import (
    CUTS,
    KEY,
    PNG,
    answered,
    body_of,
    decoded,
    failed,
    head,
    image,
    noisy,
    place,
    question,
    sse,
    streamed,
)

WIRE = AnthropicMessages()
HOME = place("anthropic", "https://api.anthropic.com", quirks=VENDORS["anthropic"].quirks)
K = FailureKind

BLOCK: TypeAdapter[Any] = TypeAdapter(
    official.TextBlockParam | official.ImageBlockParam | official.DocumentBlockParam
)
# Version 2023-06-01 takes them from most models; the client's newest types have left them out.
OLDER = {"temperature", "top_p", "top_k"}


def _conforms(body: dict[str, Any]) -> None:
    """Every field is one that the client's types define, and has a value of its type."""
    shape = params.MessageCreateParamsStreaming if body["stream"] else params.MessageCreateParamsNonStreaming
    known = {name: value for name, value in body.items() if name not in OLDER}
    TypeAdapter(shape).validate_python(known, strict=True, extra="forbid")
    # The types of lists are lazy, so their items are judged one by one.
    for message in body["messages"]:
        TypeAdapter(official.MessageParam).validate_python(message, extra="forbid")
        for block in message["content"]:
            BLOCK.validate_python(block, strict=True, extra="forbid")


# --- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_request_conforms_to_the_official_types(stream: bool) -> None:
    request = question(
        Text(text="What is this?"),
        image(),
        Media(mime="application/pdf", data=b"%PDF-1.4", name="a.pdf"),
        Media(mime="text/plain", data="Grüße".encode(), name="a.txt"),
        system="Be brief.",
        stream=stream,
        temperature=0.0,
        max_tokens=64,
        top_p=0.5,
        seed=7,
        extra={"stop_sequences": ["x"], "thinking": {"type": "disabled"}},
    )
    body = body_of(WIRE.encode(request, HOME))
    _conforms(body)
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.0, 0.5, 64)
    assert (body["system"], body["stop_sequences"]) == ("Be brief.", ["x"])
    assert "seed" not in body
    kinds = [block["type"] for block in body["messages"][0]["content"]]
    assert kinds == ["text", "image", "document", "document"]
    assert body["messages"][0]["content"][3]["source"]["data"] == "Grüße"


def test_the_required_number_of_tokens_is_sent_when_none_is_given() -> None:
    body = body_of(WIRE.encode(question(), HOME))
    _conforms(body)
    assert body["max_tokens"] == 4096
    assert set(body) == {"model", "max_tokens", "messages", "stream"}


def test_a_refused_setting_is_left_out_but_never_a_required_one() -> None:
    request = question(temperature=0.5, top_p=0.5, max_tokens=5, extra={"top_k": 3})
    body = body_of(WIRE.encode(request, HOME, frozenset({"temperature", "top_k", "max_tokens", "model"})))
    assert set(body) == {"model", "max_tokens", "messages", "top_p", "stream"}


def test_media_that_the_format_has_no_place_for_is_an_error_that_names_the_file() -> None:
    with pytest.raises(InputError, match=r"talk\.mp3.*audio/mpeg"):
        WIRE.encode(question(Media(mime="audio/mpeg", data=b"x", name="talk.mp3")), HOME)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h", "https://h/v1/messages"),
        ("https://h/", "https://h/v1/messages"),
        ("https://h/v1", "https://h/v1/messages"),
        ("https://h/anthropic/", "https://h/anthropic/v1/messages"),
    ],
)
def test_the_address_is_the_hosts_root_unless_it_has_a_version(base: str, url: str) -> None:
    assert WIRE.encode(question(), place("anthropic", base)).url == url


def test_version_and_key_are_headers_and_the_key_is_not_shown() -> None:
    sent = WIRE.encode(question(), HOME)
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["x-api-key"] == KEY
    assert KEY not in repr(sent) + sent.url
    assert "x-api-key" not in WIRE.encode(question(), place("anthropic", "https://h", key=None)).headers


# --- replies ---------------------------------------------------------------------------------


def _message(
    content: list[Any] | None = None, stop: str | None = "end_turn", **fields: Any
) -> official.Message:
    usage = official.Usage(
        input_tokens=10,
        cache_creation_input_tokens=3,
        cache_read_input_tokens=4,
        output_tokens=8,
        output_tokens_details={"thinking_tokens": 5},
    )
    values: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content or [],
        "stop_reason": stop,
        "usage": usage,
    }
    return official.Message(**{**values, **fields})


THOUGHT = official.ThinkingBlock(type="thinking", thinking="Hm.", signature="s")
HELLO = [official.TextBlock(type="text", text="Hello "), official.TextBlock(type="text", text="you")]
USAGE = Usage(input_tokens=17, output_tokens=8, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=5)


def test_a_reply_of_the_official_clients_making_is_read_whole() -> None:
    body = _message([THOUGHT, *HELLO]).model_dump_json().encode()
    outcome = decoded(
        WIRE,
        HOME,
        body,
        request_id="req_1",
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
    )
    reply = answered(outcome)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hello you", "Hm.", FinishReason.STOP)
    assert (reply.served_model, reply.request_id, reply.usage) == ("claude-x", "req_1", USAGE)
    (budget,) = reply.hints.budgets
    assert (budget.resource, budget.limit, budget.remaining) == (Resource.REQUESTS, 50, 49)


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL),
        ("something_new", FinishReason.UNKNOWN),
    ],
)
def test_stop_reasons_have_one_vocabulary(stop: str, finish: FinishReason) -> None:
    body = {"content": [{"type": "text", "text": "x"}], "stop_reason": stop}
    assert answered(decoded(WIRE, HOME, body)).finish_reason is finish


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_a_bad_request_that_says_why_and_keeps_its_usage(stream: bool) -> None:
    details = official.RefusalStopDetails(type="refusal", category="bio", explanation="No.")
    whole = _message(HELLO, stop="refusal", stop_details=details)
    body = whole.model_dump_json().encode()
    outcome = streamed(WIRE, HOME, _events(whole))[1] if stream else decoded(WIRE, HOME, body)
    failure = failed(outcome)
    assert (failure.kind, failure.retry, failure.code) == (K.BAD_REQUEST, False, "refusal")
    assert "bio: No." in failure.message
    assert (failure.partial, failure.usage) == ("Hello you", USAGE)


def test_every_stop_reason_of_the_official_types_is_placed() -> None:
    for stop in official.StopReason.__args__:
        outcome = decoded(WIRE, HOME, {"content": [{"type": "text", "text": "x"}], "stop_reason": stop})
        if stop in ("refusal", "pause_turn"):
            failed(outcome)
        else:
            assert answered(outcome).finish_reason is not FinishReason.UNKNOWN


@pytest.mark.parametrize("body", [{}, {"content": []}, [], b"", b"<html>", b"null", b'{"x":' + b"[" * 9999])
def test_a_reply_without_an_answer_is_a_server_failure(body: object) -> None:
    failure = failed(decoded(WIRE, HOME, body))
    assert (failure.kind, failure.retry) == (K.SERVER, True)


@pytest.mark.parametrize(
    "usage", ["x", {"input_tokens": -1}, {"input_tokens": 10**30}, {"output_tokens": "9"}]
)
def test_odd_usage_does_not_cost_the_answer(usage: object) -> None:
    body = {"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "usage": usage}
    assert answered(decoded(WIRE, HOME, body)).usage == Usage()


# --- streams ---------------------------------------------------------------------------------


def _events(whole: official.Message) -> bytes:
    """The stream that ends in this message, made of the official event types."""
    started = whole.model_copy(
        update={
            "content": [],
            "stop_reason": None,
            "stop_details": None,
            "usage": whole.usage.model_copy(update={"output_tokens": 1, "output_tokens_details": None}),
        }
    )
    events: list[Any] = [official.RawMessageStartEvent(type="message_start", message=started)]
    for index, block in enumerate(whole.content):
        events += _block_events(index, block)
    usage = official.MessageDeltaUsage(
        output_tokens=whole.usage.output_tokens, output_tokens_details=whole.usage.output_tokens_details
    )
    delta = {"stop_reason": whole.stop_reason, "stop_details": whole.stop_details}
    events.append(official.RawMessageDeltaEvent(type="message_delta", delta=delta, usage=usage))
    events.append(official.RawMessageStopEvent(type="message_stop"))
    return sse(*(_dumped(event) for event in events), named=True)


def _block_events(index: int, block: Any) -> list[Any]:
    if isinstance(block, official.ThinkingBlock):
        empty: Any = block.model_copy(update={"thinking": ""})
        deltas: list[Any] = [official.ThinkingDelta(type="thinking_delta", thinking=block.thinking)]
        deltas.append(official.SignatureDelta(type="signature_delta", signature="s"))
    else:
        empty = block.model_copy(update={"text": ""})
        deltas = [official.TextDelta(type="text_delta", text=character) for character in block.text]
    kind = "content_block_delta"
    return [
        official.RawContentBlockStartEvent(type="content_block_start", index=index, content_block=empty),
        {"type": "ping"},
        *(official.RawContentBlockDeltaEvent(type=kind, index=index, delta=delta) for delta in deltas),
        official.RawContentBlockStopEvent(type="content_block_stop", index=index),
    ]


def _dumped(event: Any) -> Any:
    return event if isinstance(event, dict) else event.model_dump(mode="json")


STREAM = _events(_message([THOUGHT, official.TextBlock(type="text", text="Grüße 世界")]))


@given(CUTS)
def test_a_stream_reads_the_same_wherever_it_is_cut(cuts: tuple[int, ...]) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM, cuts)
    reply = answered(outcome)
    assert text == reply.text == "Grüße 世界"
    assert (reply.reasoning, reply.finish_reason, reply.usage) == ("Hm.", FinishReason.STOP, USAGE)
    assert (reply.served_model, reply.request_id) == ("claude-x", "msg_1")


@given(st.integers(0, len(STREAM)))
def test_a_stream_without_a_stop_reason_is_a_failure_with_the_text_so_far(end: int) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM[:end])
    if end >= STREAM.rindex(b"event: message_stop") - 2:
        answered(outcome)
        return
    failure = failed(outcome)
    assert (failure.kind, failure.retry) == (K.SERVER, True)
    assert (failure.partial or "").startswith(text)


def test_the_decoder_is_done_at_the_end_mark() -> None:
    decoder = WIRE.stream(head(), HOME)
    decoder.feed(STREAM[: STREAM.rindex(b"event:")])
    assert not decoder.done
    decoder.feed(STREAM[STREAM.rindex(b"event:") :])
    assert decoder.done


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", K.RATE_LIMIT),
        ("rate_limit_error", K.RATE_LIMIT),
        ("api_error", K.SERVER),
        ("timeout_error", K.SERVER),
        ("authentication_error", K.UNAVAILABLE),
        ("invalid_request_error", K.BAD_REQUEST),
    ],
)
def test_an_error_event_is_the_failure_it_names(kind: str, expected: FailureKind) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "Sorry"}}
    decoder = WIRE.stream(head(), HOME)
    decoder.feed(STREAM[: STREAM.index(b"event: content_block_stop")])
    assert decoder.feed(sse(error, named=True)) == ""
    assert decoder.done
    failure = failed(decoder.finish())
    assert (failure.kind, failure.message, failure.code) == (expected, "Sorry", kind)
    assert failure.usage.input_tokens == 17


def test_an_events_name_counts_where_its_data_has_no_type() -> None:
    data = b'event: content_block_delta\ndata: {"delta": {"text": "x"}}\n\nevent: message_stop\ndata: {}\n\n'
    assert answered(streamed(WIRE, HOME, data)[1]).text == "x"


def test_tokens_stated_twice_are_counted_once() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 0, "cache_read_input_tokens": 9, "output_tokens": 30},
    }
    outcome = streamed(WIRE, HOME, sse(start, text, delta, {"type": "message_stop"}))[1]
    assert answered(outcome).usage == Usage(input_tokens=14, output_tokens=30, cached_tokens=9)


ERROR = sse({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, named=True)


@given(noisy(STREAM, ERROR, *STREAM.splitlines(keepends=True)), CUTS)
def test_no_bytes_raise_and_no_cut_changes_the_outcome(data: bytes, cuts: tuple[int, ...]) -> None:
    assert streamed(WIRE, HOME, data, cuts) == streamed(WIRE, HOME, data)


BODY = _message(HELLO).model_dump_json().encode()


@given(st.one_of(st.binary(), noisy(BODY, ERROR)), st.sampled_from([200, 204, 302, 400, 404, 429, 529]))
def test_no_body_makes_decoding_raise(body: bytes, status: int) -> None:
    decoded(WIRE, HOME, body, status)
    WIRE.decode_models(head(status), body, HOME)


# --- models ----------------------------------------------------------------------------------


def test_models_are_listed_page_by_page() -> None:
    sent = WIRE.list_models(HOME, "claude-a")
    assert sent.url == "https://api.anthropic.com/v1/models?limit=1000&after_id=claude-a"
    assert (sent.method, sent.headers["anthropic-version"]) == ("GET", "2023-06-01")
    model = official.ModelInfo(
        id="claude-x",
        display_name="Claude X",
        created_at="2026-01-01T00:00:00Z",
        lifecycle="active",
        max_input_tokens=200_000,
        type="model",
    )
    listed = {"data": [model.model_dump(mode="json")], "has_more": True, "last_id": "claude-x"}
    page = WIRE.decode_models(head(), json.dumps(listed).encode(), HOME)
    assert isinstance(page, ModelPage)
    (found,) = page.models
    assert (found.id, found.name, found.context_tokens, page.next) == (
        "claude-x",
        "Claude X",
        200_000,
        "claude-x",
    )


def test_the_last_page_has_no_next_and_a_refused_list_is_a_failure() -> None:
    page = WIRE.decode_models(head(), b'{"data": [], "has_more": false, "last_id": "x"}', HOME)
    assert isinstance(page, ModelPage) and page.next is None
    assert failed(WIRE.decode_models(head(401), b"{}", HOME)).lane_down


def test_the_picture_that_is_sent_is_the_picture() -> None:
    (block,) = body_of(WIRE.encode(question(image()), HOME))["messages"][0]["content"]
    assert base64.b64decode(block["source"]["data"]) == PNG
    assert block["source"]["media_type"] == "image/png"
