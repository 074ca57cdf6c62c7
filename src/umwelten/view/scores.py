"""The scores of an evaluation by model, as the page shows them."""

from __future__ import annotations

from umwelten.report.queries.call_scores import open_scores
from umwelten.report.queries.score_columns import score_columns
from umwelten.scoring.figures import figures
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct


class ScoreRow(FrozenStruct):
    """A model, with several prompts one of them, by one scorer. Shares are from 0 to 1, `None` if unknown."""

    scorer: str
    model: str
    prompt: str | None
    mean: float | None
    low: float | None
    high: float | None
    passed: float | None
    scored: int
    unscored: int


def score_table(reader: Reader) -> tuple[ScoreRow, ...] | None:
    """Return the figures of a report, `None` if the evaluation was never scored."""
    with open_scores(reader) as scores:
        if scores is None:
            return None
        columns = score_columns(reader, scores)
    rows = []
    for scorer, by_column in columns.by_scorer.items():
        for name, column in by_column.items():
            found = figures(column, scorer)
            rows.append(
                ScoreRow(
                    scorer=scorer,
                    model=name.model,
                    prompt=name.prompt,
                    mean=found.mean,
                    low=found.low,
                    high=found.high,
                    passed=None if found.pass_ is None else found.pass_.mean,
                    scored=found.scored,
                    unscored=sum(found.unscored.values()),
                )
            )
    return tuple(rows)
