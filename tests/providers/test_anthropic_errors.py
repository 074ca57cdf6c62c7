"""What Anthropic's refusals mean: the table of them, and the settings that they name."""

from __future__ import annotations

from typing import Any

import pytest

from umwelten.providers.anthropic.messages import AnthropicMessages
from umwelten.providers.vendors import VENDORS
from umwelten.types import FailureKind
from wirekit import (
    decoded,
    failed,
    place,
)

WIRE = AnthropicMessages()
HOME = place("anthropic", "https://api.anthropic.com", quirks=VENDORS["anthropic"].quirks)
K = FailureKind


def _error(kind: str, message: str = "no", code: str | None = None) -> dict[str, Any]:
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_9"}


REQUEST = "invalid_request_error"
LIMIT = "rate_limit_error"


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "retry", "lane_down"),
    [
        (429, _error(LIMIT), {"retry_after": "30"}, K.RATE_LIMIT, True, False),
        (429, _error(LIMIT, code="ramp_limit_exceeded"), {}, K.RATE_LIMIT, True, False),
        (429, _error(LIMIT, code="enforced_spend_limit_reached"), {}, K.UNAVAILABLE, True, True),
        (429, _error(LIMIT, code="contract_spend_limit_reached"), {}, K.UNAVAILABLE, True, True),
        (
            429,
            _error(LIMIT, code="enforced_spend_limit_reached"),
            {"retry_after": "5"},
            K.RATE_LIMIT,
            True,
            False,
        ),
        (529, _error("overloaded_error"), {}, K.RATE_LIMIT, True, False),
        (529, b"", {}, K.RATE_LIMIT, True, False),
        (402, _error("billing_error"), {}, K.UNAVAILABLE, True, True),
        (400, _error(REQUEST, "Your credit balance is too low to …"), {}, K.UNAVAILABLE, True, True),
        (
            400,
            _error(REQUEST, "You have reached your specified API usage limits."),
            {},
            K.UNAVAILABLE,
            True,
            True,
        ),
        (401, _error("authentication_error"), {}, K.UNAVAILABLE, True, True),
        (403, _error("permission_error"), {}, K.UNAVAILABLE, True, True),
        (404, _error("not_found_error", "model: x"), {}, K.BAD_REQUEST, False, False),
        (400, _error(REQUEST, "prompt is too long: 9 tokens > 5"), {}, K.BAD_REQUEST, False, False),
        (
            400,
            _error(REQUEST, "Output blocked by content filtering policy"),
            {},
            K.BAD_REQUEST,
            False,
            False,
        ),
        (413, _error("request_too_large"), {}, K.BAD_REQUEST, False, False),
        (413, b"<html><title>413 Request Entity Too Large</title></html>", {}, K.BAD_REQUEST, False, False),
        (500, _error("api_error"), {}, K.SERVER, True, False),
        (504, _error("timeout_error"), {}, K.SERVER, True, False),
        (408, _error("api_error"), {}, K.SERVER, True, False),
        (409, _error("api_error"), {}, K.SERVER, True, False),
        (500, _error("api_error"), {"x_should_retry": "false"}, K.SERVER, False, False),
        (502, b"<html>Bad gateway</html>", {}, K.SERVER, True, False),
    ],
)
def test_refusals_mean_what_the_table_says(
    status: int, body: object, headers: dict[str, str], kind: FailureKind, retry: bool, lane_down: bool
) -> None:
    failure = failed(decoded(WIRE, HOME, body, status, **headers))
    assert (failure.kind, failure.retry, failure.lane_down) == (kind, retry, lane_down)
    assert failure.status == status
    assert failure.message


def test_the_time_to_wait_and_the_exchanges_name_are_kept() -> None:
    failure = failed(decoded(WIRE, HOME, _error(LIMIT), 429, retry_after="30", request_id="req_7"))
    assert (failure.hints.retry_after_s, failure.request_id) == (30, "req_7")


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        ("temperature: this model does not support a non-default value", "temperature"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("`temperature` and `top_p` cannot both be specified for this model.", "top_p"),
        ("`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
        ("frequency_penalty: Extra inputs are not permitted", "frequency_penalty"),
        ("temperature: Input should be less than or equal to 1", None),
        ("messages: text content blocks must be non-empty", None),
        ("model: not supported", None),
        ("max_tokens: 99999 > 8192, which is the maximum allowed number of output tokens", None),
    ],
)
def test_a_setting_that_the_model_does_not_take_is_named(message: str, parameter: str | None) -> None:
    failure = failed(decoded(WIRE, HOME, _error(REQUEST, message), 400))
    assert (failure.kind, failure.retry, failure.parameter) == (K.BAD_REQUEST, False, parameter)


@pytest.mark.parametrize(
    "error", ["x", [], {"type": []}, {"details": "x"}, {"details": {"error_code": []}}, None]
)
def test_odd_errors_do_no_harm(error: Any) -> None:
    for status in (200, 400, 429):
        failed(decoded(WIRE, HOME, {"type": "error", "error": error}, status))
