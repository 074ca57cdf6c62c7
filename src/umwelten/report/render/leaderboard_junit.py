"""The tasks of a suite as JUnit XML: the suites that each task's own report has, then one of all gates.

A task that was not begun or never scored is a suite with one error. Rows that regressed against a baseline
fail in a suite of their own. Valid against the schema of Jenkins, junit-10.xsd.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from umwelten.report.comparison.comparison import ComparedModel, Comparison
from umwelten.report.render.comparison_files import compared_text
from umwelten.report.render.comparison_text import row_label
from umwelten.report.render.junit import JunitSuite, State, add_gate, task_suites, write_suites
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardTask
from umwelten.store.reader import Reader

_STATES: Mapping[str, State] = {"regressed": "failure", "unclear": "skipped", "held": "passed"}
_WHY = {"not_begun": "the task was not begun", "unscored": "the task was never scored"}


def write_junit(
    board: Leaderboard,
    output_dir: Path,
    comparisons: Mapping[str, Comparison],
    out: TextIO,
    *,
    left_out: Collection[str] = (),
) -> None:
    """Write the suites of all tasks, read from their evaluations. Raises StoreError.

    `left_out`: tasks that were not meant to run, which nothing is wrong with if they were not begun.
    """
    with ExitStack() as stack:
        suites: list[JunitSuite] = []
        for task in board.tasks:
            if task.name not in left_out or task.state != "not_begun":
                suites += _of_task(board.suite, task, output_dir, stack)
        if board.gates:
            suite = JunitSuite(f"{board.suite} gates", f"{board.suite}.gates", "", stack)
            for gate in board.gates:
                add_gate(suite, gate.result)
            suites.append(suite)
        if comparisons:
            suite = JunitSuite(f"{board.suite} baseline", f"{board.suite}.baseline", "", stack)
            for name, found in comparisons.items():
                for row in found.rows:
                    _add_row(suite, name, row)
            suites.append(suite)
        write_suites(suites, out)


def _of_task(suite: str, task: LeaderboardTask, output_dir: Path, stack: ExitStack) -> Sequence[JunitSuite]:
    if task.state == "not_begun" or not task.scorers:
        found = JunitSuite(f"{suite}.{task.name}", f"{suite}.{task.name}", "", stack)
        why = _WHY.get(task.state, task.state)
        found.add(task.name, "error", kind=task.state, message=why, text=why, time_s=0.0)
        return [found]
    with Reader.open(output_dir / task.id) as reader:
        return task_suites(reader, stack, task.scorers)


def _add_row(suite: JunitSuite, task: str, row: ComparedModel) -> None:
    name, (message, text) = f"{task}, {row.scorer}, {row_label(row)}", compared_text(row)
    suite.add(name, _STATES[row.outcome], kind=row.outcome, message=message, text=text, time_s=0.0)
