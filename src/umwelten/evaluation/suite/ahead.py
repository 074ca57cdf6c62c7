"""What a suite would do, before it does it: the calls of its tasks and of their judges."""

from __future__ import annotations

import time

from umwelten.evaluation.preview import Preview, preview
from umwelten.evaluation.scoring.jury import calls_for_each
from umwelten.evaluation.scoring.scoring import Scoring
from umwelten.evaluation.suite.plan import PlannedTask
from umwelten.phrases import Wording
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import call_count
from umwelten.store.tables import SUCCEEDED
from umwelten.types import FrozenStruct

Span = tuple[int, int]


class JudgeAhead(FrozenStruct):
    """The calls of a judge. `cost` in nano-USD, from and to; `None`: not known.

    `sure`: all answers are there. Else it is the most calls that there are if every call is answered.
    """

    name: str
    id: str
    calls: int
    cost: Span | None
    sure: bool


class TaskAhead(FrozenStruct):
    """The calls of a task, and those of its judges after them."""

    name: str
    id: str
    plan: Preview
    judges: tuple[JudgeAhead, ...] = ()


def look_ahead(task: PlannedTask, plan: Preview | None = None) -> TaskAhead:
    """Return what a task would do. `plan` is that of its own calls, where it is known already."""
    plan = plan or preview(task.spec, task.settings, task.vendors, at=time.time())
    judges = calls_for_each(task.scoring.scorers)
    found: tuple[JudgeAhead, ...] = ()
    if judges and plan.calls == 0 and _has_calls(task):
        found = _judges_of_answers(task)
    elif judges:
        answers = plan.calls + plan.done
        found = tuple(
            JudgeAhead(
                name=name,
                id=f"{task.id}.{name}",
                calls=max(0, answers * calls - _verdicts(task, name)),
                cost=None,
                sure=False,
            )
            for name, calls in judges.items()
        )
    return TaskAhead(name=task.name, id=task.id, plan=plan, judges=found)


def _judges_of_answers(task: PlannedTask) -> tuple[JudgeAhead, ...]:
    notes: list[Wording] = []
    jury = Scoring(task.folder, task.scoring, notes).jury()
    specs = jury.specs(task.settings, task.vendors, notes)
    found = []
    for by, spec in zip(jury.judges if specs else (), specs, strict=True):
        plan = preview(spec, task.settings, task.vendors, at=time.time())
        found.append(
            JudgeAhead(name=by.definition.name, id=by.id, calls=plan.calls, cost=plan.total, sure=True)
        )
    return tuple(found)


def _has_calls(task: PlannedTask) -> bool:
    if not has_database(task.folder):
        return False
    try:
        with Reader.open(task.folder) as reader:
            return bool(call_count(reader))
    except NeverStarted:
        return False


def _verdicts(task: PlannedTask, judge: str) -> int:
    """How many verdicts a judge has given."""
    folder = task.folder.with_name(f"{task.id}.{judge}")
    if not has_database(folder):
        return 0
    try:
        with Reader.open(folder) as reader:
            return call_count(reader, SUCCEEDED)
    except NeverStarted:
        return 0
