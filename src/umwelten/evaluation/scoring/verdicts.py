"""From what judges replied to scores: verdicts are combined, and figures of the judges are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from umwelten.evaluation.scoring.judging import JudgedBy
from umwelten.evaluation.scoring.lanes import answer_name
from umwelten.evaluation.scoring.table_scores import TableScores
from umwelten.scoring.definition import Definition
from umwelten.scoring.identity import content_digest, score_key
from umwelten.scoring.judge.combination import Ballot
from umwelten.scoring.judge.diagnostics import Diagnostics, JuryFigures
from umwelten.scoring.judge.human_labels import HumanCheck, Labelled, check_against, read_label
from umwelten.scoring.judge.judge import Judge, Question
from umwelten.scoring.judge.reply import Verdict
from umwelten.scoring.judge.scale import Scale
from umwelten.scoring.score import Result, Score, Unscored
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import ScoreRecord
from umwelten.store.scores.records import Verdict as StoredVerdict
from umwelten.store.scores.store import ScoreStore
from umwelten.store.stored_calls import (
    ScorableAnswer,
    StoredCall,
    VerdictCall,
    scorable_answers,
    verdict_calls,
)
from umwelten.types import FrozenStruct
from umwelten.user_folders import expand_home

INPUT_CHANGED = "input_changed"
"""The code of a judge's call that was not made because the answer's input is another one now."""


class Judged(FrozenStruct):
    """What came of a judge: how many scores are new, what its calls cost, and its figures.

    `cost_nusd` is the sum of the known costs, `None` where that of no call is known; `unpriced` is the number
    of calls whose cost is unknown.
    """

    new: int
    kept: int
    pending: int
    cost_nusd: int | None
    unpriced: int
    figures: JuryFigures
    check: HumanCheck | None = None


def read_labels(definition: Definition, scale: Scale, base: Path) -> TableScores | None:
    """Return what people said of the answers that a judge is checked against. Errors: `InputError`."""
    if definition.check is None:
        return None

    def read(column: str, text: str) -> float:
        return read_label(scale, label=text) if column == "label" else read_label(scale, value=text)

    return TableScores.of_labels(definition, base / expand_home(Path(definition.check)), read)


def collect(
    by: JudgedBy,
    scorer: int,
    store: ScoreStore,
    labels: TableScores | None = None,
    *,
    asked: Callable[[int], bool] = lambda call: False,
) -> Judged:
    """Write the scores of all answers that a judge has been asked about, and compare them with `labels`.

    `asked`: the judge was to be asked about the answer to this call just now. Where verdicts are pending all
    the same, a score from before is removed: it was about another reference or input. Raises StoreError.
    """
    judge = by.judge
    questions = {question.name: question for question in judge.questions}
    tally = Diagnostics(
        judge.settings.models, judge.criteria, judge.scale, judge.settings.combine, judge.at_least
    )
    new = kept = pending = cost = priced = unpriced = 0
    labelled: list[Labelled] = []
    stale: list[int] = []
    with (
        Reader.open(by.folder) as reader,
        Reader.open(by.verdicts) as replies,
        ScoreReader.open(by.folder) as known,
    ):
        before = {call: key for call, id, key in known.identities() if id == scorer}
        for answer, calls in _answers_with_calls(reader, replies):
            if not calls and not asked(answer.call.id):
                continue
            ballots, verdicts = _ballots(judge, questions, calls)
            costs = [call.cost_nusd for call in calls if call.cost_nusd is not None]
            cost += sum(costs)
            priced += len(costs)
            unpriced += len(calls) - len(costs)
            if calls:
                tally.add(ballots, length=len(answer.call.text or ""), model=answer.call.model)
            result = _input_changed(calls) or judge.score(ballots)
            if labels is not None:
                labelled.extend(_labelled(labels, answer.call, result))
            if isinstance(result, Unscored) and result.kind == "pending":
                pending += 1
                if answer.call.id in before and asked(answer.call.id):
                    stale.append(answer.call.id)
                continue
            key = score_key(
                call=answer.key,
                answer=content_digest([answer.call.text, answer.call.data]),
                reference=content_digest([_said(verdict) for verdict in verdicts]),
                scorer=by.definition.digest,
            )
            if before.get(answer.call.id) == key:
                kept += 1
                continue
            new += 1
            store.put(_record(answer, scorer, key, result, verdicts))
    store.discard(scorer, stale)
    return Judged(
        new=new,
        kept=kept,
        pending=pending,
        cost_nusd=cost if priced or not unpriced else None,
        unpriced=unpriced,
        figures=tally.figures(),
        check=check_against(labelled, judge.scale, judge.at_least) if labels is not None else None,
    )


def _labelled(labels: TableScores, call: StoredCall, result: Result) -> Iterator[Labelled]:
    name = answer_name(call)
    said = labels.score(name)
    if isinstance(said, Score):
        key = " ".join(filter(None, (name.file, name.model, name.prompt, f"r{name.repeat}")))
        yield Labelled(key=key, person=said.value, result=result)


def _answers_with_calls(
    reader: Reader, replies: Reader
) -> Iterator[tuple[ScorableAnswer, list[VerdictCall]]]:
    """Yield every answer with the judge's calls about it that ended; both are walked in order."""
    walk = verdict_calls(replies)
    following = next(walk, None)
    for answer in scorable_answers(reader):
        calls: list[VerdictCall] = []
        while following is not None and following.judged <= answer.call.id:
            if following.judged == answer.call.id:
                calls.append(following)
            following = next(walk, None)
        yield answer, calls


def _ballots(
    judge: Judge, questions: Mapping[str, Question], calls: Sequence[VerdictCall]
) -> tuple[list[Ballot], list[StoredVerdict]]:
    ballots: list[Ballot] = []
    verdicts: list[StoredVerdict] = []
    for call in calls:
        question = questions.get(call.prompt or "")
        if question is None or call.model not in judge.settings.models:
            continue
        if call.succeeded:
            marks = call.marks.split(",") if call.marks else ()
            opinions = judge.read(question, call.data, text=call.text or "", marks=marks)
        else:
            opinions = judge.failed(question, f"{call.error_kind}: {call.error_message or ''}".rstrip(": "))
        ballots.append(Ballot(judge=call.model, sample=call.repeat, opinions=opinions))
        for number, (criterion, opinion) in enumerate(opinions.items()):
            verdicts.append(
                StoredVerdict(
                    judge=call.model,
                    sample=call.repeat,
                    criterion=criterion,
                    value=opinion.value if isinstance(opinion, Verdict) else None,
                    label=opinion.label if isinstance(opinion, Verdict) else None,
                    reason=opinion.reason if isinstance(opinion, Verdict) else None,
                    unscored=None if isinstance(opinion, Verdict) else opinion.kind,
                    message=None if isinstance(opinion, Verdict) else opinion.message,
                    cost_nusd=call.cost_nusd if number == 0 or call.cost_nusd is None else 0,
                )
            )
    return ballots, verdicts


def _input_changed(calls: Sequence[VerdictCall]) -> Unscored | None:
    changed = next((call for call in calls if call.error_code == INPUT_CHANGED), None)
    return None if changed is None else Unscored(kind="input_changed", message=changed.error_message or "")


def _said(verdict: StoredVerdict) -> list[Any]:
    return [
        verdict.judge,
        verdict.sample,
        verdict.criterion,
        verdict.label,
        verdict.reason,
        verdict.unscored,
        verdict.message,
    ]


def _record(
    answer: ScorableAnswer, scorer: int, key: str, result: Result, verdicts: Sequence[StoredVerdict]
) -> ScoreRecord:
    costs = [verdict.cost_nusd for verdict in verdicts]
    return ScoreRecord(
        call_id=answer.call.id,
        scorer_id=scorer,
        call_key=answer.key,
        key=key,
        result=result,
        verdicts=tuple(verdicts),
        cost_nusd=None if None in costs else sum(cost or 0 for cost in costs),
    )


def figures_as_json(judged: Judged) -> dict[str, Any]:
    """Return what is kept of a judge for reports."""
    return {
        "cost_nusd": judged.cost_nusd,
        "unpriced": judged.unpriced,
        "pending": judged.pending,
        "figures": msgspec.to_builtins(judged.figures),
        "check": msgspec.to_builtins(judged.check),
    }
