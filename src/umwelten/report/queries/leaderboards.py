"""The leaderboard of a suite, from the stored evaluations of its tasks alone.

The value of a task is its total, or what its only scorer with a weight says. A model and prompt is a row; a
task with one prompt alone counts for each prompt that a model has in other tasks.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from umwelten.report import stats
from umwelten.report.queries import overviews
from umwelten.report.queries.input_keys import input_keys
from umwelten.report.queries.score_columns import TOTAL, column_names, score_columns
from umwelten.scoring.columns import Column, ColumnName
from umwelten.scoring.figures import bounds, estimate
from umwelten.scoring.gate_outcomes import GateColumn, GateResult, gate_results
from umwelten.scoring.gates import Gate
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardRow, LeaderboardTask, TaskGate, TaskValue
from umwelten.scoring.leaderboard_figures import (
    NOTHING,
    SuiteColumn,
    suite_correlations,
    suite_gate_result,
    weighted_mean,
)
from umwelten.scoring.shared_inputs import TaskInputs, shared_units
from umwelten.statistics import Estimate
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.tables import SUCCEEDED
from umwelten.types import FrozenStruct


class _Asked(FrozenStruct):
    """What a task holds of one model and prompt. `total` is None where nothing says its value."""

    value: TaskValue
    found: Estimate
    total: Column | None
    gated: GateColumn
    times: array[float]


class _Task(FrozenStruct):
    task: LeaderboardTask
    asked: Mapping[ColumnName, _Asked] = {}
    inputs: TaskInputs = TaskInputs(keys=())
    notes: tuple[str, ...] = ()

    def of(self, name: ColumnName) -> _Asked | None:
        """What it holds of a row."""
        return self.asked.get(name) or self.asked.get(ColumnName(model=name.model))


def leaderboard(
    output_dir: Path,
    suite: str,
    tasks: Sequence[LeaderboardTask],
    gates: Sequence[Gate] = (),
    *,
    level: float = 0.95,
) -> Leaderboard:
    """Return the board of a suite. Of `tasks`, `name`, `id` and `weight` are read, and `scorers`: where they
    are given, other scores that are stored do not count.

    A task that was not begun, or never scored, is on the board without values. `gates` must have been
    checked. Raises StoreError for an evaluation that cannot be read.
    """
    found = [_task(output_dir / task.id, task, level) for task in tasks]
    names = _names(found)
    units = tuple(shared_units([task.inputs for task in found]))
    columns = [_suite_column(name, found, units) for name in names]
    rows = [_row(column, found) for column in columns]
    notes = [note for task in found for note in task.notes]
    if tasks and not any(task.weight > 0 for task in tasks):
        notes.append("no task has a weight, so there is no mean")
    return Leaderboard(
        suite=suite,
        tasks=tuple(one.task for one in found),
        rows=tuple(sorted(rows, key=_order)),
        gates=tuple(
            TaskGate(task=gate.task, result=_gate_result(gate, found, columns, level)) for gate in gates
        ),
        level=level,
        notes=(*notes, *_shared(found, names)),
    )


def _order(row: LeaderboardRow) -> tuple[bool, float]:
    """Those with a mean first, best first; others, and those of equal mean, as they were asked for."""
    return row.mean is None, -(row.mean or 0.0)


# --- tasks ---------------------------------------------------------------------------------------


def _task(folder: Path, task: LeaderboardTask, level: float) -> _Task:
    """What is stored of a task."""
    named = task.scorers
    task = LeaderboardTask(name=task.name, id=task.id, weight=task.weight, state="not_begun")
    not_begun = _Task(task=task, notes=(f"task {task.name} was not begun",))
    if not has_database(folder):
        return not_begun
    try:
        with (
            Reader.open(folder) as reader,
            overviews.snapshot(reader),
            ScoreReader.open(folder) as scores,
            scores.snapshot(),
        ):
            return _read(reader, scores, task, named, level)
    except NeverStarted:  # by a run that was killed as it began
        return not_begun


def _read(
    reader: Reader, scores: ScoreReader, task: LeaderboardTask, named: Collection[str], level: float
) -> _Task:
    stored = scores.scorers()
    scorers = tuple(scorer for scorer in stored if not named or scorer.name in named)
    columns = score_columns(reader, scores, scorers) if scorers else None
    by_scorer = {} if columns is None else columns.by_scorer
    weighted = [scorer.name for scorer in scorers if scorer.weight > 0]
    leading = TOTAL if TOTAL in by_scorer else weighted[0] if weighted else None
    usd, unpriced, untold = _judged(scores)
    notes = [] if scorers else [f"task {task.name} was never scored"]
    if untold:
        notes.append(f"task {task.name}: what the judges of {', '.join(untold)} cost is not known yet")
    if others := ", ".join(scorer.name for scorer in stored if scorer not in scorers):
        notes.append(f"task {task.name} has other scores, which do not count: {others}")
    if scorers and leading is None:
        notes.append(f"task {task.name} has no value: none of its scorers is part of the total")
    return _Task(
        task=msgspec.structs.replace(
            task,
            scorers=tuple(scorer.name for scorer in scorers),
            judged_usd=usd,
            judged_unpriced=unpriced,
            state="unscored" if leading is None else "scored",
        ),
        asked=dict(_asked(reader, by_scorer, leading, level)),
        inputs=TaskInputs(
            keys=() if columns is None else input_keys(reader),
            clusters=None if columns is None else columns.files.clusters,
        ),
        notes=tuple(notes),
    )


def _judged(scores: ScoreReader) -> tuple[float | None, int, list[str]]:
    """What the judges of a task cost, the calls of unknown cost, and the scorers of which no cost was kept:
    their judges were interrupted.
    """
    kept = scores.settings().get("judges") or {}
    judged = [scorer.name for scorer in scores.scorers() if scorer.judge]
    found = [kept[name] for name in judged if name in kept]
    known = [one["cost_nusd"] for one in found if one["cost_nusd"] is not None]
    return (
        stats.usd(sum(known) if known else None),
        sum(one["unpriced"] for one in found),
        [name for name in judged if name not in kept],
    )


def _asked(
    reader: Reader, by_scorer: Mapping[str, Mapping[ColumnName, Column]], leading: str | None, level: float
) -> Iterator[tuple[ColumnName, _Asked]]:
    connection = reader.connection
    sums, planned = overviews.call_sums(connection), overviews.calls_per_model(connection)
    names = column_names(reader)
    times = _times(reader, names)
    for number, name in names.items():
        scores = {scorer: row[name] for scorer, row in by_scorer.items()}
        total = None if leading is None else scores[leading]
        found = NOTHING if total is None else estimate(total, level=level)
        value = _value(sums.get(number, overviews.Sums()), planned, times[number], total, found)
        gated = GateColumn(
            name=name,
            scores=scores if total is None else scores | {TOTAL: total},
            planned=planned,
            succeeded=value.succeeded,
            pending=value.pending,
            cost_usd=value.cost_usd or 0.0,
            unpriced=value.unpriced,
            p95_s=_percentile(times[number], 95),
        )
        yield name, _Asked(value=value, found=found, total=total, gated=gated, times=times[number])


def _value(
    sums: overviews.Sums, planned: int, times: Sequence[float], total: Column | None, found: Estimate
) -> TaskValue:
    cost = overviews.cost_of(sums)
    return TaskValue(
        mean=found.mean,
        low=found.low,
        high=found.high,
        se=found.se,
        files=found.files,
        scored=0 if total is None else sum(total.scored),
        planned=planned,
        succeeded=sums.succeeded,
        failed=sums.failed,
        pending=max(planned - sums.succeeded - sums.failed, 0),
        cost_usd=cost.total_usd,
        unpriced=cost.unpriced_calls,
        p50_s=_percentile(times, 50),
        unscored={} if total is None else total.unscored(),
        bounds=None if total is None else bounds(total),
    )


def _times(reader: Reader, names: Mapping[int, ColumnName]) -> dict[int, array[float]]:
    """The response times of each model's answers in seconds, in order."""
    times = {number: array("d") for number in names}
    for number, time in reader.connection.execute(
        f"""SELECT model_id, response_s FROM current_calls WHERE status = {SUCCEEDED}
        AND response_s IS NOT NULL ORDER BY response_s"""
    ):
        times[number].append(time)
    return times


def _percentile(times: Sequence[float], percent: int) -> float | None:
    return stats.rounded(times[stats.rank(percent, len(times))]) if times else None


# --- rows ----------------------------------------------------------------------------------------


def _names(tasks: Sequence[_Task]) -> list[ColumnName]:
    """The rows: models in the order of the tasks; one with prompts that have names has no other row."""
    names = list(dict.fromkeys(name for task in tasks for name in task.asked))
    several = {name.model for name in names if name.prompt is not None}
    return [name for name in names if name.prompt is not None or name.model not in several]


def _shared(tasks: Sequence[_Task], names: Sequence[ColumnName]) -> Iterator[str]:
    """The tasks with one prompt whose values count for each prompt of a model."""
    rows = set(names)
    for task in tasks:
        if any(name not in rows for name in task.asked):
            yield f"task {task.task.name} has one prompt: its values count for each prompt of a model"


def _row(column: SuiteColumn, tasks: Sequence[_Task]) -> LeaderboardRow:
    name = column.name
    asked = {task.task.name: (task.task.weight, task.of(name)) for task in tasks}
    there = [one for _, one in asked.values() if one is not None]
    mean = weighted_mean(
        ((weight, None if one is None else one.found) for weight, one in asked.values()),
        suite_correlations(column),
    )
    costs = [one.value.cost_usd for one in there if one.value.cost_usd is not None]
    return LeaderboardRow(
        model=name.model,
        prompt=name.prompt,
        tasks={task: one.value for task, (_, one) in asked.items() if one is not None},
        missing=tuple(task for task, (_, one) in asked.items() if one is None or one.value.mean is None),
        mean=mean.mean,
        low=mean.low,
        high=mean.high,
        se=mean.se,
        cost_usd=_usd(costs),
        unpriced=sum(one.value.unpriced for one in there),
        p50_s=_percentile(_merged(there), 50),
    )


def _usd(costs: Sequence[float]) -> float | None:
    """The sum of costs that are whole numbers of nano-dollars; None without any."""
    return round(math.fsum(costs), 9) if costs else None


def _merged(asked: Sequence[_Asked]) -> Sequence[float]:
    """The times of the answers to several tasks, in order."""
    return sorted(time for one in asked for time in one.times)


# --- gates ---------------------------------------------------------------------------------------


def _suite_column(
    name: ColumnName, tasks: Sequence[_Task], units: tuple[Sequence[int] | None, ...]
) -> SuiteColumn:
    asked = [(task.task, task.of(name)) for task in tasks]
    there = [(task, one) for task, one in asked if one is not None]
    gated = [one.gated for _, one in there]
    return SuiteColumn(
        name=name,
        parts=tuple((task.weight, None if one is None else one.total) for task, one in asked),
        units=units,
        of_all=GateColumn(
            name=name,
            scores={
                f"{task.name}.{scorer}": column
                for task, one in there
                for scorer, column in one.gated.scores.items()
                if scorer != TOTAL
            },
            planned=sum(one.planned for one in gated),
            succeeded=sum(one.succeeded for one in gated),
            pending=sum(one.pending for one in gated),
            cost_usd=_usd([one.cost_usd for one in gated]) or 0.0,
            unpriced=sum(one.unpriced for one in gated),
            p95_s=_percentile(_merged([one for _, one in there]), 95),
        ),
        complete=all(task.state != "not_begun" for task, _ in asked),
    )


def _gate_result(
    gate: Gate, tasks: Sequence[_Task], columns: Sequence[SuiteColumn], level: float
) -> GateResult:
    if gate.task is None:
        return suite_gate_result(gate, columns, level=level)
    own = next(task for task in tasks if task.task.name == gate.task)
    return gate_results([gate], [one.gated for one in own.asked.values()], level=level)[0]
