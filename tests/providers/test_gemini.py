"""Gemini's wire format, judged by Google's own message definitions."""

from __future__ import annotations

import json
import posixpath
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from umwelten.errors import UsageError
from umwelten.providers.gemini.generate_content import Gemini
from umwelten.providers.gemini.requests import resource
from umwelten.providers.protocol import ModelPage, Quirks, Scope
from umwelten.providers.wires import WIRES
from umwelten.types import FailureKind, FinishReason, Text, Usage
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

WIRE = Gemini()
HOME = place("gemini", "https://generativelanguage.googleapis.com")
K = FailureKind


def _parsed(request: Any, dropped: frozenset[str] = frozenset()) -> Any:
    """The request as Google's own parser reads it; an unknown field raises."""
    body = body_of(WIRE.encode(request, HOME, dropped))
    return json_format.ParseDict(body, google.GenerateContentRequest.pb()(), ignore_unknown_fields=False)


# --- requests --------------------------------------------------------------------------------


def test_every_setting_lands_in_the_field_that_google_defines() -> None:
    request = question(
        Text(text="What is this?"),
        image(),
        system="Be brief.",
        temperature=0.0,
        max_tokens=64,
        top_p=0.5,
        seed=7,
        extra={
            "topK": 3,
            "thinkingConfig": {"thinkingBudget": 0},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        },
    )
    read = _parsed(request)
    config = read.generation_config
    assert config.HasField("temperature") and config.temperature == 0.0
    assert (config.max_output_tokens, config.top_p, config.seed, config.top_k) == (64, 0.5, 7, 3)
    assert config.thinking_config.thinking_budget == 0
    assert len(read.safety_settings) == 1
    assert read.system_instruction.parts[0].text == "Be brief."
    (content,) = read.contents
    assert content.role == "user"
    assert content.parts[0].text == "What is this?"
    assert (content.parts[1].inline_data.mime_type, content.parts[1].inline_data.data) == ("image/png", PNG)


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert set(body_of(WIRE.encode(question(), HOME))) == {"contents"}


def test_a_refused_setting_is_left_out() -> None:
    request = question(temperature=0.5, max_tokens=9, top_p=0.5, extra={"topK": 1})
    config = body_of(WIRE.encode(request, HOME, frozenset({"max_tokens", "top_p", "top_k"})))
    assert config["generationConfig"] == {"temperature": 0.5}


def test_the_vendors_fixed_fields_and_headers_are_sent() -> None:
    quirks = Quirks(body={"labels": {"team": "x"}}, headers={"x-extra": "1"})
    sent = WIRE.encode(question(), place("gemini", "https://h", quirks=quirks))
    assert body_of(sent)["labels"] == {"team": "x"}
    assert sent.headers["x-extra"] == "1"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("https://h", "https://h/v1beta"),
        ("https://h/", "https://h/v1beta"),
        ("https://h/v1beta/", "https://h/v1beta"),
        ("https://h/proxy/v1", "https://h/proxy/v1"),
        ("https://h/v1alpha", "https://h/v1alpha"),
        ("https://h/v1/google", "https://h/v1/google/v1beta"),
    ],
)
def test_the_address_is_the_hosts_root_unless_it_has_a_version(
    base: str, root: str, model: str, stream: bool
) -> None:
    sent = WIRE.encode(question(model=model, stream=stream), place("gemini", base))
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert sent.url == f"{root}/models/gemini-2.5-flash:{verb}"
    assert sent.method == "POST"


def test_the_key_goes_into_googles_header_and_is_not_shown() -> None:
    sent = WIRE.encode(question(), HOME)
    assert sent.headers["x-goog-api-key"] == KEY
    assert KEY not in repr(sent) and KEY not in sent.url
    assert "x-goog-api-key" not in WIRE.encode(question(), place("gemini", "https://h", key=None)).headers


def test_a_models_name_is_encoded() -> None:
    url = WIRE.encode(question(model="a b?key=1#x"), HOME).url
    assert url.endswith("/v1beta/models/a%20b%3Fkey%3D1%23x:generateContent")


@pytest.mark.parametrize(
    "name",
    [
        "tunedModels/mine",
        "publishers/google/models/gemini-2.5-pro",
        "projects/p/locations/l/publishers/google/models/gemini-2.5-pro",
        "projects/p/locations/l/endpoints/17",
    ],
)
def test_the_place_of_a_model_stays(name: str) -> None:
    assert resource("files/x", HOME.vendor) == "models/files/x"
    assert resource("some/x", place("gemini", "http://h", scope=Scope.HOST).vendor) == "some/x"
    assert WIRE.encode(question(model=name), HOME).url.endswith(f"/v1beta/{name}:generateContent")


@pytest.mark.parametrize(
    "name",
    [
        "../../../v1beta/files?x=",
        "..",
        ".",
        "models/..",
        "models/../files/x",
        "tunedModels/./x",
        "publishers/google/models/../../../../upload",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        "..\\..\\files",
        "a\\b",
        "%2e%2e/files",
        "%252e%252e%252ffiles",
        "..;/files",
        ".. /files",
        "a\nb",
        "a\x00",
        "a\x85b",
        "a%0d%0ab",
    ],
)
def test_a_models_name_that_leads_elsewhere_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a model"):
        WIRE.encode(question(model=name), HOME)


@given(
    st.one_of(
        st.text(min_size=1, max_size=30),
        st.lists(
            st.sampled_from(
                (
                    "..",
                    ".",
                    "/",
                    "\\",
                    "%2e",
                    "%2F",
                    "?",
                    "#",
                    "@",
                    ":",
                    "//h",
                    "models",
                    "tunedModels/",
                    "a",
                    ";",
                )
            ),
            min_size=1,
            max_size=8,
        ).map("".join),
    ),
    st.booleans(),
)
def test_no_models_name_leaves_the_models_or_the_host(name: str, stream: bool) -> None:
    try:
        sent = WIRE.encode(question(model=name, stream=stream), place("gemini", "https://h.example/base")).url
    except UsageError:
        return
    for url in (URL(sent), URL(str(URL(sent)))):
        steps = posixpath.normpath(url.path).split("/")
        assert (url.scheme, url.raw_host, url.port) == ("https", "h.example", 443)
        assert steps[:3] == ["", "base", "v1beta"] and len(steps) > 4, url
        assert {"models", "tunedModels", "publishers", "projects"} & {steps[3]}, url
        assert dict(url.query) == ({"alt": "sse"} if stream else {}) and not url.fragment
    parts = urlsplit(sent)
    assert parts.netloc == "h.example" and parts.path.endswith(("enerateContent",))


@given(st.text(max_size=20))
def test_no_page_token_leaves_the_list(page: str) -> None:
    for wire in ("gemini", "anthropic"):
        url = URL(WIRES[wire].list_models(place(wire, "https://h.example/base"), page).url)
        assert url.raw_host == "h.example" and url.path.startswith("/base/v1")
        assert url.path.endswith("/models") and not url.fragment


# --- replies ---------------------------------------------------------------------------------


def _official(**fields: Any) -> bytes:
    """A reply as Google's own library writes it."""
    return json_format.MessageToJson(google.GenerateContentResponse.pb(_response(**fields))).encode()


def _response(
    parts: list[dict[str, Any]] | None = None, finish: str | None = "STOP", **fields: Any
) -> google.GenerateContentResponse:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts or []}}
    if finish is not None:
        candidate["finish_reason"] = finish
    usage = {
        "prompt_token_count": 10,
        "tool_use_prompt_token_count": 2,
        "cached_content_token_count": 4,
        "candidates_token_count": 5,
        "thoughts_token_count": 3,
        "total_token_count": 20,
    }
    values = {
        "candidates": [candidate],
        "usage_metadata": usage,
        "model_version": "gemini-2.5-flash-001",
        "response_id": "r1",
    }
    return google.GenerateContentResponse(**{**values, **fields})


USAGE = Usage(input_tokens=12, output_tokens=8, cached_tokens=4, reasoning_tokens=3)


def test_a_reply_of_googles_own_making_is_read_whole() -> None:
    parts = [{"text": "Let me see.", "thought": True}, {"text": "Hello"}, {"text": " you"}]
    reply = answered(decoded(WIRE, HOME, _official(parts=parts)))
    assert reply.text == "Hello you"
    assert reply.reasoning == "Let me see."
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage == USAGE
    assert (reply.served_model, reply.request_id) == ("gemini-2.5-flash-001", "r1")


def test_a_function_call_of_googles_library_is_no_answer() -> None:
    parts = [{"function_call": {"name": "f", "args": {"x": 1}}}]
    failure = failed(decoded(WIRE, HOME, _official(parts=parts)))
    assert (failure.kind, failure.retry, failure.code) == (K.BAD_REQUEST, False, "tool_calls")
    assert "function f" in failure.message


@pytest.mark.parametrize("finish", ["MAX_TOKENS", "CONTINUATION"])
def test_an_answer_whose_tokens_were_all_spent_on_thinking_is_empty(finish: str) -> None:
    usage = {"promptTokenCount": 5, "thoughtsTokenCount": 60, "totalTokenCount": 65}
    body = {"candidates": [{"content": {}, "finishReason": finish}], "usageMetadata": usage}
    failure = failed(decoded(WIRE, HOME, body))
    assert (failure.kind, failure.retry) == (K.EMPTY, False)
    assert (failure.usage.input_tokens, failure.usage.output_tokens) == (5, 60)


BLOCKS = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MISSING_THOUGHT_SIGNATURE",
]
BREAKS = [
    "OTHER",
    "MALFORMED_RESPONSE",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "NO_IMAGE",
    "IMAGE_OTHER",
]


def _with_finish(finish: str) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": "Once"}]}, "finishReason": finish, "finishMessage": "because"}
    return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("finish", BLOCKS)
def test_blocked_content_is_a_bad_request_that_is_not_sent_again(finish: str, stream: bool) -> None:
    failure = failed(_either_way(_with_finish(finish), stream))
    assert (failure.kind, failure.retry, failure.lane_down) == (K.BAD_REQUEST, False, False)
    assert failure.code == finish
    assert finish in failure.message and "because" in failure.message
    assert failure.partial == "Once"
    assert failure.usage == Usage(input_tokens=4, output_tokens=1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("finish", BREAKS)
def test_a_model_that_broke_off_is_asked_again(finish: str, stream: bool) -> None:
    failure = failed(_either_way(_with_finish(finish), stream))
    assert (failure.kind, failure.retry, failure.code) == (K.SERVER, True, finish)
    nothing = {"candidates": [{"content": {}, "finishReason": finish}]}
    failure = failed(_either_way(nothing, stream))
    assert (failure.kind, failure.retry, failure.code) == (K.EMPTY, True, finish)


def _either_way(body: dict[str, Any], stream: bool) -> object:
    return streamed(WIRE, HOME, sse(body))[1] if stream else decoded(WIRE, HOME, body)


def test_every_finish_reason_that_google_defines_is_placed() -> None:
    placed = {*BLOCKS, *BREAKS, "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"}
    assert {reason.name for reason in google.Candidate.FinishReason} <= placed


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_prompt_is_a_bad_request_that_names_the_reason(stream: bool) -> None:
    body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 9}}
    failure = failed(_either_way(body, stream))
    assert (failure.kind, failure.retry, failure.code) == (K.BAD_REQUEST, False, "PROHIBITED_CONTENT")
    assert failure.usage.input_tokens == 9


def test_an_unknown_finish_reason_does_not_cost_the_answer() -> None:
    body = _with_finish("SOMETHING_NEW")
    assert answered(decoded(WIRE, HOME, body)).finish_reason is FinishReason.UNKNOWN
    assert answered(streamed(WIRE, HOME, sse(body))[1]).finish_reason is FinishReason.UNKNOWN


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, {"candidates": [{}]}, [], b"", b"<html>", b"null", b"[[[[", b"{" * 9999]
)
def test_a_reply_without_an_answer_is_a_server_failure(body: object) -> None:
    failure = failed(decoded(WIRE, HOME, body))
    assert (failure.kind, failure.retry) == (K.SERVER, True)


@pytest.mark.parametrize(
    "usage", ["x", {"promptTokenCount": -1}, {"promptTokenCount": 10**30}, {"promptTokenCount": "many"}]
)
def test_odd_usage_does_not_cost_the_answer(usage: object) -> None:
    body = {**_with_finish("STOP"), "usageMetadata": usage}
    reply = answered(decoded(WIRE, HOME, body))
    assert (reply.text, reply.usage) == ("Once", Usage())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"promptTokenCount": 7, "candidatesTokenCount": 2, "totalTokenCount": 9}, (7, 2)),
        ({"promptTokenCount": 7, "candidatesTokenCount": 2, "totalTokenCount": 20}, (7, 13)),
        ({"promptTokenCount": 7, "totalTokenCount": 7}, (7, None)),
        ({"promptTokenCount": 7}, (7, None)),
        ({}, (None, None)),
    ],
)
def test_output_is_what_the_total_leaves_where_that_is_more(
    counts: dict[str, int], expected: tuple[int | None, int | None]
) -> None:
    reply = answered(decoded(WIRE, HOME, {**_with_finish("STOP"), "usageMetadata": counts}))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == expected


# --- streams ---------------------------------------------------------------------------------


def _official_stream() -> bytes:
    first = _response([{"text": "Hm.", "thought": True}, {"text": "Grüße "}], finish=None)
    second = _response([{"text": "an 世界"}], finish=None)
    last = _response([], finish="STOP")
    protos = (google.GenerateContentResponse.pb(reply) for reply in (first, second, last))
    return sse(*(json.loads(json_format.MessageToJson(proto)) for proto in protos))


STREAM = _official_stream()


@given(CUTS)
def test_a_stream_reads_the_same_wherever_it_is_cut(cuts: tuple[int, ...]) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM, cuts)
    reply = answered(outcome)
    assert text == reply.text == "Grüße an 世界"
    assert (reply.reasoning, reply.finish_reason, reply.usage) == ("Hm.", FinishReason.STOP, USAGE)


@given(st.integers(0, len(STREAM)))
def test_a_stream_that_ends_early_is_a_failure_with_the_text_so_far(end: int) -> None:
    text, outcome = streamed(WIRE, HOME, STREAM[:end])
    if end >= len(STREAM) - 2:
        answered(outcome)
        return
    failure = failed(outcome)
    assert (failure.kind, failure.retry) == (K.SERVER, True)
    assert (failure.partial or "").startswith(text)


def test_usage_after_the_finish_reason_is_read() -> None:
    late = sse(_with_finish("STOP"), {"usageMetadata": {"promptTokenCount": 70, "candidatesTokenCount": 30}})
    assert answered(streamed(WIRE, HOME, late)[1]).usage == Usage(input_tokens=70, output_tokens=30)


@pytest.mark.parametrize("wrap", [False, True])
def test_an_error_in_a_stream_is_its_failure_with_the_text_so_far(wrap: bool) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    data = sse({"candidates": [{"content": {"parts": [{"text": "Once"}]}}]}, [error] if wrap else error)
    decoder = WIRE.stream(head(), HOME)
    assert decoder.feed(data) == "Once"
    assert decoder.done
    assert decoder.feed(sse(_with_finish("STOP"))) == ""
    failure = failed(decoder.finish())
    assert (failure.kind, failure.partial, failure.message) == (
        K.RATE_LIMIT,
        "Once",
        "The model is overloaded.",
    )


ERROR = sse({"error": {"code": 500, "message": "Internal", "status": "INTERNAL"}})


@given(noisy(STREAM, ERROR, *STREAM.splitlines(keepends=True)), CUTS)
def test_no_bytes_raise_and_no_cut_changes_the_outcome(data: bytes, cuts: tuple[int, ...]) -> None:
    assert streamed(WIRE, HOME, data, cuts) == streamed(WIRE, HOME, data)


@given(
    st.one_of(st.binary(), noisy(_official(), ERROR)), st.sampled_from([200, 204, 302, 400, 404, 429, 503])
)
def test_no_body_makes_decoding_raise(body: bytes, status: int) -> None:
    decoded(WIRE, HOME, body, status)
    WIRE.decode_models(head(status), body, HOME)


# --- models ----------------------------------------------------------------------------------


def test_models_are_listed_page_by_page_and_only_those_that_generate() -> None:
    sent = WIRE.list_models(HOME, "a b")
    assert (sent.method, sent.headers["x-goog-api-key"]) == ("GET", KEY)
    assert sent.url == "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000&pageToken=a+b"
    official = google.ListModelsResponse(
        models=[
            google.Model(
                name="models/gemini-x",
                display_name="Gemini X",
                input_token_limit=1000,
                supported_generation_methods=["generateContent"],
            ),
            google.Model(name="models/embed", supported_generation_methods=["embedContent"]),
        ],
        next_page_token="p2",
    )
    body = json_format.MessageToJson(google.ListModelsResponse.pb(official)).encode()
    page = WIRE.decode_models(head(), body, HOME)
    assert isinstance(page, ModelPage)
    (model,) = page.models
    assert (model.id, model.name, model.context_tokens, page.next) == ("gemini-x", "Gemini X", 1000, "p2")


def test_a_refused_list_is_a_failure() -> None:
    assert failed(WIRE.decode_models(head(401), b"{}", HOME)).lane_down
