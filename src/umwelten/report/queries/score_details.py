"""What single scores say together: labels taken for others, choices not made, the worst files.

All of it comes from one walk over the scores, in memory that does not grow with their number.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from umwelten.report.queries.score_columns import TOTAL, column_names, has_total, scored_calls
from umwelten.scoring.columns import ColumnName, total_of
from umwelten.scoring.confusion import Confusion
from umwelten.scoring.folding import Fold, fold
from umwelten.scoring.references import EXPECTED, alternatives
from umwelten.scoring.rule import shown
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScore, StoredScorer
from umwelten.store.tables import cell_of
from umwelten.types import FrozenStruct

MOST_LABELS = 200
"""Labels of a scorer. Where references have more they are texts, of which a table says nothing."""


class WorstFile(FrozenStruct):
    """A file whose answers are among the worst: the mean of its repeats, and why, by scorer."""

    file: str
    value: float
    reasons: tuple[tuple[str, float, str | None], ...]


class ScoreDetails(FrozenStruct):
    """`confusions` are of scorers of type label, by scorer and column; None: too many labels.

    `no_choice` counts answers in which scorers of type choice found none, by scorer and column. `worst` are
    the files of each column with the lowest values below 1, the lowest first, by `worst_by`.
    """

    confusions: Mapping[str, Mapping[ColumnName, Confusion] | None]
    no_choice: Mapping[str, Mapping[ColumnName, int]]
    worst_by: str
    worst: Mapping[ColumnName, tuple[WorstFile, ...]]


def score_details(reader: Reader, scores: ScoreReader, *, worst: int = 10) -> ScoreDetails:
    """Return them, of an evaluation that has scorers. `worst`: so many files of each column."""
    scorers, names = scores.scorers(), column_names(reader)
    labels = {scorer.id: _Labels(scorer, scores) for scorer in scorers if _has_labels(scorer)}
    confusions = {
        id: {column: Confusion(own.labels) for column in names.values()}
        for id, own in labels.items()
        if own.labels
    }
    choices = {scorer.id: Counter[ColumnName]() for scorer in scorers if scorer.type == "choice"}
    lowest = {column: _Worst(scorers, worst) for column in names.values()}
    for call, _, found in scored_calls(reader, scores):
        file, model, _ = cell_of(call)
        column = names[model]
        for id, table in confusions.items():
            if (pair := labels[id].pair(found.get(id))) is not None:
                table[column].add(*pair)
        for id, count in choices.items():
            score = found.get(id)
            count[column] += score is not None and score.value is not None and score.label is None
        if worst:
            lowest[column].add(file, found)
    by_id = {scorer.id: scorer.name for scorer in scorers}
    return ScoreDetails(
        confusions={by_id[id]: confusions.get(id) for id, own in labels.items() if own.labels != ()},
        no_choice={by_id[id]: count for id, count in choices.items()},
        worst_by=TOTAL if has_total(scorers) else _main(scorers).name,
        worst={column: own.files(reader) for column, own in lowest.items()},
    )


def _has_labels(scorer: StoredScorer) -> bool:
    return scorer.type == "label" and not scorer.table.get("not")


class _Labels:
    """What a scorer's answers said, and should have said, as labels of the references.

    `labels` is None where they are too many, and empty where no reference is stored.
    """

    def __init__(self, scorer: StoredScorer, scores: ScoreReader) -> None:
        self._fold: Fold = scorer.table.get("fold", "case")
        self._several = scorer.table.get("several")
        self._reference = lru_cache(maxsize=1024)(lambda digest: self._words(scores.reference(digest)))
        self._by_folded: dict[str, str] = {}
        self.labels: tuple[str, ...] | None = ()
        for value in scores.references(scorer.id):
            for label in self._words(value):
                self._by_folded.setdefault(self._folded(label), shown(label))
            if len(self._by_folded) > MOST_LABELS:
                self.labels = None
                return
        self.labels = tuple(sorted(self._by_folded.values()))

    def pair(self, score: StoredScore | None) -> tuple[str, str | None] | None:
        """Return what the answer should have said, and what it said; None: nothing to count."""
        if score is None or score.value is None or score.label is None or score.reference is None:
            return None
        wanted = [self._by_folded.get(self._folded(label)) for label in self._reference(score.reference)]
        said = self._by_folded.get(self._folded(score.label))
        known = [label for label in wanted if label is not None]
        if not known:
            return None
        # Of several references, the one that was met, else the first.
        return (said if said in known else known[0]), said

    def _words(self, reference: Any) -> Sequence[str]:
        value = reference.get(EXPECTED) if isinstance(reference, dict) else reference
        return alternatives(value, self._several)

    def _folded(self, label: str) -> str:
        return shown(fold(label, self._fold))


class _Worst:
    """The files of a column with the lowest values, as they come: those of a file one after the other."""

    def __init__(self, scorers: Sequence[StoredScorer], most: int) -> None:
        self._scorers = [scorer for scorer in scorers if scorer.weight > 0] or [_main(scorers)]
        self._most = most
        self._file, self._answers = 0, list[tuple[float, Mapping[int, StoredScore]]]()
        self._found: list[tuple[float, int, tuple[tuple[str, float, str | None], ...]]] = []

    def add(self, file: int, scores: Mapping[int, StoredScore]) -> None:
        """Add an answer; one without a value says nothing."""
        if file != self._file:
            self._end()
            self._file = file
        value = self._value(scores)
        if value is not None:
            self._answers.append((value, scores))

    def files(self, reader: Reader) -> tuple[WorstFile, ...]:
        """Return them, the lowest first."""
        self._end()
        return tuple(
            WorstFile(file=_name(reader, -file), value=-value, reasons=reasons)
            for value, file, reasons in sorted(self._found, reverse=True)
        )

    def _value(self, scores: Mapping[int, StoredScore]) -> float | None:
        if len(self._scorers) == 1:
            score = scores.get(self._scorers[0].id)
            return None if score is None else score.value
        values = []
        for scorer in self._scorers:
            score = scores.get(scorer.id)
            values.append(
                (None, None, scorer.weight) if score is None else (score.value, None, scorer.weight)
            )
        return total_of(values)[0]

    def _end(self) -> None:
        answers, self._answers = self._answers, []
        if not answers:
            return
        value = sum(value for value, _ in answers) / len(answers)
        # Of equal ones those that come first; a heap has its least in front: the best of the worst.
        if value >= 1 or (len(self._found) == self._most and -value <= self._found[0][0]):
            return
        _, scores = min(answers, key=lambda answer: answer[0])
        entry = (-value, -self._file, tuple(self._reasons(scores)))
        if len(self._found) < self._most:
            heapq.heappush(self._found, entry)
        else:
            heapq.heapreplace(self._found, entry)

    def _reasons(self, scores: Mapping[int, StoredScore]) -> Iterator[tuple[str, float, str | None]]:
        """Of the lowest repeat, the scores below 1."""
        for scorer in self._scorers:
            score = scores.get(scorer.id)
            if score is not None and score.value is not None and score.value < 1:
                yield scorer.name, score.value, score.reason or score.label


def _main(scorers: Sequence[StoredScorer]) -> StoredScorer:
    return next((scorer for scorer in scorers if scorer.weight > 0), scorers[0])


def _name(reader: Reader, file: int) -> str:
    row = reader.connection.execute("SELECT name FROM inputs WHERE id = ?", (file,)).fetchone()
    return str(row[0])
