"""Until when nothing is let in, by hints that name one moment."""

from __future__ import annotations

import pytest

from umwelten.control.told_wait import MARGIN_S, ToldWait


def told(*pairs: tuple[float, float]) -> ToldWait:
    wait = ToldWait()
    for now, hint in pairs:
        wait.on_refusal(now, hint)
    return wait


def test_hints_of_a_burst_that_name_one_moment_are_exact() -> None:
    wait = told((1.0, 20.0), (1.02, 19.98), (1.05, 19.95))
    assert wait.exact
    assert wait.earliest_start(5.0) == pytest.approx(21.0 + MARGIN_S)
    assert wait.earliest_start(30.0) == 30.0


@pytest.mark.parametrize(
    "pairs",
    [
        ((1.0, 60.0), (1.02, 60.0), (1.05, 60.0)),  # a constant
        ((1.0, 200.0), (1.02, 199.8), (1.05, 199.5)),  # ten times the truth
        ((1.0, 20.0), (1.001, 19.999), (1.002, 19.998)),  # too near to each other to tell
        ((1.0, 0.2), (1.02, 0.18), (1.05, 0.15)),  # over before it matters
    ],
)
def test_other_hints_hold_nothing(pairs: tuple[tuple[float, float], ...]) -> None:
    assert told(*pairs).earliest_start(2.0) == 2.0


def test_a_call_that_is_let_in_ends_the_wait_and_refutes_a_later_moment() -> None:
    wait = told((1.0, 20.0), (1.02, 19.98), (1.05, 19.95))
    wait.on_let_in(0.9)  # it left before the first refusal was known
    assert wait.earliest_start(5.0) > 5.0
    wait.on_let_in(20.99)
    assert wait.exact and wait.earliest_start(21.0) == 21.0
    wait.on_refusal(30.0, 20.0)
    assert wait.earliest_start(31.0) == pytest.approx(50.0 + MARGIN_S)
    wait.on_let_in(35.0)
    assert not wait.exact
