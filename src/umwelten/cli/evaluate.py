"""From flags to a prepared evaluation, for `eval run` and `eval batch`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from umwelten.attempts.open_files import raise_file_limit
from umwelten.cli.flag_names import as_flag
from umwelten.cli.interrupts import INTERRUPTED
from umwelten.cli.runner import OutputOptions, check_one_preview, execute, leave
from umwelten.cli.standard_streams import work_comes_first
from umwelten.config.endpoints import vendors
from umwelten.config.options import BY_KEY
from umwelten.config.score_demands import check_unscored
from umwelten.config.settings import Settings, load
from umwelten.errors import UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.live.launch import is_launched
from umwelten.phrases import Wording
from umwelten.store.database import evaluations, has_database
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import Prompt

Join = Callable[[tuple[Prompt, ...]], tuple[Prompt, ...]]


def start(kind: Literal["run", "batch"], flags: dict[str, Any]) -> None:
    """Check, prepare, run, and end the process with the exit status. The flags are by the options' names."""
    if flags["ui"] and is_launched():
        flags = {**flags, "progress": "none"}  # whoever looks sees it on the screen
    settings = _settings(kind, flags)
    if flags["ui"] and not is_launched():
        from umwelten.cli.top.started import start_in_front

        start_in_front(sys.argv[1:], settings)
    if flags["detach"] and not is_launched():
        from umwelten.cli.detach import check_detachable, detach

        check_detachable(settings)
        detach(sys.argv[1:])
    join: Join | None = None
    with settings.concealing():
        if kind == "run" and "-" not in (settings.get("prompt"), settings.get("system")):
            from umwelten.cli.joined_stdin import joined

            join = joined
        start_with(kind, settings, join=join)


def start_with(
    kind: Literal["run", "batch"],
    settings: Settings,
    choose: Callable[[Evaluation], CallSubset | None] | None = None,
    change: Callable[[EvaluationSpec], EvaluationSpec] = lambda spec: spec,
    join: Join | None = None,
) -> None:
    """Prepare, run, and end the process with the exit status.

    `choose` returns which of the pending calls are made, `None` for none of them. `change` settles what the
    options do not. `join` as in `build_spec`.
    """
    known = vendors(settings)
    notes = list[Wording](settings.notes)
    spec = change(build_spec(kind, settings, known, notes, stdin=_stdin, join=join))
    notes.extend(_nothing_to_resume(spec))
    scoring = None
    if settings.get("scorers") or settings.get("scorer"):
        from umwelten.cli.score import scoring_after

        scoring = scoring_after(spec, settings)
    learning = None
    if settings.get("memory") is not None and not settings.get("dry_run"):
        from umwelten.cli.memory.learn import LearningAfter

        learning = LearningAfter(spec, settings, known)
    output = OutputOptions.of(settings, as_json=settings.get("json"))
    if settings.get("memory") is not None and (settings.get("dry_run") or settings.get("estimate")):
        from umwelten.cli.memory.learn import LEARNS_AFTER

        notes.append(LEARNS_AFTER)
    if settings.get("dry_run"):
        from umwelten.cli.dry_run import dry_run

        notes.extend(() if scoring is None else scoring.judges_ahead(spec))
        dry_run(spec, settings, known, notes, as_json=output.as_json)
        return
    sample = settings.get("estimate")
    if sample is not None:
        from umwelten.cli.estimate import check_sample

        check_sample(spec, sample)
        notes.extend(() if scoring is None else scoring.judges_ahead(spec))
        if spec.inputs is not None:
            # A sample is drawn from all that there is.
            spec = msgspec.structs.replace(spec, inputs=msgspec.structs.replace(spec.inputs, lazy=False))
    raise_file_limit()
    work_comes_first()
    evaluation = Evaluation.prepare(spec, settings, known, as_flag)
    if spec.output.id is None:
        click.echo(f"evaluation {evaluation.store.spec.id}", err=True)
    notes.extend(_leftovers(evaluation))
    if sample is not None:
        from umwelten.cli.estimate import estimate_first

        status = estimate_first(evaluation, output, notes, sample, yes=settings.get("yes"))
        if status is not None:
            leave(status)
    only = None if choose is None else _chosen(evaluation, choose)
    status = execute(evaluation, output, notes, scoring, only)
    if learning is not None and status != INTERRUPTED:
        learnt = learning.learn(evaluation.folder)
        status = status or learnt
    if (command := settings.get("on_end")) is not None:
        from umwelten.cli.on_end import run_on_end

        run_on_end(command, evaluation.folder, status, settings)
    leave(status)


def _chosen(evaluation: Evaluation, choose: Callable[[Evaluation], CallSubset | None]) -> CallSubset:
    """Return the calls that are to be made; without any, the process ends."""
    only = choose(evaluation)
    if only is None:
        evaluation.close()
        leave(0)
    return only


def _stdin() -> str:
    return sys.stdin.read()


def _settings(kind: str, flags: dict[str, Any]) -> Settings:
    """Return all options with their values; errors about missing or exclusive ones name flags."""
    configured = load(Path.cwd(), os.environ, profile=flags["profile"])
    for key, value in configured.flags.items():
        if BY_KEY[key].only not in (None, kind):
            raise UsageError(
                f"{value.source}: {key} is not an option of eval {kind} knows",
                "Use `umwelten eval batch`, or another profile.",
            )
    settings = configured.with_flags(flags, as_flag)
    check_one_preview(settings)
    missing = ["'-m' / '--models'"] if settings.get("models") is None else []
    if settings.get("prompt") is None and settings.get("prompts") is None:
        missing.append("'-p' / '--prompt'")
    if missing:
        what = "option" if len(missing) == 1 else "options"
        raise click.UsageError(f"Missing {what} {' and '.join(missing)}.", click.get_current_context())
    check_unscored(settings)
    if "coerce" in settings.given and settings.get("schema") is None:
        raise UsageError("--coerce goes with --schema", "Add --schema, or leave it out.")
    return settings


def _leftovers(evaluation: Evaluation) -> Iterator[str]:
    """What an earlier plan answered that this one leaves out. Inputs that come later are not known yet."""
    if evaluation.spec.output.mode != "resume" or not evaluation.store.complete:
        return
    from umwelten.report.queries.leftovers import leftovers
    from umwelten.store.reader import Reader

    with Reader.open(evaluation.folder) as reader:
        text = leftovers(reader)
    if text is not None:
        yield text


def _nothing_to_resume(spec: EvaluationSpec) -> Iterator[str]:
    """Return a note if there is nothing to resume: the id may be misspelt."""
    id, folder = spec.output.id, spec.output.output_dir
    if spec.output.mode != "resume" or id is None or has_database(folder / id):
        return
    known: list[str] = []
    # A directory that can't be read is an error of its own, later.
    with contextlib.suppress(OSError):
        known = [path.name for path in evaluations(folder)]
    suggestion = did_you_mean_clause(closest(id, known), "{!r}")
    yield f"there is no evaluation {id!r} yet; starting it{suggestion}"
