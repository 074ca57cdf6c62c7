"""`--dry-run` and `--estimate` of a suite: its tasks one by one, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import click
import msgspec

from umwelten.cli.dry_run import columns, dry_run, money_range, plan_as_data
from umwelten.cli.estimate import (
    STOPPED,
    as_data,
    check_sample,
    confirm,
    layout,
    total_line,
)
from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.runner import EXIT, OutputOptions, closing, resume_command, run_some
from umwelten.evaluation.estimate import Estimate, choose, estimate
from umwelten.evaluation.request_terms import hedge_share
from umwelten.evaluation.scoring.jury import limit_cost, spent_nusd
from umwelten.evaluation.suite.ahead import JudgeAhead, TaskAhead, look_ahead
from umwelten.evaluation.suite.plan import PlannedTask, SuitePlan
from umwelten.events import RunStatus
from umwelten.phrases import Wording
from umwelten.text import formatting

Notes = Callable[[Sequence[Wording]], list[Wording]]
"""Returns the notes that were not shown yet."""


# --- --dry-run -------------------------------------------------------------------------------


def dry_run_suite(plan: SuitePlan, new: Notes) -> None:
    """Print what each task would do and cost, and all together; no call is made."""
    if plan.settings.get("json"):
        _print_plans(plan)
        return
    ahead: list[TaskAhead] = []
    for number, task in enumerate(plan.tasks, 1):
        click.echo(
            f"{'' if number == 1 else chr(10)}task {number} of {len(plan.tasks)}: {task.name} ({task.id})"
        )
        own = dry_run(task.spec, task.settings, task.vendors, new(task.notes), as_json=False)
        ahead.append(look_ahead(task, own))
    click.echo("")
    for line in _sums(ahead):
        click.echo(line)


def _print_plans(plan: SuitePlan) -> None:
    ahead = [look_ahead(task) for task in plan.tasks]
    tasks = {
        one.name: {
            "id": one.id,
            **plan_as_data(task.spec, task.settings, task.vendors, one.plan),
            "judges": {judge.name: msgspec.structs.asdict(judge) for judge in one.judges},
        }
        for one, task in zip(ahead, plan.tasks, strict=True)
    }
    print_json(
        {
            "suite": plan.name,
            "tasks": tasks,
            "calls": sum(one.plan.calls for one in ahead),
            "judge_calls": sum(judge.calls for one in ahead for judge in one.judges),
            "cost": _total([one.plan.total for one in ahead]),
            "judge_cost": _total([judge.cost for one in ahead for judge in one.judges]),
        }
    )


def _sums(ahead: Sequence[TaskAhead]) -> Iterator[str]:
    judges = [judge for one in ahead for judge in one.judges]
    rows = [["task", "cost", "calls", *(["judges' calls"] if judges else [])]]
    for one in ahead:
        asked = sum(judge.calls for judge in one.judges)
        cells = [one.name, money_range(one.plan.total), f"{one.plan.calls:,}"]
        rows.append([*cells, *([f"{asked:,}" if one.judges else formatting.UNKNOWN] if judges else [])])
    if len(ahead) > 1:
        calls, asked = sum(one.plan.calls for one in ahead), sum(judge.calls for judge in judges)
        total = money_range(_total([one.plan.total for one in ahead]))
        rows.append(["in all", total, f"{calls:,}", *([f"{asked:,}"] if judges else [])])
    yield from columns(rows)
    if judges and all(judge.sure for judge in judges):
        yield f"         judges cost {money_range(_total([judge.cost for judge in judges]))}"
    elif judges:
        yield "         judges' calls: if all calls are answered; their cost is known once there are answers"


def _total(costs: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    return sum(cost[0] for cost in known), sum(cost[1] for cost in known)


# --- --estimate ------------------------------------------------------------------------------


def estimate_suite(plan: SuitePlan, look: OutputOptions, new: Notes) -> int | None:
    """Make a few calls of each task, say what all will cost, and ask before going on.

    Returns the exit status if it ends there, `None` to continue.
    """
    n: int = plan.settings.get("estimate")
    for task in plan.tasks:
        check_sample(task.spec, n)
    found: dict[str, Estimate] = {}
    for number, task in enumerate(plan.tasks, 1):
        click.echo(f"task {number} of {len(plan.tasks)}: {task.name} ({task.id})", err=True)
        status = _estimate(plan, task, n, found, look, new)
        if status is not None:
            _print_estimates(plan, found, look)
            return status
    judges = _judges(plan)
    if not found and all(judge.calls <= n for _, judge in judges):
        return None
    if len(plan.tasks) > 1 and found:
        of = "all" if len(found) == len(plan.tasks) else f"{len(found)} of {len(plan.tasks)}"
        click.echo(f"{of} tasks: {total_line(list(found.values()), plan.max_cost_usd)}", err=True)
    for name, judge in judges:
        click.echo(
            f"judge {judge.name} of {name}: up to {judge.calls:,} further calls, in no figure", err=True
        )
    if plan.settings.get("yes") or confirm():
        return None
    evaluation = plan.tasks[0].open(as_flag)
    again = resume_command(evaluation, repeats=True)
    click.echo(f"stopped after the estimate; continue with: {again}", err=True)
    click.echo("--yes continues without asking; the answers so far are kept.", err=True)
    _print_estimates(plan, found, look)
    return STOPPED


def _print_estimates(plan: SuitePlan, found: Mapping[str, Estimate], look: OutputOptions) -> None:
    """With `--json`, print what is known of the tasks."""
    if look.as_json:
        print_json({"suite": plan.name, "tasks": {name: as_data(one) for name, one in found.items()}})


def _estimate(
    plan: SuitePlan, task: PlannedTask, n: int, found: dict[str, Estimate], look: OutputOptions, new: Notes
) -> int | None:
    """Make the sample of a task; returns the exit status if nothing more can be done."""
    evaluation = task.open(as_flag)
    others = [folder for folder in plan.folders() if folder != task.folder]
    limit_cost(evaluation, plan.max_cost_usd, sum(map(spent_nusd, others)))
    pending = sum(evaluation.store.to_do().values())
    if pending <= n:
        click.echo(f"{task.name}: no more than {n:,} calls to make; no estimate is needed", err=True)
        return None
    sample = choose(evaluation, n)
    result, tally = run_some(evaluation, look, new(task.notes), sample.only)
    one = estimate(evaluation, sample)
    if result.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED) or not one.succeeded:
        closing(evaluation, tally, look)
        return EXIT[result.status]
    for line in layout(one, None, hedge_share(evaluation.spec)):
        click.echo(line, err=True)
    found[task.name] = one
    return None


def _judges(plan: SuitePlan) -> list[tuple[str, JudgeAhead]]:
    """The judges that still have calls to make, by their tasks."""
    return [(task.name, judge) for task in plan.tasks for judge in look_ahead(task).judges if judge.calls]
