"""`umwelten eval suite`: the tasks of a suite, run, scored and compared in one table."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.attempts.open_files import raise_file_limit
from umwelten.cli.compare import share
from umwelten.cli.exit_status import gravest
from umwelten.cli.flag_names import as_flag
from umwelten.cli.judging import ask_judges
from umwelten.cli.next_steps import print_steps, suite_steps
from umwelten.cli.report_files import write_reports
from umwelten.cli.runner import EXIT, OutputOptions, check_one_preview, closing, leave, run_some
from umwelten.cli.score import Counter, status_of
from umwelten.cli.standard_streams import output_width, work_comes_first
from umwelten.config.settings import Settings, load
from umwelten.config.suite_file import read_suite_file
from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.scoring.jury import Jury
from umwelten.evaluation.suite.baseline import check_baseline, compare_tasks
from umwelten.evaluation.suite.board import leaderboard_of
from umwelten.evaluation.suite.plan import PlannedTask, SuitePlan, plan_suite
from umwelten.evaluation.suite.running import RunEnd, TaskEnd, run_suite
from umwelten.evaluation.suite.shared_notes import SharedNotes
from umwelten.events import RunStatus
from umwelten.phrases import Spelling, Wording
from umwelten.report.comparison.comparison import Comparison
from umwelten.report.leaderboard_files import check_leaderboard_path, write_leaderboard
from umwelten.report.queries.overviews import overview
from umwelten.report.queries.score_overview import score_overview
from umwelten.report.render.comparison_text import comparison_lines
from umwelten.report.render.leaderboard_json import leaderboard_json
from umwelten.report.render.leaderboard_text import leaderboard_lines
from umwelten.scoring.gate_outcomes import exit_status
from umwelten.scoring.leaderboard import Leaderboard
from umwelten.store.reader import Reader
from umwelten.text.sanitize import safe


def suite(path: Path, flags: dict[str, Any]) -> None:
    """Check all tasks, run them, print the leaderboard, and end with the exit status."""
    only, exit_zero = flags.pop("only"), flags.pop("exit_zero")
    baseline, drop = flags.pop("baseline"), flags.pop("max_drop")
    if drop is not None and baseline is None:
        raise UsageError("--max-drop goes with --baseline", "Add --baseline SUITE, or leave it out.")
    max_drop = share(drop)
    configured = load(Path.cwd(), os.environ, profile=flags["profile"])
    with configured.concealing():
        plan = plan_suite(read_suite_file(path), configured, flags, only=only, spelling=as_flag)
        with contextlib.closing(plan):  # servers of tools do not outlive an error
            _run(plan, baseline, max_drop, exit_zero=exit_zero)


def _run(plan: SuitePlan, baseline: str | None, max_drop: float, *, exit_zero: bool) -> None:
    settings = plan.settings
    check_one_preview(settings)
    for report in settings.get("report"):
        check_leaderboard_path(report)
    front = _Front(settings)
    front.tell(settings.notes)
    front.tell([] if baseline is None else check_baseline(plan, baseline))
    if settings.get("dry_run"):
        from umwelten.cli.suite_ahead import dry_run_suite

        dry_run_suite(plan, front.new)
        return
    raise_file_limit()
    work_comes_first()
    if settings.get("estimate") is not None:
        from umwelten.cli.suite_ahead import estimate_suite

        status = estimate_suite(plan, front.look, front.new)
        if status is not None:
            plan.close()  # whoever leaves ends the process
            leave(status)
    ends = run_suite(plan, front)
    compared = {} if baseline is None else compare_tasks(plan, baseline, ends, front, max_drop=max_drop)
    status = _show(plan, ends, compared, exit_zero=exit_zero)
    if front.look.progress != "json":  # then stderr is for programs
        print_steps(suite_steps(plan.name, plan.output_dir))
    leave(status)


class _Front:
    """Runs evaluations with progress."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.spelling: Spelling = as_flag
        self.look = OutputOptions.of(settings, as_json=settings.get("json"), repeats=True)
        self._counter = Counter()
        self._notes = SharedNotes(settings, as_flag)

    def tell(self, notes: Sequence[Wording]) -> None:
        """Show notes that were not shown before."""
        for note in self.new(notes):
            click.echo(f"note: {note}", err=True)

    def new(self, notes: Sequence[Wording]) -> list[Wording]:
        """Return the notes that were not shown before: tasks share most of them."""
        return [*self._notes.new(notes)]

    def begin(self, task: PlannedTask, number: int, of: int) -> None:
        text = f"task {number} of {of}: {task.name} ({task.id})"
        if self.look.progress == "json":
            task.notes.insert(0, text)  # as one of the run's events: stderr is for programs
        else:
            click.echo(text, err=True)

    def make_calls(self, task: PlannedTask, evaluation: Evaluation) -> RunEnd:
        result, tally = run_some(evaluation, self.look, self.new(task.notes), None)
        if result.status is not RunStatus.COMPLETE:
            closing(evaluation, tally, self.look)
        return RunEnd(
            status=result.status, stopped_by=None if tally.finished is None else tally.finished.reason_code
        )

    def count(self, answers: int) -> None:
        if answers:
            self._counter(answers)
        else:
            self._counter.close()

    def ask_judges(
        self, task: PlannedTask, jury: Jury, besides: Sequence[Path], notes: list[Wording]
    ) -> Sequence[RunEnd]:
        self.tell(notes)
        return ask_judges(jury, task.settings, task.vendors, self.look, besides=besides, estimates=False)

    def end(self, task: PlannedTask, end: TaskEnd) -> None:
        if (command := task.settings.get("on_end")) is not None:
            from umwelten.cli.on_end import run_on_end

            run_on_end(command, task.folder, _status(task, end, exit_zero=False), task.settings)

    def fail(self, task: PlannedTask, error: UmweltenError) -> None:
        text = self._settings.conceal(safe(str(error.spell(as_flag))))
        click.echo(f"Error: task {task.name}: {text}", err=True)


# --- what came of it -------------------------------------------------------------------------


def _show(
    plan: SuitePlan,
    ends: Sequence[TaskEnd],
    compared: Mapping[str, Comparison | None],
    *,
    exit_zero: bool,
) -> int:
    """Print the leaderboard, write the reports, and return the exit status."""
    for end in ends:
        if not end.is_begun:
            click.echo(f"task {end.task}: not begun", err=True)
    board = leaderboard_of(plan)
    comparisons = {task: found for task, found in compared.items() if found is not None}
    _print(board, comparisons, as_json=plan.settings.get("json"))
    statuses = [_status(task, end, exit_zero=exit_zero) for task, end in zip(plan.tasks, ends, strict=True)]
    statuses.append(_status_of_board(board, compared, exit_zero=exit_zero))
    statuses.append(
        write_reports(
            plan.settings.get("report"),
            lambda path: write_leaderboard(board, plan.output_dir, path, comparisons, left_out=plan.left_out),
        )
    )
    return gravest(statuses)


def _print(board: Leaderboard, comparisons: Mapping[str, Comparison], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(leaderboard_json(board, comparisons))
    else:
        width = output_width()
        for line in leaderboard_lines(board, width):
            click.echo(safe(line))
        for task, found in comparisons.items():
            click.echo(f"\n{task}")
            # Costs and times are in the reports: here they would hide what regressed.
            for line in comparison_lines(msgspec.structs.replace(found, measures=()), _call, width):
                click.echo(safe(line))
    sys.stdout.flush()


def _call(id: str, file: str, model: str, prompt: str | None) -> str:
    return shlex.join(["umwelten", "eval", "show", id, *filter(None, (file, model, prompt))])


def _status_of_board(
    board: Leaderboard, compared: Mapping[str, Comparison | None], *, exit_zero: bool
) -> int:
    outcomes: list[str] = [gate.result.outcome for gate in board.gates]
    outcomes += [found.outcome for found in compared.values() if found is not None]
    doubtful = sum(1 if found is None else found.doubtful for found in compared.values())
    return exit_status(outcomes, failed=doubtful, exit_zero=exit_zero)


def _status(task: PlannedTask, end: TaskEnd, *, exit_zero: bool) -> int:
    """Return the exit status that follows from a task alone."""
    if not end.is_begun:
        return 3
    found = [0 if exit_zero and EXIT[status] == 1 else EXIT[status] for status in end.statuses]
    if end.error is not None:
        return gravest([*found, 0 if exit_zero else 1])
    if RunStatus.INTERRUPTED not in end.statuses:
        with Reader.open(task.folder) as reader:
            own = [scorer.name for scorer in task.scoring.scorers]  # others may lack scores for ever
            scores = score_overview(reader, overview(reader).models, named=own)
        if scores is not None:
            found.append(status_of(scores, [run.status for run in end.judges], exit_zero=exit_zero))
    return gravest(found)
