"""The tasks of a suite as the work of a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.argument_names import as_argument
from umwelten.api.background_run import Halted
from umwelten.api.leaderboards import Leaderboard
from umwelten.api.scorers.program_scorers import read_program_scorers
from umwelten.api.scoring_work import ask_judges, run_calls
from umwelten.config.settings import Settings, load
from umwelten.config.suite_file import SuiteFile, read_suite, read_suite_file
from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import UmweltenError, UsageError, conceal
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.scoring.jury import Jury
from umwelten.evaluation.suite.baseline import check_baseline, compare_tasks
from umwelten.evaluation.suite.board import leaderboard_of
from umwelten.evaluation.suite.plan import PlannedTask, plan_suite
from umwelten.evaluation.suite.running import RunEnd, TaskEnd, run_suite
from umwelten.evaluation.suite.shared_notes import SharedNotes
from umwelten.events import Note, NoteLevel
from umwelten.phrases import Spelling, Wording
from umwelten.report.comparison.comparison import Comparison
from umwelten.report.leaderboard_files import check_leaderboard_path, write_leaderboard
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    from umwelten.api.background_run import Background
    from umwelten.events import Observer


class SuiteWork:
    """Runs the tasks of a suite, and makes a leaderboard. Errors: before anything is asked."""

    def __init__(
        self,
        suite: str | Path | Mapping[str, Any],
        given: Mapping[str, Any],
        only: str | Sequence[str],
        baseline: str | None,
        max_drop: float,
        tell: Observer,
    ) -> None:
        self._tell, self._baseline, self._max_drop = tell, baseline, max_drop
        try:
            if not 0 <= max_drop < 1:
                raise UsageError(
                    f"max_drop is {max_drop!r}: a share from 0 to below 1 is expected",
                    "Give the drop that is allowed, such as 0.02.",
                    argument="max_drop",
                )
            configured = load(Path.cwd(), os.environ, profile=given.get("profile"))
            with configured.concealing():
                flags = {**given, "fail_under": _texts(given.get("fail_under")) or None}
                self.plan = plan_suite(
                    _read(suite), configured, flags, only=_texts(only), spelling=as_argument
                )
                self._check()
        except UmweltenError as error:
            raise error.spell(as_argument) from None

    def _check(self) -> None:
        plan, self._front = self.plan, _Front(self.plan.settings, self._tell)
        try:
            for path in plan.settings.get("report"):
                check_leaderboard_path(path)
            self._front.note(plan.settings.notes)
            self._front.note([] if self._baseline is None else check_baseline(plan, self._baseline))
        except BaseException:
            plan.close()
            raise

    def do(self, thread: Background) -> None:
        """Also where the job is stopped, the answers that there are are scored, and reports are written."""
        plan, front = self.plan, self._front
        front.thread = thread
        compared: Mapping[str, Comparison | None] = {}
        try:
            with plan.settings.concealing():
                with suppress(Halted):
                    ends = run_suite(plan, front)
                    if self._baseline is not None:
                        compared = compare_tasks(plan, self._baseline, ends, front, max_drop=self._max_drop)
                self._finish(compared)
        except UmweltenError as error:
            raise error.spell(as_argument) from None

    def _finish(self, compared: Mapping[str, Comparison | None]) -> None:
        plan = self.plan
        board = leaderboard_of(plan)
        comparisons = {task: found for task, found in compared.items() if found is not None}
        self.board = Leaderboard(board, plan.output_dir, comparisons, self._front.errors)
        for path in plan.settings.get("report"):
            write_leaderboard(board, plan.output_dir, path, comparisons, left_out=plan.left_out)


class _Front:
    """Runs evaluations in the job's thread, and tells of notes and errors as events."""

    spelling: Spelling = staticmethod(as_argument)

    def __init__(self, settings: Settings, tell: Observer) -> None:
        self._settings, self._tell = settings, tell
        self._notes = SharedNotes(settings, as_argument)
        self._halt: Callable[[], None] = lambda: None
        self.errors: dict[str, UmweltenError] = {}
        self.thread: Background

    def note(self, notes: Sequence[Wording]) -> None:
        """Tell of notes that were not told before: tasks share most of them."""
        for text in self._notes.new(notes):
            self._tell(Note(text=text))

    def begin(self, task: PlannedTask, number: int, of: int) -> None:
        if self.thread.stopped is not None:
            raise Halted
        self.note(task.notes)

    def make_calls(self, task: PlannedTask, evaluation: Evaluation) -> RunEnd:
        end = run_calls(evaluation, self._tell, self.thread)
        # Where these calls were stopped, the answers that there are are scored.
        self._halt = self.thread.checker()
        return end

    def count(self, answers: int) -> None:
        if answers:
            self._halt()

    def ask_judges(
        self, task: PlannedTask, jury: Jury, besides: Sequence[Path], notes: list[Wording]
    ) -> Sequence[RunEnd]:
        self.note(notes)
        return ask_judges(jury, task.settings, self._tell, self.thread, besides=besides)

    def end(self, task: PlannedTask, end: TaskEnd) -> None:
        """A suite that is stopped begins no further task."""

    def fail(self, task: PlannedTask, error: UmweltenError) -> None:
        conceal(error, self._settings.conceal)
        self.errors[task.name] = error.spell(as_argument)
        self._tell(Note(text=f"task {task.name}: {error}", level=NoteLevel.WARNING))


# --- what is given --------------------------------------------------------------------------


def _read(suite: str | Path | Mapping[str, Any]) -> SuiteFile:
    if isinstance(suite, Mapping):
        return read_suite(_as_file(suite), TomlPosition(path=Path("suite"), text=""), Path())
    return read_suite_file(expand_home(Path(suite)))


def _as_file(suite: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file would say: paths are texts there, and scorers tables."""
    found: dict[str, Any] = _plain(suite)
    tasks = found.get("tasks")
    for table in (found.get("suite"), *(tasks.values() if isinstance(tasks, dict) else ())):
        if isinstance(table, dict) and isinstance(scorers := table.get("scorers"), dict):
            table["scorers"] = {name: _scorer_table(name, given) for name, given in scorers.items()}
    return found


def _plain(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {str(key): _plain(value) for key, value in given.items() if value is not None}
    if isinstance(given, list | tuple):
        return [_plain(each) for each in given]
    return str(given) if isinstance(given, Path) else given


def _scorer_table(name: str, given: Any) -> Any:
    """Return the table of a scorer of the library, or of the short form of one."""
    if isinstance(given, dict):
        return given
    definition, function = read_program_scorers({name: given}, ())[name]
    if function is not None:
        raise UsageError(
            f"scorer {name!r} is a function, which a suite cannot have",
            f"Put it into a file, umwelten.Python('checks.py:{name}'), or use it once the suite has ended: "
            f"umwelten.open('SUITE.TASK').score({name}=…).",
        )
    return dict(definition.table)


def _texts(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())
