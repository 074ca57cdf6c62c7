"""What scores came to, read from an evaluation's folder when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from umwelten.api.answer import T, answer
from umwelten.api.answer_score import AnswerScore
from umwelten.errors import UsageError
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import call_scores
from umwelten.report.queries.score_overview import JudgeReport, ScoreOverview, ScorerInfo, score_overview
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.differences import ScoreDifference, opposite
from umwelten.scoring.figures import ScoreFigures
from umwelten.scoring.gate_outcomes import GateResult
from umwelten.scoring.picks import ScorePicks
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.stored_calls import stored_calls
from umwelten.text.html_table import html_table
from umwelten.text.suggestions import closest, did_you_mean, sentences

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

ModelName = str | tuple[str, str]
"""`provider:model`, and with several prompts the prompt's name as well."""


class ScorerFigures(Mapping[ModelName, ScoreFigures]):
    """The figures of one scorer by model, in the order of the models.

    With one prompt the keys are the models' names. With several they are (model, prompt).
    """

    def __init__(self, scorer: str, figures: Mapping[ColumnName, ScoreFigures]) -> None:
        self._scorer = scorer
        self._figures = {_key(column): row for column, row in figures.items()}

    def __getitem__(self, model: ModelName) -> ScoreFigures:
        try:
            return self._figures[model]
        except KeyError:
            raise KeyError(_unknown_model(model, list(self._figures))) from None

    def __iter__(self) -> Iterator[ModelName]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    def __repr__(self) -> str:
        means = ", ".join(f"{model!r}: {_mean(row)}" for model, row in self._figures.items())
        return f"<ScorerFigures {self._scorer}: {means}>"


class Scores(Generic[T]):
    """The scores of an evaluation. Iterating gives an `AnswerScore` for each call and scorer.

    `scores["right"]["openai:gpt-5.4-mini"]` has the figures of a scorer and a model: `mean`, `low` and `high`
    (the ends of the 95 % interval), `bounds`, `scored`, `unscored` by kind, `pass_`, `pass_at`,
    `pass_all`, `unsteady`. With several prompts the key is (model, prompt). "total" is the mean of several
    scorers by weight.

    Figures, differences, picks and gates are computed once, when one of them is first used; iterating reads
    the database and needs the memory of a few answers.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini").wait()
    >>> scores = results.score(short=umwelten.Length("1..20 words")).wait()
    >>> scores["short"]["openai:gpt-5.4-mini"].mean
    1.0
    >>> [(score.scorer, score.value, score.passed) for score in scores]
    [('short', 1.0, True)]
    """

    def __init__(self, folder: Path, shape: type[T] | None = None) -> None:
        self.folder, self._shape = folder, shape

    @property
    def id(self) -> str:
        """The evaluation's id."""
        return self.folder.name

    @property
    def scorers(self) -> tuple[ScorerInfo, ...]:
        """What the answers were scored by, in order; empty if they never were."""
        return () if self._overview is None else self._overview.scorers

    @property
    def differences(self) -> tuple[ScoreDifference, ...]:
        """Every pair of models by every scorer; `p_adjusted` is adjusted for all pairs of a scorer."""
        return () if self._overview is None else self._overview.differences

    @property
    def picks(self) -> tuple[ScorePicks, ...]:
        """Which model to take by each scorer, the total's first; empty with one model."""
        return () if self._overview is None else self._overview.picks

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """What came of `fail_under`: "met", "missed" or "undecided" for each gate."""
        return () if self._overview is None else self._overview.gates

    @property
    def judges(self) -> tuple[JudgeReport, ...]:
        """How judges judged: failures, agreement among them and with people, contradictions, costs."""
        return () if self._overview is None else self._overview.judges

    def __getitem__(self, scorer: str) -> ScorerFigures:
        figures = {} if self._overview is None else self._overview.figures
        if scorer not in figures:
            raise KeyError(_unknown_scorer(scorer, list(figures)))
        return ScorerFigures(scorer, figures[scorer])

    def __contains__(self, scorer: object) -> bool:
        return self._overview is not None and scorer in self._overview.figures

    def difference(self, scorer: str, first: ModelName, second: ModelName) -> ScoreDifference:
        """Return how far `first` lies above `second`, over the files that both have.

        Raises `UsageError` for a scorer or model that is not there.
        """
        if scorer not in self:
            known = [] if self._overview is None else list(self._overview.figures)
            raise UsageError(_unknown_scorer(scorer, known))
        models = list(self[scorer])
        for model in (first, second):
            if model not in models:
                raise UsageError(_unknown_model(model, models))
        for found in self.differences:
            if found.scorer == scorer and {_key(found.first), _key(found.second)} == {first, second}:
                return found if _key(found.first) == first else opposite(found)
        raise UsageError(f"{first!r} is compared with itself", "Name two models.")

    def __iter__(self) -> Iterator[AnswerScore[T]]:
        with (
            Reader.open(self.folder) as reader,
            ScoreReader.open(self.folder) as scores,
            store_errors(self.folder),
            overviews.snapshot(reader),
        ):
            rows = call_scores(reader, scores)
            for call, found in zip(stored_calls(reader), rows, strict=True):
                its = answer(call, self._shape, self.folder)
                for scorer, score in found.items():
                    unscored = score.unscored
                    yield AnswerScore(
                        answer=its,
                        scorer=scorer,
                        value=score.value,
                        passed=score.passed,
                        label=score.label,
                        reason=score.reason,
                        unscored=None if unscored is None else unscored.kind,
                        message=None if unscored is None else unscored.message or None,
                        parts=score.parts,
                        verdicts=score.verdicts,
                    )

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each call and scorer. Needs pandas."""
        from umwelten.api import dataframes

        return dataframes.to_pandas(dataframes.score_columns(self))

    def to_polars(self) -> polars.DataFrame:
        """A row for each call and scorer. Needs polars."""
        from umwelten.api import dataframes

        return dataframes.to_polars(dataframes.score_columns(self))

    def to_arrow(self) -> pyarrow.Table:
        """A row for each call and scorer. Needs pyarrow."""
        from umwelten.api import dataframes

        return dataframes.to_arrow(dataframes.score_columns(self))

    def __repr__(self) -> str:
        names = ", ".join(scorer.name for scorer in self.scorers)
        return f"<Scores of {self.id!r}: {names or 'none'}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                scorer,
                model if isinstance(model, str) else " · ".join(model),
                _mean(row),
                _ends(row),
                row.scored,
            )
            for scorer in (() if self._overview is None else self._overview.figures)
            for model, row in self[scorer].items()
        ]
        return html_table(repr(self)[1:-1], ("scorer", "model", "mean", "95 % interval", "scored"), rows)

    @cached_property
    def _overview(self) -> ScoreOverview | None:
        with Reader.open(self.folder) as reader, store_errors(self.folder), overviews.snapshot(reader):
            return score_overview(reader, overviews.overview(reader).models)


def _key(column: ColumnName) -> ModelName:
    return column.model if column.prompt is None else (column.model, column.prompt)


def _mean(row: ScoreFigures) -> str:
    return "unknown" if row.mean is None else f"{row.mean:.3f}"


def _ends(row: ScoreFigures) -> str:
    return "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"


def _unknown_scorer(scorer: object, known: list[str]) -> str:
    if not known:
        return f"no scorer {scorer!r}: there are no scores; results.score(…) computes them"
    near = did_you_mean(closest(scorer, known) if isinstance(scorer, str) else None, "{!r}")
    return sentences(f"There is no scorer {scorer!r}.", near, f"Scorers are {', '.join(known)}.") or ""


def _unknown_model(model: object, known: list[ModelName]) -> str:
    names = [key if isinstance(key, str) else key[0] for key in known]
    if isinstance(model, str) and model in names:
        return f"{model!r} has several prompts. Name one of {_some(known)}."
    near = did_you_mean(closest(model, names) if isinstance(model, str) else None, "{!r}")
    return sentences(f"There is no model {model!r}.", near, f"Models are {_some(known)}.") or ""


def _some(known: list[ModelName]) -> str:
    listed = ", ".join(map(repr, known[:5]))
    return listed if len(known) <= 5 else f"{listed} and {len(known) - 5} more"
