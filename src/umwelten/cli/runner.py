"""Runs a prepared evaluation under the command line: progress, signals, summary, exit status."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import click
import msgspec

from umwelten.attempts.memory import settle_memory
from umwelten.cli.flag_names import as_flag
from umwelten.cli.interrupts import INTERRUPTED, interrupts
from umwelten.cli.next_steps import next_steps, on_evaluation
from umwelten.cli.print_answers import AnswerPrinter
from umwelten.cli.progress import Progress, make
from umwelten.cli.standard_streams import lost_output
from umwelten.cli.summary import print_summary
from umwelten.config.addresses import own_addresses
from umwelten.config.settings import Settings
from umwelten.engine.interfaces import RunResult
from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.run_control import RunControl
from umwelten.evaluation.run_start import CallSubset
from umwelten.events import Event, Note, NoteLevel, Observer, RunStarted, RunStatus
from umwelten.live.server import controlled
from umwelten.phrases import Wording, spell
from umwelten.report.advice import OWN_SCHEMA
from umwelten.report.output_files import write_report
from umwelten.report.queries import overviews
from umwelten.report.queries.overviews import results
from umwelten.report.render.json import render_json
from umwelten.report.run_summary import RecordCount, RunSummary, capped, summarize
from umwelten.store.reader import Reader
from umwelten.tally import Tally
from umwelten.text.sanitize import safe
from umwelten.threads import new_event_loop
from umwelten.types import FrozenStruct

GRACE_S = 10.0
EXIT = {RunStatus.COMPLETE: 0, RunStatus.FAILED: 1, RunStatus.STOPPED: 3, RunStatus.INTERRUPTED: INTERRUPTED}


class OutputOptions(FrozenStruct):
    """How a run shows itself. `repeats`: a repeat of the command goes on with it."""

    progress: str = "auto"
    verbose: bool = False
    debug: bool = False
    as_json: bool = False
    repeats: bool = False

    @classmethod
    def of(cls, settings: Settings, *, as_json: bool = False, repeats: bool = False) -> OutputOptions:
        """Return what the settings say."""
        return cls(
            progress=settings.get("progress"),
            verbose=settings.get("verbose"),
            debug=settings.get("debug"),
            as_json=as_json,
            repeats=repeats,
        )


def check_one_preview(settings: Settings) -> None:
    """Raise `UsageError` where the command is asked to make no calls, and to make some of them first."""
    if settings.get("dry_run") and settings.get("estimate") is not None:
        raise UsageError("--dry-run and --estimate exclude each other", "--estimate makes calls.")


def execute(
    evaluation: Evaluation,
    look: OutputOptions,
    notes: Sequence[Wording],
    scoring: ScoringAfter | None = None,
    only: CallSubset | None = None,
) -> int:
    """Run all calls, or just these, to the end; returns the exit status. The store is closed in any case."""
    tally, records = Tally(), RecordCount()
    progress = make(look.progress, stderr=sys.stderr, verbose=look.verbose, debug=look.debug, tally=tally)
    observers: list[Observer] = [tally, records, progress]
    answers = None
    if evaluation.spec.kind == "run" and not look.as_json:
        # Before the progress: an answer stands above the line that says that it came.
        answers = AnswerPrinter(sys.stdout, hold=progress.hold, prompts=evaluation.store.prompts)
        observers[2:2] = [answers, _Earlier(evaluation, answers)]
    for text in notes:
        progress(Note(text=evaluation.settings.conceal(spell(text, as_flag))))
    settle_memory()
    try:
        result = _run(evaluation, progress, observers, only)
    finally:
        progress.close()
        evaluation.close()
    if scoring is not None and result.status != RunStatus.INTERRUPTED:
        scoring.score(evaluation.folder, look)
    unwritten = _write_reports(evaluation)
    _finish(evaluation, tally, records, look, answers)
    for error in unwritten.values():
        click.echo(f"Error: {safe(error.spell(as_flag).message)}", err=True)
    for path in evaluation.spec.output.reports:
        if path not in unwritten:
            click.echo(f"report: {path}", err=True)
    # Not the error's own status, which says that nothing was started.
    status = EXIT[result.status] or int(bool(unwritten))
    return status if scoring is None else scoring.show(evaluation.folder, status, as_json=look.as_json)


class ScoringAfter(Protocol):
    """What scores the answers of a run that ended."""

    def score(self, folder: Path, look: OutputOptions) -> None:
        """Score them; what goes wrong is told and kept for `show`."""

    def show(self, folder: Path, status: int, *, as_json: bool) -> int:
        """Print what the scores come to; returns the exit status, given the run's."""


def _write_reports(evaluation: Evaluation) -> dict[Path, UmweltenError]:
    """Write the reports of a run that ended; returns why those are missing that could not be written."""
    unwritten: dict[Path, UmweltenError] = {}
    for path in evaluation.spec.output.reports:
        try:
            write_report(evaluation.folder, path, vendors=evaluation.vendors, spelling=as_flag)
        except UmweltenError as error:
            unwritten[path] = error
    return unwritten


def run_some(
    evaluation: Evaluation, look: OutputOptions, notes: Sequence[Wording], only: CallSubset | None
) -> tuple[RunResult, Tally]:
    """Run just these calls, or all, with progress but without answers and summary; the store stays open."""
    tally = Tally()
    progress = make(look.progress, stderr=sys.stderr, verbose=look.verbose, debug=look.debug, tally=tally)
    for text in notes:
        progress(Note(text=evaluation.settings.conceal(spell(text, as_flag))))
    settle_memory()
    try:
        return _run(evaluation, progress, [tally, progress], only), tally
    finally:
        progress.close()


def closing(evaluation: Evaluation, tally: Tally, look: OutputOptions) -> None:
    """The summary of a run that ended, on stderr."""
    _finish(evaluation, tally, None, look, None)


def _finish(
    evaluation: Evaluation,
    tally: Tally,
    records: RecordCount | None,
    look: OutputOptions,
    answers: AnswerPrinter | None,
) -> None:
    if answers is not None:
        answers.close()
    names = dict.fromkeys(model.provider for model in evaluation.spec.models)
    asked = [evaluation.vendors[name] for name in names if name in evaluation.vendors]
    cost_of_all_runs, unpriced = _cost_of_all_runs(evaluation, tally)
    summary = summarize(
        tally,
        folder=str(evaluation.folder),
        resume=resume_command(evaluation, higher_cap=capped(tally), repeats=look.repeats),
        vendors=evaluation.vendors,
        seen=records,
        addresses=own_addresses(asked, evaluation.settings),
        listing=on_evaluation(evaluation, "show", "--failed"),
        spelling=as_flag if evaluation.spec.derived is None and not look.repeats else _in_repeated,
        cost_of_all_runs_usd=cost_of_all_runs,
        unpriced_calls_of_all_runs=unpriced,
        next_steps=next_steps(evaluation) if evaluation.spec.derived is None and not look.repeats else None,
    )
    if evaluation.spec.derived is not None:
        summary = _without_schema(summary)
    if not look.as_json or look.progress == "json":
        print_summary(summary, stderr=sys.stderr, style=look.progress)
    if look.as_json and not look.repeats:
        _print_json(evaluation)


def _in_repeated(name: str, value: str | None = None) -> str:
    """Flags as commands have them that do what is missing when they are repeated, without a flag for it."""
    return "the same command" if name == "resume" else as_flag(name, value)


def _cost_of_all_runs(evaluation: Evaluation, tally: Tally) -> tuple[float | None, int]:
    """What all runs together cost, and calls of unknown price, where this is not the first paid for."""
    earlier = tally.done_before - sum(tally.started.reused.values() if tally.started else ())
    if not earlier or not tally.done:
        return None, 0
    with Reader.open(evaluation.folder) as reader:
        cost = overviews.summary(reader).cost
    return cost.total_usd, cost.unpriced_calls


def _without_schema(summary: RunSummary) -> RunSummary:
    """Return the summary of a run whose schema is ours, with advice that needs none of the user's."""
    own = spell(OWN_SCHEMA, as_flag)
    failures, groups = (
        tuple(
            msgspec.structs.replace(group, advice=own) if group.kind == "schema" else group for group in some
        )
        for some in (summary.failures, summary.failure_groups)
    )
    return msgspec.structs.replace(summary, failures=failures, failure_groups=groups)


class _Earlier:
    """Prints the answers of earlier runs when a run that resumes begins."""

    def __init__(self, evaluation: Evaluation, answers: AnswerPrinter) -> None:
        self._folder, self._answers = evaluation.folder, answers

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.done:
            with Reader.open(self._folder) as reader:
                self._answers.stored(results(reader))


def watch(evaluation: Evaluation, observer: Observer) -> int:
    """Run to the end with one observer; returns the exit status. The store is closed whatever happens."""
    progress = make("none", stderr=sys.stderr, verbose=False, debug=False, tally=Tally())
    try:
        return EXIT[_run(evaluation, progress, [progress, observer]).status]
    finally:
        evaluation.close()


def _run(
    evaluation: Evaluation, progress: Progress, observers: list[Observer], only: CallSubset | None = None
) -> RunResult:
    watched = interrupts()
    with watched.are_taken(), asyncio.Runner(loop_factory=new_event_loop) as runner:

        async def main() -> RunResult:
            tally = next((one for one in observers if isinstance(one, Tally)), None)
            sums = Tally() if tally is None else tally
            with (
                watched.go_to(_Stop(evaluation, progress), asyncio.get_running_loop()),
                controlled(evaluation, RunControl(evaluation, sums), progress) as more,
            ):
                progress.start(evaluation.lanes)
                told: list[Observer] = [*([sums] if tally is None else []), *observers, *more]
                return await evaluation.run(told, only=only, texts=evaluation.spec.kind == "run")

        return runner.run(main())


class _Stop:
    """First SIGINT, SIGTERM or SIGHUP: finish what is in flight. Second: at once."""

    def __init__(self, evaluation: Evaluation, progress: Progress) -> None:
        self._evaluation, self._progress, self._count = evaluation, progress, 0

    def __call__(self, name: str) -> None:
        self._count += 1
        if self._count == 1:
            # A call whose tools are being run is under way as well.
            lanes = self._evaluation.lanes()
            in_flight = sum(lane.in_flight + lane.parked for lane in lanes)
            calls = "1 call" if in_flight == 1 else f"{in_flight} calls"
            again = "; Ctrl-C again stops now" if name == "SIGINT" else ""
            wait = (
                f"waiting up to {GRACE_S:g} s for {calls} under way{again}"
                if in_flight
                else "nothing is under way"
            )
            self._evaluation.stop(f"interrupted by {name}", interrupted=True, grace_s=GRACE_S)
            self._progress(Note(text=f"stopping ({name}): {wait}", level=NoteLevel.WARNING))
        else:
            self._evaluation.stop(f"interrupted by {name}", interrupted=True, grace_s=0)


def resume_command(evaluation: Evaluation, *, higher_cap: bool = False, repeats: bool = False) -> str:
    """The command that goes on with what is left. `higher_cap`: its cost cap is left to fill in.

    `repeats`: it is this one again, also where an evaluation of the user's own runs.
    """
    if evaluation.spec.derived is None and not repeats:
        return on_evaluation(evaluation, "resume") + (" --max-cost MORE" if higher_cap else "")
    # What scores or learns does what is missing whenever it is repeated.
    return shlex.join(["umwelten", *_repeated(higher_cap)])


def _repeated(higher_cap: bool) -> list[str]:
    """This command line again, without what is asked once. `higher_cap`: with another cost cap."""
    words = [word for word in sys.argv[1:] if word != "--yes"]
    # What was estimated once need not be asked about again.
    for flag in ("--estimate", *(["--max-cost"] if higher_cap else [])):
        at = words.index(flag) if flag in words else len(words)
        words = [word for word in words[:at] + words[at + 2 :] if not word.startswith(f"{flag}=")]
    return [*words, *(["--max-cost", "MORE"] if higher_cap else [])]


def _print_json(evaluation: Evaluation) -> None:
    reader = Reader.open(evaluation.folder)
    try:
        render_json(reader, sys.stdout)
    finally:
        reader.close()
    sys.stdout.flush()


def leave(status: int) -> NoReturn:
    """End the process now: everything is stored, and tearing down the interpreter takes its time."""
    sys.stdout.flush()
    if reason := lost_output():
        click.echo(
            f"warning: standard output is not complete: {reason}; what it was to show is stored", err=True
        )
    sys.stderr.flush()
    os._exit(status)
