"""What refusals mean: by vendor, status, code and words."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.providers.common import bodies
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Endpoint, Head
from umwelten.providers.vendors import VENDORS
from umwelten.types import Failure, FailureKind, Resource, Secret

K = FailureKind
NOW = 1_795_514_400.0  # Tue, 24 Nov 2026 10:00:00 GMT


def refuse(vendor: str, status: int, body: object, **headers: str) -> Failure:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    row = VENDORS[vendor]
    place = Endpoint(vendor=row, base_url=row.base_url, api_key=Secret("sk-secret"))
    outcome = OpenAIChat().decode(Head(status=status, headers=named, now_unix=NOW), data, place)
    assert isinstance(outcome, Failure)
    return outcome


def error(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


WAIT, STOP, AGAIN, NEVER = (True, False), (True, True), (True, False), (False, False)

TABLE: list[tuple[str, int, object, FailureKind, tuple[bool, bool]]] = [
    # OpenAI
    ("openai", 429, error("Rate limit reached", code="rate_limit_exceeded"), K.RATE_LIMIT, WAIT),
    ("openai", 429, error("Slow down", code="slow_down"), K.RATE_LIMIT, WAIT),
    ("openai", 429, error("You exceeded your current quota", type="insufficient_quota"), K.UNAVAILABLE, STOP),
    ("openai", 429, error("x", code="credit_balance_exhausted"), K.UNAVAILABLE, STOP),
    ("openai", 429, error("x", code="organization_spend_limit_exceeded"), K.UNAVAILABLE, STOP),
    ("openai", 429, error("x", code="project_spend_limit_exceeded"), K.UNAVAILABLE, STOP),
    ("openai", 429, error("x", code="organization_usage_limit_exceeded"), K.UNAVAILABLE, STOP),
    ("openai", 429, error("x", code="billing_hard_limit_reached"), K.UNAVAILABLE, STOP),
    ("openai", 503, error("x", code="server_is_overloaded"), K.RATE_LIMIT, WAIT),
    ("openai", 500, error("The server had an error", type="server_error"), K.SERVER, AGAIN),
    ("openai", 502, b"<html><title>502 Bad Gateway</title></html>", K.SERVER, AGAIN),
    ("openai", 504, b"", K.SERVER, AGAIN),
    ("openai", 408, error("timeout"), K.SERVER, AGAIN),
    ("openai", 409, error("conflict"), K.SERVER, AGAIN),
    ("openai", 401, error("Incorrect API key", code="invalid_api_key"), K.UNAVAILABLE, STOP),
    ("openai", 403, error("Country not supported", code="unsupported_country"), K.UNAVAILABLE, STOP),
    ("openai", 403, error("Project `p` does not have access to model `m`"), K.BAD_REQUEST, NEVER),
    ("openai", 404, error("The model `x` does not exist", code="model_not_found"), K.BAD_REQUEST, NEVER),
    ("openai", 400, error("x", code="context_length_exceeded", param="messages"), K.BAD_REQUEST, NEVER),
    ("openai", 400, error("x", code="content_policy_violation"), K.BAD_REQUEST, NEVER),
    ("openai", 400, error("x", code="invalid_prompt"), K.BAD_REQUEST, NEVER),
    ("openai", 413, b"<html>", K.BAD_REQUEST, NEVER),
    (
        "openai",
        429,
        error(
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.",
            code="rate_limit_exceeded",
        ),
        K.BAD_REQUEST,
        NEVER,
    ),
    (
        "openai",
        429,
        error("Request too large for gpt-4o on tokens per min: Limit 30,000, Requested 20,000."),
        K.RATE_LIMIT,
        WAIT,
    ),
    ("openai", 429, b"", K.RATE_LIMIT, WAIT),
    ("openai", 418, b"", K.BAD_REQUEST, NEVER),
    ("openai", 302, b"", K.BAD_REQUEST, NEVER),
    # OpenRouter
    ("openrouter", 429, error("Rate limit exceeded: free-models-per-min.", code=429), K.RATE_LIMIT, WAIT),
    ("openrouter", 402, error("Insufficient credits", code=402), K.UNAVAILABLE, STOP),
    (
        "openrouter",
        402,
        error("busy", code=402, metadata={"limit_source": "openrouter_in_flight_budget"}),
        K.RATE_LIMIT,
        WAIT,
    ),
    (
        "openrouter",
        402,
        error("key limit", code=402, metadata={"limit_source": "openrouter_key_limit"}),
        K.UNAVAILABLE,
        STOP,
    ),
    ("openrouter", 403, error("flagged", code=403, metadata={"reasons": ["x"]}), K.BAD_REQUEST, NEVER),
    ("openrouter", 403, error("Key budget", code=403, metadata={"resets_at": "x"}), K.UNAVAILABLE, STOP),
    ("openrouter", 400, error("foo/bar is not a valid model ID", code=400), K.BAD_REQUEST, NEVER),
    ("openrouter", 404, error("No endpoints found", code=404), K.BAD_REQUEST, NEVER),
    (
        "openrouter",
        404,
        {"error": {"message": "x", "code": 404, "availability": {"retryable": True, "retry_after": 5}}},
        K.SERVER,
        AGAIN,
    ),
    ("openrouter", 529, error("x", metadata={"error_type": "provider_overloaded"}), K.RATE_LIMIT, WAIT),
    ("openrouter", 503, error("x", metadata={"error_type": "provider_overloaded"}), K.RATE_LIMIT, WAIT),
    ("openrouter", 524, error("timed out", code=524), K.SERVER, AGAIN),
    (
        "openrouter",
        400,
        error(
            "Provider returned error",
            code=400,
            metadata={"raw": '{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}'},
        ),
        K.BAD_REQUEST,
        NEVER,
    ),
    # Groq
    (
        "groq",
        413,
        error("Request too large for model", code="rate_limit_exceeded", type="tokens"),
        K.BAD_REQUEST,
        NEVER,
    ),
    (
        "groq",
        429,
        error("Rate limit reached … try again in 2s", code="rate_limit_exceeded"),
        K.RATE_LIMIT,
        WAIT,
    ),
    ("groq", 498, error("Flex tier capacity exceeded"), K.RATE_LIMIT, WAIT),
    # DeepSeek, Together, Fireworks, Mistral, Cerebras, NVIDIA, xAI
    ("deepseek", 402, error("Insufficient Balance"), K.UNAVAILABLE, STOP),
    ("deepseek", 503, error("Service overloaded"), K.RATE_LIMIT, WAIT),
    ("together", 402, error("spending limit reached"), K.UNAVAILABLE, STOP),
    ("together", 403, error("Input token count + max_tokens must be less than"), K.BAD_REQUEST, NEVER),
    ("together", 429, error("x", type="dynamic_request_limited"), K.RATE_LIMIT, WAIT),
    ("together", 503, error("Service unavailable"), K.SERVER, AGAIN),
    ("fireworks", 412, error("Account suspended"), K.UNAVAILABLE, STOP),
    ("mistral", 429, {"message": "Requests rate limit exceeded"}, K.RATE_LIMIT, WAIT),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "x"}, K.UNAVAILABLE, STOP),
    (
        "cerebras",
        429,
        {"message": "x", "type": "too_many_requests_error", "code": "request_quota_exceeded"},
        K.RATE_LIMIT,
        WAIT,
    ),
    ("nvidia", 401, {"status": 401, "title": "Unauthorized", "detail": "bad key"}, K.UNAVAILABLE, STOP),
    ("nvidia", 429, {"status": 429, "title": "Too Many Requests"}, K.RATE_LIMIT, WAIT),
    ("xai", 400, {"code": "invalid", "error": "Argument not supported: x"}, K.BAD_REQUEST, NEVER),
    ("xai", 403, {"code": "x", "error": "has used all available credits"}, K.UNAVAILABLE, STOP),
    # Servers of one's own
    (
        "local",
        400,
        {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_ctx": 512}},
        K.BAD_REQUEST,
        NEVER,
    ),
    (
        "local",
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        K.SERVER,
        AGAIN,
    ),
    (
        "local",
        501,
        {"error": {"code": 501, "message": "x", "type": "not_supported_error"}},
        K.BAD_REQUEST,
        NEVER,
    ),
    (
        "local",
        500,
        {"error": {"code": 500, "message": "image input is not supported - hint: provide the mmproj"}},
        K.BAD_REQUEST,
        NEVER,
    ),
    ("vllm", 400, {"object": "error", "message": "maximum context length is 4096"}, K.BAD_REQUEST, NEVER),
    ("vllm", 500, {"object": "error", "message": "CUDA out of memory"}, K.MEMORY, AGAIN),
    ("lmstudio", 400, {"error": "Model has crashed without additional information"}, K.SERVER, AGAIN),
    ("lmstudio", 500, b'"model requires more system memory (8 GiB)"', K.MEMORY, AGAIN),
    ("lmstudio", 404, {"error": "no model loaded"}, K.BAD_REQUEST, NEVER),
    ("llama-swap", 429, b"Too many requests", K.RATE_LIMIT, WAIT),
    ("vllm", 500, b"upstream \xff\xfe", K.SERVER, AGAIN),
    ("vllm", 400, [{"error": {"message": "one in a list", "code": 400}}], K.BAD_REQUEST, NEVER),
    ("vllm", 422, {"detail": "Unprocessable"}, K.BAD_REQUEST, NEVER),
]


@pytest.mark.parametrize(
    ("vendor", "status", "body", "kind", "flags"),
    TABLE,
    ids=[f"{i}-{row[0]}-{row[1]}" for i, row in enumerate(TABLE)],
)
def test_every_refusal_is_read_as_what_it_is(
    vendor: str, status: int, body: object, kind: FailureKind, flags: tuple[bool, bool]
) -> None:
    found = refuse(vendor, status, body)
    assert (found.kind, (found.retry, found.lane_down)) == (kind, flags)
    assert found.status == status
    assert found.message


@pytest.mark.parametrize(
    ("vendor", "status", "body", "parameter"),
    [
        (
            "openai",
            400,
            error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
            "max_tokens",
        ),
        (
            "openai",
            400,
            error(
                "Unsupported value: 'temperature' does not support 0.2 with this model. "
                "Only the default (1) value is supported.",
                param="temperature",
                code="unsupported_value",
            ),
            "temperature",
        ),
        ("openai", 400, error("Unsupported parameter: 'top_p'"), "top_p"),
        ("openai", 400, error("Unknown parameter: 'frobnicate'.", param="frobnicate"), "frobnicate"),
        ("openai", 400, error("Unrecognized request argument supplied: seed"), "seed"),
        ("openai", 400, error("x", param="max_completion_tokens"), "max_tokens"),
        ("openai", 400, error("x", param="stream_options.include_usage"), "stream_options"),
        ("openai", 400, error("bad", param="messages[0].content"), None),
        ("openai", 400, error("bad", param="model"), None),
        (
            "openai",
            400,
            error(
                "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3.",
                param="temperature",
                code="decimal_above_max_value",
            ),
            None,
        ),
        ("openai", 400, error("max_tokens is too large: 99999", param="max_tokens"), None),
        ("groq", 400, error("property 'logprobs' is not supported"), "logprobs"),
        ("groq", 400, error("`logprobs` is not supported with this model"), "logprobs"),
        ("xai", 400, {"code": "x", "error": "Argument not supported on this model: stop"}, "stop"),
        (
            "mistral",
            422,
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "seed"],
                            "msg": "Extra inputs are not permitted",
                        }
                    ]
                },
            },
            "seed",
        ),
        (
            "mistral",
            422,
            {"detail": [{"loc": ["body", "random_seed"], "msg": "Extra inputs are not permitted"}]},
            "seed",
        ),
        (
            "fireworks",
            400,
            {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]},
            "top_k",
        ),
        (
            "mistral",
            422,
            {
                "detail": [
                    {"loc": ["body", "a"], "msg": "Extra inputs are not permitted"},
                    {"loc": ["body", "b"], "msg": "Extra inputs are not permitted"},
                ]
            },
            "a",
        ),
        ("mistral", 422, {"detail": [{"loc": ["body", "messages", 0], "msg": "Field required"}]}, None),
        (
            "vllm",
            400,
            {
                "object": "error",
                "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), "
                "'msg': 'Extra inputs are not permitted', 'input': 5}]",
            },
            "top_k",
        ),
        (
            "openrouter",
            400,
            error(
                "Provider returned error",
                code=400,
                metadata={"raw": json.dumps(error("Unsupported parameter: 'top_p'", param="top_p"))},
            ),
            "top_p",
        ),
        ("openai", 500, error("x", param="temperature"), None),
        ("openai", 400, error("x", code="context_length_exceeded", param="max_tokens"), None),
    ],
)
def test_a_refused_optional_field_is_named_as_ours(
    vendor: str, status: int, body: object, parameter: str | None
) -> None:
    found = refuse(vendor, status, body)
    assert found.parameter == parameter
    if status in (400, 422):
        assert (found.kind, found.retry) == (K.BAD_REQUEST, False)


@pytest.mark.parametrize(
    ("status", "body", "value", "retry"),
    [
        (400, error("flaky"), "true", True),
        (500, error("gone"), "false", False),
        (429, error("no"), "false", False),
        (429, error("Request too large: Limit 10, Requested 20"), "true", False),
        (401, error("no"), "false", True),
    ],
)
def test_x_should_retry_is_obeyed_where_the_verdict_leaves_doubt(
    status: int, body: object, value: str, retry: bool
) -> None:
    found = refuse("openai", status, body, x_should_retry=value)
    assert found.retry is retry
    assert found.hints.should_retry is (value == "true")


def test_waits_come_from_headers_first_and_from_words_else() -> None:
    body = error("Rate limit reached on requests per minute (RPM): Limit 30, Used 30. Try again in 2s.")
    found = refuse("groq", 429, body)
    assert found.hints.retry_after_s == 2.0
    assert (found.hints.budgets[0].resource, found.hints.budgets[0].window_s) == (Resource.REQUESTS, 60)
    assert refuse("groq", 429, body, retry_after="9").hints.retry_after_s == 9.0


def test_openrouter_repeats_its_headers_in_the_body() -> None:
    headers = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795514430000"}
    found = refuse("openrouter", 429, error("x", code=429, metadata={"headers": headers}))
    assert found.hints.retry_after_s == 30.0
    assert found.hints.budgets[0].limit == 20
    later = error("x", code=429, availability={"code": "x", "retry_after": 7})
    assert refuse("openrouter", 429, later).hints.retry_after_s == 7.0


def test_openrouters_free_day_ends_at_midnight_utc() -> None:
    body = error("free-models-per-day", code=429, metadata={"limit_source": "openrouter_free_tier_daily"})
    found = refuse("openrouter", 429, body)
    assert found.kind is K.RATE_LIMIT
    assert found.hints.retry_after_s == 14 * 3600
    assert found.hints.budgets[0].window_s == 86400


def test_a_full_queue_at_cerebras_asks_for_a_second_and_no_more() -> None:
    body = {"message": "x", "code": "queue_exceeded"}
    assert refuse("cerebras", 429, body, retry_after="60").hints.retry_after_s == 1.0


def test_a_limit_of_zero_at_mistral_means_that_the_plan_lacks_the_model() -> None:
    figures = {"x_ratelimit_limit_req_minute": "0", "x_ratelimit_remaining_req_minute": "0"}
    found = refuse("mistral", 429, {"message": "x"}, **figures)
    assert (found.kind, found.lane_down) == (K.UNAVAILABLE, True)
    figures["x_ratelimit_limit_req_minute"] = "60"
    assert refuse("mistral", 429, {"message": "x"}, **figures).kind is K.RATE_LIMIT


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (error("m", type="t", code="c"), "m", "c"),
        (error("m", type="t"), "m", "t"),
        ({"error": "text"}, "text", None),
        ({"error": "text", "message": "more"}, "text: more", None),
        ({"message": "m", "type": "t"}, "m", "t"),
        ({"detail": "d"}, "d", None),
        ({"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, "n: bad", None),
        ({"detail": ["one", "two"]}, "one; two", None),
        ({"status": 401, "title": "Unauthorized"}, "Unauthorized", None),
        ([error("m")], "m", None),
        ("just text", "just text", None),
        (b"plain   text\n", "plain text", None),
        (b"<html><head><title>502 Bad &amp; sad</title></head><body>x</body></html>", "502 Bad & sad", None),
        (b"<p>Some <b>words</b></p>", "Some words", None),
        (b"", "HTTP 400 without a message", None),
        (b"[]", "HTTP 400 without a message", None),
        (b'event: error\ndata: {"error":{"message":"in an event"}}\n\n', "in an event", None),
        ({"odd": [1]}, '{"odd":[1]}', None),
        (error("m", metadata={"raw": "upstream words"}), "m: upstream words", None),
        (error("m", metadata={"error_type": "word"}), "m", "word"),
    ],
)
def test_the_providers_own_words_are_found_in_every_shape(
    body: object, message: str, code: str | None
) -> None:
    found = refuse("openai", 400, body)
    assert (found.message, found.code) == (message, code)


def test_messages_are_of_bounded_length() -> None:
    assert len(refuse("openai", 400, error("x" * 100_000)).message) < 5000
    assert len(refuse("openai", 500, b"<" + b"x" * 1_000_000).message) < 5000


def test_the_request_id_is_kept_for_support() -> None:
    assert refuse("openai", 500, b"", x_request_id="req_9").request_id == "req_9"


def test_the_official_client_finds_the_same_words() -> None:
    body = error("m", type="t", code="c", param="p")["error"]
    theirs = openai.APIError("m", request=None, body=body)  # type: ignore[arg-type]
    ours = bodies.read(json.dumps({"error": body}).encode())
    assert (ours.message, ours.type, ours.code) == (theirs.message, theirs.type, theirs.code)
    assert ours.names == (theirs.param,)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.integers(300, 599))
def test_no_refusal_makes_reading_raise(data: bytes, status: int) -> None:
    found = refuse("openrouter", status, data)
    assert found.message and found.status == status
