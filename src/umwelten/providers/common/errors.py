"""Turn an HTTP status and an error body into a `Failure`, for all wire formats.

A wire passes its own `classify` for errors that only its providers send; the others are classified here,
first by the text of the message, then by the status. Numbers and phrases are in tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from umwelten.providers.common import bodies, rate_limit_headers, refused_fields
from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.protocol import Endpoint, Head, Scope
from umwelten.providers.vendors import VENDORS
from umwelten.types import NO_HINTS, Failure, FailureKind, FrozenStruct, RateLimitHints, Usage


class ErrorClass(FrozenStruct):
    """The class of a refusal: the fields of `Failure` that follow from it.

    `certain` True: not even `x-should-retry: true` makes it worth retrying. `hints` are those of the body.
    """

    kind: FailureKind
    retry: bool = True
    lane_down: bool = False
    model_down: bool = False
    parameter: str | None = None
    code: str | None = None
    certain: bool = False
    hints: RateLimitHints = NO_HINTS


Classify = Callable[[Head, ErrorBody], ErrorClass | None]

ADDRESS = "address"
"""The code of a failure where a server answers, but not with the API: its address is wrong."""

SERVER = ErrorClass(kind=FailureKind.SERVER)
RATE = ErrorClass(kind=FailureKind.RATE_LIMIT)
MEMORY = ErrorClass(kind=FailureKind.MEMORY)
REFUSED = ErrorClass(kind=FailureKind.UNAVAILABLE, lane_down=True, certain=True)
BAD = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False)
WRONG_ADDRESS = ErrorClass(kind=FailureKind.UNAVAILABLE, lane_down=True, code=ADDRESS, certain=True)
NEVER = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False, certain=True)
NO_MODEL = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False, certain=True, model_down=True)
BLOCKED = ErrorClass(kind=FailureKind.BAD_REQUEST, retry=False, code="blocked", certain=True)

_MEMORY = re.compile(
    r"out of memory|\boom\b|requires more system memory|insufficient memory|not enough memory"
    r"|failed to allocate|unable to allocate|insufficient system resources"
)
_TOO_LONG = re.compile(
    r"context[_ ]length|context[_ ]size|maximum context|context window|prompt is too long"
    r"|input token count|input is too long|too many (input )?tokens in"
)
# No call of this account will do: out of credit, its plan or budget used up, closed, or the wrong key.
_ACCOUNT = re.compile(
    r"insufficient_quota|credit_balance_exhausted|billing_hard_limit|billing_error|spend_limit"
    r"|organization_usage_limit|credit balance is too low|credits are depleted|specified api usage limits"
    r"|insufficient (balance|credits?|funds)|used all available credits|spending limit"
    # A limit of tokens a minute may be called a usage limit as well: only one of a plan is the account's.
    r"|usage limit (exceeded|reached).{0,80}\bplan\b|weekly/monthly limit exhausted|session usage limit"
    r"|daily free allocation"
    r"|free allocated quota exceeded|budget has been exceeded|budget_exceeded"
    r"|exceeded ?budget(:| for (deployment|model))|over budget\W{1,3}spend"
    r"|arrearage|prepaid ?bill|organization has been (disabled|restricted)|organization_restricted"
    r"|blocked_api_access|incorrect api key|user location is not supported"
    r"|余额不足|(小时|[日周月])的?使用上限"
)
_BLOCKED = re.compile(
    r"content_policy|content policy|content_filter|content filtering|invalid_prompt|moderation"
    r"|usage guidelines|data_?inspection_?failed|inappropriate content|content exists risk|敏感内容"
)
# DashScope's words for a rate by the minute, with the code of an empty account.
_NOT_ACCOUNT = re.compile(r"(?<!free )allocated quota exceeded")
# Numbers for the same, whatever the words: Zhipu's empty account, Cloudflare's allowance of a day.
_ACCOUNT_CODES = frozenset(("1113", "3036", "4006"))
_MODEL_NAME = r"models?[ /:`'\"]{1,3}[^\s'\"`]{1,200}[`'\"]?"
# Every call of this model meets it, those of others do not.
_MODEL = re.compile(
    r"model_not_(found|available|supported)|requested model is not supported\b(?! (for|in|with))"
    r"|not a valid model id|no (access to|such) (this |the )?model"
    r"|(invalid|unknown|unsupported|unrecogni[sz]ed)[ _]model(_id)?\b"
    r"(?!s? (output|response|answer|input|param|feature))|could not find real model"
    r"|\bmodel (does not exist|not exist|not found|was not found|is not found|could not be found)"
    rf"|{_MODEL_NAME} (is |was |could )?(does not exist|not exist|not (be )?found)"
    r"|model(_|[^.;]{1,200} (has been|is|was) )(decommissioned|deprecated|retired|withdrawn|discontinued)"
    r"|no longer (available|supported)[^.;]{0,40}model|model[^.;]{1,80} is no longer (available|supported)"
    r"|model is not (available|supported) in your|blocked at the project level"
    r"|denied on resource .*may not exist|(not|n't) (have )?(access|authorized|allowed|permitted) to "
    r"(access |use |invoke |call )?((the|this|that) )?model|model_access_denied|model access is denied"
    r"|deployment for this resource does not exist|no (endpoints found (for|matching)|allowed providers)"
)
_NOWHERE = frozenset((404, 405, 410))
"""Statuses of an address that is not there, or no longer: a model's own, or that of all calls."""
_MEDIA = re.compile(
    r"mmproj|support (image|audio|video|file|pdf|document|media)s?\b"
    r"|(image|audio|video|vision|file) inputs? (is|are) not supported|not_supported_error"
)
_OVERLOAD = re.compile(
    r"overload|server_is_overloaded|slow_down|at capacity|maximum pending requests|server busy"
    r"|too many (concurrent )?requests|queue_exceeded|no (free|available) slots?"
)
_LOADING = re.compile(
    r"loading model|model is (still )?loading|model (has )?(crashed|unloaded)|model failed|degraded function"
)
# The chat template of a server refuses the roles, however often the same is sent.
_TEMPLATE = re.compile(r"jinja exception")
_TOO_BIG = re.compile(r"request too large|payload size exceeds")
_AMOUNTS = re.compile(r"limit:? (\d[\d,]{0,15}).{0,40}?requested:? (\d[\d,]{0,15})")

# The words of servers, gateways and frameworks where no API is at the path of the request.
_NO_SUCH_PATH = re.compile(
    r"invalid url \(|unknown request url|unexpected endpoint|page not found|no route matched|route not found"
    r"|cannot (post|get) /|requested (url|endpoint)\b.{0,300}\bnot found"
    r"|^\W*+(error )?(404|405)?\W*+((resource|path|file|endpoint) )?(not found|method not allowed)?\W*+\d*$"
)
# One request costs more than is left; a smaller one may well do.
_TOO_EXPENSIVE = re.compile(r"can only afford [1-9]|prompt tokens limit exceeded")
_GUARDRAIL = 446
"""Portkey's status for a request that its own checks refuse."""
_MAY_REFUSE_FIELDS = frozenset((400, 403, 404, 422, 500))
"""Statuses with which servers refuse a field by its name; 500 comes from those that render templates."""
_CHALLENGE = ("cf-mitigated", "challenge")
"""The header of a page that lets browsers pass after a while."""

REFUSALS = frozenset((429, 529))
"""Statuses of refusals, by a rate limit or for overload: they lower the pace and use up no retry."""
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
    """Return the failure for a reply with an error status. `limits`: its headers, if already parsed."""
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
    """Return the failure for an error object, whether it came with an error status or inside a 200."""
    head = _apply_stated_status(head, error)
    hints = rate_limit_headers.parse(endpoint.vendor.quirks.hints, head) if limits is None else limits
    verdict = _verdict(head, error, endpoint, classify)
    hints = rate_limit_headers.merge(hints, verdict.hints)
    if verdict.kind is FailureKind.RATE_LIMIT:
        hints = rate_limit_headers.merge(hints, rate_limit_headers.from_text(error.message))
    return Failure(
        kind=verdict.kind,
        message=error.message or f"HTTP {head.status} without a message",
        status=head.status,
        code=verdict.code or error.code or error.type or None,
        retry=_should_retry(verdict, hints),
        lane_down=verdict.lane_down,
        model_down=verdict.model_down,
        parameter=verdict.parameter,
        partial=partial or None,
        usage=usage or Usage(),
        request_id=request_id(head, None),
        hints=hints,
    )


def _verdict(head: Head, error: ErrorBody, endpoint: Endpoint, classify: Classify | None) -> ErrorClass:
    if _is_wrong_address(head.status, error, endpoint):
        return WRONG_ADDRESS
    verdict = _classify_page(head, error) or (classify(head, error) if classify else None)
    verdict = verdict or classify_common(head.status, error)
    if verdict is BAD and head.status in (400, 422):
        return msgspec.structs.replace(BAD, parameter=refused_fields.refused_parameter(error))
    return verdict


def _is_wrong_address(status: int, error: ErrorBody, endpoint: Endpoint) -> bool:
    """Return whether the server has no API at the path. At the vendor's own address, it means the model."""
    listed = VENDORS.get(endpoint.vendor.name)
    if listed is not None and listed.scope is not Scope.HOST and listed.base_url == endpoint.base_url:
        return False
    return (status in (404, 405) or status < 300) and bool(_NO_SUCH_PATH.search(error.message.lower()))


def classify_common(status: int, error: ErrorBody) -> ErrorClass:
    """Return the class of a refusal by the messages and statuses that all providers have in common."""
    if status == 407:
        return REFUSED
    if status == 402:
        return NEVER if _TOO_EXPENSIVE.search(error.words) else REFUSED
    if status == 401:
        return _by_words_of_401(error) or REFUSED
    return _by_words(status, error) or _by_status(status)


def unusable_reply(
    head: Head, message: str, *, partial: str | None = None, usage: Usage | None = None
) -> Failure:
    """Return the failure for a reply with status 200 that is unusable: not JSON, no answer, cut off."""
    return Failure(
        kind=FailureKind.SERVER,
        message=message,
        status=head.status,
        partial=partial or None,
        usage=usage or Usage(),
        request_id=request_id(head, None),
    )


def final_failure(head: Head, message: str, code: str) -> Failure:
    """Return the failure for a reply that another request like this one would get again."""
    return Failure(
        kind=FailureKind.BAD_REQUEST,
        message=message,
        status=head.status,
        code=code,
        retry=False,
        request_id=request_id(head, None),
    )


def request_id(head: Head, in_body: str | None) -> str | None:
    """Return the provider's id of the request, or `None`."""
    return head.headers.get("x-request-id") or head.headers.get("request-id") or in_body


def never_fits(words: str) -> bool:
    """Return whether a rate-limit message says that this request alone exceeds the whole limit."""
    if not _TOO_BIG.search(words):
        return False
    amounts = _AMOUNTS.search(words)
    return amounts is None or int(amounts[2].replace(",", "")) > int(amounts[1].replace(",", ""))


def _classify_page(head: Head, error: ErrorBody) -> ErrorClass | None:
    """Return the class of a refusal by a firewall on the way: it is about one request, not about the key."""
    if head.status != 403:
        return None
    name, value = _CHALLENGE
    if head.headers.get(name) == value:
        return SERVER
    return BAD if error.page else None


def _by_words_of_401(error: ErrorBody) -> ErrorClass | None:
    """Return the class of a 401 that is not about the key: some gateways send it for all their refusals."""
    if _MODEL.search(error.words):
        return NO_MODEL
    name = refused_fields.refused_parameter(error) if error.names else None
    return None if name is None else msgspec.structs.replace(BAD, parameter=name)


def _by_words(status: int, error: ErrorBody) -> ErrorClass | None:
    words = error.words
    if status == 413 or never_fits(words):
        return NEVER
    if status == 429 and _NOT_ACCOUNT.search(words):
        return RATE
    if _ACCOUNT.search(words) or (status in (403, 429) and _is_empty_account(error)):
        return REFUSED
    if status in REFUSALS:
        return RATE
    if _MEMORY.search(words):
        return MEMORY
    if _LOADING.search(words):
        return SERVER
    way = refused_fields.refused_way(error) if status in _MAY_REFUSE_FIELDS else None
    if way is not None:
        return msgspec.structs.replace(BAD, parameter=way)
    if any(pattern.search(words) for pattern in (_TOO_LONG, _MEDIA, _TEMPLATE)):
        return NEVER
    if status == _GUARDRAIL or ((status in (400, 403, 422, 498) or status < 300) and _BLOCKED.search(words)):
        return BLOCKED
    if status in _NOWHERE or _MODEL.search(words) or (status == 403 and error.fields.keys() == {"model"}):
        return NO_MODEL
    if (status >= 500 or status < 300) and _OVERLOAD.search(words):
        return RATE
    return None


def _is_empty_account(error: ErrorBody) -> bool:
    return not _ACCOUNT_CODES.isdisjoint((error.code, error.type))


def _by_status(status: int) -> ErrorClass:
    if status in REFUSALS:
        return RATE
    if status == 403:
        return REFUSED
    if status in _TRANSIENT or status < 300:
        return SERVER
    return SERVER if status >= 500 and status != 501 else BAD


def _apply_stated_status(head: Head, error: ErrorBody) -> Head:
    """Return the head with the status that an error inside a 200 states by number or by word."""
    if head.status >= 300:
        return head
    stated = error.number if error.number is not None and 400 <= error.number <= 599 else None
    words = (_BY_WORD.get(error.code.lower()), _BY_WORD.get(error.type.lower()))
    status = next((status for status in (stated, *words) if status is not None), head.status)
    return msgspec.structs.replace(head, status=status)


def _should_retry(verdict: ErrorClass, hints: RateLimitHints) -> bool:
    """Return whether to retry, as the provider states it unless the verdict is certain."""
    if hints.should_retry is None or verdict.lane_down:
        return verdict.retry
    return verdict.retry if verdict.certain and hints.should_retry else hints.should_retry
