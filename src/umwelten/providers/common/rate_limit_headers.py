"""Parse the rate limits in replies: headers in every vendor's dialect, and the messages of refusals.

An invalid header counts as absent; nothing raises. Absolute times are relative to the reply's own `Date`
header, so that a wrong local clock does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from umwelten.providers.common.durations import go_duration, http_date, number, span
from umwelten.providers.header_dialects import DAY, HOUR, MINUTE, BudgetHeaders, HeaderDialect
from umwelten.providers.protocol import Head
from umwelten.types import NO_HINTS, Budget, RateLimitHints, Resource

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
_WINDOWS = {"second": 1.0, "min": MINUTE, "minute": MINUTE, "hour": HOUR, "day": DAY}


def parse(dialect: HeaderDialect, head: Head) -> RateLimitHints:
    """Return the hints in a reply's headers. Retry-After and x-should-retry are read in every dialect."""
    headers = head.headers
    now = server_time(head)
    budgets = [budget for row in dialect.budgets if (budget := _budget(row, headers, now)) is not None]
    wait = _retry_after(headers, now)
    should_retry = _parse_boolean(headers.get("x-should-retry", "")) if dialect.should_retry else None
    if wait is None and should_retry is None and not budgets:
        return NO_HINTS
    return RateLimitHints(retry_after_s=wait, budgets=tightest(budgets), should_retry=should_retry)


def server_time(head: Head) -> float:
    """Return the provider's Unix time when it replied, or ours if it states none."""
    date = http_date(head.headers.get("date", ""))
    return head.now_unix if date is None else date


def from_text(message: str) -> RateLimitHints:
    """Return the hints in the message of a refusal: "Limit 30, Used 30 … try again in 2s"."""
    message = message[:4000]
    match = _WAIT.search(message)
    wait = None
    if match is not None:
        wait = number(match[1])
        factor = _WINDOWS.get((match[2] or "second").lower(), 1.0)
        wait = go_duration(match[1].lower()) if wait is None else wait * factor
    budgets = tuple(_budget_in_words(stated) for stated in _COUNTED.finditer(message))
    return RateLimitHints(retry_after_s=wait, budgets=budgets) if wait is not None or budgets else NO_HINTS


def merge(first: RateLimitHints, second: RateLimitHints) -> RateLimitHints:
    """Return both hints as one; where both state the same thing, `first` takes precedence."""
    if second is NO_HINTS:
        return first
    stated = {(budget.resource, budget.window_s) for budget in first.budgets}
    more = tuple(b for b in second.budgets if (b.resource, b.window_s) not in stated)
    return RateLimitHints(
        retry_after_s=second.retry_after_s if first.retry_after_s is None else first.retry_after_s,
        budgets=first.budgets + more,
        should_retry=second.should_retry if first.should_retry is None else first.should_retry,
    )


def tightest(budgets: list[Budget]) -> tuple[Budget, ...]:
    """Return one budget for each resource and window: the one with the smallest share left.

    Total tokens are left out where input or output tokens of the same window are stated.
    """
    best: dict[tuple[Resource, float | None], Budget] = {}
    for budget in budgets:
        key = (budget.resource, budget.window_s)
        if key not in best or _share(budget) < _share(best[key]):
            best[key] = budget
    fine = {w for resource, w in best if resource in (Resource.INPUT_TOKENS, Resource.OUTPUT_TOKENS)}
    return tuple(b for (resource, w), b in best.items() if resource is not Resource.TOKENS or w not in fine)


def _share(budget: Budget) -> float:
    if budget.remaining is None:
        return 1.0
    return budget.remaining / budget.limit if budget.limit else 0.0


def _budget(row: BudgetHeaders, headers: Mapping[str, str], now: float) -> Budget | None:
    limit = _amount(headers, row.limit)
    remaining = _amount(headers, row.remaining)
    if limit is None and remaining is None:
        return None
    reset = span(headers.get(row.reset, ""), now)
    if row.minute and reset is None:
        reset = MINUTE - now % MINUTE
    return Budget(
        resource=row.resource, limit=limit, remaining=remaining, reset_s=reset, window_s=row.window_s
    )


def _amount(headers: Mapping[str, str], name: str) -> float | None:
    value = number(headers.get(name, ""))
    return value if value is not None and value >= 0 else None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    milliseconds = number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and milliseconds >= 0:
        return milliseconds / 1000
    return span(headers.get("retry-after", ""), now)


def _parse_boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def _budget_in_words(match: re.Match[str]) -> Budget:
    limit, used = number(match[3]) or 0.0, number(match[4]) or 0.0
    resource = Resource.REQUESTS if match[1].lower() == "request" else Resource.TOKENS
    window = _WINDOWS[match[2].lower()]
    return Budget(resource=resource, limit=limit, remaining=max(0.0, limit - used), window_s=window)
