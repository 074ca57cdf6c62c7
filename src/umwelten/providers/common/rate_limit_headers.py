"""What replies say about rate limits: headers of every vendor's dialect, and the words of refusals.

Reading is total: a header that makes no sense is as good as absent. Absolute times count from the
reply's own `Date` header, so that a wrong clock here does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from umwelten.providers.common.durations import go_duration, http_date, number, span
from umwelten.providers.protocol import Head
from umwelten.types import NO_HINTS, Budget, FrozenStruct, RateLimitHints, Resource

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_R = Resource


class _Row(FrozenStruct):
    """Where a dialect states one budget. `minute` True: it starts anew with the clock's minute."""

    resource: Resource
    limit: str
    remaining: str
    reset: str = ""
    window_s: float | None = None
    window: str = ""
    minute: bool = False


def _triple(
    resource: Resource, unit: str, window_s: float | None = None, window: str = "", minute: bool = False
) -> _Row:
    """The common spelling: `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`."""
    return _Row(
        resource=resource,
        limit=f"x-ratelimit-limit-{unit}",
        remaining=f"x-ratelimit-remaining-{unit}",
        reset=f"x-ratelimit-reset-{unit}",
        window_s=window_s,
        window=window,
        minute=minute,
    )


def _anthropic(resource: Resource, unit: str) -> _Row:
    prefix = f"anthropic-ratelimit-{unit}"
    return _Row(
        resource=resource,
        limit=f"{prefix}-limit",
        remaining=f"{prefix}-remaining",
        reset=f"{prefix}-reset",
        window_s=_MINUTE,
    )


def _together(resource: Resource, kind: str, suffix: str) -> _Row:
    return _Row(
        resource=resource,
        limit=f"x-{kind}-limit{suffix}",
        remaining=f"x-{kind}-remaining{suffix}",
        reset=f"x-{kind}-reset{suffix}",
        window_s=1.0,
    )


def _cerebras(resource: Resource, unit: str) -> tuple[_Row, ...]:
    windows = (("minute", _MINUTE), ("hour", _HOUR), ("day", _DAY))
    return tuple(_triple(resource, f"{unit}-{name}", window_s) for name, window_s in windows)


# Anthropic's `tokens` repeats the tightest of the finer limits, so it is read only where those are absent;
# its priority and fast budgets belong to other service tiers. Fireworks' window is stated two ways, so it
# is left open.
DIALECTS: Mapping[str, tuple[_Row, ...]] = {
    "none": (),
    "openai": (
        _triple(_R.REQUESTS, "requests"),
        _triple(_R.TOKENS, "tokens", _MINUTE),
        _triple(_R.TOKENS, "project-tokens", _MINUTE),
    ),
    "anthropic": (
        _anthropic(_R.REQUESTS, "requests"),
        _anthropic(_R.INPUT_TOKENS, "input-tokens"),
        _anthropic(_R.OUTPUT_TOKENS, "output-tokens"),
        _anthropic(_R.TOKENS, "tokens"),
    ),
    "openrouter": (
        _Row(
            resource=_R.REQUESTS,
            limit="x-ratelimit-limit",
            remaining="x-ratelimit-remaining",
            reset="x-ratelimit-reset",
        ),
    ),
    "groq": (_triple(_R.REQUESTS, "requests", _DAY), _triple(_R.TOKENS, "tokens", _MINUTE)),
    "mistral": (
        _triple(_R.REQUESTS, "req-minute", _MINUTE, minute=True),
        _triple(_R.TOKENS, "tokens-minute", _MINUTE, minute=True),
    ),
    "together": (
        _together(_R.REQUESTS, "ratelimit", ""),
        _together(_R.REQUESTS, "ratelimit", "-dynamic"),
        _together(_R.TOKENS, "tokenlimit", ""),
        _together(_R.TOKENS, "tokenlimit", "-dynamic"),
    ),
    "fireworks": (
        _triple(_R.INPUT_TOKENS, "tokens-prompt"),
        _triple(_R.INPUT_TOKENS, "tokens-cache-adjusted-prompt"),
        _triple(_R.OUTPUT_TOKENS, "tokens-generated"),
    ),
    "cerebras": (*_cerebras(_R.REQUESTS, "requests"), *_cerebras(_R.TOKENS, "tokens")),
    "github": (
        _triple(_R.REQUESTS, "requests", None, "x-ratelimit-renewalperiod-requests"),
        _triple(_R.TOKENS, "tokens", None, "x-ratelimit-renewalperiod-tokens"),
    ),
}

# `x-ratelimit-type` of a GitHub refusal: what was counted, and over which time.
_GITHUB_TYPES: Mapping[str, tuple[Resource, float | None]] = {
    "userconcurrentrequests": (_R.IN_FLIGHT, None),
    "userbyminute": (_R.REQUESTS, _MINUTE),
    "userbymodelbyminute": (_R.REQUESTS, _MINUTE),
    "userbymodelbyday": (_R.REQUESTS, _DAY),
}
_UNBOUND = frozenset({"cerebras"})
"""Dialects whose `x-should-retry` is not to be believed."""

_WAIT = re.compile(
    r"(?:try again|retry) (?:in|after) (?:about )?"
    r"((?:\d{1,18}(?:\.\d{1,18})?(?:ms|h|m|s)(?![a-z]*[a-z]{2}))+|\d{1,18}(?:\.\d{1,18})?)"
    r"(?: ?(second|minute|hour)s?)?",
    re.IGNORECASE | re.ASCII,
)
_COUNTED = re.compile(
    r"(request|token)s per (second|min|minute|hour|day)\b[^:]{0,40}: *limit (\d[\d,]*),? *used (\d[\d,]*)",
    re.IGNORECASE | re.ASCII,
)
_WINDOWS = {"second": 1.0, "min": _MINUTE, "minute": _MINUTE, "hour": _HOUR, "day": _DAY}


def parse(dialect: str, head: Head) -> RateLimitHints:
    """The hints in a reply's headers. Retry-After and x-should-retry are read in every dialect."""
    headers = head.headers
    now = server_time(head)
    rows = DIALECTS.get(dialect, ())
    budgets = [budget for row in rows if (budget := _budget(row, headers, now)) is not None]
    wait = _retry_after(headers, now)
    if dialect == "github":
        wait = _github(headers, now, wait, budgets)
    should_retry = None if dialect in _UNBOUND else _boolean(headers.get("x-should-retry", ""))
    if wait is None and should_retry is None and not budgets:
        return NO_HINTS
    return RateLimitHints(retry_after_s=wait, budgets=tightest(budgets), should_retry=should_retry)


def server_time(head: Head) -> float:
    """Unix time at the provider when it replied; ours if it does not say."""
    stated = http_date(head.headers.get("date", ""))
    return head.now_unix if stated is None else stated


def from_text(message: str) -> RateLimitHints:
    """The hints in the words of a refusal: "Limit 30, Used 30 … try again in 2s"."""
    message = message[:4000]
    found = _WAIT.search(message)
    wait = None
    if found is not None:
        wait = number(found[1])
        factor = _WINDOWS.get((found[2] or "second").lower(), 1.0)
        wait = go_duration(found[1].lower()) if wait is None else wait * factor
    budgets = tuple(_counted(match) for match in _COUNTED.finditer(message))
    return RateLimitHints(retry_after_s=wait, budgets=budgets) if wait is not None or budgets else NO_HINTS


def merge(first: RateLimitHints, second: RateLimitHints) -> RateLimitHints:
    """Both hints as one; where they speak of the same thing the first is believed."""
    if second is NO_HINTS:
        return first
    known = {(budget.resource, budget.window_s) for budget in first.budgets}
    more = tuple(b for b in second.budgets if (b.resource, b.window_s) not in known)
    return RateLimitHints(
        retry_after_s=second.retry_after_s if first.retry_after_s is None else first.retry_after_s,
        budgets=first.budgets + more,
        should_retry=second.should_retry if first.should_retry is None else first.should_retry,
    )


def tightest(budgets: list[Budget]) -> tuple[Budget, ...]:
    """One budget for each resource and window: the one with the smallest share left.

    Plain tokens are left out where input or output tokens of the same window are stated.
    """
    best: dict[tuple[Resource, float | None], Budget] = {}
    for budget in budgets:
        key = (budget.resource, budget.window_s)
        if key not in best or _share(budget) < _share(best[key]):
            best[key] = budget
    fine = {w for resource, w in best if resource in (_R.INPUT_TOKENS, _R.OUTPUT_TOKENS)}
    return tuple(b for (resource, w), b in best.items() if resource is not _R.TOKENS or w not in fine)


def _share(budget: Budget) -> float:
    if budget.remaining is None:
        return 1.0
    return budget.remaining / budget.limit if budget.limit else 0.0


def _budget(row: _Row, headers: Mapping[str, str], now: float) -> Budget | None:
    limit = _amount(headers, row.limit)
    remaining = _amount(headers, row.remaining)
    if limit is None and remaining is None:
        return None
    reset = span(headers.get(row.reset, ""), now)
    if row.minute and reset is None:
        reset = _MINUTE - now % _MINUTE
    window = row.window_s if not row.window else span(headers.get(row.window, ""), now) or None
    return Budget(resource=row.resource, limit=limit, remaining=remaining, reset_s=reset, window_s=window)


def _amount(headers: Mapping[str, str], name: str) -> float | None:
    value = number(headers.get(name, ""))
    return value if value is not None and value >= 0 else None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    milliseconds = number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and milliseconds >= 0:
        return milliseconds / 1000
    return span(headers.get("retry-after", ""), now)


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def _counted(match: re.Match[str]) -> Budget:
    limit, used = number(match[3]) or 0.0, number(match[4]) or 0.0
    resource = _R.REQUESTS if match[1].lower() == "request" else _R.TOKENS
    window = _WINDOWS[match[2].lower()]
    return Budget(resource=resource, limit=limit, remaining=max(0.0, limit - used), window_s=window)


def _github(
    headers: Mapping[str, str], now: float, wait: float | None, budgets: list[Budget]
) -> float | None:
    """A refusal's own type counts more than the stated limits, which are not the ones that bind."""
    left = span(headers.get("x-ratelimit-timeremaining", ""), now)
    kind = _GITHUB_TYPES.get(headers.get("x-ratelimit-type", "").strip().lower())
    if kind is not None:
        resource, window = kind
        budgets[:] = [b for b in budgets if b.resource is not resource]
        budgets.append(Budget(resource=resource, remaining=0.0, reset_s=left, window_s=window))
    return left if wait is None else wait
