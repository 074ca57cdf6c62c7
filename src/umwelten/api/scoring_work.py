"""Scoring as the work of a job, and after the calls of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.argument_names import as_argument
from umwelten.api.function_scorer import FunctionScorer
from umwelten.api.scorers.program_scorers import read_program_scorers
from umwelten.config.endpoints import vendors
from umwelten.config.options import OF_SCORE
from umwelten.config.score_demands import check_unscored, wants_scores
from umwelten.config.settings import Settings
from umwelten.errors import UmweltenError
from umwelten.evaluation.scoring.build_scoring import build_scoring
from umwelten.evaluation.scoring.jury import Jury, due
from umwelten.evaluation.scoring.scoring import Scoring, check_ahead
from umwelten.evaluation.scoring.spec import ProgramScorers
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.evaluation.suite.running import RunEnd
from umwelten.events import Note, NoteLevel, RunFinished, RunStatus, StopCode
from umwelten.phrases import Wording, spell
from umwelten.report.output_files import check_report_path, write_report

if TYPE_CHECKING:
    from umwelten.api.background_run import Background
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Event, Observer

_ARGUMENTS = (*OF_SCORE, "on_event", "grace_s")


class ProgramFunctions:
    """The scorers that a program names itself, and how its functions know that the job was stopped."""

    def __init__(self, named: Mapping[str, Any], settings: Settings, shape: type[Any] | None) -> None:
        self._check: Callable[[], None] = lambda: None
        self._folder: Path | None = None
        read = read_program_scorers(named, _ARGUMENTS)
        self.scorers = ProgramScorers(
            definitions={name: definition for name, (definition, _) in read.items()},
            functions={
                name: FunctionScorer(
                    definition,
                    function,
                    shape=shape,
                    folder=lambda: self._folder,
                    masked=settings.conceal,
                    stopped=self.stopped,
                )
                for name, (definition, function) in read.items()
                if function is not None
            },
        )

    def stopped(self) -> None:
        """Raise `Halted` if the job was stopped."""
        self._check()

    def watch(self, check: Callable[[], None], folder: Path) -> None:
        """From now on, this says whether the job was stopped; `folder` is that of the answers."""
        self._check, self._folder = check, folder


class ScoringAfter:
    """Scores the answers of a run when its calls have ended. Errors: before any call."""

    def __init__(
        self, named: Mapping[str, Any], wanted: EvaluationSpec, settings: Settings, shape: type[Any] | None
    ) -> None:
        self._functions = ProgramFunctions(named, settings, shape)
        self._spec = build_scoring(settings, vendors(settings), given=self._functions.scorers)
        self._settings = settings
        check_ahead(self._spec, wanted)

    def run(self, folder: Path, tell: Observer, thread: Background) -> None:
        """Score them. What goes wrong is a note, as the answers are there and can be scored again."""
        check = thread.checker()
        self._functions.watch(check, folder)
        notes = list[Wording]()
        try:
            with self._settings.concealing():
                scoring = Scoring(folder, self._spec, notes)
                scoring.run(lambda count: check())
                if thread.stopped is None:
                    ask_judges(scoring.jury(), self._settings, tell, thread, besides=[folder])
        except UmweltenError as error:
            error.spell(as_argument)
            text = f"the answers are not scored: {error}\nThey are stored; score them: results.score(…)"
            tell(Note(text=text, level=NoteLevel.WARNING))
        _tell_all(notes, self._settings, tell)


def scoring_after(
    named: Mapping[str, Any], wanted: EvaluationSpec, settings: Settings, shape: type[Any] | None
) -> ScoringAfter | None:
    """Return what scores the answers of an evaluation, `None` if nothing asks for scores."""
    if named or wants_scores(settings):
        return ScoringAfter(named, wanted, settings, shape)
    check_unscored(settings)
    return None


class ScoringWork:
    """Scores the answers that are stored: the work of `Results.score`. Errors: before anything is written."""

    def __init__(
        self,
        folder: Path,
        named: Mapping[str, Any],
        settings: Settings,
        shape: type[Any] | None,
        again: Sequence[str],
        tell: Observer,
    ) -> None:
        self._folder, self._settings, self._tell = folder, settings, tell
        self._vendors = vendors(settings)
        self._functions = ProgramFunctions(named, settings, shape)
        self._reports: Sequence[Path] = settings.get("report")
        for path in self._reports:
            check_report_path(path)
        notes = list[Wording](settings.notes)
        spec = build_scoring(settings, self._vendors, folder, given=self._functions.scorers)
        self._scoring = Scoring(folder, spec, notes)
        self._jury = self._scoring.jury(again)
        # Whatever the judges may be refused for is found before anything is written.
        self._jury.specs(settings, self._vendors, notes)
        _tell_all(notes, settings, tell)

    def do(self, thread: Background) -> None:
        """Score by rules, ask the judges, and write the reports."""
        check = thread.checker()
        self._functions.watch(check, self._folder)
        try:
            with self._settings.concealing():
                self._scoring.run(lambda count: check())
                check()
                ask_judges(self._jury, self._settings, self._tell, thread)
                for path in self._reports:
                    write_report(self._folder, path, vendors=self._vendors, spelling=as_argument)
        except UmweltenError as error:
            raise error.spell(as_argument) from None


def ask_judges(
    jury: Jury, settings: Settings, tell: Observer, thread: Background, *, besides: Sequence[Path] = ()
) -> list[RunEnd]:
    """Ask all judges what is missing, make scores of it, and return how each run ended.

    Stopped, what they have said counts. `besides`: evaluations that the same job asked for, which the limit
    of costs covers too.
    """
    ends: list[RunEnd] = []
    if not jury.judges:
        return ends
    max_cost = settings.get("max_cost")
    with ExitStack() as stack:
        prepared = jury.prepare(settings, vendors(settings), list[Wording](), as_argument)
        for _, evaluation in prepared:
            stack.callback(evaluation.close)
        for by, evaluation, affordable in due(prepared, max_cost, besides):
            if thread.stopped is not None:
                break
            if affordable:
                ends.append(run_calls(evaluation, tell, thread))
            else:
                ends.append(RunEnd(status=RunStatus.STOPPED, stopped_by=StopCode.MAX_COST))
                text = f"judge {by.definition.name}: {as_argument('max_cost')} {max_cost:g} is spent"
                tell(Note(text=text, level=NoteLevel.WARNING))
    for _ in jury.collect():
        pass
    return ends


def run_calls(evaluation: Evaluation, tell: Observer, thread: Background) -> RunEnd:
    """Make the calls of an evaluation, and return how that ended, and why."""
    reasons: list[StopCode | None] = []

    def observe(event: Event) -> None:
        tell(event)
        if isinstance(event, RunFinished):
            reasons.append(event.reason_code)

    status = thread.make_calls(evaluation, observe)
    return RunEnd(status=status, stopped_by=reasons[-1] if reasons else None)


def _tell_all(notes: Sequence[Wording], settings: Settings, tell: Observer) -> None:
    for text in notes:
        tell(Note(text=settings.conceal(spell(text, as_argument))))
