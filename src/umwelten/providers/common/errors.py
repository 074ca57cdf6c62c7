"""From an HTTP status and an error body to a `Failure`: what all wire formats share.

A wire passes its own `classify` for what only its providers write; what that leaves open is judged
here, first by the words of the message, then by the status. Numbers and phrases stand in tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from umwelten.providers.common import bodies, rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.protocol import Endpoint, Head
from umwelten.types import NO_HINTS, Failure, FailureKind, FrozenStruct, RateLimitHints, Usage


class ErrorClass(FrozenStruct):
    """What a refusal means: the fields of `Failure` that follow from it.

    `certain` True: an `x-should-retry: true` does not turn it into something worth sending again.
    `hints` are those of the body.
    """

    kind: FailureKind
    retry: bool = True
    lane_down: bool = False
    parameter: str | None = None
    code: str | None = None
    certain: bool = False
    hints: RateLimitHints = NO_HINTS


Classify = Callable[[Head, ErrorBody], ErrorClass | None]

SERVER = ErrorClass(kind=FailureKind.SERVER)
RATE = ErrorClass(kind=FailureKind.RATE_LIMIT)
MEMORY = ErrorClass(kind=FailureKind.MEMORY)
REFUSED = ErrorClass(kind=FailureKind.UNAVAILABLE, lane_down=True, certain=True)
BAD = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False)
NEVER = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False, certain=True)
BLOCKED = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False, code="blocked", certain=True)

_MEMORY = re.compile(
    r"out of memory|\boom\b|requires more system memory|insufficient memory|not enough memory"
    r"|failed to allocate|unable to allocate|insufficient system resources"
)
_TOO_LONG = re.compile(
    r"context[_ ]length|context[_ ]size|maximum context|context window|prompt is too long"
    r"|input token count|input is too long|too many (input )?tokens in"
)
_CREDIT = re.compile(
    r"insufficient_quota|credit_balance_exhausted|billing_hard_limit|billing_error|spend_limit"
    r"|organization_usage_limit|credit balance is too low|credits are depleted|specified api usage limits"
    r"|insufficient (balance|credits?|funds)|used all available credits|spending limit"
)
_BLOCKED = re.compile(
    r"content_policy|content policy|content_filter|content filtering|invalid_prompt|moderation"
)
_MODEL = re.compile(r"model_not_found|not a valid model id|does not have access to model|no such model")
_MEDIA = re.compile(
    r"mmproj|(image|audio|video|vision|file) inputs? (is|are) not supported|not_supported_error"
)
_OVERLOAD = re.compile(
    r"overload|server_is_overloaded|slow_down|at capacity|maximum pending requests|server busy"
    r"|too many (concurrent )?requests|queue_exceeded|no (free|available) slots?"
)
_LOADING = re.compile(r"loading model|model is (still )?loading|model (has )?(crashed|unloaded)|model failed")
_TOO_BIG = re.compile(r"request too large|payload size exceeds")
_AMOUNTS = re.compile(r"limit:? (\d[\d,]{0,15}).{0,40}?requested:? (\d[\d,]{0,15})")

_TRANSIENT = frozenset((408, 409, 425, 498, 499))
_BY_WORD = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "rate_limit": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "provider_overloaded": 529,
    "server_is_overloaded": 503,
    "service_unavailable": 503,
    "unavailable_error": 503,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "billing_error": 402,
    "payment_required": 402,
    "model_not_found": 404,
    "not_found_error": 404,
    "request_too_large": 413,
    "timeout_error": 504,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "invalid_request_error": 400,
    "unsupported_parameter": 400,
    "content_policy_violation": 400,
    "invalid_prompt": 400,
}


def from_http(
    head: Head,
    body: bytes,
    endpoint: Endpoint,
    *,
    classify: Classify | None = None,
    limits: RateLimitHints | None = None,
) -> Failure:
    """The failure that a reply with an error status stands for. `limits`: its headers, if already read."""
    return from_error(head, bodies.read(body), endpoint, classify=classify, limits=limits)


def from_error(
    head: Head,
    error: ErrorBody,
    endpoint: Endpoint,
    *,
    classify: Classify | None = None,
    limits: RateLimitHints | None = None,
    partial: str | None = None,
    usage: Usage | None = None,
) -> Failure:
    """The failure that an error object stands for, whether it came with its own status or inside a 200."""
    head = _effective(head, error)
    stated = rate_limit_headers.parse(endpoint.vendor.quirks.hints, head) if limits is None else limits
    verdict = (classify(head, error) if classify else None) or judge(head.status, error)
    stated = rate_limit_headers.merge(stated, verdict.hints)
    if verdict.kind is FailureKind.RATE_LIMIT:
        stated = rate_limit_headers.merge(stated, rate_limit_headers.from_text(error.message))
    return Failure(
        kind=verdict.kind,
        message=hide_key(error.message or f"HTTP {head.status} without a message", endpoint),
        status=head.status,
        code=verdict.code or error.code or error.type or None,
        retry=_retry(verdict, stated),
        lane_down=verdict.lane_down,
        parameter=verdict.parameter,
        partial=partial or None,
        usage=usage or Usage(),
        request_id=request_id(head, None),
        hints=stated,
    )


def judge(status: int, error: ErrorBody) -> ErrorClass:
    """What a refusal means by the words and statuses that all providers have in common."""
    if status in (401, 402, 407):
        return REFUSED
    return _by_words(status, error) or _by_status(status)


def broken(head: Head, message: str, *, partial: str | None = None, usage: Usage | None = None) -> Failure:
    """A reply with a good status that can't be used: not JSON, without an answer, cut off."""
    return Failure(
        kind=FailureKind.SERVER,
        message=message,
        status=head.status,
        partial=partial or None,
        usage=usage or Usage(),
        request_id=request_id(head, None),
    )


def request_id(head: Head, in_body: str | None) -> str | None:
    """The provider's name for the exchange."""
    return head.headers.get("x-request-id") or head.headers.get("request-id") or in_body


SHORTEST_KEY = 6
"""A shorter one is a stand-in for servers that want any key, and stands in ordinary words."""


def hide_key(text: str, endpoint: Endpoint) -> str:
    """The text without the key, should a server repeat it."""
    key = endpoint.api_key.reveal() if endpoint.api_key else ""
    return text.replace(key, "***") if len(key) >= SHORTEST_KEY else text


def never_fits(words: str) -> bool:
    """Whether a rate-limit message says that this one request is larger than the whole limit."""
    if not _TOO_BIG.search(words):
        return False
    amounts = _AMOUNTS.search(words)
    return amounts is None or int(amounts[2].replace(",", "")) > int(amounts[1].replace(",", ""))


def _by_words(status: int, error: ErrorBody) -> ErrorClass | None:
    words = error.words
    if status == 413 or never_fits(words):
        return NEVER
    if _CREDIT.search(words):
        return REFUSED
    if status in (429, 529):
        return RATE
    if _MEMORY.search(words):
        return MEMORY
    if _LOADING.search(words):
        return SERVER
    if _TOO_LONG.search(words) or _MODEL.search(words) or _MEDIA.search(words):
        return NEVER
    if status in (400, 403, 422) and _BLOCKED.search(words):
        return BLOCKED
    if (status >= 500 or status < 300) and _OVERLOAD.search(words):
        return RATE
    return None


def _by_status(status: int) -> ErrorClass:
    if status in (429, 529):
        return RATE
    if status == 403:
        return REFUSED
    if status in _TRANSIENT or status < 300:
        return SERVER
    return SERVER if status >= 500 and status != 501 else BAD


def _effective(head: Head, error: ErrorBody) -> Head:
    """The head with the status that an error inside a 200 states by number or by word."""
    if head.status >= 300:
        return head
    stated = error.number if error.number is not None and 400 <= error.number <= 599 else None
    words = (_BY_WORD.get(error.code.lower()), _BY_WORD.get(error.type.lower()))
    status = next((status for status in (stated, *words) if status is not None), head.status)
    return msgspec.structs.replace(head, status=status)


def _retry(verdict: ErrorClass, stated: RateLimitHints) -> bool:
    """The provider's own word counts, save where the verdict is beyond doubt."""
    if stated.should_retry is None or verdict.lane_down:
        return verdict.retry
    return verdict.retry if verdict.certain and stated.should_retry else stated.should_retry
