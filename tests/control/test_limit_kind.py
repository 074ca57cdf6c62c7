"""What tells a cap on calls in flight from a limit by time: how often it takes, and what counts for less."""

from __future__ import annotations

import pytest

from umwelten.control.limit_kind import LimitEvidence, LimitKind, RetryAfterTrust, stated_kind
from umwelten.types import Budget, RateLimitHints, Resource


def sure() -> LimitEvidence:
    evidence = LimitEvidence()
    for _ in range(20):
        evidence.note_fit()
    assert evidence.sure
    return evidence


def test_twenty_calls_right_at_the_limit_make_a_cap_sure() -> None:
    evidence = LimitEvidence(surprises=1.0, rises=1)
    for _ in range(19):
        evidence.note_fit()
    assert not evidence.sure
    evidence.note_fit()
    assert (evidence.sure, evidence.surprises, evidence.rises, evidence.fits) == (True, 0.0, 0, 0)


def test_a_surprise_begins_the_count_of_fits_anew() -> None:
    evidence = LimitEvidence()
    for _ in range(19):
        evidence.note_fit()
    evidence.note_surprise(5, None)
    evidence.note_fit()
    assert not evidence.sure


@pytest.mark.parametrize(
    ("level", "edge", "is_sure", "enough"),
    [
        (5, None, False, 2),
        (5, 10, False, 2),
        (13, 14, False, 2),  # not a high edge
        (12, 15, False, 2),  # not near it
        (14, 15, False, 3),
        (90, 100, False, 3),
        (5, None, True, 8),
        (14, 15, True, 12),
    ],
)
def test_surprises_are_no_caps_once_they_are_enough(
    level: int, edge: int | None, is_sure: bool, enough: int
) -> None:
    evidence = sure() if is_sure else LimitEvidence()
    said = [evidence.note_surprise(level, edge) for _ in range(enough)]
    assert said == [False] * (enough - 1) + [True]


def test_two_refused_heights_that_are_admitted_later_are_no_caps() -> None:
    evidence = LimitEvidence()
    for rise, wanted in ((1, False), (2, True)):
        evidence.on_start(10, now=float(rise), edge=10)
        assert evidence.note_rise(now=rise + 0.5, refusal_s=0.1) is wanted
    certain = sure()
    for rise in range(5):
        certain.on_start(10, now=float(rise), edge=10)
        assert not certain.note_rise(now=rise + 0.5, refusal_s=0.1), "a cap that is sure has grown"


@pytest.mark.parametrize(("level", "after_s"), [(9, 0.5), (10, 0.15), (10, 0.1)])
def test_what_may_still_be_refused_is_no_rise(level: int, after_s: float) -> None:
    """Below the edge nothing was tried, and a refusal takes its time to be back."""
    evidence = LimitEvidence()
    for _ in range(5):
        evidence.on_start(level, now=0.0, edge=10)
        assert not evidence.note_rise(now=after_s, refusal_s=0.1)
    assert evidence.rises == 0


@pytest.mark.parametrize(("evidence", "enough"), [(LimitEvidence(), 2), (sure(), 4)])
def test_heights_that_are_admitted_and_refused_by_turns_are_no_caps(
    evidence: LimitEvidence, enough: int
) -> None:
    said = []
    for turn in range(enough):
        evidence.rises = 0
        evidence.on_start(10, now=float(turn), edge=10)
        evidence.note_rise(now=turn + 0.5, refusal_s=0.1)
        assert not evidence.on_refusal(started_at=turn + 0.6, level=11), "higher than what was admitted"
        said.append(evidence.on_refusal(started_at=turn + 0.6, level=10))
    assert said == [False] * (enough - 1) + [True]


def test_the_greatest_height_is_proven_by_a_round_of_calls_near_it() -> None:
    evidence = LimitEvidence()
    evidence.on_start(10, now=0.0, edge=None)
    for _ in range(20):
        evidence.on_answer(9)
    assert not evidence.proven
    for _ in range(10):
        assert not evidence.proven
        evidence.on_answer(10)
    assert evidence.proven
    evidence.on_start(11, now=1.0, edge=None)
    assert not evidence.proven


def test_more_calls_at_the_greatest_height_leave_it_proven() -> None:
    evidence = LimitEvidence()
    evidence.set_high(4)
    for _ in range(4):
        assert not evidence.proven
        evidence.on_answer(4)
        evidence.on_start(4, now=0.0, edge=None)
    assert evidence.proven


def test_a_refused_height_is_tried_by_the_first_call_that_reaches_it() -> None:
    evidence = LimitEvidence()
    for start in (0.0, 1.0):
        evidence.on_start(10, now=start, edge=10)
    evidence.note_rise(now=1.1, refusal_s=0.1)
    assert evidence.rises == 1


def test_a_refusal_of_what_was_started_no_later_ends_the_trial() -> None:
    evidence = LimitEvidence()
    for started_at, rises in ((1.0, 0), (0.9, 0), (1.1, 1)):
        evidence.on_start(10, now=1.0, edge=10)
        evidence.on_refusal(started_at, level=11)
        evidence.note_rise(now=5.0, refusal_s=0.1)
        assert evidence.rises == rises


def test_a_turn_is_a_refusal_up_to_the_greatest_height_that_was_admitted_and_counts_once() -> None:
    evidence = LimitEvidence()
    for level, start in ((12, 0.0), (10, 2.0)):
        evidence.on_start(level, now=start, edge=10)
        evidence.note_rise(now=start + 1, refusal_s=0.1)
    for level, flips in ((13, 0), (12, 1), (12, 1)):
        evidence.on_refusal(started_at=4.0, level=level)
        assert evidence.flips == flips


def test_twenty_fits_make_up_for_one_turn() -> None:
    evidence = LimitEvidence(flips=1)
    for flips in (0, 0):
        for _ in range(20):
            evidence.note_fit()
        assert evidence.flips == flips


def test_three_calls_admitted_long_before_the_time_refute_retry_after() -> None:
    trust = RetryAfterTrust()
    trust.on_refusal(10.0, hint=4.0)
    for early in (11.0, 11.5):
        trust.on_answer(early)
    # Sent before the refusal, or in the second half of the wait: neither says anything.
    for other in (9.0, 10.0, 12.0, 13.0):
        trust.on_answer(other)
    assert not trust.overstated
    trust.on_answer(11.9)
    assert trust.overstated


@pytest.mark.parametrize("hint", [None, 0.5, 1.0])
def test_a_wait_of_a_second_or_none_is_not_refuted(hint: float | None) -> None:
    trust = RetryAfterTrust()
    trust.on_refusal(10.0, hint)
    for _ in range(5):
        trust.on_answer(10.1)
    assert not trust.overstated


@pytest.mark.parametrize(
    ("resource", "remaining", "kind"),
    [
        (Resource.IN_FLIGHT, 0, LimitKind.CONCURRENCY),
        (Resource.REQUESTS, 0, LimitKind.RATE),
        (Resource.TOKENS, -5, LimitKind.RATE),
        (Resource.REQUESTS, 0.5, None),
        (Resource.REQUESTS, 1, None),
        (Resource.REQUESTS, None, None),
    ],
)
def test_an_empty_budget_tells_the_kind(
    resource: Resource, remaining: float | None, kind: LimitKind | None
) -> None:
    budget = Budget(resource=resource, limit=10, remaining=remaining, reset_s=1.0)
    assert stated_kind(RateLimitHints(budgets=(budget,))) is kind
