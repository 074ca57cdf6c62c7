"""When refusals are told to have nothing to do with what a lane does."""

from __future__ import annotations

import random

import pytest

from umwelten.control.unrelated import UnrelatedRefusals


def send(test: UnrelatedRefusals, numbers: range, refuses: list[bool], share: float = 0.3) -> None:
    """Start calls and have each end, refused or not, in the order of their start."""
    for number, refused in zip(numbers, refuses, strict=True):
        test.on_start(number)
        if refused:
            test.on_refusal(number, share, fresh=True, expected=1.0)
        else:
            test.on_let_in(number)


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_told_from_a_limit(seed: int) -> None:
    """One call in four is refused by chance; the lane keeps to nothing, and comes to know it."""
    dice = random.Random(seed)
    test = UnrelatedRefusals()
    send(test, range(1500), [dice.random() < 0.25 for _ in range(1500)])
    assert test.share is not None
    assert 0.05 < test.share < 0.5


def test_what_a_limit_refuses_is_not_taken_for_chance() -> None:
    test = UnrelatedRefusals()
    for episode in range(200):
        number = 100 * episode
        # One is let in, and everything beyond it is refused, the calls of a test as well.
        send(test, range(number, number + 2), [False, True])
        while test.testing:
            number += 10
            send(test, range(number, number + 1), [True])
    assert test.share is None


@pytest.mark.parametrize(("tokens", "size"), [(0.0, 0), (400.0, 62)])
def test_a_fast_lane_is_tested_once_it_can_afford_it(tokens: float, size: int) -> None:
    test = UnrelatedRefusals()
    for number in range(4):
        test.on_start(number)
        test.on_refusal(number, 0.03, fresh=True, expected=40.0, tokens=tokens)
    assert test.left == size


def test_a_limit_that_is_met_at_full_speed_is_believed_in_again() -> None:
    test = UnrelatedRefusals(share=0.2)
    send(test, range(60), [True] * 60)
    assert test.share is None


def test_refusals_that_are_known_before_answers_count_in_the_order_of_the_calls() -> None:
    test = UnrelatedRefusals(share=0.4)
    dice = random.Random(1)
    for batch in range(20):
        numbers = range(100 * batch, 100 * batch + 100)
        for number in numbers:
            test.on_start(number)
        refused = {number for number in numbers if dice.random() < 0.4}
        for number in sorted(refused):
            assert test.on_refusal(number, 0.4, fresh=False, expected=1.0)
        for number in numbers:
            if number not in refused:
                test.on_let_in(number)
    assert test.share is not None
    assert 0.25 < test.share < 0.55
