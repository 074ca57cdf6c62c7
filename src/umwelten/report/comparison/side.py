"""One of two evaluations that are compared, stored or in a JSON report: by file, in few bytes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from umwelten.errors import UmweltenError
from umwelten.prompts.template import Template
from umwelten.scoring.columns import Column, ColumnName, Files
from umwelten.types import FrozenStruct

Use = tuple[Any, ...]
"""What a prompt takes of its input. Only contents that were sent by the same use are alike or not."""

NO_CONTENT = 0
"""Stands for a content that is not known."""

MEASURES = ("cost_usd", "response_s", "input_tokens", "output_tokens")
"""What is compared beside scores: of each answer, all attempts (the time: of the last one)."""


class SideScorer(FrozenStruct):
    """A scorer of one side. Values of equal `digest` mean the same, whatever threshold `at_least` is."""

    name: str
    type: str
    digest: str
    at_least: float | None


class Measures:
    """Cost, time and tokens of one model's answers, as means by file."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._answers = array("H", bytes(2 * len(files)))
        self._sums = {name: array("d", bytes(8 * len(files))) for name in MEASURES}

    def add(self, file: int, values: Sequence[float | None]) -> None:
        """Add an answer: its values in the order of `MEASURES`, None where one is not known."""
        place = self._files.places[file]
        self._answers[place] += 1
        for sums, value in zip(self._sums.values(), values, strict=True):
            sums[place] += math.nan if value is None else value

    def mean(self, measure: str, file: int) -> float | None:
        """Return the mean of a file's answers, None if there is none or one of them is not known."""
        place = self._files.places[file]
        number, total = self._answers[place], self._sums[measure][place]
        return total / number if number and not math.isnan(total) else None


class Contents:
    """What was sent of each file to one model, as numbers that are equal if the contents are."""

    def __init__(self, files: Files, use: Use) -> None:
        self.use, self._files = use, files
        self._numbers = array("q", bytes(8 * len(files)))

    def add(self, file: int, digest: str | None) -> None:
        """Say what was sent, by its digest."""
        if digest:
            self._numbers[self._files.places[file]] = hash(digest) or 1

    def of(self, file: int) -> int:
        """Return the number of what was sent of a file."""
        return self._numbers[self._files.places[file]]


class SideColumn(FrozenStruct):
    """A model, with several prompts one of them, by file: its scores by scorer, measures, contents."""

    scores: Mapping[str, Column]
    measures: Measures
    contents: Contents


class Side(FrozenStruct):
    """One of the two evaluations.

    `label` is its id, or the report's path; `id` is None where it is not stored here. `names` are those of
    the files, by their numbers in `files`; the only input of a run is "". `stamps` change with a row of a
    table, and are 0 where they are not known.
    """

    label: str
    id: str | None
    files: Files
    names: Mapping[str, int]
    stamps: Sequence[int]
    scorers: tuple[SideScorer, ...]
    columns: Mapping[ColumnName, SideColumn]

    def stamp(self, file: int) -> int:
        """Return the stamp of a file."""
        return self.stamps[self.files.places[file]]


def use_of(prompt: str) -> Use:
    """Return what a prompt takes of its input."""
    try:
        template = Template(prompt)
    except UmweltenError:  # such as no version of ours has sent
        return (prompt,)
    whole = "content" in template.names or not template.columns
    return (None if whole else template.columns, template.chained)
