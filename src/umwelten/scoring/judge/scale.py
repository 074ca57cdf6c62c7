"""The scale of a judge: the words that a verdict may be, and what each is worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from umwelten.scoring.settings import amount
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import FrozenStruct

CANNOT_TELL = "cannot_tell"
"""The verdict of a judge that cannot tell."""
PASS_FAIL = "pass/fail"  # noqa: S105
MOST_STEPS = 101
"""As many as 0–100 has. Models use a handful of them, and every one is a word of the reply's schema."""
_NUMBERS = re.compile(r"\s*(-?\d{1,9})\s*(?:-|–|\.\.)\s*(-?\d{1,9})\s*", re.ASCII)
_LABEL = re.compile(r"[^\W_](?:[\w -]{0,38}[^\W_])?")

Kind = Literal["pass/fail", "numbers", "labels"]


class Scale(FrozenStruct):
    """What a verdict may be. `words` are in order; `shares` say what each is worth, exactly, from 0 to 1.

    `low` and `high` are the ends in the user's numbers: of `1-5` they are 1 and 5, else 0 and 1.
    """

    kind: Kind
    words: tuple[str, ...]
    shares: tuple[Fraction, ...]
    low: int = 0
    high: int = 1

    @property
    def graded(self) -> bool:
        """Whether there is something between right and wrong."""
        return self.kind != PASS_FAIL

    def share(self, word: str) -> Fraction:
        """Return what a verdict is worth. Errors: `ValueError` for one that is not on the scale."""
        return self.shares[self.words.index(word)]

    def raw(self, value: float) -> float:
        """Return a value of 0–1 in the user's numbers, for display."""
        return round(self.low + value * (self.high - self.low), 9)

    def from_raw(self, given: Any) -> float:
        """Return a point on the scale, given in the user's numbers or as one of its words, from 0 to 1.

        Errors: `ValueError` says what must be given.
        """
        if isinstance(given, str) and given in self.words:
            return float(self.share(given))
        number = _number(given)
        if number is None or not self.low <= number <= self.high:
            near = closest(given, self.words) if isinstance(given, str) else None
            words = "" if self.kind == "numbers" else f", or one of {', '.join(self.words)}"
            raise ValueError(
                f"must be a number from {self.low} to {self.high}, as the scale has it{words}"
                f"{did_you_mean_clause(near)}{self._other_scale(number)}"
            )
        return float((Fraction(number) - self.low) / (self.high - self.low))

    def _other_scale(self, number: Decimal | None) -> str:
        """Where a grade of 1 to 5 was given for pass or fail, as people's ratings are: what to change."""
        if self.graded or number is None or number > 5 or number < 1:
            return ""
        return '; for grades, give the judge scale = "1-5" in a file of scorers'

    def nearest(self, value: float) -> str | None:
        """Return the verdict that is nearest to a value of 0–1; `None` if two are as near."""
        exact = Fraction(value)
        distances = [abs(share - exact) for share in self.shares]
        least = min(distances)
        near = [word for word, distance in zip(self.words, distances, strict=True) if distance == least]
        return near[0] if len(near) == 1 else None


def _number(given: Any) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        return None
    number = Decimal(str(given))
    return number if number.is_finite() else None


def read_scale(value: Any) -> str:
    """Return the scale in its usual form: `pass/fail` or two whole numbers, as in `1-5`."""
    if isinstance(value, str):
        if value.strip().casefold() == PASS_FAIL:
            return PASS_FAIL
        if match := _NUMBERS.fullmatch(value):
            low, high = int(match[1]), int(match[2])
            if 0 < high - low < MOST_STEPS:
                return f"{low}-{high}" if low >= 0 else f"{low}..{high}"
            raise ValueError(f"must go from low to high in at most {MOST_STEPS - 1} steps, such as 1-5")
    raise ValueError('must be "pass/fail" or two whole numbers, such as "1-5"')


def read_labels(value: Any) -> list[list[Any]]:
    """Return labels and what they are worth, in their order."""
    if not isinstance(value, Mapping) or len(value) < 2:
        raise ValueError("must be a section with two labels or more, such as {wrong = 0, right = 1}")
    found: dict[str, list[Any]] = {}
    for name, worth in value.items():
        if not _LABEL.fullmatch(name):
            raise ValueError(f"has {name!r:.50}; labels are words of up to 40 letters and digits")
        if name.casefold() == CANNOT_TELL:
            raise ValueError(f"has {name!r}, which every judge may say; forbid it with unsure = false")
        if name.casefold() in found:
            raise ValueError(f"has {name!r} twice but for case")
        try:
            found[name.casefold()] = [name, float(amount(worth, most=1))]
        except ValueError as error:
            raise ValueError(f"of {name!r} {error}") from None
    if len({worth for _, worth in found.values()}) == 1:
        raise ValueError("must differ in what they are worth")
    return list(found.values())


def make_scale(scale: str, labels: list[list[Any]] | None) -> Scale:
    """Return the scale of settings that were read."""
    if labels:
        # As it was written: 0.1 is a tenth.
        shares = tuple(Fraction(str(worth)) for _, worth in labels)
        return Scale(kind="labels", words=tuple(name for name, _ in labels), shares=shares)
    match = _NUMBERS.fullmatch(scale)
    if match is None:
        return Scale(kind="pass/fail", words=("fail", "pass"), shares=(Fraction(0), Fraction(1)))
    low, high = int(match[1]), int(match[2])
    points = range(low, high + 1)
    return Scale(
        kind="numbers",
        words=tuple(map(str, points)),
        shares=tuple(Fraction(point - low, high - low) for point in points),
        low=low,
        high=high,
    )
