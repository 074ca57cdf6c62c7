"""The scores of an evaluation as columns: one for each scorer, and model and prompt.

Answers are matched with their scores by walking both in the order of calls, so that memory does not grow
with their number but for some bytes a file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from umwelten.report.queries.variants import variants
from umwelten.scoring.columns import Column, ColumnName, Files, total_of
from umwelten.scoring.score import UnscoredKind
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScore, StoredScorer
from umwelten.store.tables import FAILED, cell_of
from umwelten.types import FailureKind, FrozenStruct

TOTAL = "total"
_SAYS_WHAT_IT_LIKES = ("python", "command", "table")
"""Types of scorers whose values may be yes and no or lie between, which nobody knows before."""
_MODEL_FAILED = frozenset((FailureKind.SCHEMA, FailureKind.BAD_REQUEST))
"""Kinds of failure that say that a model cannot answer; of a network's trouble it is not to blame."""


class ScoreColumns(FrozenStruct):
    """The columns of an evaluation, by scorer and by model and prompt.

    `total`, the mean by weight, is there with several scorers that have a part in it.
    """

    files: Files
    scorers: tuple[StoredScorer, ...]
    by_scorer: Mapping[str, Mapping[ColumnName, Column]]


def column_names(reader: Reader) -> dict[int, ColumnName]:
    """Return the models and prompts of the plan, by the number that calls have."""
    columns = variants(reader.connection)
    return {number: ColumnName(model=one.model, prompt=one.prompt) for number, one in columns.items()}


def score_columns(
    reader: Reader, scores: ScoreReader, scorers: Sequence[StoredScorer] | None = None
) -> ScoreColumns:
    """Return the scores of the calls that count. A failed or pending call is unscored, not left out.

    `scorers`: by these of the stored ones alone, the total too.
    """
    inputs = [row[0] for row in reader.connection.execute("SELECT id FROM inputs WHERE active ORDER BY id")]
    files = Files(inputs, scores.clusters())
    scorers = scores.scorers() if scorers is None else tuple(scorers)
    names = column_names(reader)
    repeats = reader.spec().repeats
    columns: dict[str, dict[ColumnName, Column]] = {
        scorer.name: {
            name: Column(files, repeats=repeats, yes_no=_may_be_yes_no(scorer)) for name in names.values()
        }
        for scorer in scorers
    }
    if has_total(scorers):
        columns[TOTAL] = {name: Column(files, repeats=repeats) for name in names.values()}
    as_zero = failures_as_zero(scores)
    for call, failure, found in scored_calls(reader, scores):
        file, model, _ = cell_of(call)
        name = names[model]
        values = [(_value(failure, found.get(scorer.id), as_zero, scorer), scorer) for scorer in scorers]
        for (value, passed, unscored), scorer in values:
            columns[scorer.name][name].add(file, value, passed, unscored)
        if TOTAL in columns:
            value, unscored = total_of((value, why, scorer.weight) for (value, _, why), scorer in values)
            columns[TOTAL][name].add(file, value, None, unscored)
    return ScoreColumns(files=files, scorers=scorers, by_scorer=columns)


def _may_be_yes_no(scorer: StoredScorer) -> bool:
    """Whether its values may all be 0 and 1; a column looks for itself."""
    return not scorer.graded or scorer.type in _SAYS_WHAT_IT_LIKES


def has_total(scorers: Sequence[StoredScorer]) -> bool:
    """Return whether there is a total that is not the same as a scorer's own value."""
    return sum(scorer.weight > 0 for scorer in scorers) > 1


def scored_calls(
    reader: Reader, scores: ScoreReader
) -> Iterator[tuple[int, str | None, Mapping[int, StoredScore]]]:
    """Yield every call that counts and has ended: its number, why it failed, its scores by scorer.

    A score of an answer that has been replaced since is left out.
    """
    calls = reader.connection.execute("SELECT id, key, status, error_kind FROM current_calls ORDER BY id")
    walk = iter(scores.scores())
    following = next(walk, None)
    for call, key, status, kind in calls:
        found: dict[int, StoredScore] = {}
        while following is not None and following.call_id <= call:
            if following.call_id == call and following.call_key == key:
                found[following.scorer_id] = following
            following = next(walk, None)
        yield call, (kind or FailureKind.SERVER) if status == FAILED else None, found


def failures_as_zero(scores: ScoreReader) -> frozenset[str]:
    """Return the kinds of failed calls that count as 0, as `failed_as = "zero"` in a scorers file says."""
    return _MODEL_FAILED if scores.settings().get("failed_as_zero") else frozenset()


def _value(
    failure: str | None, score: StoredScore | None, as_zero: Collection[str], scorer: StoredScorer
) -> tuple[float | None, bool | None, UnscoredKind | None]:
    """Return value, whether it passed, and why there is none."""
    if failure is not None:
        if failure in as_zero:
            return 0.0, failed_pass(scorer), None
        return None, None, "no_answer"
    if score is None:
        return None, None, "pending"
    return score.value, score.passed, score.unscored


def failed_pass(scorer: StoredScorer) -> bool | None:
    """Return whether a call that counts as 0 passes: not where any value does, else nothing says."""
    return None if scorer.at_least is None else scorer.at_least <= 0
