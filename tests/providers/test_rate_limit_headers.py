"""Rate-limit headers of every dialect, and the words of refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.providers.common import durations, rate_limit_headers
from umwelten.providers.protocol import Head
from umwelten.providers.vendors import DIALECTS
from umwelten.types import Budget, RateLimitHints, Resource

NOW = 1_795_514_400.0  # Tue, 24 Nov 2026 10:00:00 GMT
DATE = "Tue, 24 Nov 2026 10:00:00 GMT"
R = Resource


def head(headers: dict[str, str], status: int = 200, now: float = NOW) -> Head:
    return Head(status=status, headers=headers, now_unix=now)


def budget(resource: Resource, *figures: float | None) -> Budget:
    limit, remaining, reset, window = figures
    return Budget(resource=resource, limit=limit, remaining=remaining, reset_s=reset, window_s=window)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120ms", 0.12),
        ("1s", 1.0),
        ("59.70s", 59.7),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("37s", 37.0),
        ("45.578569677s", 45.578569677),
        ("1d2h", 93600.0),
        ("", None),
        ("s", None),
        ("5", None),
        ("-5s", None),
        ("5s!", None),
        ("5 s", None),
    ],
)
def test_go_durations(text: str, seconds: float | None) -> None:
    found = durations.go_duration(text)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("1,000", 1000.0),
        ("6m0s", 360.0),
        ("1795514430", 30.0),
        ("1795514430000", 30.0),
        ("2026-11-24T10:00:30Z", 30.0),
        ("2026-11-24T11:00:30+01:00", 30.0),
        ("2026-11-24T10:00:30.5Z", 30.5),
        ("Tue, 24 Nov 2026 10:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 09:00:30 GMT", 0.0),
        ("1795514000", 0.0),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("1e5", None),
        ("soon", None),
        ("9999-99-99T00:00:00Z", None),
    ],
)
def test_spans_in_every_notation(text: str, seconds: float | None) -> None:
    assert durations.span(text, NOW) == (None if seconds is None else pytest.approx(seconds))


TABLE = [
    (
        "openai",
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        [budget(R.REQUESTS, 60, 59, 1, None), budget(R.TOKENS, 150000, 149984, 360, 60)],
    ),
    (
        "openai",
        {
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "900",
            "x-ratelimit-limit-project-tokens": "500",
            "x-ratelimit-remaining-project-tokens": "50",
        },
        [budget(R.TOKENS, 500, 50, None, 60)],
    ),
    (
        "anthropic",
        {
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": "999",
            "anthropic-ratelimit-requests-reset": "2026-11-24T10:00:01Z",
            "anthropic-ratelimit-input-tokens-limit": "500000",
            "anthropic-ratelimit-input-tokens-remaining": "498000",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-24T10:00:00Z",
            "anthropic-ratelimit-output-tokens-limit": "100000",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-24T10:01:00Z",
            "anthropic-ratelimit-tokens-limit": "100000",
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "2026-11-24T10:01:00Z",
            "anthropic-priority-input-tokens-limit": "1",
        },
        [
            budget(R.REQUESTS, 1000, 999, 1, 60),
            budget(R.INPUT_TOKENS, 500000, 498000, 0, 60),
            budget(R.OUTPUT_TOKENS, 100000, 0, 60, 60),
        ],
    ),
    (
        "anthropic",
        {"anthropic-ratelimit-tokens-limit": "100000", "anthropic-ratelimit-tokens-remaining": "7000"},
        [budget(R.TOKENS, 100000, 7000, None, 60)],
    ),
    (
        "openrouter",
        {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1795514430000",
        },
        [budget(R.REQUESTS, 20, 0, 30, None)],
    ),
    (
        "groq",
        {
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-limit-tokens": "18000",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-tokens": "7.66s",
        },
        [budget(R.REQUESTS, 14400, 14370, 179.56, 86400), budget(R.TOKENS, 18000, 17997, 7.66, 60)],
    ),
    (
        "mistral",
        {
            "date": "Tue, 24 Nov 2026 10:00:45 GMT",
            "x-ratelimit-limit-req-minute": "60",
            "x-ratelimit-remaining-req-minute": "59",
            "x-ratelimit-limit-tokens-minute": "50000",
            "x-ratelimit-remaining-tokens-minute": "49000",
            "x-ratelimit-tokens-query-cost": "1000",
        },
        [budget(R.REQUESTS, 60, 59, 15, 60), budget(R.TOKENS, 50000, 49000, 15, 60)],
    ),
    (
        "together",
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "2000",
            "x-tokenlimit-limit-dynamic": "1500",
            "x-tokenlimit-remaining-dynamic": "500",
        },
        [budget(R.REQUESTS, 10, 9, 1, 1), budget(R.TOKENS, 1500, 500, None, 1)],
    ),
    (
        "fireworks",
        {
            "x-ratelimit-limit-tokens-prompt": "60000",
            "x-ratelimit-remaining-tokens-prompt": "59000",
            "x-ratelimit-limit-tokens-cache-adjusted-prompt": "15000",
            "x-ratelimit-remaining-tokens-cache-adjusted-prompt": "100",
            "x-ratelimit-limit-tokens-generated": "600",
            "x-ratelimit-remaining-tokens-generated": "600",
            "x-ratelimit-over-limit": "no",
        },
        [budget(R.INPUT_TOKENS, 15000, 100, None, None), budget(R.OUTPUT_TOKENS, 600, 600, None, None)],
    ),
    (
        "cerebras",
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "14399",
            "x-ratelimit-reset-requests-day": "33011.382867",
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-tokens-minute": "58000",
            "x-ratelimit-reset-tokens-minute": "11.38",
        },
        [budget(R.REQUESTS, 14400, 14399, 33011.382867, 86400), budget(R.TOKENS, 60000, 58000, 11.38, 60)],
    ),
    ("none", {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "1"}, []),
]


@pytest.mark.parametrize(
    ("dialect", "headers", "expected"), TABLE, ids=[f"{d}-{i}" for i, (d, *_) in enumerate(TABLE)]
)
def test_budgets_of_each_dialect(dialect: str, headers: dict[str, str], expected: list[Budget]) -> None:
    found = rate_limit_headers.parse(DIALECTS[dialect], head(headers)).budgets
    assert [(b.resource, b.window_s) for b in found] == [(b.resource, b.window_s) for b in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.limit, ours.remaining) == (theirs.limit, theirs.remaining)
        assert ours.reset_s == (None if theirs.reset_s is None else pytest.approx(theirs.reset_s))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "Tue, 24 Nov 2026 10:02:00 GMT", "date": DATE}, 120.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9.0),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_dialect(headers: dict[str, str], seconds: float | None) -> None:
    for dialect in ("none", "openai", "groq", "anthropic"):
        assert rate_limit_headers.parse(DIALECTS[dialect], head(headers)).retry_after_s == seconds


def test_absolute_times_count_from_the_replys_own_date_whatever_our_clock_says() -> None:
    headers = {"date": DATE, "retry-after": "Tue, 24 Nov 2026 10:00:20 GMT"}
    assert rate_limit_headers.parse(DIALECTS["none"], head(headers, now=NOW + 5000)).retry_after_s == 20.0


@pytest.mark.parametrize(
    ("dialect", "value", "expected"),
    [
        ("openai", "true", True),
        ("anthropic", "false", False),
        ("openai", "maybe", None),
        ("cerebras", "false", None),
    ],
)
def test_x_should_retry_is_believed_except_from_cerebras(
    dialect: str, value: str, expected: bool | None
) -> None:
    assert (
        rate_limit_headers.parse(DIALECTS[dialect], head({"x-should-retry": value})).should_retry is expected
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached … Limit 30, Used 30, Requested 1. Please try again in 2s.", 2.0),
        ("Please try again in 7m12s.", 432.0),
        ("Please try again in 20ms.", 0.02),
        ("Please retry in 45.57s.", 45.57),
        ("retry after 3 seconds", 3.0),
        ("try again in 5 minutes", 300.0),
        ("try again later", None),
    ],
)
def test_waits_in_words(text: str, seconds: float | None) -> None:
    assert rate_limit_headers.from_text(text).retry_after_s == (
        None if seconds is None else pytest.approx(seconds)
    )


def test_a_limit_in_words_is_a_budget() -> None:
    text = "Rate limit reached for x on requests per minute (RPM): Limit 30, Used 30, Requested 1."
    assert rate_limit_headers.from_text(text).budgets == (budget(R.REQUESTS, 30, 0, None, 60),)
    text = "Rate limit reached on tokens per day (TPD): Limit 500,000, Used 499,000, Requested 2000."
    assert rate_limit_headers.from_text(text).budgets == (budget(R.TOKENS, 500000, 1000, None, 86400),)


def test_merging_believes_the_first_and_adds_what_it_lacks() -> None:
    first = RateLimitHints(retry_after_s=1.0, budgets=(budget(R.REQUESTS, 10, 1, None, 60),))
    second = RateLimitHints(
        retry_after_s=9.0,
        should_retry=True,
        budgets=(budget(R.REQUESTS, 99, 9, None, 60), budget(R.REQUESTS, 5, 0, None, 86400)),
    )
    merged = rate_limit_headers.merge(first, second)
    assert (merged.retry_after_s, merged.should_retry) == (1.0, True)
    assert merged.budgets == (first.budgets[0], second.budgets[1])


NAMES = sorted(
    {
        name
        for dialect in DIALECTS.values()
        for row in dialect.budgets
        for name in (row.limit, row.remaining, row.reset)
    }
    | {
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "date",
        "x-ratelimit-type",
        "x-ratelimit-timeremaining",
    }
)
VALUES = st.text(max_size=40) | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str)


@given(
    st.sampled_from(sorted(DIALECTS)),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12),
    st.floats(0, 4e9),
)
def test_no_header_makes_reading_raise_and_all_figures_are_finite(
    dialect: str, headers: dict[str, str], now: float
) -> None:
    found = rate_limit_headers.parse(DIALECTS[dialect], head(headers, now=now))
    figures = [found.retry_after_s]
    for item in found.budgets:
        figures += [item.limit, item.remaining, item.reset_s, item.window_s]
    assert all(figure is None or (math.isfinite(figure) and figure >= 0) for figure in figures)


@given(st.text(max_size=300))
def test_no_words_make_reading_raise(text: str) -> None:
    for message in (text, f"try again in {text}", f"requests per minute: Limit {text}, Used {text}"):
        wait = rate_limit_headers.from_text(message).retry_after_s
        assert wait is None or (math.isfinite(wait) and wait >= 0)
