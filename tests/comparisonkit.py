"""Evaluations to compare, made without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.scoredkit import evaluate, write_table

from umwelten.evaluation.scoring.scoring import Scoring
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.scoring.definition import NamedPlace, read_scorer

MODEL = "openai:m"
RIGHT = {"type": "exact"}


def went(both: int, broke: int, mended: int, neither: int) -> tuple[list[bool], list[bool]]:
    """What is right in the base and in the new evaluation, if so many files went from right to wrong."""
    base = [True] * (both + broke) + [False] * (mended + neither)
    return base, [True] * both + [False] * broke + [True] * mended + [False] * neither


def answers(right: Sequence[bool | None]) -> list[str]:
    """The answers: `yes` is right; None is a failed call."""
    return ["" if one is None else "yes" if one else "no" for one in right]


def scored(
    output: Path,
    id: str,
    texts: Mapping[str, Sequence[str]],
    *,
    questions: Sequence[str] = (),
    scorers: Mapping[str, Mapping[str, object]] | None = None,
    failed_as_zero: bool = False,
    **options: object,
) -> Path:
    """An evaluation of a row for each text, by model, scored by `right`: whether it is `yes`."""
    number = len(next(iter(texts.values())))
    asked = questions or [str(row) for row in range(number)]
    columns = {f"a{place}": list(column) for place, column in enumerate(texts.values())}
    rows = [
        {"n": asked[row], **{name: column[row] for name, column in columns.items()}} for row in range(number)
    ]
    table = write_table(output.parent / f"{id}.csv", rows)
    folder = evaluate(table, dict(zip(texts, columns, strict=True)), id=id, output=output, **options)  # type: ignore[arg-type]
    place = NamedPlace(name="here")
    definitions = (scorers or {"right": RIGHT}).items()
    spec = ScoringSpec(
        scorers=tuple(read_scorer(name, table, place) for name, table in definitions),
        expected="=yes",
        failed_as_zero=failed_as_zero,
    )
    Scoring(folder, spec, []).run()
    return folder


def pair(output: Path, base: Sequence[bool | None], new: Sequence[bool | None]) -> None:
    """The evaluations `base` and `new` of one model."""
    scored(output, "base", {MODEL: answers(base)})
    scored(output, "new", {MODEL: answers(new)})
