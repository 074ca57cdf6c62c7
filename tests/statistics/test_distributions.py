"""Quantiles and tails against tables made by scipy 1.17.1, and against what holds for any of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.statistics.distributions import (
    heads_at_most,
    normal_quantile,
    t_quantile,
    t_survival,
    two_sided_p,
    two_sided_z,
)


@pytest.mark.parametrize(
    ("p", "df", "t"),
    [
        (0.6, 1, 0.32491969623290634),
        (0.9999999, 1, 3183098.8635132452),
        (0.995, 2, 9.924843200918287),
        (0.9, 3, 1.637744353696209),
        (0.995, 7.5, 3.421422688124044),
        (0.9999999, 40, 6.265672024995904),
        (0.995, 99, 2.626405457280827),
        (0.995, 101, 2.6253859646684408),
        (0.9999999, 999, 5.236035390913505),
        (0.6, 12345, 0.2533525630707043),
        (0.995, 500_000, 2.575839136679437),
        (0.9999999, 2_000_000, 5.199355801547171),
    ],
)
def test_quantiles_of_t(p: float, df: float, t: float) -> None:
    # 1 − p of 0.9999999 itself has nine digits.
    assert t_quantile(p, df) == pytest.approx(t, rel=1e-8 if p > 0.999 else 1e-12 if df < 1e5 else 1e-10)


@pytest.mark.parametrize(
    ("t", "df", "tail"),
    [
        (1e-06, 1, 0.5 - math.atan(1e-6) / math.pi),
        (30, 1, 0.010606402405535426),
        (2.5, 2, 0.06480586011075541),
        (8, 5, 0.0002464533302862221),
        (30, 5, 3.8593243102480265e-07),
        (0.1, 30, 0.4605048058951356),
        (30, 30, 3.125895815304445e-24),
        (8, 150, 1.5617426633133764e-13),
        (2.5, 10_000, 0.006217609775291849),
        (30, 10_000, 1.0221635237126803e-189),
        (8, 500_000, 6.234109242534018e-16),
        (2.5, 3_000_000, 0.006209691800834884),
    ],
)
def test_tails_of_t(t: float, df: float, tail: float) -> None:
    assert t_survival(t, df) == pytest.approx(tail, rel=1e-10)
    assert t_survival(-t, df) == pytest.approx(1 - tail, rel=1e-14)


@pytest.mark.parametrize(
    ("heads", "tosses", "chance"),
    [
        (0, 0, 1.0),
        (0, 5, 0.03125),
        (3, 20, 0.0012884140014648438),
        (86, 236, 1.8579680697856933e-05),
        (900, 2000, 4.228544767751905e-06),
        (1400, 3000, 0.00013928198051961683),
        (1501, 3001, 0.5145612463843781),
        (48_000, 100_000, 5.765469333363917e-37),
        (499_000, 1_000_000, 0.0228041499326948),
        (510_000, 1_000_000, 1.0),
        (1_000_000, 1_000_000, 1.0),
    ],
)
def test_tails_of_tosses(heads: int, tosses: int, chance: float) -> None:
    assert heads_at_most(heads, tosses) == pytest.approx(chance, rel=1e-8 if tosses > 2000 else 1e-13)


def test_both_ways_to_count_tosses_agree() -> None:
    counted = [1]
    for done in range(2001):
        counted.append(counted[-1] * (2001 - done) // (done + 1))
    for heads in (0, 1, 700, 1000, 1001, 1300, 1990, 2001):
        exact = sum(counted[: heads + 1]) / (1 << 2001)
        assert heads_at_most(heads, 2001) == pytest.approx(exact, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(p=st.floats(1e-6, 1 - 1e-6), df=st.floats(1, 3e6))
def test_a_quantile_of_t_is_where_its_tail_is(p: float, df: float) -> None:
    t = t_quantile(p, df)
    assert t_survival(-t, df) == pytest.approx(p, rel=1e-9)
    assert t_quantile(1 - p, df) == pytest.approx(-t, rel=1e-7, abs=1e-12)
    assert abs(t) >= abs(normal_quantile(p)) * (1 - 1e-9)


def test_one_and_two_degrees_have_closed_forms() -> None:
    for p in (0.01, 0.3, 0.5, 0.75, 0.999):
        assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-12, abs=1e-15)
        assert t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-12)


def test_ends_of_the_line() -> None:
    assert t_survival(0, 5) == 0.5
    assert t_survival(math.inf, 5) == 0
    assert t_survival(-math.inf, 5) == 1
    assert t_survival(1e200, 3) == 0
    assert t_survival(math.inf, 1e9) == 0
    assert t_quantile(1e-20, 1) == pytest.approx(-1e20 / math.pi)
    assert t_quantile(0.5, 1e-3) == 0
    assert two_sided_p(0, 3) == 1
    assert two_sided_z(0.95) == pytest.approx(1.959963984540054)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: normal_quantile(1), "p is 1: a number between 0 and 1"),
        (lambda: two_sided_z(95), "level is 95: a number between 0 and 1, such as 0.95"),
        (lambda: t_quantile(0, 3), "p is 0: "),
        (lambda: t_quantile(0.5, 0), "df is 0: a finite number above 0"),
        (lambda: t_survival(math.nan, 3), "t is nan"),
        (lambda: t_survival(1, math.inf), "df is inf"),
        (lambda: heads_at_most(4, 3), "heads is 4: a whole number, 0 to 3, is expected"),
        (lambda: heads_at_most(1, -1), "tosses is -1: a whole number, 0 or more, is expected"),
    ],
)
def test_what_cannot_be_meant_is_named(call: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()  # type: ignore[operator]
