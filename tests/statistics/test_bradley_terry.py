"""Strengths from comparisons: published ones, and what becomes of them where the data cannot tell."""

from __future__ import annotations

import pytest

from umwelten.statistics import bradley_terry

JOURNALS = {  # citations of the second by the first, and of the first by the second
    ("Biometrika", "Comm"): (730, 33),
    ("Biometrika", "JASA"): (498, 320),
    ("Biometrika", "JRSS-B"): (221, 284),
    ("Comm", "JASA"): (68, 813),
    ("Comm", "JRSS-B"): (17, 276),
    ("JASA", "JRSS-B"): (142, 325),
}


def test_journals_of_agresti() -> None:
    """Agresti 2002, 10.6; the vignette of R's BradleyTerry2, 2.1."""
    wins = {pair: float(won) for pair, (won, _) in JOURNALS.items()}
    wins |= {(second, first): float(lost) for (first, second), (_, lost) in JOURNALS.items()}
    found = bradley_terry(wins)
    for name, strength, se in (
        ("Comm", -2.94907, 0.10255),
        ("JASA", -0.47957, 0.06059),
        ("JRSS-B", 0.26895, 0.07083),
    ):
        difference = found.difference(name, "Biometrika")
        assert (difference.estimate, difference.se) == pytest.approx((strength, se), abs=5e-6)
