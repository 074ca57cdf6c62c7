"""Scores beside single calls, for `eval show` and `eval list`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import asdict

from umwelten.report.queries.call_scores import (
    CallScore,
    CallScores,
    open_scores,
    scores_by_call,
    scores_of_call,
)
from umwelten.report.queries.calls import CallDetail, CallSummary
from umwelten.report.queries.score_columns import score_columns
from umwelten.scoring.figures import estimate
from umwelten.scoring.references import EXPECTED
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.stored_calls import stored_call
from umwelten.types import FrozenStruct


class ShownScore(CallScore):
    """A score of a call with the scorer's type, and what the answer should be (null: not known)."""

    type: str = ""
    expected: Any = None


class ScoredCallDetail(CallDetail, kw_only=True):
    """A call with all that is stored about it and its answer's scores, by scorer."""

    scores: Mapping[str, ShownScore]


class ScoredCall(CallSummary, kw_only=True):
    """A call in a list with its scores, by scorer."""

    scores: CallScores


class ListedScore(FrozenStruct):
    """The mean of an evaluation's answers by its first scorer: over its models, null if nothing is scored."""

    scorer: str
    mean: float | None


def with_scores(reader: Reader, call: CallDetail) -> CallDetail:
    """Return the same call with its scores; as it is if the evaluation was never scored, or it is pending."""
    with open_scores(reader) as scores:
        stored = stored_call(reader, call.call) if scores is not None else None
        if scores is None or stored is None:
            return call
        failure = None if stored.succeeded else stored.error_kind or "server"
        shown = {
            scorer.name: ShownScore(
                **asdict(score),
                type=scorer.type,
                expected=_expected(reference),
            )
            for scorer, score, reference in scores_of_call(scores, call.call, stored.key, failure)
        }
    return ScoredCallDetail(**asdict(call), scores=shown)


class ExpectedValues:
    """What answers should be, looked up for one call after another."""

    def __init__(self, scores: ScoreReader) -> None:
        self._scores = scores
        self._names = {scorer.id: scorer.name for scorer in scores.scorers()}
        # Few differ where answers are labels, and those of a row are asked for once a model.
        self._of_digest = lru_cache(maxsize=256)(lambda digest: _expected(scores.reference(digest)))

    def of(self, call: int) -> dict[str, Any]:
        """Return what the answer of the call should be, by scorer, where that is known."""
        found = {
            self._names[score.scorer_id]: self._of_digest(score.reference)
            for score in self._scores.of_call(call)
            if score.reference is not None
        }
        return {name: expected for name, expected in found.items() if expected is not None}


def expected_text(expected: Any) -> str:
    """Return what an answer should be as text: a text as it is, else as JSON."""
    return expected if isinstance(expected, str) else msgspec.json.encode(expected).decode()


def scored_lines(
    reader: Reader, scores: ScoreReader, lines: Iterable[CallSummary]
) -> Iterator[tuple[CallSummary, CallScores]]:
    """Yield the calls that have ended with their scores. The lines must come in the order of calls."""
    walk = scores_by_call(reader, scores)
    following = next(walk, None)
    for line in lines:
        while following is not None and following[0] < line.call:
            following = next(walk, None)
        if following is not None and following[0] == line.call:
            yield line, following[1]


def scored_call(line: CallSummary, scores: CallScores) -> ScoredCall:
    """Return the line with its scores."""
    return ScoredCall(**asdict(line), scores=scores)


def first_score(reader: Reader) -> ListedScore | None:
    """Return the mean by the first scorer, `None` if the evaluation was never scored."""
    with open_scores(reader) as scores:
        if scores is None:
            return None
        columns = score_columns(reader, scores)
    scorer = columns.scorers[0].name
    means = [estimate(column).mean for column in columns.by_scorer[scorer].values()]
    known = [mean for mean in means if mean is not None]
    return ListedScore(scorer=scorer, mean=sum(known) / len(known) if known else None)


def _expected(reference: Any) -> Any:
    """What it should be: a value, or a mapping of fields."""
    if not isinstance(reference, dict):
        return reference
    return reference.get(EXPECTED, reference or None)
