"""Scorers made in a line, for tests."""

from __future__ import annotations

from typing import Any

from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.score import Answer, Score, Unscored
from umwelten.scoring.scorer import Scorer


def scorer(**table: Any) -> Scorer:
    """A scorer of such a table; `not_` stands for `not`."""
    return Scorer(read_scorer("right", {k.rstrip("_"): v for k, v in table.items()}, NamedPlace("x.toml")))


def score(text: str, expected: Any = None, **table: Any) -> Score:
    found = scorer(**table).score(Answer(text=text), {"expected": expected})
    assert isinstance(found, Score), found
    return found


def unscored(answer: Answer, expected: Any = None, **table: Any) -> Unscored:
    found = scorer(**table).score(answer, {"expected": expected})
    assert isinstance(found, Unscored), found
    return found
