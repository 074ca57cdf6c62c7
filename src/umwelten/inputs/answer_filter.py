"""The filter of `--where` over the answers of one evaluation, with what scorers said of them.

Fields of scores are `score.NAME`, `pass.NAME` and `unscored.NAME` of the scorer NAME, and `score.NAME.PART`.
A score counts if it is of the answer that is there now; an answer without one is unscored: `pending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from umwelten.errors import UsageError
from umwelten.inputs.answer_fields import FIELDS, NUMBERS, AnswerFields
from umwelten.inputs.filters import Predicate, comparisons, parse_where
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.stored_calls import StoredCall

_SCORE, _PASS, _UNSCORED = "score.", "pass.", "unscored."
_PREFIXES = (_SCORE, _PASS, _UNSCORED)


class AnswerFilter:
    """Which answers of the evaluation in a folder match; without `where` all do.

    Raises UsageError that shows a fault of the filter, StoreError for scores that cannot be read.
    """

    def __init__(self, folder: Path, where: str | None) -> None:
        self._folder = folder
        self._scorers: dict[int, str] = {}
        self._with_parts = False
        self._matches: Predicate | None = None
        if where is not None:
            self._matches = self._parse(where)

    def of(self, calls: Iterable[StoredCall]) -> Iterator[tuple[StoredCall, AnswerFields, bool]]:
        """Yield the answers, by their numbers as they come, with their fields and whether they match."""
        matches = self._matches
        if not self._scorers:
            for call in calls:
                fields = AnswerFields(call)
                yield call, fields, matches is None or matches(fields)
            return
        with ScoreReader.open(self._folder) as reader:
            walk = _Walk(reader, self._scorers, with_parts=self._with_parts)
            for call in calls:
                fields = AnswerFields(call, walk.of(call))
                yield call, fields, matches is None or matches(fields)

    def _parse(self, where: str) -> Predicate:
        named = [one.field for one in comparisons(where) if one.field.startswith(_PREFIXES)]
        if not named:
            return parse_where(where, FIELDS, numbers=NUMBERS)
        self._with_parts = any(field.count(".") > 1 for field in named)
        with ScoreReader.open(self._folder) as reader:
            names = {scorer.id: scorer.name for scorer in reader.scorers()}
            there = reader.part_names() if self._with_parts else ()  # all rows are read for that
            parts = [f"{_SCORE}{names[id]}.{part}" for id, part in there if id in names]
        if not names:
            raise UsageError(
                f"evaluation {self._folder.name!r} has no scores, so its answers have no {named[0]}",
                f"Score them first: umwelten eval score {self._folder.name} …",
                argument="where",
            )
        values = [f"{_SCORE}{name}" for name in names.values()]
        others = [f"{prefix}{name}" for prefix in (_PASS, _UNSCORED) for name in names.values()]
        known = (*FIELDS, *values, *others, *parts)
        predicate = parse_where(where, known, numbers=(*NUMBERS, *values, *parts))
        # A name may be written in a form that only looks the same: then all scorers are read.
        wanted = {field.partition(".")[2].partition(".")[0] for field in named}
        all_known = wanted <= set(names.values())
        self._scorers = {id: name for id, name in names.items() if name in wanted or not all_known}
        return predicate


class _Walk:
    """The scores of answers, which are asked for in the order of their numbers; they are read once."""

    def __init__(self, reader: ScoreReader, scorers: Mapping[int, str], *, with_parts: bool) -> None:
        self._scorers = scorers
        self._values = reader.values(tuple(scorers))
        self._parts = reader.part_values(tuple(scorers)) if with_parts else iter(())
        self._value, self._part = next(self._values, None), next(self._parts, None)
        self._none: dict[str, object] = {f"{_UNSCORED}{name}": "pending" for name in scorers.values()}

    def of(self, call: StoredCall) -> Mapping[str, object]:
        """Return the fields that are not null."""
        found = dict(self._none)
        counted = set()
        while self._value is not None and self._value.call_id <= call.id:
            one, self._value = self._value, next(self._values, None)
            if (one.call_id, one.call_key) == (call.id, call.key):
                counted.add(one.scorer_id)
                name = self._scorers[one.scorer_id]
                found[f"{_SCORE}{name}"], found[f"{_PASS}{name}"] = one.value, one.passed
                found[f"{_UNSCORED}{name}"] = one.unscored
        while self._part is not None and self._part.call_id <= call.id:
            part, self._part = self._part, next(self._parts, None)
            if part.call_id == call.id and part.scorer_id in counted:
                found[f"{_SCORE}{self._scorers[part.scorer_id]}.{part.part}"] = part.value
        return found
