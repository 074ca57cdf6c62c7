"""How long ago a worker heard of its coordinator, by clocks that have nothing in common."""

from __future__ import annotations

import random

from umwelten.fleet.hearing import DEAF_S, Hearing


def test_clocks_that_differ_by_years_are_compared_all_the_same() -> None:
    hearing = Hearing()
    assert not hearing.is_near(0.0)
    for second in range(10):
        late_s = hearing.hear(1e9 + second, 77.0 + second + 0.01)
        assert late_s == 0.0 or late_s < 1e-6
    assert hearing.is_near(86.0 + DEAF_S)
    assert not hearing.is_near(86.1 + DEAF_S)


def test_a_frame_that_was_long_on_its_way_is_late_and_is_no_sign_of_life_of_now() -> None:
    hearing = Hearing()
    for second in range(10):
        hearing.hear(float(second), second + 5.0)
    late_s = hearing.hear(10.0, 10.0 + 5.0 + 8.0)
    assert 7.99 < late_s < 8.01
    assert hearing.is_late(late_s)
    assert not hearing.is_near(23.0)
    assert not hearing.is_late(hearing.hear(18.0, 23.0))
    assert hearing.is_near(23.0)


def test_clocks_that_drift_for_days_make_nothing_late() -> None:
    for drift in (100e-6, -100e-6):
        hearing, dice = Hearing(), random.Random(1)
        for second in range(0, 3 * 86_400, 20):
            now = second * (1 + drift) + 0.02 * dice.random()
            assert hearing.hear(float(second), now) < 0.3
        assert hearing.is_near(now)


def test_after_a_long_silence_what_was_sent_before_it_is_late() -> None:
    hearing = Hearing()
    for second in range(5):
        hearing.hear(float(second), float(second))
    assert hearing.is_late(hearing.hear(5.0, 5_000.0))
    assert hearing.is_late(hearing.hear(6.0, 5_000.0))
    assert not hearing.is_late(hearing.hear(5_000.0, 5_000.1))
