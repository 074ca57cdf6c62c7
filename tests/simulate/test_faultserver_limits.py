"""The fault server's limiters: their arithmetic in virtual time, and what a refused client is told."""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider import chat, contents, fetch, provider
from umwelten.simulate.faultserver import (
    Behaviour,
    Bucket,
    Concurrency,
    Gcra,
    Profile,
    Sliding,
    Slots,
    TokenBucket,
    Window,
)
from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.hints import go_duration
from umwelten.simulate.faultserver.scoped_limits import ScopedLimits
from umwelten.simulate.limiters import Refusal, RequestCost
from umwelten.simulate.profile import AnyLimit, Change

ASK = IncomingRequest(wire="openai", model="m", prompt="hi", key="k")
ONE = RequestCost(input_tokens=10, output_tokens=20, max_tokens=50)
waits = st.lists(st.floats(0, 3), min_size=1, max_size=60)


def admitted(limits: ScopedLimits, now: float, ask: IncomingRequest = ASK, cost: RequestCost = ONE) -> bool:
    return not isinstance(limits.admit(ask, cost, now), Refusal)


def refused(limits: ScopedLimits, now: float, ask: IncomingRequest = ASK, cost: RequestCost = ONE) -> Refusal:
    verdict = limits.admit(ask, cost, now)
    assert isinstance(verdict, Refusal)
    return verdict


@given(waits, st.floats(0.2, 20), st.integers(1, 10))
def test_a_bucket_never_lets_more_through_than_burst_and_refill(
    gaps: list[float], rate: float, burst: int
) -> None:
    limits, now, times = ScopedLimits([Bucket(rate=rate, burst=burst)]), 0.0, []
    for gap in gaps:
        now += gap
        verdict = limits.admit(ASK, ONE, now)
        if isinstance(verdict, Refusal):
            # Who waits as long as he was told is let in, and not much later than needed.
            assert verdict.hint_s is not None
            assert verdict.hint_s <= 1 / rate + 0.001
            now += verdict.hint_s
            assert admitted(limits, now)
        times.append(now)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - start) + 1e-5


@given(waits, st.integers(1, 8), st.floats(0.5, 5))
def test_a_window_lets_n_through_and_opens_when_it_says(gaps: list[float], n: int, window_s: float) -> None:
    limits, now, per_window = ScopedLimits([Window(n=n, window_s=window_s)]), 0.0, {}
    for gap in gaps:
        now += gap
        verdict = limits.admit(ASK, ONE, now)
        if isinstance(verdict, Refusal):
            assert verdict.hint_s is not None
            assert 0 <= verdict.hint_s <= window_s + 0.001
            now += verdict.hint_s
            assert admitted(limits, now)
        index = math.floor(now / window_s + 1e-9)
        per_window[index] = per_window.get(index, 0) + 1
    assert max(per_window.values()) <= n


def test_a_concurrency_cap_frees_when_requests_end_and_knows_no_time() -> None:
    limits = ScopedLimits([Concurrency(n=2)])
    first = limits.admit(ASK, ONE, 0.0)
    assert admitted(limits, 0.0)
    assert refused(limits, 99.0).hint_s is None
    assert not isinstance(first, Refusal)
    first[0].end(99.0, ONE)
    assert admitted(limits, 99.0)
    assert refused(ScopedLimits([Concurrency(n=0, hints=2.5)]), 0.0).hint_s == 2.5


def test_a_limit_may_change_for_a_time() -> None:
    change = Change(from_s=10.0, to_s=20.0, factor=0.5)
    limits = ScopedLimits([Concurrency(n=2, change=change)])
    assert admitted(limits, 10.0)
    assert not admitted(limits, 10.0)
    assert admitted(limits, 20.0)
    limits = ScopedLimits([Bucket(rate=1, burst=1, change=change)])
    assert admitted(limits, 10.0)
    assert refused(limits, 10.0).hint_s == 2.0


def test_gcra_spaces_requests_and_a_sliding_window_knows_no_boundary() -> None:
    limits = ScopedLimits([Gcra(rate=2)])
    assert [admitted(limits, at) for at in (0.0, 0.4, 0.5, 0.9, 1.0)] == [True, False, True, False, True]
    limits = ScopedLimits([Sliding(n=2, window_s=10)])
    assert [admitted(limits, at) for at in (8.0, 9.0, 11.0)] == [True, True, False]
    assert refused(limits, 12.0).hint_s == 6.0
    assert [admitted(limits, at) for at in (18.0, 18.5, 19.0)] == [True, False, True]


@pytest.mark.parametrize(("count", "cost"), [("total", 10), ("input", 10), ("reserved", 60)])
def test_tokens_per_minute_count_what_they_are_told_to(count: Any, cost: int) -> None:
    limits = ScopedLimits([TokenBucket(per_minute=120, count=count)])
    fits = 120 // cost
    assert [admitted(limits, 0.0) for _ in range(fits)] == [True] * fits
    refusal = refused(limits, 0.0)
    missing = cost - (120 - fits * cost)
    assert refusal.hint_s == pytest.approx(missing / 2, abs=0.001)
    assert not admitted(limits, missing / 2 - 0.01)
    assert admitted(limits, missing / 2)


@pytest.mark.parametrize(("count", "more"), [("total", 11), ("input", 12), ("output", 6), ("reserved", 2)])
def test_what_was_written_counts_when_it_is_known(count: Any, more: int) -> None:
    limits = ScopedLimits([TokenBucket(per_minute=120, count=count)])
    let_in = [limits.admit(ASK, ONE, 0.0) for _ in range(13 if count != "output" else 7)]
    assert all(isinstance(verdict, list) for verdict in let_in[:more])
    if count == "output":
        # Nobody knows yet what they will write.
        assert isinstance(let_in[6], list)
    for verdict in let_in:
        if isinstance(verdict, list):
            verdict[0].end(0.0, ONE)
    assert not admitted(limits, 0.0)


def test_a_request_larger_than_the_bucket_never_fits() -> None:
    refusal = refused(ScopedLimits([TokenBucket(per_minute=20, count="reserved")]), 0.0)
    assert (refusal.never, refusal.hint_s, refusal.amount) == (True, None, 60)


def test_with_several_limits_all_must_fit_and_none_is_charged_otherwise() -> None:
    limits = ScopedLimits([Bucket(rate=1, burst=3), Window(n=1, window_s=10)])
    assert admitted(limits, 0.0)
    for _ in range(5):
        assert refused(limits, 0.0).hint_s == 10
    assert admitted(limits, 10.0)
    # Two tokens are left beside the one that was taken: the refusals took none.
    standing = ScopedLimits([Bucket(rate=1e-9, burst=3), Window(n=1, window_s=10)])
    assert admitted(standing, 0.0)
    assert not admitted(standing, 1.0)
    assert [admitted(standing, at) for at in (10.0, 20.0, 30.0)] == [True, True, False]


def test_refused_requests_count_where_the_limiter_says_so() -> None:
    limits = ScopedLimits([Bucket(rate=1, burst=1, count_refused=True)])
    assert admitted(limits, 0.0)
    assert not admitted(limits, 0.5)
    assert not admitted(limits, 1.0)
    assert admitted(limits, 4.0)


@pytest.mark.parametrize(
    ("hints", "expected"), [("exact", 2.4), ("ceil", 3.0), ("none", None), (30.0, 32.4), (0.0, 2.4)]
)
def test_the_hint_is_exact_rounded_padded_or_absent(hints: Any, expected: float | None) -> None:
    limits = ScopedLimits([Window(n=1, window_s=10, hints=hints)])
    assert admitted(limits, 0.0)
    assert refused(limits, 7.6).hint_s == (None if expected is None else pytest.approx(expected, abs=0.0011))


@pytest.mark.parametrize(("per", "free"), [("all", []), ("model", ["n"]), ("key", ["other key"])])
def test_a_limit_holds_for_all_or_per_model_or_per_key(per: Any, free: list[str]) -> None:
    limits = ScopedLimits([Window(n=1, per=per)])
    assert admitted(limits, 0.0)
    others = {
        "n": IncomingRequest(wire="openai", model="n", prompt="hi", key="k"),
        "other key": IncomingRequest(wire="openai", model="m", prompt="hi", key="l"),
    }
    assert [name for name, ask in others.items() if admitted(limits, 0.0, ask)] == free


def test_a_limit_holds_only_for_the_wires_and_models_that_it_names() -> None:
    limits = ScopedLimits([Window(n=1, wire="open*", model="g*")])
    asks = [
        IncomingRequest(wire=wire, model=model, prompt="")
        for wire, model in (("openai", "m"), ("gemini", "g"))
    ]
    assert all(admitted(limits, 0.0, ask) for ask in asks for _ in range(3))
    limited = IncomingRequest(wire="openrouter", model="g1", prompt="")
    assert [admitted(limits, 0.0, limited) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.12, "120ms"), (1.0, "1s"), (59.7, "59.7s"), (360.0, "6m0s"), (3723.0, "1h2m3s"), (0.0, "0ms")],
)
def test_times_are_spelt_as_go_spells_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


# --- over HTTP -----------------------------------------------------------------------------------

OPENAI = ("/v1/chat/completions", chat("hi", max_tokens=50), {})
ANTHROPIC = ("/v1/messages", chat("hi", max_tokens=50), {"anthropic-version": "2023-06-01"})
GEMINI = ("/v1beta/models/m:generateContent", contents({"text": "hi"}), {})
ROUTER = ("/api/v1/chat/completions", chat("hi"), {})


def two(limiter: AnyLimit, door: tuple[str, Any, Any]) -> list[tuple[int, Any, Any]]:
    path, body, headers = door
    with provider(Profile(limiters=(limiter,))) as server:
        replies = [fetch(server.url + path, body, headers) for _ in range(2)]
        assert (server.idle().answered, server.ledger.refused) == (1, 1)
    return [(status, json.loads(text), head) for status, text, head in replies]


def test_openai_headers_tell_the_limit_on_answers_and_refusals() -> None:
    (status, _, first), (refused_status, body, second) = two(Bucket(rate=0.1, burst=1), OPENAI)
    assert (status, refused_status) == (200, 429)
    assert (first["x-ratelimit-limit-requests"], first["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert first["x-ratelimit-reset-requests"] in ("10s", "9.999s", "9.998s")
    assert 9 < float(second["retry-after"]) <= 10
    assert 9000 < int(second["retry-after-ms"]) <= 10_000
    assert body["error"]["code"] == "rate_limit_exceeded"


def test_anthropic_headers_tell_when_the_limit_is_full_again() -> None:
    (_, _, first), (status, body, second) = two(
        TokenBucket(per_minute=60, burst=20, count="input"),
        (ANTHROPIC[0], chat("hi " * 25, max_tokens=50), ANTHROPIC[2]),
    )
    assert (status, body["error"]["type"]) == (429, "rate_limit_error")
    assert first["anthropic-ratelimit-input-tokens-limit"] == "20"
    assert first["anthropic-ratelimit-input-tokens-remaining"] == "1"
    full = datetime.fromisoformat(first["anthropic-ratelimit-input-tokens-reset"])
    assert 17 < (full - parsedate_to_datetime(first["date"])).total_seconds() < 20.1
    assert 17 < float(second["retry-after"]) <= 18


def test_gemini_tells_quota_and_time_in_the_body_alone() -> None:
    (_, _, first), (status, body, second) = two(Window(n=1, window_s=60), GEMINI)
    assert status == 429
    assert not [name for name in (*first, *second) if "ratelimit" in name or "retry" in name]
    details = {detail["@type"].rpartition(".")[2]: detail for detail in body["error"]["details"]}
    assert 59 < float(details["RetryInfo"]["retryDelay"].removesuffix("s")) <= 60
    (violation,) = details["QuotaFailure"]["violations"]
    assert violation["quotaId"] == "GenerateRequestsPerMinutePerProjectPerModel"
    assert violation["quotaValue"] == "1"
    (_, body, _) = two(Window(n=1, window_s=86_400, hints="none"), GEMINI)[1]
    (detail,) = body["error"]["details"]
    assert detail["violations"][0]["quotaId"] == "GenerateRequestsPerDayPerProjectPerModel"


def test_openrouter_tells_its_limit_on_refusals_alone_in_epoch_milliseconds() -> None:
    (_, _, first), (status, body, second) = two(Window(n=1, window_s=60), ROUTER)
    assert status == 429
    assert "x-ratelimit-limit" not in first
    assert 50_000 < int(second["x-ratelimit-reset"]) - time.time() * 1000 <= 60_000
    assert body["error"]["metadata"]["headers"]["x-ratelimit-limit"] == "1"


def test_headers_and_status_of_a_limiter_can_be_chosen() -> None:
    (_, _, first), (status, _, second) = two(Window(n=1, headers="none", hints="none", status=503), OPENAI)
    assert status == 503
    assert not [name for name in (*first, *second) if "ratelimit" in name or "retry" in name]
    assert "anthropic-ratelimit-requests-limit" in two(Window(n=1, headers="anthropic"), OPENAI)[0][2]


def test_a_request_that_never_fits_is_told_its_size() -> None:
    with provider(Profile(limiters=(TokenBucket(per_minute=4, count="reserved"),))) as server:
        status, body, headers = fetch(server.url + OPENAI[0], OPENAI[1])
    assert status == 429
    assert json.loads(body)["error"]["message"] == (
        "Request too large for m on tokens: Limit 4, Requested 51."
    )
    assert "retry-after" not in headers


def many(profile: Profile, count: int) -> tuple[list[int], float, Any]:
    with provider(profile) as server, ThreadPoolExecutor(count) as pool:
        start = time.monotonic()
        work = pool.map(lambda n: fetch(server.url + OPENAI[0], chat(str(n)))[0], range(count))
        return list(work), time.monotonic() - start, server.idle()


def test_a_concurrency_cap_refuses_what_is_too_much_at_once() -> None:
    profile = Profile(default=Behaviour(latency_s=0.3), limiters=(Concurrency(n=3),))
    seen, _, ledger = many(profile, 8)
    assert sorted(seen) == [200] * 3 + [429] * 5
    assert (ledger.answered, ledger.refused) == (3, 5)


def test_slots_refuse_nothing_and_work_on_k_at_once() -> None:
    profile = Profile(default=Behaviour(latency_s=0.1), limiters=(Slots(k=2),))
    seen, took_s, ledger = many(profile, 8)
    assert seen == [200] * 8
    assert took_s >= 0.4
    assert ledger.peak_in_flight > 2
    ends = sorted(record.done_s or 0.0 for record in ledger.records)
    assert all(later - earlier >= 0.09 for earlier, later in zip(ends, ends[2:], strict=False))
    assert any(later - earlier < 0.09 for earlier, later in pairwise(ends)), "it worked on one at a time"


def test_a_client_that_leaves_the_queue_gives_its_place_to_the_next() -> None:
    profile = Profile(default=Behaviour(latency_s=0.2), limiters=(Slots(k=1),))
    with provider(profile) as server, ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server.url + OPENAI[0], chat("first"))
        server.await_requests(1)
        with pytest.raises(TimeoutError):
            _leave(server.url + OPENAI[0])
        last = pool.submit(fetch, server.url + OPENAI[0], chat("last"))
        assert (first.result()[0], last.result()[0]) == (200, 200)
        fates = {record.prompt: record.fate for record in server.idle().records}
    assert fates == {"first": "answered", "gone": "abandoned", "last": "answered"}


def _leave(url: str) -> None:
    import urllib.request

    request = urllib.request.Request(url, json.dumps(chat("gone")).encode())
    urllib.request.urlopen(request, timeout=0.05)
