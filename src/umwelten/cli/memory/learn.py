"""`umwelten memory learn`: facts from inputs, and what came of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.attempts.open_files import raise_file_limit
from umwelten.cli.estimate import check_sample, estimate_first
from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.runner import EXIT, OutputOptions, check_one_preview, closing, leave, run_some
from umwelten.cli.standard_streams import work_comes_first
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.errors import UmweltenError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.memory.collection import Learnt
from umwelten.evaluation.memory.learning import Learning, build_learning, check_ahead, learning_after
from umwelten.evaluation.memory.run import LearnRun
from umwelten.evaluation.memory.run import learn as ask_and_learn
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import RunStatus
from umwelten.phrases import Wording
from umwelten.providers.protocol import Vendor
from umwelten.store.memory.facts import MAX_FACT
from umwelten.store.memory.store import MemoryStore
from umwelten.text import formatting
from umwelten.text.sanitize import safe


def learn(name: str, flags: dict[str, Any], prompt: str | None, merge: str) -> None:
    """Check, ask, take in what was found, and end the process with the exit status."""
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    check_one_preview(settings)
    if settings.get("models") is None:
        raise click.UsageError("Missing option '-m' / '--models'.", click.get_current_context())
    with settings.concealing():
        known, notes = vendors(settings), list[Wording](settings.notes)
        learning = build_learning(
            name, settings, known, notes, prompt=prompt, merge=merge, stdin=sys.stdin.read
        )
        if settings.get("dry_run"):
            from umwelten.cli.dry_run import dry_run

            if merge == "update":
                notes.append("merging: up to one further call for each input with new facts, in no figure")
            dry_run(learning.spec, settings, known, notes, as_json=settings.get("json"))
            return
        leave(tell(learning, run_learning(learning, settings, known, notes), settings))


def run_learning(
    learning: Learning,
    settings: Settings,
    known: Mapping[str, Vendor],
    notes: list[Wording],
    *,
    estimates: bool = True,
) -> LearnRun:
    """Ask about what is new and take in all that was answered, with progress. The notes are shown.

    `estimates`: the option of that name is about this.
    """
    look = OutputOptions.of(settings)
    sample = settings.get("estimate") if estimates else None

    def make_calls(evaluation: Evaluation, only: CallSubset | None) -> RunStatus:
        click.echo(f"evaluation {evaluation.store.spec.id}", err=True)
        if sample is not None and only is None:
            status = estimate_first(evaluation, look, notes, sample, yes=settings.get("yes"))
            if status is not None:
                return next(ended for ended, code in EXIT.items() if code == status)
        result, tally = run_some(evaluation, look, notes, only)
        notes.clear()
        if only is not None and result.status is RunStatus.COMPLETE and tally.finished is not None:
            # What others of its scope had said meanwhile needed no call.
            tally.total -= tally.finished.pending
            tally.finished = msgspec.structs.replace(tally.finished, pending=0)
        closing(evaluation, tally, look)
        return result.status

    if sample is not None:
        check_sample(learning.spec, sample)
    raise_file_limit()
    work_comes_first()
    return ask_and_learn(learning, settings, known, as_flag, make_calls)


def tell(learning: Learning, run: LearnRun, settings: Settings, *, beside: bool = False) -> int:
    """Print what came of it; the exit status. `beside`: it is not what the command is for."""
    learnt = run.learnt
    if settings.get("json") and not beside:
        figures = {**msgspec.to_builtins(learnt), "status": str(run.status)}
        print_json({"store": learning.store, "evaluation": learning.id, **figures}, compact=True)
    else:
        click.echo(f"{learning.store}: {', '.join(_figures(learnt))}", err=beside)
    for line in _left_out(learnt):
        click.echo(line, err=True)
    if run.unaffordable:
        spent = f"{as_flag('max_cost')} {settings.get('max_cost'):g} is spent"
        click.echo(f"stopped before merging: {spent}", err=True)
    return EXIT[run.status] or int(bool(learnt.changed or learnt.waiting))


LEARNS_AFTER = "learning from the answers at the end: one further call for each, in no figure"


class LearningAfter:
    """Learns from the questions and answers of a run that ended, for `--memory`. Errors: before any call."""

    def __init__(self, spec: EvaluationSpec, settings: Settings, known: Mapping[str, Vendor]) -> None:
        check_ahead(spec)
        self._spec, self._settings, self._vendors = spec, settings, known
        self._store: str = settings.get("memory")
        # Not after the answers are paid for: that another process changes the store, or that it is damaged.
        MemoryStore.open(spec.output.output_dir, self._store).withdraw()

    def learn(self, folder: Path) -> int:
        """Learn; the exit status. What goes wrong is told: the answers are there, to be learnt from."""
        notes = list[Wording]()
        try:
            learning = learning_after(self._store, self._spec, folder, self._settings, self._vendors, notes)
            run = run_learning(learning, self._settings, self._vendors, [], estimates=False)
            return tell(learning, run, self._settings, beside=True)
        except UmweltenError as error:
            text = self._settings.conceal(safe(str(error.spell(as_flag))))
            click.echo(f"Error: nothing was learnt from the answers: {text}", err=True)
            click.echo("the same command with --resume learns from them", err=True)
            return 1


def _figures(learnt: Learnt) -> Iterator[str]:
    yield f"{formatting.count(learnt.added, 'new fact')} from {formatting.count(learnt.inputs, 'input')}"
    if learnt.known:
        yield f"{learnt.known:,} known already"
    if learnt.updated:
        yield f"{learnt.updated:,} brought up to date"
    if learnt.ended:
        yield f"{learnt.ended:,} ended: what they were learnt from has changed"


def _left_out(learnt: Learnt) -> Iterator[str]:
    if learnt.unquoted:
        yield f"left out: {formatting.count(learnt.unquoted, 'fact')} whose quote is not in the text"
    if learnt.empty:
        yield f"left out: {formatting.count(learnt.empty, 'fact')} without a text"
    if learnt.cut:
        facts = formatting.count(learnt.cut, "fact")
        yield f"{facts} had more than {MAX_FACT:,} characters and lost the rest"
    if learnt.unchecked:
        inputs = formatting.count(learnt.unchecked, "input")
        yield f"note: quotes from {inputs} without text (pictures, sound) could not be checked"
    if learnt.waiting:
        inputs = formatting.count(learnt.waiting, "input")
        yield f"the facts of {inputs} are not merged yet: repeat the command"
    if learnt.changed:
        inputs = formatting.count(learnt.changed, "input")
        yield f"{inputs} changed since they were asked about: repeat the command to learn from them"
