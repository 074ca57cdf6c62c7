"""What Google's refusals mean: the table of them, and the quotas in their details."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import duration_pb2, json_format
from google.rpc import error_details_pb2 as rpc

from umwelten.providers.gemini.generate_content import Gemini
from umwelten.types import Budget, FailureKind, Resource
from wirekit import (
    decoded,
    failed,
    place,
)

WIRE = Gemini()
HOME = place("gemini", "https://generativelanguage.googleapis.com")
K = FailureKind


def _error(code: int, status: str, message: str = "no", details: list[Any] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": details or []}}


def _quota(*violations: tuple[str, str], delay: str | None = None, metric: str = "") -> list[Any]:
    listed = [{"quotaId": name, "quotaValue": value, "quotaMetric": metric} for name, value in violations]
    details: list[Any] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": listed}]
    if delay is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return details


PLAN = "You exceeded your current quota, please check your plan and billing details."
INVALID_KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
TOKENS = "GenerateContentInputTokensPerModelPerMinute"


@pytest.mark.parametrize("wrap", [False, True], ids=["object", "list"])
@pytest.mark.parametrize(
    ("body", "kind", "retry", "lane_down"),
    [
        (
            _error(429, "RESOURCE_EXHAUSTED", PLAN, _quota((MINUTE, "15"), delay="37s")),
            K.RATE_LIMIT,
            True,
            False,
        ),
        (_error(429, "RESOURCE_EXHAUSTED"), K.RATE_LIMIT, True, False),
        (_error(429, "RESOURCE_EXHAUSTED", PLAN, _quota((DAY, "50"), delay="4s")), K.UNAVAILABLE, True, True),
        (_error(429, "RESOURCE_EXHAUSTED", PLAN, _quota((MINUTE, "0"))), K.UNAVAILABLE, True, True),
        (
            _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: m, limit: 0"),
            K.UNAVAILABLE,
            True,
            True,
        ),
        (
            _error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
            K.UNAVAILABLE,
            True,
            True,
        ),
        (_error(503, "UNAVAILABLE", "The model is overloaded."), K.RATE_LIMIT, True, False),
        (_error(503, "UNAVAILABLE", "This model is experiencing high demand."), K.RATE_LIMIT, True, False),
        (_error(503, "UNAVAILABLE", "The service is currently unavailable."), K.SERVER, True, False),
        (_error(500, "INTERNAL"), K.SERVER, True, False),
        (_error(504, "DEADLINE_EXCEEDED"), K.SERVER, True, False),
        (_error(499, "CANCELLED"), K.SERVER, True, False),
        (_error(400, "INVALID_ARGUMENT", "API key not valid.", INVALID_KEY), K.UNAVAILABLE, True, True),
        (_error(400, "FAILED_PRECONDITION", "User location is not supported."), K.UNAVAILABLE, True, True),
        (_error(401, "UNAUTHENTICATED"), K.UNAVAILABLE, True, True),
        (_error(403, "PERMISSION_DENIED"), K.UNAVAILABLE, True, True),
        (_error(404, "NOT_FOUND", "models/x is not found"), K.BAD_REQUEST, False, False),
        (_error(400, "INVALID_ARGUMENT"), K.BAD_REQUEST, False, False),
        (
            _error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum (5)."),
            K.BAD_REQUEST,
            False,
            False,
        ),
        (
            _error(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
            K.BAD_REQUEST,
            False,
            False,
        ),
        (_error(413, "INVALID_ARGUMENT"), K.BAD_REQUEST, False, False),
    ],
)
def test_refusals_mean_what_the_table_says(
    body: dict[str, Any], kind: FailureKind, retry: bool, lane_down: bool, wrap: bool
) -> None:
    status = body["error"]["code"]
    failure = failed(decoded(WIRE, HOME, [body] if wrap else body, status))
    assert (failure.kind, failure.retry, failure.lane_down) == (kind, retry, lane_down)
    assert (failure.status, failure.message) == (status, body["error"]["message"])


def test_googles_own_quota_details_become_hints() -> None:
    quota = rpc.QuotaFailure(
        violations=[
            rpc.QuotaFailure.Violation(quota_id=MINUTE, quota_value=15),
            rpc.QuotaFailure.Violation(quota_id=TOKENS, quota_value=250_000),
        ]
    )
    retry = rpc.RetryInfo(retry_delay=duration_pb2.Duration(seconds=45, nanos=578_569_677))
    details = [
        {"@type": f"type.googleapis.com/{m.DESCRIPTOR.full_name}", **json_format.MessageToDict(m)}
        for m in (quota, retry)
    ]
    hints = failed(decoded(WIRE, HOME, _error(429, "RESOURCE_EXHAUSTED", PLAN, details), 429)).hints
    assert hints.retry_after_s == pytest.approx(45.578569677)
    assert hints.budgets == (
        Budget(resource=Resource.REQUESTS, limit=15, remaining=0, window_s=60),
        Budget(resource=Resource.INPUT_TOKENS, limit=250_000, remaining=0, window_s=60),
    )


def test_the_longest_of_several_quotas_wins_and_a_days_hint_is_not_believed() -> None:
    body = _error(
        429,
        "RESOURCE_EXHAUSTED",
        f"{PLAN} Please retry in 4.2s.",
        _quota((MINUTE, "15"), (DAY, "50"), delay="4s"),
    )
    failure = failed(decoded(WIRE, HOME, body, 429))
    assert failure.lane_down
    assert failure.hints.retry_after_s is None
    assert failure.hints.budgets[1] == Budget(
        resource=Resource.REQUESTS, limit=50, remaining=0, window_s=86400
    )


def test_the_wait_is_read_from_the_words_where_the_details_are_missing() -> None:
    failure = failed(decoded(WIRE, HOME, _error(429, "RESOURCE_EXHAUSTED", "Please retry in 45.57s."), 429))
    assert failure.hints.retry_after_s == pytest.approx(45.57)


def test_a_setting_the_model_does_not_know_is_named() -> None:
    said = "Invalid JSON payload received. Unknown name \"topQ\" at 'generation_config': Cannot find field."
    failure = failed(decoded(WIRE, HOME, _error(400, "INVALID_ARGUMENT", said), 400))
    assert (failure.kind, failure.parameter, failure.retry) == (K.BAD_REQUEST, "topQ", False)


@pytest.mark.parametrize("details", ["x", [1, None], [{"@type": 5}], [{"reason": []}], {"violations": 3}])
def test_odd_details_do_no_harm(details: Any) -> None:
    for status in (400, 429):
        failed(decoded(WIRE, HOME, {"error": {"code": status, "message": "m", "details": details}}, status))
    odd = [{"@type": "x.QuotaFailure", "violations": [3, {"quotaValue": {}, "quotaId": 4}]}]
    assert failed(decoded(WIRE, HOME, _error(429, "X", "m", odd), 429)).kind is K.RATE_LIMIT


def test_of_several_waits_the_longest_counts() -> None:
    details = [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{s}s"} for s in (3, 37, 5)
    ]
    failure = failed(decoded(WIRE, HOME, _error(429, "RESOURCE_EXHAUSTED", PLAN, details), 429))
    assert failure.hints.retry_after_s == 37
