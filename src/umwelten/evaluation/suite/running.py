"""Runs the tasks of a suite one after the other: calls, scores, judges. Every front end runs them so.

A front end makes calls in its own way, with progress or without (`Front`). Whatever happens, a repeat of
the same suite does what is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from umwelten.errors import UmweltenError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.scoring.jury import Jury, limit_cost, spent_nusd
from umwelten.evaluation.scoring.scoring import Scoring
from umwelten.evaluation.suite.plan import PlannedTask, SuitePlan
from umwelten.events import RunStatus, StopCode
from umwelten.phrases import Spelling, Wording
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import call_count
from umwelten.types import FrozenStruct

_ENDING = (StopCode.MAX_COST, StopCode.STORE, StopCode.CALLER)
"""Why a run stopped where the tasks that follow must not begin: of others, they may be spared."""


class RunEnd(FrozenStruct):
    """How a run of calls ended, and why if a rule ended it."""

    status: RunStatus
    stopped_by: StopCode | None = None


class TaskEnd(FrozenStruct):
    """How a task ended. `calls` is `None` where it was not begun; `judges` are the runs of its judges.

    `error`: something went wrong that a repeat may do better, and it is not scored. `ends_suite`: the rest is
    not begun.
    """

    task: str
    calls: RunEnd | None = None
    judges: tuple[RunEnd, ...] = ()
    error: UmweltenError | None = None
    ends_suite: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether anything was done for it."""
        return self.calls is not None or self.error is not None

    @property
    def statuses(self) -> tuple[RunStatus, ...]:
        """How all of its runs ended."""
        return tuple(end.status for end in (self.calls, *self.judges) if end is not None)


class Front(Protocol):
    """What a front end does while tasks run."""

    spelling: Spelling

    def begin(self, task: PlannedTask, number: int, of: int) -> None:
        """Told before a task begins, from 1."""

    def make_calls(self, task: PlannedTask, evaluation: Evaluation) -> RunEnd:
        """Make all calls of an evaluation that are pending."""

    def count(self, answers: int) -> None:
        """Told how many answers were looked at by scorers; 0 when they are done."""

    def ask_judges(
        self, task: PlannedTask, jury: Jury, besides: Sequence[Path], notes: list[Wording]
    ) -> Sequence[RunEnd]:
        """Ask judges what is missing. `besides`: evaluations that the limit of costs covers too."""

    def end(self, task: PlannedTask, end: TaskEnd) -> None:
        """Told when a task that was begun has ended."""

    def fail(self, task: PlannedTask, error: UmweltenError) -> None:
        """Told of what went wrong with a task whose turn had come."""


def run_suite(plan: SuitePlan, front: Front) -> tuple[TaskEnd, ...]:
    """Run all tasks of a plan, and close them; returns how each ended, in their order.

    Where it is interrupted, the limit of costs is reached or nothing can be stored, the rest is not begun.
    """
    ends: list[TaskEnd] = []
    try:
        for number, task in enumerate(plan.tasks, 1):
            end = _run_task(plan, task, front, number)
            ends.append(end)
            task.close()
            if end.is_begun:
                front.end(task, end)
            if end.ends_suite or RunStatus.INTERRUPTED in end.statuses:
                break
    finally:
        plan.close()
    return (*ends, *(TaskEnd(task=task.name) for task in plan.tasks[len(ends) :]))


def _run_task(plan: SuitePlan, task: PlannedTask, front: Front, number: int) -> TaskEnd:
    calls: RunEnd | None = None
    try:
        evaluation = task.open(front.spelling)
        asks = bool(sum(evaluation.store.to_do().values())) or not evaluation.store.complete
        spent = sum(map(spent_nusd, _others(plan, [task.folder])))
        if not limit_cost(evaluation, plan.max_cost_usd, spent) and asks:
            return TaskEnd(task=task.name, ends_suite=True)
        front.begin(task, number, len(plan.tasks))
        calls = front.make_calls(task, evaluation)
        task.close()
        if calls.status is RunStatus.INTERRUPTED:
            return TaskEnd(task=task.name, calls=calls)
        judges = tuple(_score(plan, task, front))
        return TaskEnd(
            task=task.name,
            calls=calls,
            judges=judges,
            ends_suite=any(end.stopped_by in _ENDING for end in (calls, *judges)),
        )
    except UmweltenError as error:
        front.count(0)
        front.fail(task, error)
        return TaskEnd(task=task.name, calls=calls, error=error)


def _score(plan: SuitePlan, task: PlannedTask, front: Front) -> Sequence[RunEnd]:
    with Reader.open(task.folder) as reader:
        if not call_count(reader):
            return ()
    notes = list[Wording]()
    scoring = Scoring(task.folder, task.scoring, notes)
    scoring.run(front.count)
    front.count(0)
    jury = scoring.jury()
    besides = _others(plan, [by.verdicts for by in jury.judges])
    return front.ask_judges(task, jury, besides, notes)


def _others(plan: SuitePlan, folders: Collection[Path]) -> list[Path]:
    """The folders of all evaluations of the suite but these, as far as a limit of costs asks for them."""
    if plan.max_cost_usd is None:
        return []
    return [folder for folder in plan.folders() if folder not in folders]
