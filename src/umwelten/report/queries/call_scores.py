"""The scores of single calls, with their parts and verdicts, as reports have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import msgspec

from umwelten.report.queries.score_columns import failed_pass, failures_as_zero, scored_calls
from umwelten.scoring.score import Part
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader, has_scores
from umwelten.store.scores.records import StoredScore, StoredScorer, Verdict
from umwelten.types import NANO, FrozenStruct

_Row = TypeVar("_Row")


class UnscoredReason(FrozenStruct):
    """Why there is no score: the kind, and a message that may be empty."""

    kind: str
    message: str = ""


class CallVerdict(FrozenStruct):
    """What a judge said, by `criterion` ("": there is one alone). `value` is null where it gave no
    usable verdict; `unscored` says why.
    """

    judge: str
    sample: int
    criterion: str
    value: float | None
    label: str | None
    reason: str | None
    unscored: UnscoredReason | None
    cost_usd: float | None


class CallScore(FrozenStruct):
    """The score of one call by one scorer. Exactly one of `value` and `unscored` is null.

    `passed` is null where nothing says what passes.
    """

    value: float | None
    passed: bool | None = msgspec.field(name="pass", default=None)
    label: str | None = None
    reason: str | None = None
    unscored: UnscoredReason | None = None
    parts: tuple[Part, ...] = ()
    verdicts: tuple[CallVerdict, ...] = ()


PENDING = CallScore(value=None, unscored=UnscoredReason(kind="pending", message="not scored yet"))


CallScores = Mapping[str, CallScore]
"""The scores of a call, by the scorers' names."""


@contextmanager
def open_scores(reader: Reader) -> Iterator[ScoreReader | None]:
    """The scores of an evaluation as of one moment, `None` if it was never scored. Raises StoreError."""
    if not has_scores(reader.folder):
        yield None
        return
    with ScoreReader.open(reader.folder) as scores, scores.snapshot():
        yield scores if scores.scorers() else None


def call_scores(reader: Reader, scores: ScoreReader) -> Iterator[CallScores]:
    """Yield the scores of every call that counts and has ended, by the scorers' names, in their order."""
    return (own for _, own in scores_by_call(reader, scores))


def scores_by_call(reader: Reader, scores: ScoreReader) -> Iterator[tuple[int, CallScores]]:
    """Yield the same with the numbers of the calls, in their order."""
    names = [scorer.name for scorer in scores.scorers()]
    for call, found in referenced_scores(reader, scores):
        yield call, {name: score for name, (score, _) in zip(names, found, strict=True)}


def referenced_scores(
    reader: Reader, scores: ScoreReader
) -> Iterator[tuple[int, Sequence[tuple[CallScore, bytes | None]]]]:
    """Yield the number of every call that counts and has ended, and its scores in the order of scorers.

    Each comes with the digest of its reference, for `ScoreReader.reference`; `None`: there is none.
    """
    scorers = scores.scorers()
    parts = _Walk(scores.parts_of_all())
    verdicts = _Walk(scores.verdicts_of_all())
    as_zero = failures_as_zero(scores)
    for call, failure, found in scored_calls(reader, scores):
        own_parts, own_verdicts = parts.of(call), verdicts.of(call)
        row = []
        for scorer in scorers:
            stored = found.get(scorer.id)
            if failure in as_zero:
                score = _failed(failure, scorer)
            else:
                score = call_score(
                    failure,
                    stored,
                    (part for id, part in own_parts if id == scorer.id),
                    (verdict for id, verdict in own_verdicts if id == scorer.id),
                )
            row.append((score, None if stored is None else stored.reference))
        yield call, row


def scores_of_call(
    scores: ScoreReader, call: int, key: str, failure: str | None
) -> Iterator[tuple[StoredScorer, CallScore, Any]]:
    """Yield each scorer with the score of one call and what the answer should be (None: not known).

    `key` is the call's, `failure` the kind of its failure.
    """
    found = {score.scorer_id: score for score in scores.of_call(call) if score.call_key == key}
    as_zero = failures_as_zero(scores)
    for scorer in scores.scorers():
        score = found.get(scorer.id)
        if failure in as_zero:
            yield scorer, _failed(failure, scorer), None
            continue
        parts, verdicts = scores.parts(call, scorer.id), scores.verdicts(call, scorer.id)
        reference = None if score is None else scores.reference(score.reference)
        yield scorer, call_score(failure, score, parts, verdicts), reference


def call_score(
    failure: str | None, score: StoredScore | None, parts: Iterable[Part], verdicts: Iterable[Verdict]
) -> CallScore:
    """Return the score of a call as reports have it."""
    if failure is not None:
        return CallScore(value=None, unscored=UnscoredReason(kind="no_answer", message=failure))
    if score is None:
        return PENDING
    return CallScore(
        value=score.value,
        passed=score.passed,
        label=score.label,
        reason=score.reason,
        unscored=_reason(score.unscored, score.message),
        parts=tuple(parts),
        verdicts=tuple(map(_verdict, verdicts)),
    )


def _failed(failure: str, scorer: StoredScorer) -> CallScore:
    return CallScore(value=0.0, passed=failed_pass(scorer), reason=f"the call failed: {failure}")


def _verdict(verdict: Verdict) -> CallVerdict:
    return CallVerdict(
        judge=verdict.judge,
        sample=verdict.sample,
        criterion=verdict.criterion,
        value=verdict.value,
        label=verdict.label,
        reason=verdict.reason,
        unscored=_reason(verdict.unscored, verdict.message),
        cost_usd=None if verdict.cost_nusd is None else verdict.cost_nusd / NANO,
    )


def _reason(kind: str | None, message: str | None) -> UnscoredReason | None:
    return None if kind is None else UnscoredReason(kind=kind, message=message or "")


class _Walk(Generic[_Row]):
    """Rows that belong to calls, walked once in the order of calls."""

    def __init__(self, rows: Iterator[tuple[int, int, _Row]]) -> None:
        self._take: Callable[[], tuple[int, int, _Row] | None] = lambda: next(rows, None)
        self._following = self._take()

    def of(self, call: int) -> list[tuple[int, _Row]]:
        """The rows of a call, each with its scorer's number. Calls must come in order."""
        found: list[tuple[int, _Row]] = []
        while self._following is not None and self._following[0] <= call:
            if self._following[0] == call:
                found.append(self._following[1:])
            self._following = self._take()
        return found
