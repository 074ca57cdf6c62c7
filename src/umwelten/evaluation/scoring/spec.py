"""What answers are to be scored by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, Self

from umwelten.evaluation.scoring.external import ScorerInput
from umwelten.scoring.definition import Definition
from umwelten.scoring.gates import Gate
from umwelten.scoring.repeats import MOST, OfRepeats
from umwelten.scoring.score import Result
from umwelten.types import FrozenStruct, Secret


class Apart(Protocol):
    """A scorer that takes answers one after another, several of which may be under way."""

    needs_reference: bool

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def score(self, items: Iterable[ScorerInput]) -> Iterator[Result]:
        """Yield the result of each answer, in order."""


class ProgramScorers(FrozenStruct):
    """The scorers that a Python program names itself, by name; of those that are its functions, what runs."""

    definitions: Mapping[str, Definition] = {}
    functions: Mapping[str, Apart] = {}


class ScoringSpec(FrozenStruct):
    """What a user wants of the scores of one evaluation.

    `expected` says where the references of scorers are that name none, `cluster` which inputs belong
    together. Relative paths in `expected` are meant from `base`, those of a scorer from its place in `bases`.
    `secrets` must not be told to scorers that run code, nor by them. `functions` are scorers of type python
    that are functions of the program that asks, by name. `where`: score these answers alone.
    `asks_judges` False: a stored evaluation alone names the judges, so that nothing is paid for them, and
    what they said before counts. `failed_as_zero`: calls that failed because of the model count as 0.
    `of_repeats`: how many repeats of a file must pass for its case of JUnit.
    """

    scorers: tuple[Definition, ...]
    expected: str | None = None
    base: Path = Path()
    bases: Mapping[str, Path] = {}
    cluster: str | None = None
    where: str | None = None
    failed_as_zero: bool = False
    of_repeats: OfRepeats = MOST
    gates: tuple[Gate, ...] = ()
    asks_judges: bool = True
    secrets: tuple[Secret, ...] = ()
    functions: Mapping[str, Apart] = {}
