"""The scores of one model and prompt by one scorer, by file, in some 20 bytes a file.

A million answers are added one at a time and none is kept: only sums by file, from which `figures`,
`differences`, `gates` and `comparison` get all they say. Sums are of whole numbers, so that the order in
which answers come changes no digit.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import get_args

from umwelten.scoring.score import UnscoredKind
from umwelten.types import FrozenStruct

KINDS: tuple[UnscoredKind, ...] = get_args(UnscoredKind)
_CODES = {kind: code for code, kind in enumerate(KINDS, start=1)}

_UNIT = 1 << 52
"""What a value of 1 is counted as: values are kept to 1e-16, and 2,047 repeats fit into 63 bits."""

MOST_REPEATS = 2047
"""Answers of one file that a column holds."""

ScoreRow = tuple[int, float | None, bool | None, UnscoredKind | None]
"""File, value from 0 to 1, whether it passed, and why there is no value."""


class ColumnName(FrozenStruct, order=True):
    """A model and, with several prompts, the prompt's name."""

    model: str
    prompt: str | None = None

    def __str__(self) -> str:
        return self.model if self.prompt is None else f"{self.model} · {self.prompt}"


class Files:
    """The files of a plan, which the columns of a table share.

    `clusters` says which files belong together; a file that it lacks, or has None for, is by itself. Without,
    every file is.
    """

    def __init__(self, ids: Iterable[int], clusters: Mapping[int, Hashable] | None = None) -> None:
        self.places = {file: place for place, file in enumerate(dict.fromkeys(ids))}
        self.clusters: array[int] | None = None
        if clusters:
            labels: dict[Hashable, int] = {}
            numbers = array("l")
            for file in self.places:
                label = clusters.get(file)
                # A label of its own, which no label that was given can be equal to.
                numbers.append(labels.setdefault((file,) if label is None else (None, label), len(labels)))
            # Where all files are by themselves there are no clusters, and tests of pairs may be exact.
            if len(labels) < len(numbers):
                self.clusters = numbers

    def __len__(self) -> int:
        return len(self.places)


class Column:
    """Scores by file.

    `repeats` is the number of answers that the plan has for every file: those that are not added are pending.
    Without it, what is added is the plan. `yes_no`: the scorer says yes or no, and its values are 0 and 1.
    """

    def __init__(self, files: Files, *, repeats: int = 0, yes_no: bool = False) -> None:
        if not 0 <= repeats <= MOST_REPEATS:
            raise ValueError(f"repeats is {repeats!r}: a number from 0 to {MOST_REPEATS} is expected")
        nothing = bytes(2 * len(files))
        self.files, self.repeats, self.yes_no = files, repeats, yes_no
        self.seen, self.scored = array("H", nothing), array("H", nothing)
        self.judged, self.passes = array("H", nothing), array("H", nothing)
        self.kinds: Counter[UnscoredKind] = Counter()
        self._sums = array("q", bytes(8 * len(files)))
        self._reasons = array("B", bytes(len(files)))

    def add(
        self, file: int, value: float | None, passed: bool | None = None, unscored: UnscoredKind | None = None
    ) -> None:
        """Add an answer: its value, or why there is none (nothing said: it is pending).

        ValueError: a value that is not from 0 to 1, an unknown kind or file, too many repeats.
        """
        place = self.files.places.get(file, -1)
        if place < 0:
            raise ValueError(f"file {file!r} is not among those of the column")
        if self.seen[place] == MOST_REPEATS:
            raise ValueError(f"file {file!r} has more than {MOST_REPEATS} answers")
        if value is not None and not 0 <= value <= 1:  # NaN is neither
            raise ValueError(f"the value of file {file!r} is {value!r}: a number from 0 to 1 is expected")
        kind = unscored or "pending"
        if kind not in _CODES:
            raise ValueError(f"file {file!r} is unscored as {kind!r}: one of {', '.join(KINDS)} is expected")
        self.seen[place] += 1
        if value is None:
            self.kinds[kind] += 1
            # Of several reasons the first in the list of kinds, whatever the order.
            code = _CODES[kind]
            self._reasons[place] = min(self._reasons[place] or code, code)
            return
        self.scored[place] += 1
        self._sums[place] += round(value * _UNIT)
        self.yes_no = self.yes_no and value in (0, 1)
        if passed is not None:
            self.judged[place] += 1
            self.passes[place] += passed

    def add_rows(self, rows: Iterable[ScoreRow]) -> None:
        """Add answers, each as file, value, passed, reason."""
        for row in rows:
            self.add(*row)

    @property
    def passing(self) -> bool:
        """Whether any answer is known to pass or not."""
        return any(self.judged)

    @property
    def passes_are_values(self) -> bool:
        """Whether values are 0 and 1, and an answer passes if its value is 1: both have the same figures."""
        return (
            self.yes_no
            and self.judged == self.scored
            and all(total == passes * _UNIT for total, passes in zip(self._sums, self.passes, strict=True))
        )

    def planned(self, place: int) -> int:
        """The number of answers that the file at this place is to have."""
        return max(self.repeats, self.seen[place])

    @property
    def answers(self) -> int:
        """The number of answers of the plan."""
        if not self.repeats:
            return sum(self.seen)
        return sum(max(self.repeats, seen) for seen in self.seen)

    def sum(self, place: int) -> float:
        """The sum of the values of the file at this place."""
        return self._sums[place] / _UNIT

    def means(self) -> array[float]:
        """The mean of each file's values, by place; NaN (which no report gets) where there is none."""
        return array(
            "d",
            (
                total / (_UNIT * number) if number else math.nan
                for total, number in zip(self._sums, self.scored, strict=True)
            ),
        )

    def reason(self, place: int) -> UnscoredKind:
        """Why the file at this place has no value."""
        code = self._reasons[place]
        return KINDS[code - 1] if code else "pending"

    def unscored(self) -> dict[str, int]:
        """The number of answers of the plan without a value, by kind."""
        counts = Counter(self.kinds)
        counts["pending"] += self.answers - sum(self.seen)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}


def total_of(
    scores: Iterable[tuple[float | None, UnscoredKind | None, float]],
) -> tuple[float | None, UnscoredKind | None]:
    """Return the total of one answer: the mean of its scores' values by weight, or why there is none.

    Each score comes as value, why there is none, and weight (0 or more; 0 is no part of the total). A score
    that is missing makes the total missing. (None, None): no score has a weight.
    """
    weighted = [score for score in scores if score[2] > 0]
    missing = [kind or "pending" for value, kind, _ in weighted if value is None]
    if missing:
        return None, min(missing, key=_CODES.__getitem__)
    if not weighted:
        return None, None
    scale = max(weight for _, _, weight in weighted)  # so that no sum overflows or vanishes
    parts = [(value or 0.0, weight / scale) for value, _, weight in weighted]
    share = math.fsum(value * weight for value, weight in parts) / math.fsum(weight for _, weight in parts)
    return min(1.0, share), None
