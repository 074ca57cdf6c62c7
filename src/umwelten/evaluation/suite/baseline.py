"""The tasks of a suite beside those of an earlier one: is any of them worse?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.spec import check_id
from umwelten.evaluation.suite.plan import PlannedTask, SuitePlan
from umwelten.evaluation.suite.running import Front, TaskEnd
from umwelten.phrases import Phrase, Wording
from umwelten.report.comparison.comparison import Comparison, compare, read_side
from umwelten.report.comparison.side import Side
from umwelten.scoring.definition import Definition
from umwelten.store.database import evaluations, has_database
from umwelten.store.scores.reader import ScoreReader
from umwelten.text.suggestions import closest, did_you_mean, sentences


def check_baseline(plan: SuitePlan, baseline: str) -> list[Wording]:
    """Return notes on tasks that the baseline lacks. Raises `UsageError` where it has none of them."""
    check_id(baseline)
    if baseline == plan.name:
        raise UsageError(
            f"suite {baseline!r} is compared with itself",
            Phrase("Run the new one under another name, with {option:id}."),
        )
    lacking = [task for task in plan.tasks if not has_database(_base(plan, baseline, task))]
    if len(lacking) == len(plan.tasks):
        names = [f"{baseline}.{task.name}" for task in lacking]
        known = sorted(suite_names(plan.output_dir, [task.name for task in plan.tasks]))
        there = f"There is no evaluation {' or '.join(map(repr, names[:3]))}."
        if known:
            there = f"There are {', '.join(known[:10])}{', …' * (len(known) > 10)}."
        raise UsageError(
            f"the baseline {baseline!r} has none of these tasks",
            sentences(did_you_mean(closest(baseline, known), "{!r}"), there),
        )
    notes: list[Wording] = [
        f"the baseline {baseline!r} has no task {task.name!r}, which is compared with nothing"
        for task in lacking
    ]
    for task in plan.tasks:
        if task not in lacking:
            notes += _check_scorers(task, _base(plan, baseline, task))
    return notes


def _check_scorers(task: PlannedTask, base: Path) -> Iterator[Wording]:
    """Yield a note on scorers that cannot be compared. Raises `UsageError` where that is all of them."""
    with ScoreReader.open(base) as reader:
        before = {scorer.name: scorer for scorer in reader.scorers()}
    names = [scorer.name for scorer in task.scoring.scorers]
    other = [
        scorer.name
        for scorer in task.scoring.scorers
        if scorer.name not in before
        or before[scorer.name].type != scorer.type
        or _digest(scorer) not in (None, before[scorer.name].digest)
    ]
    if len(other) == len(names):
        raise UsageError(
            f"task {task.name!r} has other scorers than its baseline {base.name!r}: {', '.join(names)}",
            Phrase(
                "Score it by them, umwelten eval score {id} {option:scorers=FILE}, or take another baseline.",
                id=base.name,
            ),
        )
    for name in other:
        yield f"scorer {name} of task {task.name} is not compared: {base.name!r} was not scored by it"


def _digest(scorer: Definition) -> str | None:
    """What decides a scorer's values, `None` where files do that are read when it runs."""
    try:
        return scorer.digest
    except ValueError:
        return None


def suite_names(output_dir: Path, tasks: Sequence[str] = ()) -> list[str]:
    """Return what may be names of suites: `NAME` of each evaluation `NAME.TASK`; all, without `tasks`."""
    found: dict[str, None] = {}
    try:
        for folder in evaluations(output_dir):
            name, dot, task = folder.name.rpartition(".")
            if dot and (not tasks or task in tasks):
                found[name] = None
    except (OSError, UmweltenError):
        return []
    return list(found)


def compare_tasks(
    plan: SuitePlan, baseline: str, ends: Sequence[TaskEnd], front: Front, *, max_drop: float = 0.0
) -> Mapping[str, Comparison | None]:
    """Return each task that ended beside that of the baseline; `None` where they cannot be compared."""
    return dict(_comparisons(plan, baseline, ends, front, max_drop))


def _comparisons(
    plan: SuitePlan, baseline: str, ends: Sequence[TaskEnd], front: Front, max_drop: float
) -> Iterator[tuple[str, Comparison | None]]:
    for task, end in zip(plan.tasks, ends, strict=True):
        base = _base(plan, baseline, task)
        if not end.is_begun or end.error is not None or not has_database(base):
            continue
        try:
            sides = read_side(base.name, plan.output_dir), read_side(task.id, plan.output_dir)
            both = _alike(*sides)
            yield task.name, compare(*sides, scores=both, max_drop=max_drop, spelling=front.spelling)
        except UmweltenError as error:
            front.fail(task, error)
            yield task.name, None


def _alike(base: Side, new: Side) -> list[str]:
    """The scorers that mean the same in both; `check_baseline` has told of the others."""
    before = {scorer.name: (scorer.type, scorer.digest) for scorer in base.scorers}
    return [one.name for one in new.scorers if before.get(one.name) == (one.type, one.digest)]


def _base(plan: SuitePlan, baseline: str, task: PlannedTask) -> Path:
    return plan.output_dir / f"{baseline}.{task.name}"
