"""The columns that scorers have in CSV, Parquet and data frames: some a scorer, and one a part.

A call has `score.NAME`, `pass.NAME`, `label.NAME`, `unscored.NAME` (the kind) and `reason.NAME` (of what is
unscored, its message), and `score.NAME.PART` for each part. A model has `mean.NAME`, `low.NAME`, `high.NAME`
and `scored.NAME`. Names of scorers have no dots, so no two columns can have the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from umwelten.report.columns import CellType, ReportColumn
from umwelten.report.queries.call_scores import CallScore, CallScores, open_scores
from umwelten.report.queries.score_columns import TOTAL, has_total
from umwelten.scoring.figures import ScoreFigures
from umwelten.store.reader import Reader

ModelScores = Mapping[str, ScoreFigures]
"""The figures of a model, by scorer."""


def call_columns(readers: Sequence[Reader]) -> tuple[ReportColumn[CallScores], ...]:
    """Return the columns of calls for all scorers of these evaluations, in the order of the scorers."""
    parts: dict[str, dict[str, None]] = {}
    for reader in readers:
        with open_scores(reader) as scores:
            if scores is None:
                continue
            names = {scorer.id: scorer.name for scorer in scores.scorers()}
            for name in names.values():
                parts.setdefault(name, {})
            for scorer, part in scores.part_names():
                if scorer in names:
                    parts[names[scorer]][part] = None
    return tuple(column for name, own in parts.items() for column in _of_scorer(name, own))


def model_columns(readers: Sequence[Reader]) -> tuple[ReportColumn[ModelScores], ...]:
    """Return the columns of models for all scorers of these evaluations; of several, the total comes last."""
    names: dict[str, None] = {}
    total = False
    for reader in readers:
        with open_scores(reader) as scores:
            if scores is not None:
                scorers = scores.scorers()
                names |= dict.fromkeys(scorer.name for scorer in scorers)
                total = total or has_total(scorers)
    if total:
        names[TOTAL] = None
    return tuple(column for name in names for column in _of_model(name))


def _of_scorer(name: str, parts: Mapping[str, None]) -> list[ReportColumn[CallScores]]:
    def column(what: str, type: CellType, read: Callable[[CallScore], object]) -> ReportColumn[CallScores]:
        def value(scores: CallScores) -> object:
            score = scores.get(name)
            return None if score is None else read(score)

        return ReportColumn(name=f"{what}.{name}", type=type, value=value)

    return [
        column("score", float, lambda score: score.value),
        column("pass", bool, lambda score: score.passed),
        column("label", str, lambda score: score.label),
        column("unscored", str, lambda score: score.unscored.kind if score.unscored else None),
        column("reason", str, _reason),
        *(_of_part(name, part) for part in parts),
    ]


def _reason(score: CallScore) -> str | None:
    return score.reason if score.unscored is None else score.unscored.message or None


def _of_part(name: str, part: str) -> ReportColumn[CallScores]:
    def value(scores: CallScores) -> float | None:
        score = scores.get(name)
        return None if score is None else next((own.value for own in score.parts if own.name == part), None)

    return ReportColumn(name=f"score.{name}.{part}", type=float, value=value)


def _of_model(name: str) -> list[ReportColumn[ModelScores]]:
    def column(what: str, type: CellType) -> ReportColumn[ModelScores]:
        def value(scores: ModelScores) -> object:
            found = scores.get(name)
            return None if found is None else getattr(found, what)

        return ReportColumn(name=f"{what}.{name}", type=type, value=value)

    return [column("mean", float), column("low", float), column("high", float), column("scored", int)]
