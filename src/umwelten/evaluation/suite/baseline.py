"""The tasks of a suite beside those of an earlier one: is any of them worse?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.suite.plan import PlannedTask, SuitePlan
from umwelten.evaluation.suite.running import Front, TaskEnd
from umwelten.phrases import Phrase, Wording
from umwelten.report.comparison.comparison import Comparison, compare, read_side
from umwelten.store.database import evaluations, has_database
from umwelten.text.suggestions import closest, did_you_mean


def check_baseline(plan: SuitePlan, baseline: str) -> list[Wording]:
    """Return notes on tasks that the baseline lacks. Raises `UsageError` where it has none of them."""
    if baseline == plan.name:
        raise UsageError(
            f"suite {baseline!r} is compared with itself",
            Phrase("Run the new one under another name, with {option:id}."),
        )
    lacking = [task for task in plan.tasks if not has_database(_base(plan, baseline, task))]
    if len(lacking) == len(plan.tasks):
        names = [f"{baseline}.{task.name}" for task in lacking]
        near = closest(baseline, suite_names(plan.output_dir, [task.name for task in plan.tasks]))
        raise UsageError(
            f"the baseline {baseline!r} has none of these tasks",
            did_you_mean(near, "{!r}") or f"There is no evaluation {' or '.join(map(repr, names[:3]))}.",
        )
    return [
        f"the baseline {baseline!r} has no task {task.name!r}, which is compared with nothing"
        for task in lacking
    ]


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
            yield (
                task.name,
                compare(
                    read_side(base.name, plan.output_dir),
                    read_side(task.id, plan.output_dir),
                    max_drop=max_drop,
                    spelling=front.spelling,
                ),
            )
        except UmweltenError as error:
            front.fail(task, error)
            yield task.name, None


def _base(plan: SuitePlan, baseline: str, task: PlannedTask) -> Path:
    return plan.output_dir / f"{baseline}.{task.name}"
