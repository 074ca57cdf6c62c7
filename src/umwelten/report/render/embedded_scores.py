"""The scores of calls in the data of an HTML report: a row for a call, and what repeats said once.

`{"scorers": […], "kinds": […], "slots": [[…]], "weights": [[…]], "rows": [[…]]}`, `rows` by evaluation and in
the order of its calls. A row has an entry for each scorer of its evaluation, then the references: one if all
scorers have the same, else one each. An entry is what a score says, without the nulls at its end; a number
stands for an entry that came before, as it does for references and names.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from umwelten.report.queries.call_scores import CallScore, CallVerdict, referenced_scores
from umwelten.report.queries.score_columns import has_total
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import embeddable
from umwelten.report.render.scores_text import KINDS
from umwelten.report.schema_fields import compact
from umwelten.scoring.references import EXPECTED
from umwelten.scoring.score import Part
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScorer
from umwelten.text.sanitize import safe

SCORE_BUDGET = 8_000_000
"""Characters of all reasons, labels and references together: a third of what answers may have."""
LONGEST, SHORTEST = 2000, 40
_REMEMBERED = 4096
"""Entries, references or names that are known by number: enough for all that repeat often."""
_SHORT_ENTRY = 400


def score_pieces(parts: Sequence[ReportSection], *, rows: int, budget: int = SCORE_BUDGET) -> Iterator[str]:
    """Yield the element's content, for the first `rows` calls of the page. There must be scores."""
    scorers = [() if part.score_reader is None else part.score_reader.scorers() for part in parts]
    lengths = [part.score_reader.text_lengths() for part in parts if part.score_reader is not None]
    yield from (embeddable(_head(parts, scorers))[:-1], ',"rows":[')
    entries = _Entries(_cut(sum(row[0] for row in lengths), sum(row[1] for row in lengths), budget))
    for number, part in enumerate(parts):
        yield ",[" if number else "["
        before = ""
        for row in islice(_rows(part, entries), max(rows, 0)):
            yield before + row
            before = ",\n"
        rows -= part.overview.summary.succeeded + part.overview.summary.failed
        yield "]"
    yield "]}"


def _head(parts: Sequence[ReportSection], scorers: Sequence[Sequence[StoredScorer]]) -> dict[str, object]:
    """Scorers of one name and definition are the same in all evaluations of the page."""
    slots: dict[tuple[str, str], dict[str, object]] = {}
    names: dict[str, set[str]] = {}
    for row in scorers:
        for scorer in row:
            names.setdefault(scorer.name, set()).add(scorer.digest)
    for part, row in zip(parts, scorers, strict=True):
        for scorer in row:
            name = scorer.name if len(names[scorer.name]) == 1 else f"{part.id} › {scorer.name}"
            slots.setdefault(
                (scorer.name, scorer.digest),
                {"name": safe(name), "type": scorer.type, "graded": scorer.graded},
            )
    places = {key: place for place, key in enumerate(slots)}
    return {
        "scorers": list(slots.values()),
        "kinds": list(KINDS.items()),
        "total": any(has_total(row) for row in scorers),
        "slots": [[places[scorer.name, scorer.digest] for scorer in row] for row in scorers],
        "weights": [[scorer.weight for scorer in row] for row in scorers],
    }


def _cut(length: int, count: int, budget: int) -> int:
    """How many characters a text may have."""
    return LONGEST if length <= budget else min(max(budget // count, SHORTEST), LONGEST)


def _rows(part: ReportSection, entries: _Entries) -> Iterator[str]:
    scores = part.score_reader
    if scores is None:
        return
    for _, found in referenced_scores(part.reader, scores):
        texts = [entries.entry(score) for score, _ in found]
        digests = [digest for _, digest in found]
        if any(digests):
            same = len(set(digests)) == 1
            texts += [entries.reference(scores, digest) for digest in (digests[:1] if same else digests)]
        yield f"[{','.join(texts)}]"


class _Known:
    """Numbers of what has been written, in the order in which it was."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._written = 0

    def find(self, key: Hashable) -> int | None:
        return self._numbers.get(key)

    def write(self, key: Hashable, *, remember: bool = True) -> None:
        """Note that it is written now. Forgetting costs a repetition, no more."""
        if remember:
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
            self._numbers[key] = self._written
        self._written += 1


class _Entries:
    """Scores as JSON; what repeats is a number."""

    def __init__(self, cut: int) -> None:
        self._cut = cut
        self._entries, self._references, self._names = _Known(), _Known(), _Known()

    def entry(self, score: CallScore) -> str:
        number = self._entries.find(score)
        if number is not None:
            return str(number)
        why = score.unscored
        values = (
            _rounded(score.value),
            None if score.passed is None else int(score.passed),
            self._text(score.label),
            self._text(score.reason),
            None if why is None else why.kind,
            None if why is None else self._text(why.message),
            [self._part(part) for part in score.parts] or None,
            [self._verdict(verdict) for verdict in score.verdicts] or None,
        )
        text = embeddable(trimmed(values))
        self._entries.write(score, remember=len(text) <= _SHORT_ENTRY)
        return text

    def reference(self, scores: ScoreReader, digest: bytes | None) -> str:
        if digest is None:
            return "null"
        number = self._references.find(digest)
        if number is not None:
            return str(number)
        self._references.write(digest)
        return embeddable(self._text(_in_words(scores.reference(digest))) or "")

    def _part(self, part: Part) -> list[object]:
        values = (self._name(part.name), _rounded(part.value), self._text(part.label))
        return trimmed((*values, self._text(part.message)))

    def _verdict(self, verdict: CallVerdict) -> list[object]:
        why = verdict.unscored
        return trimmed(
            (
                self._name(verdict.judge),
                verdict.sample,
                self._text(verdict.criterion),
                _rounded(verdict.value),
                self._text(verdict.label),
                self._text(verdict.reason),
                None if why is None else why.kind,
                None if why is None else self._text(why.message),
            )
        )

    def _name(self, name: str) -> int | str:
        number = self._names.find(name)
        if number is not None:
            return number
        self._names.write(name)
        return self._text(name) or ""

    def _text(self, text: str | None) -> str | None:
        if not text:
            return None
        return safe(text) if len(text) <= self._cut else f"{safe(text[: self._cut - 1])}…"


def trimmed(values: Sequence[object]) -> list[object]:
    """The values without the nulls at their end."""
    found = list(values)
    while found and found[-1] is None:
        found.pop()
    return found


def _rounded(value: float | None) -> float | None:
    # To more places than a page shows; 1.0 as 1.
    if value is None:
        return None
    return int(value) if value in (0, 1) else round(value, 6)


def _in_words(reference: Any) -> str:
    """What an answer should be, as people write it."""
    if isinstance(reference, Mapping):
        if list(reference) == [EXPECTED]:
            return _in_words(reference[EXPECTED])
        return "\n".join(f"{name}: {_in_words(value)}" for name, value in reference.items())
    if isinstance(reference, list) and all(isinstance(one, str) for one in reference):
        return " or ".join(reference)
    return reference if isinstance(reference, str) else compact(reference)
