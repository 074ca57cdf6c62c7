"""Classify Google's errors: the `details` of its error object say more than status and message.

A refusal for the quota per minute states the wait. One for the quota per day does too, but wrongly: that
quota resets at midnight Pacific time.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.common.durations import go_duration, number
from umwelten.providers.common.errors import BAD, RATE, REFUSED, ErrorClass, classify_common
from umwelten.providers.common.refused_fields import SCHEMA, canonical_name, is_about_schema
from umwelten.providers.protocol import Head
from umwelten.types import Budget, FailureKind, RateLimitHints, Resource

_DEPLETED = "prepayment credits are depleted"
_BUSY = ("high demand", "overloaded")
_NOT_IN_PLAN = re.compile(r"\blimit: 0(?!\.?\d)")
_UNKNOWN_NAME = re.compile(r"unknown name \"(\w{1,60})\" at 'generation_?config'", re.IGNORECASE)
# Uploaded files are deleted after 48 hours; the key is still valid.
_NO_FILE = re.compile(
    r"permission to access the file|not in an active state"
    r"|file \S{1,80} (does not exist|not found|may not exist)"
)
NO_FILE = ErrorClass(kind=FailureKind.SERVER, code="file_gone")
_DAY = 86400.0
_WINDOWS = (("PerDay", _DAY), ("PerMinute", 60.0))


def classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    """Return the class of an error that only Google sends; `None` leaves it to the common rules."""
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
    """Return the class of a 429: retry for a quota per minute; for the others, stop the lane.

    The others are a quota per day, a quota of 0 and used-up credit.
    """
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
    # "check your plan and billing details" comes with a quota per minute too, so it is ignored.
    return msgspec.structs.replace(RATE, hints=RateLimitHints(retry_after_s=_delay(details), budgets=budgets))


def _violations(details: list[dict[str, Any]]) -> tuple[Budget, ...]:
    """Return the exceeded quotas, each once. A limit of 0: the plan does not include the model."""
    lists = [d.get("violations") for d in details if _kind(d) == "QuotaFailure"]
    violations = [fields for items in lists if isinstance(items, list) for fields in items]
    return tuple(dict.fromkeys(_violation(fields) for fields in violations if isinstance(fields, dict)))


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
    delays = (go_duration(str(d.get("retryDelay", ""))) for d in details if _kind(d) == "RetryInfo")
    return max((delay for delay in delays if delay is not None), default=None)


def _refused_key(error: ErrorBody, details: list[dict[str, Any]]) -> ErrorClass | None:
    """Return the class for an invalid key, or an account that may not call from here or without billing."""
    invalid = any(d.get("reason") in ("API_KEY_INVALID", "API_KEY_EXPIRED") for d in details)
    return REFUSED if invalid or error.fields.get("status") == "FAILED_PRECONDITION" else None


def _refused_field(error: ErrorBody) -> ErrorClass | None:
    """Return the class for a setting or a schema that this model or version does not support."""
    if classify_common(400, error) is BAD and is_about_schema(error):
        return msgspec.structs.replace(BAD, parameter=SCHEMA)
    unknown = _UNKNOWN_NAME.search(error.message)
    return None if unknown is None else msgspec.structs.replace(BAD, parameter=canonical_name(unknown[1]))


def _details(error: ErrorBody) -> list[dict[str, Any]]:
    details = error.fields.get("details")
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def _kind(detail: dict[str, Any]) -> str:
    """Return the last part of a type such as `type.googleapis.com/google.rpc.RetryInfo`."""
    return str(detail.get("@type", "")).rpartition(".")[2]
