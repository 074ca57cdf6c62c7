"""Scores the answers of an evaluation by its deterministic scorers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from umwelten.errors import InputError
from umwelten.evaluation.scoring.answer_inputs import AnswerInputs
from umwelten.evaluation.scoring.external import ScorerInput
from umwelten.evaluation.scoring.jury import Jury, check_judges_ahead, is_judge
from umwelten.evaluation.scoring.lanes import Lane, Tools, answer_name, row_of, with_definitions
from umwelten.evaluation.scoring.scorer_references import place_of_references, read_all_references
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.earlier_answers import matching_calls
from umwelten.inputs.questions import chained_columns
from umwelten.inputs.references import FILE_VALUES
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import Template
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition
from umwelten.scoring.gates import check_gates
from umwelten.scoring.identity import content_digest, score_key
from umwelten.scoring.judge.judge import Judge
from umwelten.scoring.repeats import MOST
from umwelten.scoring.score import Answer, Result, Unscored
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import ScoreRecord, StoredScorer, gate_values
from umwelten.store.scores.store import ScoreStore
from umwelten.store.stored_calls import ScorableAnswer, StoredCall, call_count, input_names, scorable_answers
from umwelten.store.tables import SUCCEEDED
from umwelten.types import FrozenStruct

_ASK_FIRST = Phrase("Ask first: {option:resume} goes on where the evaluation was stopped.")
EXPECTED_PLACE, _CLUSTER = "what is expected", "cluster"
"""What the texts with placeholders are called in errors."""


class ScoringResult(FrozenStruct):
    """What scoring came to: how many scores are new, and how many were there."""

    new: int
    kept: int


class _Asked(FrozenStruct):
    """An answer that a scorer with a process is asked about."""

    answer: ScorableAnswer
    key: str
    digest: bytes
    reference: Mapping[str, Any]


class Scoring:
    """Scores what has no valid score yet. Errors: `UsageError`, `InputError`, before anything is written."""

    def __init__(self, folder: Path, spec: ScoringSpec, notes: list[Wording]) -> None:
        self._tools = Tools(spec)
        self._folder, self._spec = folder, with_definitions(spec, self._tools)
        self._references = read_all_references(spec, folder.parent)
        # Before anything is written: the filter may ask for scores that are computed anew.
        self._only = None if spec.where is None else matching_calls(folder, spec.where)
        with Reader.open(folder) as reader:
            stored = reader.spec()
            if not call_count(reader):
                raise InputError(f"evaluation {folder.name!r} has no answers", _ASK_FIRST)
            check_gates(
                spec.gates,
                known_scorers(folder) | {definition.name: definition for definition in spec.scorers},
                [str(model) for model in stored.models],
                stored.repeats,
            )
            for references in self._references.values():
                check_names(references.names, reader, EXPECTED_PLACE)
                if (note := references.check(input_names(reader))) is not None:
                    notes.append(note)
            for table in self._tools.tables.values() if call_count(reader, SUCCEEDED) else ():
                notes.extend(table.check(answer_name(each.call) for each in scorable_answers(reader)))

    @property
    def asks_judges(self) -> bool:
        """Whether judges are asked, and not only what they said before counts."""
        return self._spec.asks_judges

    def jury(self, again: Sequence[str] = ()) -> Jury:
        """Return the judges among the scorers. `again`: whose verdicts are moved aside."""
        return Jury(self._folder, self._spec, self._references, again=again, only=self._only)

    def run(self, on_progress: Callable[[int], None] = lambda count: None) -> ScoringResult:
        """Score the answers that are there; `on_progress` is told how many were looked at."""
        with ExitStack() as stack:
            processes = self._tools.start(stack)  # before anything is written: one of them may not work
            lanes = [
                Lane(
                    definition,
                    self._references.get(place_of_references(definition, self._spec) or ""),
                    processes.get(definition.name),
                    self._tools,
                    stack,
                )
                for definition in self._spec.scorers
                if not is_judge(definition)
            ]
            return self._run(lanes, on_progress)

    def _run(self, lanes: list[Lane], on_progress: Callable[[int], None]) -> ScoringResult:
        with Reader.open(self._folder) as reader, ScoreStore.open(self._folder) as store:
            ids = store.write_scorers(
                [_stored(definition, self._folder.name) for definition in self._spec.scorers]
            )
            for lane in lanes:
                lane.id = ids[lane.definition.name]
            store.write_settings(self._settings())
            self._write_clusters(reader, store)
            results = [self._score(reader, store, [each for each in lanes if not each.is_apart], on_progress)]
            for lane in lanes:
                if lane.is_apart:
                    results.append(self._score_apart(reader, store, lane, on_progress))
            return ScoringResult(
                new=sum(result.new for result in results), kept=sum(result.kept for result in results)
            )

    def _score(
        self, reader: Reader, store: ScoreStore, lanes: list[Lane], on_progress: Callable[[int], None]
    ) -> ScoringResult:
        if not lanes:
            return ScoringResult(new=0, kept=0)
        names = {name for references in self._references.values() for name in references.names}
        inputs = AnswerInputs(reader, needs_values=bool(names), names=names)
        new = kept = 0
        with ScoreReader.open(self._folder) as known:
            there = _Keys(known)
            for count, answer in enumerate(self._answers(reader), 1):
                found = inputs.of(answer)
                identity = content_digest([answer.call.text, answer.call.data])
                keys = there.of(answer.call.id)
                scored: Answer | None = None
                for lane in lanes:
                    reference = lane.reference(answer.call, found.values)
                    digest = lane.digest(reference, found)
                    key = score_key(call=answer.key, answer=identity, reference=digest, scorer=lane.identity)
                    if keys.get(lane.id) == key:
                        kept += 1
                        continue
                    scored = scored or _answer(answer.call)
                    new += 1
                    asked = _Asked(answer=answer, key=key, digest=digest, reference=reference)
                    _put(store, lane, asked, lane.score(answer.call, scored, reference, found))
                on_progress(count)
        return ScoringResult(new=new, kept=kept)

    def _score_apart(
        self, reader: Reader, store: ScoreStore, lane: Lane, on_progress: Callable[[int], None]
    ) -> ScoringResult:
        """Score by a scorer with a process, many answers under way at a time."""
        asked: deque[_Asked] = deque()
        new = kept = 0

        def items(there: _Keys) -> Iterator[ScorerInput]:
            nonlocal new, kept
            inputs = AnswerInputs(reader, needs_values=True)
            for count, answer in enumerate(self._answers(reader), 1):
                on_progress(count)
                call, found = answer.call, inputs.of(answer)
                reference = lane.reference(call, found.values)
                digest = lane.digest(reference, found)
                identity = content_digest([call.text, call.data])
                key = score_key(call=answer.key, answer=identity, reference=digest, scorer=lane.identity)
                if there.of(call.id).get(lane.id) == key:
                    kept += 1
                    continue
                new += 1
                one = _Asked(answer=answer, key=key, digest=digest, reference=reference)
                if lane.is_stale(found):
                    _put(store, lane, one, Unscored(kind="input_changed", message=found.changed))
                    continue
                asked.append(one)
                yield ScorerInput(
                    answer=_answer(call),
                    reference=reference,
                    row=row_of(found),
                    file=call.file or "",
                    model=call.model,
                    call=call,
                )

        with ScoreReader.open(self._folder) as known:
            for result in lane.score_apart(items(_Keys(known))):
                _put(store, lane, asked.popleft(), result)
        return ScoringResult(new=new, kept=kept)

    def _answers(self, reader: Reader) -> Iterator[ScorableAnswer]:
        """The answers that are to be scored."""
        for answer in scorable_answers(reader):
            if self._only is None or answer.call.id in self._only:
                yield answer

    def _settings(self) -> dict[str, Any]:
        spec = self._spec
        return {
            "expected": spec.expected,
            "cluster": spec.cluster,
            "failed_as_zero": spec.failed_as_zero or None,
            "of_repeats": None if spec.of_repeats == MOST else spec.of_repeats,
            "gates": gate_values(spec.gates) or None,
        }

    def _write_clusters(self, reader: Reader, store: ScoreStore) -> None:
        if self._spec.cluster is None:
            store.write_clusters(None)
            return
        template = Template(self._spec.cluster)
        check_names(template.names, reader, _CLUSTER)
        inputs = AnswerInputs(reader, needs_values=True, names=template.names)

        def clusters() -> Iterator[tuple[int, str]]:
            last = -1
            for answer in scorable_answers(reader):
                if answer.call.input_id != last:
                    last = answer.call.input_id
                    yield last, template.render(inputs.of(answer).values)

        store.write_clusters(clusters())


def known_scorers(folder: Path) -> dict[str, Definition]:
    """Return the scorers that answers were scored by before, as far as gates look at them."""
    with ScoreReader.open(folder) as reader:
        return {
            scorer.name: Definition(
                name=scorer.name,
                type=scorer.type,
                settings={},
                at_least=scorer.at_least,
                weight=scorer.weight,
                part_of_total=scorer.weight > 0,
            )
            for scorer in reader.scorers()
        }


def check_ahead(spec: ScoringSpec, wanted: EvaluationSpec) -> None:
    """See before an evaluation that its answers can be scored afterwards.

    Errors: those of `Scoring`, as far as they do not depend on what the inputs hold.
    """
    check_gates(
        spec.gates,
        {definition.name: definition for definition in spec.scorers},
        [str(model) for model in wanted.models],
        wanted.repeats,
    )
    check_judges_ahead(spec, wanted)
    with ExitStack() as stack:
        Tools(spec).start(stack)
    columns = None if wanted.inputs is None else wanted.inputs.columns
    for references in read_all_references(spec, wanted.output.output_dir).values():
        _template_of(references.names).check(FILE_VALUES, columns, place=EXPECTED_PLACE)
    if spec.cluster is not None:
        Template(spec.cluster).check(FILE_VALUES, columns, place=_CLUSTER)


def _template_of(names: tuple[str, ...]) -> Template:
    return Template("".join(f"{{{{{name}}}}}" for name in names))


def check_names(names: tuple[str, ...], reader: Reader, place: str) -> None:
    """See that the placeholders have values. Errors: `UsageError`, `InputError` for a table that is gone."""
    first = next(scorable_answers(reader), None)
    if first is None:  # all calls failed: nothing is filled in
        return
    values = AnswerInputs(reader, needs_values=True).of(first).values
    known = list(FILE_VALUES)
    known += [name for name in values if not name.startswith("row.") and name not in known]
    columns = chained_columns(reader.folder) if first.call.part else None
    _template_of(names).check(known, columns, place=place)


def _stored(definition: Definition, id: str) -> StoredScorer:
    low, high, graded, judge = 0.0, 1.0, CATALOG[definition.type].graded, None
    if is_judge(definition):
        read = Judge(definition.settings, definition.at_least)
        low, high, judge = read.scale.low, read.scale.high, f"{id}.{definition.name}"
        graded = read.scale.graded or bool(read.criteria) or read.settings.combine == "mean"
    return StoredScorer(
        name=definition.name,
        type=definition.type,
        table=definition.table,
        digest=definition.digest,
        graded=graded,
        at_least=definition.at_least,
        weight=definition.weight if definition.part_of_total else 0.0,
        low=low,
        high=high,
        judge=judge,
    )


def _answer(call: StoredCall) -> Answer:
    record = None
    if call.data is not None:
        record = msgspec.json.decode(call.data)
    return Answer(
        text=call.text or "",
        record=record,
        finish=call.finish_reason,
        cost_nusd=call.cost_nusd,
        latency_s=call.response_s,
        tokens=call.output_tokens,
    )


def _put(store: ScoreStore, lane: Lane, asked: _Asked, result: Result) -> None:
    store.put(
        ScoreRecord(
            call_id=asked.answer.call.id,
            scorer_id=lane.id,
            call_key=asked.answer.key,
            key=asked.key,
            result=result,
            reference=asked.digest if asked.reference else None,
        ),
        _as_json(asked.reference) if asked.reference else None,
    )


def _as_json(reference: Mapping[str, Any]) -> str:
    return msgspec.json.encode(reference, enc_hook=str).decode()


class _Keys:
    """The identities of the scores that are there, by call: walked once, in the order of calls."""

    def __init__(self, reader: ScoreReader) -> None:
        self._scores = reader.identities()
        self._next = next(self._scores, None)

    def of(self, call: int) -> dict[int, str]:
        found: dict[int, str] = {}
        while self._next is not None and self._next[0] <= call:
            if self._next[0] == call:
                found[self._next[1]] = self._next[2]
            self._next = next(self._scores, None)
        return found
