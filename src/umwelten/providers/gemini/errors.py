"""What Google's refusals mean: the `details` of its error object say more than status and words.

A refusal for the minute's quota says how long to wait. One for the day's quota does too, but then the
figure is false: the quota comes back at midnight Pacific time.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.common.durations import go_duration, number
from umwelten.providers.common.errors import BAD, RATE, REFUSED, ErrorClass, judge
from umwelten.providers.common.parameters import SCHEMA, about_schema, ours_of
from umwelten.providers.protocol import Head
from umwelten.types import Budget, FailureKind, RateLimitHints, Resource

_DEPLETED = "prepayment credits are depleted"
_BUSY = ("high demand", "overloaded")
_NOT_IN_PLAN = re.compile(r"\blimit: 0(?!\.?\d)")
_UNKNOWN_NAME = re.compile(r"unknown name \"(\w{1,60})\" at 'generation_?config'", re.IGNORECASE)
# Uploaded files are gone after 48 hours. The key is as good as before.
_NO_FILE = re.compile(
    r"permission to access the file|not in an active state"
    r"|file \S{1,80} (does not exist|not found|may not exist)"
)
NO_FILE = ErrorClass(kind=FailureKind.SERVER, code="file_gone")
_DAY = 86400.0
_WINDOWS = (("PerDay", _DAY), ("PerMinute", 60.0))


def classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    """What only Google writes; `None` leaves the judgement to what all providers have in common."""
    details = _details(error)
    if head.status == 429:
        return _quota(error, details)
    if head.status == 400:
        return _refused_key(error, details) or _refused_field(error)
    if head.status in (403, 404) and _NO_FILE.search(error.words):
        return NO_FILE
    if head.status == 503 and any(word in error.words for word in _BUSY):
        return RATE
    return None


def _quota(error: ErrorBody, details: list[dict[str, Any]]) -> ErrorClass:
    """A minute's quota is waited for; a day's, an absent one and used-up credit stop the lane."""
    budgets = _violations(details)
    words = error.words
    if _DEPLETED in words:
        return REFUSED
    if (
        any(b.window_s == _DAY or b.limit == 0 for b in budgets)
        or "perday" in words
        or _NOT_IN_PLAN.search(words)
    ):
        return msgspec.structs.replace(REFUSED, hints=RateLimitHints(budgets=budgets))
    # "check your plan and billing details" comes with a minute's quota too: it means nothing.
    return msgspec.structs.replace(RATE, hints=RateLimitHints(retry_after_s=_delay(details), budgets=budgets))


def _violations(details: list[dict[str, Any]]) -> tuple[Budget, ...]:
    """The quotas that the request went over, each once. A limit of 0: the model is not in this plan."""
    found = [d.get("violations") for d in details if _kind(d) == "QuotaFailure"]
    listed = [v for violations in found if isinstance(violations, list) for v in violations]
    return tuple(dict.fromkeys(_violation(fields) for fields in listed if isinstance(fields, dict)))


def _violation(fields: dict[str, Any]) -> Budget:
    name = f"{fields.get('quotaId', '')} {fields.get('quotaMetric', '')}"
    low = name.lower().replace("_", "")
    window = next((seconds for word, seconds in _WINDOWS if word in name), None)
    resource = Resource.INPUT_TOKENS if "inputtoken" in low else Resource.REQUESTS
    value = number(str(fields.get("quotaValue", "")))
    limit = None if value is None else max(0.0, value)
    remaining = None if limit is None else 0.0
    return Budget(resource=resource, limit=limit, remaining=remaining, window_s=window)


def _delay(details: list[dict[str, Any]]) -> float | None:
    stated = (go_duration(str(d.get("retryDelay", ""))) for d in details if _kind(d) == "RetryInfo")
    return max((delay for delay in stated if delay is not None), default=None)


def _refused_key(error: ErrorBody, details: list[dict[str, Any]]) -> ErrorClass | None:
    """A key that is not valid, or an account that may not call from this country or without billing."""
    invalid = any(d.get("reason") in ("API_KEY_INVALID", "API_KEY_EXPIRED") for d in details)
    return REFUSED if invalid or error.fields.get("status") == "FAILED_PRECONDITION" else None


def _refused_field(error: ErrorBody) -> ErrorClass | None:
    """A setting, or a way to ask for a shape, that this model or version does not know."""
    if judge(400, error) is BAD and about_schema(error):
        return msgspec.structs.replace(BAD, parameter=SCHEMA)
    found = _UNKNOWN_NAME.search(error.message)
    return None if found is None else msgspec.structs.replace(BAD, parameter=ours_of(found[1]))


def _details(error: ErrorBody) -> list[dict[str, Any]]:
    listed = error.fields.get("details")
    return [d for d in listed if isinstance(d, dict)] if isinstance(listed, list) else []


def _kind(detail: dict[str, Any]) -> str:
    """The last word of a type such as `type.googleapis.com/google.rpc.RetryInfo`."""
    return str(detail.get("@type", "")).rpartition(".")[2]
