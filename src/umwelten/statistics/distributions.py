"""The normal and Student's t distribution, and coin tosses, as far as the standard library has them not."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from umwelten.statistics import arguments

_NORMAL = NormalDist()

_NEARLY_NORMAL = 1e6
"""Degrees of freedom from which t is the normal with its first correction, which leaves an error of 1e-11.
The continued fraction takes a step for each unit of their root."""

_EXACT_TOSSES = 2_000
"""Tosses up to which tails are sums of whole numbers, a millisecond. 20,000 take a quarter of a second."""


def normal_quantile(p: float) -> float:
    """Return the number below which the share `p` of a standard normal lies: 1.95996 for 0.975."""
    return _NORMAL.inv_cdf(arguments.share(p, "p"))


def two_sided_z(level: float) -> float:
    """Return how many standard errors an interval of this level reaches to each side: 1.95996 for 0.95."""
    return normal_quantile((1 + arguments.share(level, "level")) / 2)


def t_survival(t: float, df: float) -> float:
    """Return P(T > t) for Student's t with `df` degrees of freedom.

    ½ · I(df/(df + t²); df/2, ½) for t ≥ 0, where I is the regularised incomplete beta function, by its
    continued fraction (Abramowitz and Stegun 26.7.1 and 26.5.8).
    """
    if math.isnan(t):
        raise ValueError("t is nan: a number is expected")
    if t < 0:
        return 1 - t_survival(-t, df)
    if arguments.above_zero(df, "df") >= _NEARLY_NORMAL:
        return min(0.5, _NORMAL.cdf(-t) + _NORMAL.pdf(t) * (t**3 + t) / (4 * df)) if t < 40 else 0.0
    if t == 0 or math.isinf(t):
        return 0.0 if t else 0.5
    return _half_beta(t / math.sqrt(df), df / 2) / 2


def _half_beta(scaled: float, a: float) -> float:
    """Return I(x; a, ½) at x = 1/(1 + scaled²)."""
    square = scaled * scaled
    if math.isinf(square):
        return 0.0
    x, rest = 1 / (1 + square), square / (1 + square)
    front = math.sqrt(rest / math.pi) * math.exp(_log_gamma_step(a) - a * math.log1p(square))
    if x < (a + 1) / (a + 2.5):
        return front * _beta_fraction(a, 0.5, x) / a
    return 1 - front * _beta_fraction(0.5, a, rest) / 0.5


def _log_gamma_step(a: float) -> float:
    """Return ln Γ(a + ½) − ln Γ(a); by its series where the difference of large numbers would be inexact."""
    if a < 50:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return math.log(a) / 2 - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by the modified method of Lentz."""
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for step in range(1, 100_000):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d, c = 1 / _away(1 + term * d, tiny), _away(1 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _away(value: float, least: float) -> float:
    return value if abs(value) > least else least


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: float) -> float:
    """Return the number below which the share `p` of Student's t with `df` degrees of freedom lies.

    By bisection of `t_survival`: 2.26216 for 0.975 and 9.
    """
    arguments.above_zero(df, "df")
    if arguments.share(p, "p") == 0.5:
        return 0.0
    tail = min(p, 1 - p)
    low, high = 0.0, 1.0
    while t_survival(high, df) > tail:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle if p > 0.5 else -middle
        if t_survival(middle, df) > tail:
            low = middle
        else:
            high = middle


def two_sided_p(t: float, df: float) -> float:
    """Return P(|T| ≥ |t|) for Student's t: 0.00283 for −4.0621 and 9."""
    return min(1.0, 2 * t_survival(abs(t), df))


def heads_at_most(heads: int, tosses: int) -> float:
    """Return P(Bin(tosses, ½) ≤ heads), exact up to 2,000 tosses, to eight digits beyond."""
    arguments.count(tosses, "tosses")
    arguments.count(heads, "heads", 0, tosses)
    if tosses <= _EXACT_TOSSES:
        term = total = 1
        for done in range(heads):
            term = term * (tosses - done) // (done + 1)
            total += term
        return total / (1 << tosses)
    if 2 * heads >= tosses:
        return 1.0 if heads == tosses else 1 - heads_at_most(tosses - heads - 1, tosses)
    top = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
    ratio = sum_of_ratios = 1.0
    for left in range(heads, 0, -1):
        ratio *= left / (tosses - left + 1)
        sum_of_ratios += ratio
        if ratio < 1e-17 * sum_of_ratios:
            break
    return math.exp(top - tosses * math.log(2) + math.log(sum_of_ratios))
