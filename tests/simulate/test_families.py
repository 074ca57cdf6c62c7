"""Providers of every family of hidden limits, in virtual time: what they let in, and what they state."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import families
from umwelten.cli.simulate import simulate as command
from umwelten.simulate import profile as p
from umwelten.simulate.clock import run_virtual
from umwelten.simulate.figures import most_in_a_second, seconds_to_pace
from umwelten.simulate.limiters import RequestCost, charge, new_limiter, new_limiters, refusal
from umwelten.simulate.other_users import OtherUsers
from umwelten.simulate.providers import VirtualProvider, Work, ideal
from umwelten.simulate.run import simulate
from umwelten.simulate.statements import Statements
from umwelten.types import Budget, Failure, FailureKind, Outcome


@given(
    st.integers(1, 20),
    st.floats(1.0, 50.0),
    st.floats(0.0, 50.0),
    st.lists(st.floats(0, 10), min_size=1, max_size=120),
)
def test_a_weighted_window_counts_the_one_before_in_part(
    n: int, window_s: float, offset_s: float, gaps: list[float]
) -> None:
    limiter = new_limiter(p.Weighted(n=n, window_s=window_s, offset_s=offset_s))
    assert limiter is not None
    now, taken = 0.0, []
    for gap in gaps:
        now += gap
        index = math.floor((now + offset_s) / window_s + 1e-9)
        into = max(0.0, now + offset_s - index * window_s)
        windows = [math.floor((at + offset_s) / window_s + 1e-9) for at in taken]
        load = windows.count(index) + windows.count(index - 1) * (1 - into / window_s)
        if abs(load + 1 - n) > 1e-5:
            assert (limiter.wait(now, 1) == 0) == (load + 1 < n)
        if limiter.wait(now, 1) == 0:
            limiter.take(now, 1)
            taken.append(now)


def test_a_quota_lets_in_so_many_and_then_nothing_for_ever() -> None:
    quota = new_limiter(p.Quota(n=3))
    assert quota is not None
    for at in range(3):
        assert quota.wait(at, 1) == 0
        quota.take(at, 1)
    assert quota.wait(1e6, 1) == math.inf
    assert quota.budget(1e6) is None


@pytest.mark.parametrize("kind", [p.Window, p.Sliding, p.Weighted, p.Gcra, p.Bucket])
def test_a_limit_falls_and_returns(kind: Any) -> None:
    change = p.Change(from_s=100, to_s=200, factor=0.2)
    size = {"rate": 10.0} if kind in (p.Gcra, p.Bucket) else {"n": 100, "window_s": 10.0}
    limiter = new_limiter(kind(**size, change=change))
    assert limiter is not None
    counts = []
    for begin in (0, 150, 300):
        let_in = 0
        for tick in range(1000):
            at = begin + tick / 50
            if limiter.wait(at, 1) == 0:
                limiter.take(at, 1)
                let_in += 1
        counts.append(let_in / 20)
    assert counts == [pytest.approx(10, abs=1.5), pytest.approx(2, abs=0.6), pytest.approx(10, abs=1.5)]


STYLES = [
    # The window of 100 in 60 s began 20 s ago and has 25 left: 40 s until it is full. Zero is no rounding.
    ("none", None),
    ("until-full", (100, 25, 40, None)),
    ("next-token", (100, 25, 40, None)),
    ("window-end", (100, 25, 40, 60)),
    ("epoch-s", (100, 25, 40.63, None)),
    ("epoch-ms", (100, 25, 40, None)),
    ("ietf", (100, 25, 40, 60)),
    ("lie-high", (100, 75, 40, None)),
    ("lie-zero", (100, 0, 40, None)),
    ("other-unit", (100, 25, 40, None)),
]


def stated(limit: p.AnyLimit, style: Any, taken: int, now: float) -> Budget | None:
    limiters = new_limiters([limit])
    for number in range(taken):
        charge(limiters, RequestCost(), number / 1000)
    budgets = Statements(p.Provider(limits=(limit,), headers=style), limiters).hints(now).budgets
    return budgets[0] if budgets else None


@pytest.mark.parametrize(("style", "wanted"), STYLES)
def test_headers_state_a_limit_in_every_style(style: str, wanted: tuple[float, ...] | None) -> None:
    found = stated(p.Window(n=100, window_s=60.0), style, 75, 20.0)
    if wanted is None:
        assert found is None
        return
    assert found is not None
    assert (found.limit, found.remaining, found.window_s) == (wanted[0], wanted[1], wanted[3])
    assert found.reset_s == pytest.approx(wanted[2], abs=0.01)


def test_a_bucket_states_the_next_token_and_its_limit_by_the_minute() -> None:
    found = stated(p.Bucket(rate=20.0, burst=40.0), "next-token", 40, 0.04)
    assert found is not None
    assert (found.limit, found.remaining) == (1200, 0)
    assert found.reset_s == pytest.approx(0.01, abs=0.005)


def test_a_stale_statement_was_true_seconds_ago() -> None:
    limit = p.Window(n=100, window_s=60.0)
    limiters = new_limiters([limit])
    says = Statements(p.Provider(limits=(limit,), headers="stale"), limiters)
    assert says.hints(0.0).budgets[0].remaining == 100
    charge(limiters, RequestCost(), 0.5)
    assert [says.hints(at).budgets[0].remaining for at in (1.0, 2.0, 3.5, 4.5)] == [100, 100, 100, 99]


@pytest.mark.parametrize(
    ("how", "wanted"), [("none", None), ("exact", 7.5), ("padded", 75.0), ("constant", 60.0), (5.0, 5.0)]
)
def test_a_refusal_names_a_time_in_every_style(how: Any, wanted: float | None) -> None:
    limit = p.Window(n=1, window_s=10.0)
    limiters = new_limiters([limit])
    charge(limiters, RequestCost(), 0.0)
    refused = refusal(limiters, RequestCost(), 2.5)
    spec = p.Provider(limits=(limit,), retry_after=how, headers=False)
    assert Statements(spec, limiters).hints(2.5, refused).retry_after_s == wanted


def test_a_date_names_the_next_whole_second() -> None:
    limit = p.Window(n=1, window_s=10.0)
    limiters = new_limiters([limit])
    charge(limiters, RequestCost(), 0.0)
    says = Statements(p.Provider(limits=(limit,), retry_after="date", headers=False), limiters)
    waits = [says.hints(at, refusal(limiters, RequestCost(), at)).retry_after_s for at in (2.5, 2.75)]
    assert all(7.5 <= wait + late < 8.5 for wait, late in zip(waits, (0, 0.25), strict=True) if wait)
    assert waits[0] == pytest.approx((waits[1] or 0) + 0.25)


@pytest.mark.parametrize(
    "limit",
    [p.Bucket(rate=10.0, burst=10.0), p.Sliding(n=50, window_s=5.0), p.Window(n=50, window_s=5.0)],
    ids=["bucket", "sliding", "window"],
)
def test_others_take_their_share_of_a_rate_on_average(limit: p.AnyLimit) -> None:
    ends = []
    for share in (None, 0.3):
        others = None if share is None else p.Others(share=share, period_s=20.0)
        spec = p.Provider(limits=(limit,), others=others, latency=p.Latency(median_s=0.1))
        ends.append(ideal(spec, Work(spec, 2000, random.Random(1)), 200).end_s)
    # Of 10 calls a second, 7 are ours.
    assert ends[1] / ends[0] == pytest.approx(1 / 0.7, rel=0.1)


def test_others_leave_what_they_do_not_ask_for() -> None:
    limiters = new_limiters([p.Bucket(rate=10.0, burst=10.0)])
    OtherUsers(p.Others(share=0.0), limiters, RequestCost()).catch_up(100.0)
    assert limiters[0].wait(100.0, 10.0) == 0


def test_others_at_a_cap_that_falls_leave_of_what_is_left() -> None:
    change = p.Change(from_s=9.0, to_s=11.0, factor=0.5)
    limiters = new_limiters([p.Concurrency(n=100, change=change)])
    OtherUsers(p.Others(share=0.3, period_s=20.0), limiters, RequestCost())
    assert [round(limiters[0].load.room(at)) for at in (0.0, 10.0, 15.0)] == [100, 20, 70]  # type: ignore[attr-defined]


def test_others_hold_their_share_of_a_cap() -> None:
    limiters = new_limiters([p.Concurrency(n=100)])
    others = OtherUsers(p.Others(share=0.3, period_s=20.0), limiters, RequestCost())
    rooms = [round(limiters[0].load.room(at)) for at in (0.0, 5.0, 10.0, 15.0)]  # type: ignore[attr-defined]
    assert others.holds_slots and rooms == [100, 70, 40, 70]


def test_an_overload_refuses_a_share_with_its_status() -> None:
    spec = p.Provider(overload=p.Overload(status=529, share=0.25), latency=p.Latency(median_s=0.1))
    virtual = VirtualProvider(spec, Work(spec, 1000, random.Random(1)), random.Random(1))

    async def ask() -> list[Outcome]:
        return [(await virtual.ask(number, 0))[0] for number in range(1000)]

    refused = [one for one in run_virtual(ask()) if isinstance(one, Failure)]
    assert {(one.status, one.kind) for one in refused} == {(529, FailureKind.RATE_LIMIT)}
    assert 200 < len(refused) < 300 and len(virtual.refused_at) == len(refused)


def test_a_refusal_takes_the_round_trip_that_is_stated() -> None:
    spec = p.Provider(limits=(p.Quota(n=0),), round_trip_s=0.2, round_trip_jitter=0.1)
    virtual = VirtualProvider(spec, Work(spec, 200, random.Random(1)), random.Random(1))

    async def ask() -> list[float]:
        return sorted([(await virtual.ask(number, 0))[1] for number in range(200)])

    took = run_virtual(ask())
    assert 0.18 <= took[0] <= took[190] <= 0.22 and 0.3 < took[-1] < 0.7


@pytest.mark.parametrize(
    "limit", [p.Concurrency(n=4), p.Bucket(rate=2.0, burst=2.0), p.Window(n=4, window_s=2.0)]
)
@pytest.mark.parametrize("factor", [0.0, 0.2])
def test_the_clairvoyant_waits_for_the_end_of_a_fall(limit: p.AnyLimit, factor: float) -> None:
    limit = msgspec.structs.replace(limit, change=p.Change(from_s=1.0, to_s=50.0, factor=factor))
    spec = p.Provider(limits=(limit,), latency=p.Latency(median_s=0.5))
    best = ideal(spec, Work(spec, 200, random.Random(1)), 10)
    assert len(best.let_in_at) == 200
    # From the end of the fall on it goes as fast as ever: the first call after it is let in at once.
    assert min(at for at in best.let_in_at if at >= 50.0) < 50.0 + 2.01


@given(st.floats(0, 200), st.floats(0.0, 1.0), st.floats(0.1, 20))
def test_a_bucket_that_changes_lets_in_when_it_said(at: float, factor: float, taken: float) -> None:
    change = p.Change(from_s=50.0, to_s=100.0, factor=factor)
    limiter = new_limiter(p.Bucket(rate=0.5, burst=20.0, change=change))
    assert limiter is not None
    limiter.take(at, 20.0)
    wait_s = limiter.wait(at, taken)
    assert limiter.wait(at + wait_s + 1e-4, taken) == 0
    if wait_s > 0.01:
        assert limiter.wait(at + 0.99 * wait_s, taken) > 0


def test_failed_calls_are_no_efficiency() -> None:
    spec = p.Provider(overload=p.Overload(status=503, share=0.5), limits=(p.Bucket(rate=50.0),))
    report = simulate(p.SimulationProfile(providers=(spec,), retries=0), 400, 0)
    assert report.lanes[0].succeeded < 300 and report.efficiency < 1.1


def test_the_clairvoyant_leaves_what_no_waiting_lets_in() -> None:
    spec = p.Provider(limits=(p.Quota(n=5),))
    best = ideal(spec, Work(spec, 20, random.Random(1)), 10)
    assert len(best.let_in_at) == 5


@given(st.lists(st.floats(0, 50), max_size=60))
def test_the_most_in_a_second_is_that_of_every_second(times: list[float]) -> None:
    times.sort()
    most = max((sum(at - 1.0 < other <= at for other in times) for at in times), default=0)
    assert most_in_a_second(times) == most


def test_the_pace_is_compared_from_the_same_call_on() -> None:
    best = [n / 10 for n in range(600)]
    slow_start = [*(n / 2 for n in range(20)), *(10 + n / 10 for n in range(580))]
    assert seconds_to_pace(best, best) == 0
    found = seconds_to_pace(slow_start, best)
    assert found is not None and 6 < found <= 10
    assert seconds_to_pace([n / 2 for n in range(600)], best) is None


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family_is_drawn_alike_for_a_seed_and_runs(family: str) -> None:
    for seed in (0, 1):
        case = families.draw(family, seed)
        assert case == families.draw(family, seed) != families.draw(family, seed + 2)
        text = msgspec.json.encode(case.profile)
        assert msgspec.json.decode(text, type=p.SimulationProfile) == case.profile
        report = simulate(case.profile, 30, seed, most_attempts=360)
        assert 0 <= report.efficiency < 1.1
        assert len(report.lanes[0].refused_at) == report.lanes[0].refused


def test_a_storm_is_stopped_and_counts_as_none() -> None:
    profile = p.SimulationProfile(providers=(p.Provider(limits=(p.Quota(n=0),), retry_after="none"),))
    report = simulate(profile, 50, 0, most_attempts=20)
    lane = report.lanes[0]
    assert 20 <= lane.attempts < 40 and lane.succeeded == 0
    assert report.efficiency == 0.0 and report.refused_per_call > 0.3


def test_the_figures_are_in_the_json_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'cap = 20\n[[providers]]\nheaders = "ietf"\nretry_after = "date"\nround_trip_s = 0.05\n'
        "round_trip_jitter = 0.1\noverload = { status = 429, share = 0.01 }\n"
        'limits = [{ kind = "weighted", n = 50, window_s = 5 }]\n'
    )
    arguments = [str(path), "--calls", "200", "--seed", "3", "--json"]
    result = click.testing.CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert 0 < found["efficiency"] <= 1.1
    assert found["refused_per_call"] == found["lanes"][0]["refused"] / 200
    assert 0 < found["most_refused_in_a_second"] <= found["lanes"][0]["refused"]
    assert found["s_to_90"] is None or found["s_to_90"] >= 0
    assert found["longest_standstill_s"] >= 0
    again = click.testing.CliRunner().invoke(command, arguments)
    assert json.loads(again.output)["wall_s"] == found["wall_s"]
