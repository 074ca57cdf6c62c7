"""What the scores of an evaluation come to: figures, differences, picks and gates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from umwelten.report.models import ModelRow
from umwelten.report.queries.score_columns import TOTAL, ScoreColumns, score_columns
from umwelten.scoring.columns import Column, ColumnName
from umwelten.scoring.differences import ScoreDifference, differences
from umwelten.scoring.figures import ScoreFigures, figures
from umwelten.scoring.gate_outcomes import GateColumn, GateResult, gate_results
from umwelten.scoring.gates import Gate
from umwelten.scoring.judge.diagnostics import JuryFigures
from umwelten.scoring.judge.human_labels import HumanCheck
from umwelten.scoring.picks import ScorePicks, picks
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScorer, stored_gates
from umwelten.types import NANO, FrozenStruct


class ScorerInfo(FrozenStruct):
    """What answers were scored by. `definition` is its table as written, `judge` the id of its verdicts."""

    name: str
    type: str
    definition: Mapping[str, Any]
    digest: str
    at_least: float | None
    weight: float
    judge: str | None


class JudgeReport(FrozenStruct):
    """What is known of the judges of one scorer. `id` is the evaluation that holds their verdicts.

    `cost_usd` is the sum of the known costs of their calls, `None` where that of none is known; `unpriced` is
    the number of calls whose cost is unknown. `pending` counts the answers whose verdicts are not all there.
    `figures` are by judge, with the agreement between them; `check` is the comparison with people's labels,
    where there was one.
    """

    scorer: str
    id: str | None
    cost_usd: float | None
    unpriced: int
    pending: int
    figures: JuryFigures
    check: HumanCheck | None = None


class ScoreOverview(FrozenStruct):
    """All that a report says of scores but those of single calls.

    `figures` are by scorer, and by model and prompt, in their orders; `picks` of the total, or of the only
    scorer, come first.
    """

    scorers: tuple[ScorerInfo, ...]
    figures: Mapping[str, Mapping[ColumnName, ScoreFigures]]
    differences: tuple[ScoreDifference, ...]
    picks: tuple[ScorePicks, ...]
    gates: tuple[GateResult, ...]
    judges: tuple[JudgeReport, ...] = ()


def score_overview(
    reader: Reader,
    models: Sequence[ModelRow],
    *,
    named: Collection[str] | None = None,
    level: float = 0.95,
) -> ScoreOverview | None:
    """Return what the scores come to, `None` if the evaluation was never scored. Raises StoreError.

    `named`: by the scorers of these names alone.
    """
    with ScoreReader.open(reader.folder) as scores:
        found = [scorer for scorer in scores.scorers() if named is None or scorer.name in named]
        return read_overview(reader, scores, models, found, level=level) if found else None


def read_overview(
    reader: Reader,
    scores: ScoreReader,
    models: Sequence[ModelRow],
    scorers: Sequence[StoredScorer] | None = None,
    *,
    level: float = 0.95,
) -> ScoreOverview:
    """Return what the scores come to, of an evaluation that has scorers. Raises StoreError."""
    columns = score_columns(reader, scores, scorers)
    settings = scores.settings()
    found = overview_of(columns, models, stored_gates(settings), level=level)
    return msgspec.structs.replace(found, judges=tuple(_judges(columns, settings)))


def _judges(columns: ScoreColumns, settings: Mapping[str, Any]) -> Iterator[JudgeReport]:
    kept = settings.get("judges") or {}
    for scorer in columns.scorers:
        found = kept.get(scorer.name)
        if scorer.judge is not None and found is not None:
            yield JudgeReport(
                scorer=scorer.name,
                id=scorer.judge,
                cost_usd=None if found["cost_nusd"] is None else found["cost_nusd"] / NANO,
                unpriced=found["unpriced"],
                pending=found["pending"],
                figures=msgspec.convert(found["figures"], JuryFigures),
                check=msgspec.convert(found.get("check"), HumanCheck | None),
            )


def overview_of(
    columns: ScoreColumns, models: Sequence[ModelRow], gates: Sequence[Gate], *, level: float = 0.95
) -> ScoreOverview:
    """Return what columns of scores come to."""
    of_scorer = {
        name: {
            column: figures(values, name, level=level, ks=_ks(gates, name)) for column, values in row.items()
        }
        for name, row in columns.by_scorer.items()
    }
    different = {
        name: differences(name, row, level=level) for name, row in columns.by_scorer.items() if len(row) > 1
    }
    costs = {column_of(model): model.service.cost_per_1k_usd for model in models}
    order = sorted(of_scorer, key=lambda name: name != TOTAL)
    found = [picks(of_scorer[name], different[name], costs) for name in order if name in different]
    return ScoreOverview(
        scorers=tuple(
            ScorerInfo(
                name=scorer.name,
                type=scorer.type,
                definition=scorer.table,
                digest=scorer.digest,
                at_least=scorer.at_least,
                weight=scorer.weight,
                judge=scorer.judge,
            )
            for scorer in columns.scorers
        ),
        figures=of_scorer,
        differences=tuple(row for rows in different.values() for row in rows),
        picks=tuple(pick for pick in found if pick is not None),
        gates=gate_results(gates, [_gate_column(model, columns) for model in models], level=level),
    )


def column_of(model: ModelRow) -> ColumnName:
    """Return the name of a model's column."""
    return ColumnName(model=model.model, prompt=model.prompt)


def _ks(gates: Sequence[Gate], name: str) -> list[int]:
    return [gate.k for gate in gates if gate.name == name]


def _gate_column(model: ModelRow, columns: ScoreColumns) -> GateColumn:
    name = column_of(model)
    scores: dict[str, Column] = {
        scorer: row[name] for scorer, row in columns.by_scorer.items() if name in row
    }
    counted = [scorer.name for scorer in columns.scorers if scorer.weight > 0 and scorer.name in scores]
    if TOTAL not in scores and len(counted) == 1:  # which reports do not show twice
        scores[TOTAL] = scores[counted[0]]
    return GateColumn(
        name=name,
        scores=scores,
        planned=model.figures.calls,
        succeeded=model.figures.succeeded,
        pending=model.figures.pending,
        cost_usd=model.cost.total_usd or 0.0,
        unpriced=model.cost.unpriced_calls,
        p95_s=model.figures.p95_s,
    )
