"""`umwelten eval score`: the answers of an evaluation, scored and summed up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from umwelten.cli.dry_run import dry_run, plan_as_data
from umwelten.cli.exit_status import MISSED, gravest
from umwelten.cli.flag_names import as_flag
from umwelten.cli.interrupts import INTERRUPTED
from umwelten.cli.json_output import print_json
from umwelten.cli.judging import ask_judges
from umwelten.cli.report_files import write_reports
from umwelten.cli.runner import OutputOptions, leave
from umwelten.cli.standard_streams import output_width
from umwelten.cli.stored_evaluations import named_folders
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.scoring.build_scoring import build_scoring
from umwelten.evaluation.scoring.jury import Jury, calls_for_each
from umwelten.evaluation.scoring.scoring import Scoring, check_ahead
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import RunStatus
from umwelten.phrases import Wording, spell
from umwelten.providers.protocol import Vendor
from umwelten.report.output_files import check_report_path, write_report
from umwelten.report.queries.overviews import overview
from umwelten.report.queries.score_overview import ScoreOverview, score_overview
from umwelten.report.render.json import render_json
from umwelten.report.render.scores_text import score_lines
from umwelten.scoring.gate_outcomes import exit_status
from umwelten.store.reader import Reader
from umwelten.store.scores.store import ScoreStore
from umwelten.text.sanitize import safe
from umwelten.text.suggestions import closest, did_you_mean

_EVERY_S = 0.2
_FAILED = ("no_answer", "input_changed", "judge_failed", "scorer_error")
"""Kinds of unscored answers for which the exit status is 1: somebody should look at them."""


def score(ids: Sequence[str], flags: dict[str, Any]) -> None:
    """Score the answers of these evaluations, print the figures, and end with the exit status."""
    exit_zero, again, removed = flags.pop("exit_zero"), flags.pop("again"), flags.pop("remove")
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    with settings.concealing():
        folders = named_folders(settings.get("output_dir"), ids)
        if len(folders) > 1 and settings.get("report"):
            raise UsageError(
                f"{as_flag('report')} is about one evaluation, and {len(folders)} are scored",
                "umwelten eval report ID ID … -o FILE writes one about several.",
            )
        for path in settings.get("report"):
            check_report_path(path)
        status, paid = 0, list[Path]()
        # All are checked first: what one is refused for is found before others are paid for.
        for wanted in [_Wanted(folder, settings, again, removed) for folder in folders]:
            if len(folders) > 1:
                click.echo(wanted.folder.name, err=settings.get("json"))
            ended = _score(wanted, settings, paid, exit_zero=exit_zero)
            status = gravest((status, ended))
            if status == INTERRUPTED:
                break
        leave(status)


class _Wanted:
    """An evaluation that is to be scored, checked as far as can be before anything is written."""

    def __init__(
        self, folder: Path, settings: Settings, again: Sequence[str], removed: Sequence[str]
    ) -> None:
        self.folder, self.vendors = folder, vendors(settings)
        self.notes = list[Wording](settings.notes)
        if removed and not settings.get("dry_run"):
            _remove(folder, removed)
        self.scoring = Scoring(folder, build_scoring(settings, self.vendors, folder), self.notes)
        self.jury = self.scoring.jury(again)
        if not settings.get("dry_run"):
            # The judges' notes are told when they are asked.
            self.jury.specs(settings, self.vendors, [] if self.scoring.asks_judges else self.notes)


def _score(wanted: _Wanted, settings: Settings, paid: list[Path], *, exit_zero: bool) -> int:
    """Score one; returns the exit status. `paid`: what judges said so far, to which its own are added."""
    folder, known, notes = wanted.folder, wanted.vendors, wanted.notes
    scoring, jury = wanted.scoring, wanted.jury
    if settings.get("dry_run"):
        _dry_run(jury, settings, known, notes)
        return 0
    _tell(notes, settings)
    counter = Counter()
    result = scoring.run(counter)
    counter.close()
    if result.new or result.kept or not jury.judges:
        scores = "score" if result.new == 1 else "scores"
        click.echo(f"{result.new:,} new {scores}, {result.kept:,} kept", err=True)
    look = OutputOptions.of(settings, as_json=settings.get("json"))
    ended = [run.status for run in ask_judges(jury, settings, known, look, besides=paid)]
    paid.extend(by.verdicts for by in jury.judges)
    status = print_scores(folder, ended, as_json=look.as_json, exit_zero=exit_zero)
    unwritten = write_reports(
        settings.get("report"),
        lambda path: write_report(folder, path, vendors=vendors(settings), spelling=as_flag),
    )
    return gravest((status, unwritten))


def _dry_run(jury: Jury, settings: Settings, known: Mapping[str, Vendor], notes: list[Wording]) -> None:
    """Say what judges would be asked; other scorers cost nothing."""
    specs = jury.specs(settings, known, notes)
    judges = list(zip(jury.judges if specs else (), specs, strict=True))
    if settings.get("json"):
        _tell(notes, settings)
        plans = {by.definition.name: plan_as_data(spec, settings, known) for by, spec in judges}
        print_json({"judges": plans})
        return
    if not specs:
        _tell(notes, settings)
        click.echo("calls    none: no scorer is a judge")
    for by, spec in judges:
        click.echo(f"judge    {by.definition.name}: {by.id}")
        dry_run(spec, settings, known, notes, as_json=False)
        notes.clear()


def _remove(folder: Path, names: Sequence[str]) -> None:
    with ScoreStore.open(folder) as store:
        there = [scorer.name for scorer in store.scorers]
        for name in names:
            if name not in there:
                raise UsageError(
                    f"there is no scorer {name!r}",
                    did_you_mean(closest(name, there)) or f"There are {', '.join(there) or 'none'}.",
                )
        store.remove_scorers(names)


def _tell(notes: Sequence[Wording], settings: Settings) -> None:
    for note in notes:
        click.echo(f"note: {settings.conceal(spell(note, as_flag))}", err=True)


def print_scores(folder: Path, ended: Sequence[RunStatus], *, as_json: bool, exit_zero: bool) -> int:
    """Print what the scores of an evaluation come to; returns the exit status that follows from them.

    `ended`: how the judges' runs ended.
    """
    with Reader.open(folder) as reader:
        found = score_overview(reader, overview(reader).models)
        if as_json:
            render_json(reader, sys.stdout)
        elif found is not None:
            print_score_lines(found)
    sys.stdout.flush()
    return 0 if found is None else status_of(found, ended, exit_zero=exit_zero)


def print_score_lines(found: ScoreOverview) -> None:
    """Print the figures of an evaluation's scores."""
    width = output_width()
    for line in score_lines(found, width):
        click.echo(safe(line))


def status_of(found: ScoreOverview, ended: Sequence[RunStatus] = (), *, exit_zero: bool) -> int:
    """Return the exit status that follows from scores, gates and how the judges' runs ended."""
    rows = [row for figures in found.figures.values() for row in figures.values()]
    return exit_status(
        [gate.outcome for gate in found.gates],
        failed=sum(row.unscored.get(kind, 0) for row in rows for kind in _FAILED)
        # References of some answers alone are fine, but a scorer without any score was asked in vain.
        + sum(not any(row.scored for row in figures.values()) for figures in found.figures.values())
        + (RunStatus.FAILED in ended),
        pending=sum(row.unscored.get("pending", 0) for row in rows),
        stopped=RunStatus.STOPPED in ended,
        interrupted=RunStatus.INTERRUPTED in ended,
        exit_zero=exit_zero,
    )


def scoring_after(spec: EvaluationSpec, settings: Settings) -> ScoringOfRun:
    """Return what scores the answers of an evaluation when it has ended. Errors: before any call."""
    known = vendors(settings)
    wanted = build_scoring(settings, known)
    check_ahead(wanted, spec)
    return ScoringOfRun(wanted, settings, known)


class ScoringOfRun:
    """Scores the answers of a run that ended, for `eval run` and `eval batch`."""

    def __init__(self, wanted: ScoringSpec, settings: Settings, known: Mapping[str, Vendor]) -> None:
        self._wanted, self._settings, self._vendors = wanted, settings, known
        self._problem = False
        self._ended: list[RunStatus] = []

    def judges_ahead(self, spec: EvaluationSpec) -> Iterator[str]:
        """Yield how many calls each judge will take once there are answers; they are in no other figure."""
        inputs = 1 if spec.inputs is None else sum(1 for _ in spec.inputs.files())
        answers = inputs * len(spec.models) * len(spec.request.prompts) * spec.repeats
        for name, calls in calls_for_each(self._wanted.scorers).items():
            yield (
                f"judge {name}: up to {answers * calls:,} further calls, {calls:,} about each answer; "
                f"umwelten eval score ID {as_flag('dry_run')} tells what they cost once there are answers"
            )

    def score(self, folder: Path, look: OutputOptions) -> None:
        """Score them; what goes wrong is told, as the answers are there and can be scored again."""
        notes = list[Wording]()
        counter = Counter()
        try:
            scoring = Scoring(folder, self._wanted, notes)
            scoring.run(counter)
            counter.close()
            ended = ask_judges(
                scoring.jury(), self._settings, self._vendors, look, besides=[folder], estimates=False
            )
            self._ended = [run.status for run in ended]
        except UmweltenError as error:
            self._problem = True
            counter.close()
            click.echo(f"Error: the answers are not scored: {safe(str(error.spell(as_flag)))}", err=True)
            click.echo(f"score them: umwelten eval score {folder.name} …", err=True)
        counter.close()
        _tell(notes, self._settings)

    def show(self, folder: Path, status: int, *, as_json: bool) -> int:
        """Print what the scores come to; returns the exit status, given the run's."""
        if self._problem:
            return status or 1
        with Reader.open(folder) as reader:
            found = score_overview(reader, overview(reader).models)
        if found is None:
            return status
        if not as_json:
            print_score_lines(found)
        missed = status_of(found, self._ended, exit_zero=False)
        return missed if missed == MISSED else status or missed


class Counter:
    """How many answers were looked at, on a terminal."""

    def __init__(self) -> None:
        self._at, self._shown = time.monotonic(), False

    def __call__(self, count: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._at > _EVERY_S:
            self._at, self._shown = time.monotonic(), True
            click.echo(f"\rscoring: {count:,} answers", err=True, nl=False)

    def close(self) -> None:
        """Leave the line."""
        if self._shown:
            click.echo("\r" + " " * 40 + "\r", err=True, nl=False)
