"""Ollama's wire format, judged by the models of its official client and the table of its refusals."""

from __future__ import annotations

import base64
import json
from typing import Any

import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatRequest

from umwelten.errors import InputError
from umwelten.providers.ollama.chat import Ollama
from umwelten.providers.protocol import ModelPage
from umwelten.types import FailureKind, FinishReason, Media, Text, Usage
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
    streamed,
)

WIRE = Ollama()
HOME = place("ollama", "http://127.0.0.1:11434", key=None)
K = FailureKind


def _conforms(body: dict[str, Any]) -> ChatRequest:
    """The request as the official client's model; an unknown field raises."""
    read = ChatRequest.model_validate(body, extra="forbid")
    assert read.options is None or set(read.options) <= set(ollama.Options.model_fields)
    return read


# --- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_request_conforms_to_the_official_model(stream: bool) -> None:
    request = question(
        Text(text="What is this?"),
        image(),
        Media(mime="text/plain", data="Grüße".encode(), name="a.txt"),
        model="gemma3:12b",
        system="Be brief.",
        stream=stream,
        temperature=0.0,
        max_tokens=64,
        top_p=0.5,
        seed=7,
        extra={"num_ctx": 8192, "keep_alive": "10m", "think": False},
    )
    body = body_of(WIRE.encode(request, HOME))
    _conforms(body)
    assert (body["model"], body["stream"]) == ("gemma3:12b", stream)
    assert (body["keep_alive"], body["think"]) == ("10m", False)
    assert body["options"] == {
        "temperature": 0.0,
        "num_predict": 64,
        "top_p": 0.5,
        "seed": 7,
        "num_ctx": 8192,
    }
    system, user = body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert (user["role"], user["content"]) == ("user", "What is this?\n\nGrüße")
    assert [base64.b64decode(data) for data in user["images"]] == [PNG]


def test_whether_to_stream_is_always_said_and_nothing_else_unasked() -> None:
    body = body_of(WIRE.encode(question(), HOME))
    _conforms(body)
    assert set(body) == {"model", "messages", "stream"}
    assert body["stream"] is False
    assert set(body["messages"][0]) == {"role", "content"}


def test_a_refused_setting_is_left_out() -> None:
    request = question(temperature=0.5, max_tokens=5, extra={"think": True, "top_k": 1})
    body = body_of(WIRE.encode(request, HOME, frozenset({"think", "max_tokens", "top_k"})))
    assert body["options"] == {"temperature": 0.5}
    assert "think" not in body


def test_media_other_than_images_is_an_error_that_names_the_file() -> None:
    with pytest.raises(InputError, match=r"a\.pdf.*application/pdf"):
        WIRE.encode(question(Media(mime="application/pdf", data=b"%PDF", name="a.pdf")), HOME)


@pytest.mark.parametrize(
    "base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/api/", "http://h:1/v1/"]
)
def test_the_address_may_end_in_a_path_that_is_not_ollamas(base: str) -> None:
    assert WIRE.encode(question(), place("ollama", base)).url == "http://h:1/api/chat"


def test_a_key_is_sent_only_where_there_is_one() -> None:
    assert "authorization" not in WIRE.encode(question(), HOME).headers
    sent = WIRE.encode(question(), place("ollama", "https://ollama.com"))
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(sent) + sent.url


# --- replies ---------------------------------------------------------------------------------


def _line(text: str = "", **fields: Any) -> bytes:
    """A reply, or a line of one, as the official client's model writes it."""
    message = ollama.Message(role="assistant", content=text, thinking=fields.pop("thinking", None))
    chunk = ollama.ChatResponse(model="m:1b", created_at="2026-11-24T10:00:00Z", message=message, **fields)
    return chunk.model_dump_json(exclude_none=True).encode()


def _last(reason: str = "stop", **fields: Any) -> bytes:
    return _line(done=True, done_reason=reason, prompt_eval_count=12, eval_count=8, eval_duration=5, **fields)


USAGE = Usage(input_tokens=12, output_tokens=8)


def test_a_reply_of_the_official_clients_making_is_read_whole() -> None:
    body = _line("Hello", thinking="Hm.", done=True, done_reason="stop", prompt_eval_count=12, eval_count=8)
    reply = answered(decoded(WIRE, HOME, body))
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hello", "Hm.", FinishReason.STOP)
    assert (reply.usage, reply.served_model) == (USAGE, "m:1b")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", FinishReason.STOP), ("length", FinishReason.LENGTH), ("new", FinishReason.UNKNOWN)],
)
def test_done_reasons_have_one_vocabulary(reason: str, finish: FinishReason) -> None:
    body = {"message": {"content": "Hello"}, "done": True, "done_reason": reason}
    assert answered(decoded(WIRE, HOME, body)).finish_reason is finish


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_model_that_was_only_loaded_gave_no_answer(reason: str) -> None:
    failure = failed(decoded(WIRE, HOME, _last(reason)))
    assert (failure.kind, failure.retry) == (K.SERVER, True)


LONG = "word " * 500


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("Hello", {}, None),
        (LONG, {}, False),
        (LONG, {"extra": {"truncate": True}}, True),
        ("word " * 200, {"extra": {"num_ctx": 512}}, False),
        ("word " * 100, {"extra": {"num_ctx": 512}}, None),
    ],
)
def test_a_prompt_that_may_exceed_the_context_is_not_to_be_cut(
    text: str, settings: dict[str, Any], expected: bool | None
) -> None:
    body = body_of(WIRE.encode(question(text, **settings), HOME))
    assert body.get("truncate") is expected
    assert "truncate" not in body.get("options", {})


def test_a_server_that_refuses_the_field_does_not_get_it_again() -> None:
    refused = failed(decoded(WIRE, HOME, {"error": "unknown field: truncate"}, 400))
    assert refused.parameter == "truncate"
    assert "truncate" not in body_of(WIRE.encode(question(LONG), HOME, frozenset({"truncate"})))


@pytest.mark.parametrize(
    ("message", "size"),
    [
        ("request (8889 tokens) exceeds the available context size (4096 tokens), try increasing it", 32768),
        ("the prompt is longer than the context length currently available to the model; shorten it", 4096),
        ("the input length exceeds the context length", 4096),
    ],
)
def test_a_prompt_that_is_too_long_names_the_way_to_a_larger_context(message: str, size: int) -> None:
    failure = failed(decoded(WIRE, HOME, {"error": message}, 400))
    assert (failure.kind, failure.retry, failure.parameter) == (K.BAD_REQUEST, False, None)
    assert failure.message.endswith(f"(set a larger one with params num_ctx={size})")
    assert failure.wording is not None
    assert "--param num_ctx" in failure.wording.spell(lambda name, value: "--param")


def test_a_prompt_count_that_is_absent_is_not_known() -> None:
    body = {"message": {"content": "x"}, "done": True, "done_reason": "stop", "eval_count": 3}
    assert answered(decoded(WIRE, HOME, body)).usage == Usage(output_tokens=3)
    cached = {**body, "prompt_eval_count": 9, "prompt_eval_cached_count": 4}
    assert answered(decoded(WIRE, HOME, cached)).usage == Usage(
        input_tokens=9, output_tokens=3, cached_tokens=4
    )


@pytest.mark.parametrize("count", [-1, 10**30, "9", [], 1.5])
def test_odd_usage_does_not_cost_the_answer(count: object) -> None:
    body = {"message": {"content": "x"}, "done": True, "done_reason": "stop", "eval_count": count}
    reply = answered(decoded(WIRE, HOME, body))
    assert (reply.text, reply.usage) == ("x", Usage())


@pytest.mark.parametrize("body", [{}, [], b"", b"<html>", b"null", {"done": False}, b'{"x":' + b"[" * 9999])
def test_a_reply_that_is_not_complete_is_a_server_failure(body: object) -> None:
    failure = failed(decoded(WIRE, HOME, body))
    assert (failure.kind, failure.retry) == (K.SERVER, True)


# --- streams ---------------------------------------------------------------------------------

STREAM = b"\n".join(
    [
        _line("", thinking="Hm.", done=False),
        _line("Grüße ", done=False),
        _line("世界", done=False),
        _last(),
        b"",
    ]
)


@given(CUTS)
def test_a_stream_reads_the_same_wherever_it_is_cut(cuts: tuple[int, ...]) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM, cuts)
    reply = answered(outcome)
    assert text == reply.text == "Grüße 世界"
    assert (reply.reasoning, reply.finish_reason, reply.usage) == ("Hm.", FinishReason.STOP, USAGE)


@given(st.integers(0, len(STREAM)))
def test_a_stream_without_its_end_mark_is_a_failure_with_the_text_so_far(end: int) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM[:end])
    if end >= len(STREAM) - 1:
        answered(outcome)
        return
    failure = failed(outcome)
    assert (failure.kind, failure.retry) == (K.SERVER, True)
    assert (failure.partial or "").startswith(text)


@pytest.mark.parametrize("extra", [{}, {"done": True, "done_reason": "error", "message": {"content": ""}}])
def test_an_error_on_any_line_is_the_failure_with_the_text_so_far(extra: dict[str, Any]) -> None:
    error = json.dumps({"error": "model requires more system memory (9 GiB)", **extra}).encode()
    decoder = WIRE.stream(head(), HOME)
    assert (
        decoder.feed(_line("Once", done=False) + b"\n" + error + b"\n" + _line(" more", done=False)) == "Once"
    )
    assert decoder.done
    failure = failed(decoder.finish())
    assert (failure.kind, failure.partial) == (K.MEMORY, "Once")


def test_the_decoder_is_done_at_the_end_mark() -> None:
    decoder = WIRE.stream(head(), HOME)
    decoder.feed(STREAM[:-2])
    assert not decoder.done
    decoder.feed(STREAM[-2:])
    assert decoder.done


ERROR = b'{"error":"boom"}\n'


@given(noisy(STREAM, ERROR, *STREAM.splitlines(keepends=True)), CUTS)
def test_no_bytes_raise_and_no_cut_changes_the_outcome(data: bytes, cuts: tuple[int, ...]) -> None:
    assert streamed(WIRE, HOME, data, cuts) == streamed(WIRE, HOME, data)


@given(
    st.one_of(st.binary(), noisy(_last(), ERROR)), st.sampled_from([200, 204, 302, 400, 404, 429, 500, 503])
)
def test_no_body_makes_decoding_raise(body: bytes, status: int) -> None:
    decoded(WIRE, HOME, body, status)
    WIRE.decode_models(head(status), body, HOME)


# --- refusals --------------------------------------------------------------------------------

BUSY = "server busy, please try again.  maximum pending requests exceeded"


@pytest.mark.parametrize(
    ("status", "message", "kind", "retry", "lane_down"),
    [
        (404, "model 'x:1b' not found", K.BAD_REQUEST, False, False),
        (503, BUSY, K.RATE_LIMIT, True, False),
        (503, "starting", K.SERVER, True, False),
        (429, "too many requests", K.RATE_LIMIT, True, False),
        (
            500,
            "model requires more system memory (9.1 GiB) than is available (3.2 GiB)",
            K.MEMORY,
            True,
            False,
        ),
        (500, "llama runner process has terminated: cudaMalloc failed: out of memory", K.MEMORY, True, False),
        (
            500,
            "model runner has unexpectedly stopped, this may be due to resource limitations",
            K.MEMORY,
            True,
            False,
        ),
        (500, "unexpected EOF", K.SERVER, True, False),
        (502, "bad gateway", K.SERVER, True, False),
        (401, "unauthorized", K.UNAVAILABLE, True, True),
        (402, "payment required", K.UNAVAILABLE, True, True),
        (413, "too large", K.BAD_REQUEST, False, False),
        (400, "invalid options: temperatur", K.BAD_REQUEST, False, False),
    ],
)
def test_refusals_mean_what_the_table_says(
    status: int, message: str, kind: FailureKind, retry: bool, lane_down: bool
) -> None:
    failure = failed(decoded(WIRE, HOME, {"error": message}, status))
    assert (failure.kind, failure.retry, failure.lane_down) == (kind, retry, lane_down)
    assert failure.status == status
    assert failure.message.startswith(message)


@pytest.mark.parametrize("stream", [False, True])
def test_a_missing_model_comes_with_the_command_that_fetches_it(stream: bool) -> None:
    body = b'{"error":"model \'gemma3:12b\' not found"}'
    outcome = streamed(WIRE, HOME, body)[1] if stream else decoded(WIRE, HOME, body, 404)
    failure = failed(outcome)
    assert "`ollama pull gemma3:12b`" in failure.message
    assert (failure.kind, failure.retry) == (K.BAD_REQUEST, False)


def test_a_setting_that_the_model_does_not_take_is_named() -> None:
    failure = failed(decoded(WIRE, HOME, {"error": '"m:1b" does not support thinking'}, 400))
    assert (failure.kind, failure.parameter) == (K.BAD_REQUEST, "think")


@pytest.mark.parametrize("error", [5, [], {"message": "x"}, {"message": []}, True, "", "\ud800"])
def test_odd_errors_do_no_harm(error: Any) -> None:
    for status in (200, 400, 503):
        failed(decoded(WIRE, HOME, {"error": error}, status))


# --- models ----------------------------------------------------------------------------------


def test_the_models_of_the_host_are_listed() -> None:
    assert WIRE.list_models(HOME).url == "http://127.0.0.1:11434/api/tags"
    listed = ollama.ListResponse(models=[ollama.ListResponse.Model(model="gemma3:12b", size=5)])
    page = WIRE.decode_models(head(), listed.model_dump_json().encode(), HOME)
    assert isinstance(page, ModelPage)
    assert ([model.id for model in page.models], page.next) == (["gemma3:12b"], None)


def test_a_refused_list_is_a_failure() -> None:
    assert failed(WIRE.decode_models(head(500), b"{}", HOME)).kind is K.SERVER
