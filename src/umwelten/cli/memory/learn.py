"""`umwelten memory learn`: facts from inputs, and what came of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.cli.estimate import check_sample, estimate_first
from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.runner import EXIT, OutputOptions, closing, leave, raise_file_limit, run_some
from umwelten.cli.standard_streams import work_comes_first
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.errors import UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.memory.collection import Learnt, collect
from umwelten.evaluation.memory.learning import Learning, build_learning
from umwelten.phrases import Wording
from umwelten.providers.protocol import Vendor
from umwelten.store.memory.store import MemoryStore
from umwelten.text import formatting


def learn(name: str, flags: dict[str, Any], merge: str) -> None:
    """Check, ask, take in what was found, and end the process with the exit status."""
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    if settings.get("dry_run") and settings.get("estimate") is not None:
        raise UsageError("--dry-run and --estimate exclude each other", "--estimate makes calls.")
    if settings.get("models") is None:
        raise click.UsageError("Missing option '-m' / '--models'.", click.get_current_context())
    with settings.concealing():
        known, notes = vendors(settings), list[Wording](settings.notes)
        learning = build_learning(name, settings, known, notes, merge=merge, stdin=sys.stdin.read)
        if settings.get("dry_run"):
            from umwelten.cli.dry_run import dry_run

            dry_run(learning.spec, settings, known, notes, as_json=settings.get("json"))
            return
        leave(run_learning(learning, settings, known, notes))


def run_learning(
    learning: Learning,
    settings: Settings,
    known: Mapping[str, Vendor],
    notes: list[Wording],
) -> int:
    """Ask about what is new, take in all that was answered, and print what came of it; the exit status."""
    look = OutputOptions(
        progress=settings.get("progress"), verbose=settings.get("verbose"), debug=settings.get("debug")
    )
    raise_file_limit()
    work_comes_first()
    # First of all: nothing is paid for that another process keeps from being stored.
    with MemoryStore.open(learning.spec.output.output_dir, learning.store) as store:
        try:
            evaluation = Evaluation.prepare(learning.spec, settings, known, as_flag)
        except BaseException:
            store.withdraw()
            raise
        click.echo(f"evaluation {learning.id}", err=True)
        try:
            status = _ask(evaluation, look, notes, settings)
        finally:
            evaluation.close()
        capabilities = evaluation.capabilities[learning.spec.models[0]]
        learnt = collect(learning, store, capabilities)
    _tell(learning, learnt, as_json=settings.get("json"))
    return status or int(bool(learnt.changed))


def _ask(evaluation: Evaluation, look: OutputOptions, notes: list[Wording], settings: Settings) -> int:
    sample = settings.get("estimate")
    if sample is not None:
        check_sample(evaluation.spec, sample)
        status = estimate_first(evaluation, look, notes, sample, yes=settings.get("yes"))
        if status is not None:
            return status
    result, tally = run_some(evaluation, look, notes, None)
    closing(evaluation, tally, look)
    return EXIT[result.status]


def _tell(learning: Learning, learnt: Learnt, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"store": learning.store, "evaluation": learning.id, **msgspec.to_builtins(learnt)}, compact=True
        )
    else:
        click.echo(f"{learning.store}: {', '.join(_figures(learnt))}")
    for line in _left_out(learnt):
        click.echo(line, err=True)


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
        yield f"{formatting.count(learnt.cut, 'fact')} had more than 1,000 characters and lost the rest"
    if learnt.unchecked:
        inputs = formatting.count(learnt.unchecked, "input")
        yield f"note: quotes from {inputs} without text (pictures, sound) could not be checked"
    if learnt.changed:
        inputs = formatting.count(learnt.changed, "input")
        yield f"{inputs} changed since they were asked about: repeat the command to learn from them"
