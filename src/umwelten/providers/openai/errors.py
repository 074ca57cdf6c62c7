"""Classify the errors of OpenAI and compatible servers where they differ from the common rules."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from umwelten.providers.common import errors, rate_limit_headers, refused_fields
from umwelten.providers.common.bodies import ErrorBody, read, read_value
from umwelten.providers.common.durations import span
from umwelten.providers.common.errors import BLOCKED, NO_MODEL, RATE, REFUSED, SERVER, ErrorClass
from umwelten.providers.header_dialects import OPENROUTER
from umwelten.providers.protocol import Endpoint, Head
from umwelten.types import Budget, Failure, FailureKind, RateLimitHints, Resource, Usage

_DAY = 86400.0
_IN_FLIGHT_BUDGET = "openrouter_in_flight_budget"
_FREE_DAILY = "openrouter_free_tier_daily"
_QUEUE_FULL = "queue_exceeded"
_SUSPENDED = 412
_FLEX_FULL = 498
# Groq's code for an answer that did not match the schema; it comes as a refusal, with the answer in it.
_UNFIT = "json_validate_failed"
_UNFIT_ANSWER = ErrorClass(kind=FailureKind.SCHEMA)
# Groq's code for a call of a tool that it could not read, or that was not offered: another try may do.
_MISCALLED = "tool_use_failed"
_NOT_READ = ErrorClass(kind=FailureKind.EMPTY)
# A model, or what is asked of it, that only the Responses API serves: as OpenAI (404, 400), Azure and GitHub
# say it, and whoever passes their words on. The Responses API has no such words.
_NEEDS_RESPONSES = re.compile(
    r"v1/responses\b.{0,40}\bnot\b.{0,20}chat/completions"
    r"|chat/completions\b.{0,200}\bv1/responses"
    r"|not a chat model and thus not supported in the v1/chat/completions"
    r"|chatcompletion operation does not work with the specified model"
    r"|not accessible via the /chat/completions|unsupported_api_for_model"
)
# OpenRouter's, where no host of a model supports all that was sent; unnamed, that is the schema.
_NO_HOST = re.compile(
    r"no endpoints found.{0,40}?(?:support\w*|handle) (?:the )?(?:provided |requested )?"
    r"['\"]?([a-z_]+(?: [a-z]+)?)"
)
_HOST_LACKS = {"tool use": "tools", "tool calling": "tools", "cache control": "cache_control"}
# DashScope's code for a rate by the minute. It is OpenAI's code for an empty account, in the same words.
_ALIBABA = ".aliyuncs.com"
_PATH_OF_ALIBABA = "/compatible-mode/"
_NAMES_OF_ALIBABA = frozenset(("dashscope", "qwen", "alibaba"))
_RATE_OF_ALIBABA = "insufficient_quota"
# MiniMax answers refusals with HTTP 200; its codes as the statuses they stand for.
_BASE_RESP = {
    1001: 504,
    1002: 429,
    1004: 401,
    1008: 402,
    1026: 400,
    1027: 400,
    1039: 429,
    2013: 400,
    2049: 401,
    2056: 402,
}
_BASE_RESP_BLOCKED = frozenset((1026, 1027))


def failure(
    head: Head,
    error: ErrorBody,
    endpoint: Endpoint,
    *,
    partial_text: str | None = None,
    usage: Usage | None = None,
    known: ErrorClass | None = None,
) -> Failure:
    """Return the failure for an error of this family; `known` is its class where that is settled."""
    error = _add_upstream_error(error)
    return errors.from_error(
        head,
        error,
        endpoint,
        classify=partial(_classify, endpoint) if known is None else lambda head, error: known,
        limits=_limits(head, error, endpoint),
        partial=partial_text or _unfit_answer(error),
        usage=usage,
    )


def from_base_resp(value: object) -> ErrorBody | None:
    """Return MiniMax's error in a reply with status 200, or `None` if it reports success."""
    if not isinstance(value, dict) or not isinstance(value.get("status_code"), int):
        return None
    code = int(value["status_code"])
    if code == 0:
        return None
    message = value.get("status_msg")
    return ErrorBody(
        message=message if isinstance(message, str) else "",
        code="content_policy" if code in _BASE_RESP_BLOCKED else str(code),
        number=_BASE_RESP.get(code, 500),
    )


def _classify(endpoint: Endpoint, head: Head, error: ErrorBody) -> ErrorClass | None:
    verdict = _classify_openrouter(head.status, error)
    if verdict is not None:
        return verdict
    if head.status == _SUSPENDED or _is_outside_plan(head, endpoint):
        return REFUSED
    if head.status == _FLEX_FULL and errors.classify_common(head.status, error) is not BLOCKED:
        return RATE
    if _unfit_answer(error) is not None:
        return _UNFIT_ANSWER
    if error.code == _MISCALLED:
        return _NOT_READ
    if head.status in (400, 404) and _NEEDS_RESPONSES.search(error.words):
        return msgspec.structs.replace(errors.BAD, parameter=refused_fields.API)
    if head.status == 404 and (lacks := _NO_HOST.search(error.words)) is not None:
        return _lacking(lacks[1])
    if head.status == 429 and error.code == _RATE_OF_ALIBABA and _is_alibaba(endpoint):
        return RATE
    return None


def _lacking(what: str) -> ErrorClass | None:
    """Return the class for something that no host of the model supports; `None` if it is no field."""
    name = _HOST_LACKS.get(what) or refused_fields.known_name(what)
    if name is None and what.startswith(("parameters", "structured")):
        name = refused_fields.SCHEMA
    return None if name is None else msgspec.structs.replace(errors.BAD, parameter=name)


def _is_alibaba(endpoint: Endpoint) -> bool:
    """Whether the address is DashScope's, or a relay's that kept its path or is named after it."""
    address = urlsplit(endpoint.base_url)
    if (address.hostname or "").endswith(_ALIBABA) or address.path.startswith(_PATH_OF_ALIBABA):
        return True
    return endpoint.vendor.name in _NAMES_OF_ALIBABA


def _unfit_answer(error: ErrorBody) -> str | None:
    """Return the answer in a refusal that reports that it does not match the schema, or `None`."""
    answer = error.fields.get("failed_generation")
    return answer if error.code == _UNFIT and isinstance(answer, str) else None


def _classify_openrouter(status: int, error: ErrorBody) -> ErrorClass | None:
    """Return the class of an OpenRouter error that its status alone does not give, or `None`."""
    metadata = _dict(error.fields.get("metadata"))
    source = metadata.get("limit_source")
    if status == 402 and source == _IN_FLIGHT_BUDGET:
        return RATE
    if status == 403 and metadata.get("reasons"):
        return BLOCKED
    if status in (401, 403) and metadata.get("raw") and "provider_name" in metadata:
        # The host of this model refused OpenRouter, or the region; the user's key is well.
        return NO_MODEL
    if status == 404 and _dict(error.fields.get("availability")).get("retryable") is True:
        return SERVER
    return None


def _is_outside_plan(head: Head, endpoint: Endpoint) -> bool:
    """Return whether a limit of 0 says that the plan does not include this model (Mistral)."""
    dialect = endpoint.vendor.quirks.hints
    if head.status != 429 or not dialect.zero_excludes:
        return False
    return any(budget.limit == 0 for budget in rate_limit_headers.parse(dialect, head).budgets)


def _limits(head: Head, error: ErrorBody, endpoint: Endpoint) -> RateLimitHints:
    dialect = endpoint.vendor.quirks.hints
    stated = rate_limit_headers.parse(dialect, head)
    if error.code == _QUEUE_FULL:
        # Its Retry-After is too long; a second is enough when only the queue is full.
        return msgspec.structs.replace(stated, retry_after_s=1.0)
    return rate_limit_headers.merge(stated, _metadata_hints(head, error)) if error.fields else stated


def _metadata_hints(head: Head, error: ErrorBody) -> RateLimitHints:
    """Return the hints in OpenRouter's body: repeated headers, the end of the day or of an outage."""
    metadata = _dict(error.fields.get("metadata"))
    headers = {str(k).lower(): str(v) for k, v in _dict(metadata.get("headers")).items()}
    stated = rate_limit_headers.parse(
        OPENROUTER, msgspec.structs.replace(head, headers={**_date(head), **headers})
    )
    wait = _dict(error.fields.get("availability")).get("retry_after")
    now = rate_limit_headers.server_time(head)
    if metadata.get("limit_source") == _FREE_DAILY:
        left = _DAY - now % _DAY
        daily = Budget(resource=Resource.REQUESTS, remaining=0.0, reset_s=left, window_s=_DAY)
        return RateLimitHints(retry_after_s=left, budgets=(daily,))
    spent = (b.reset_s for b in stated.budgets if b.remaining == 0 and b.reset_s is not None)
    if stated.retry_after_s is not None:
        return stated
    after = span(str(wait), now) if wait is not None else next(spent, None)
    return rate_limit_headers.merge(RateLimitHints(retry_after_s=after), stated)


def _date(head: Head) -> dict[str, str]:
    return {"date": head.headers["date"]} if "date" in head.headers else {}


def _add_upstream_error(error: ErrorBody) -> ErrorBody:
    """Return OpenRouter's "Provider returned error" with the upstream provider's message and code."""
    metadata = _dict(error.fields.get("metadata"))
    code = error.code or _string_field(metadata, "error_type") or _string_field(metadata, "provider_code")
    raw = metadata.get("raw")
    if isinstance(raw, dict) and isinstance(raw.get("data"), str):
        raw = raw["data"]
    inner = read(raw.encode("utf-8", "replace")) if isinstance(raw, str) else read_value(raw or "")
    message = ": ".join(dict.fromkeys(text for text in (error.message, inner.message) if text))
    return msgspec.structs.replace(error, code=code, message=message, names=error.names or inner.names)


def _string_field(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    return value[:100] if isinstance(value, str) else ""


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
