"""From flags to a prepared evaluation, for `eval run` and `eval batch`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from umwelten.cli.flag_names import as_flag
from umwelten.cli.options import text_or_file
from umwelten.cli.runner import OutputOptions, execute, leave
from umwelten.config import Settings, load, model_groups, vendors
from umwelten.config.concurrency import check_ceilings, max_concurrency
from umwelten.errors import UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preflight import note_high_caps
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs import expand
from umwelten.inputs.prompt_files import read_prompts
from umwelten.inputs.sources import Choice, Inputs, chosen
from umwelten.phrases import Wording
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.schema import OutputSchema, load_schema
from umwelten.store import evaluations
from umwelten.store.database import database
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import Parameters, Prompt


def start(kind: Literal["run", "batch"], flags: dict[str, Any]) -> None:
    """Check, prepare, run, and end the process with the exit status."""
    if flags["ui"]:
        raise UsageError("--ui is not built yet", "Follow a run with --progress rich --verbose.")
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    if flags["dry_run"] and flags["estimate"] is not None:
        raise UsageError("--dry-run and --estimate exclude each other", "--estimate makes calls.")
    known = vendors(settings)
    notes = list[Wording](settings.notes)
    wanted = _wanted(kind, flags, settings, known, notes)
    notes.extend(_begins(wanted))
    reports = _reports(settings)
    if flags["dry_run"]:
        from umwelten.cli.dry_run import dry_run

        dry_run(wanted, settings, known, notes, as_json=flags["as_json"])
        return
    if flags["estimate"] is not None:
        from umwelten.cli.estimate import check_sample

        check_sample(wanted, flags["estimate"])
        # A sample is drawn from all that there is.
        wanted = msgspec.structs.replace(wanted, lazy=False)
    evaluation = Evaluation.prepare(wanted, settings, known, as_flag)
    if wanted.id is None:
        click.echo(f"evaluation {evaluation.store.spec.id}", err=True)
    notes.extend(_kept(evaluation))
    look = OutputOptions(
        progress=settings.get("progress"),
        verbose=settings.get("verbose"),
        debug=settings.get("debug"),
        as_json=flags["as_json"],
        reports=reports,
    )
    if flags["estimate"] is not None:
        from umwelten.cli.estimate import estimate_first

        status = estimate_first(evaluation, look, notes, flags["estimate"], yes=flags["yes"])
        if status is not None:
            leave(status)
    leave(execute(evaluation, look, notes))


def _wanted(
    kind: Literal["run", "batch"],
    flags: Mapping[str, Any],
    settings: Settings,
    known: Mapping[str, Vendor],
    notes: list[Wording],
) -> EvaluationSpec:
    if settings.get("models") is None:
        raise click.UsageError("Missing option '-m' / '--models'.", click.get_current_context())
    if flags["resume"] and flags["overwrite"]:
        raise UsageError("--resume and --overwrite exclude each other", "Give the one that you mean.")
    if (flags["resume"] or flags["overwrite"]) and flags["id_"] is None:
        raise UsageError("--resume and --overwrite need --id", "`umwelten eval list` shows the ids.")
    models, said = parse_models(settings.get("models"), known, model_groups(settings))
    notes.extend(said)
    check_ceilings(settings, known)
    system = settings.get("system")
    stream = settings.get("stream")
    inputs = _inputs(flags, settings, notes) if kind == "batch" else None
    prompt, prompts = _prompts(flags)
    shape = _shape(settings)
    wanted = EvaluationSpec(
        kind=kind,
        prompt=prompt,
        prompts=prompts,
        models=models,
        id=flags["id_"],
        system=None if system is None else text_or_file(system, "--system"),
        parameters=Parameters(
            temperature=settings.get("temperature"),
            max_tokens=settings.get("max_tokens"),
            top_p=settings.get("top_p"),
            seed=settings.get("seed"),
            extra=settings.get("params"),
        ),
        files=None if inputs is None else inputs.files,
        source="files" if inputs is None else inputs.source,
        lazy=inputs is not None and inputs.lazy,
        columns=None if inputs is None else inputs.columns,
        schema=None if shape is None else shape.schema,
        shape=shape,
        coerce=settings.get("coerce"),
        pdf=settings.get("pdf"),
        attach=tuple(path for text in flags["attach"] for path in expand(text, Path())),
        repeats=settings.get("repeat"),
        max_concurrency=max_concurrency(settings, notes),
        provider_concurrency=settings.get("provider_concurrency"),
        timeout_s=settings.get("timeout_s"),
        retries=settings.get("retries"),
        max_cost_usd=settings.get("max_cost"),
        max_errors=settings.get("max_errors"),
        max_bytes_in_flight=settings.get("max_bytes_in_flight"),
        trace=settings.get("debug"),
        stream=kind == "run" if stream is None else stream,
        mode="resume" if flags["resume"] else "overwrite" if flags["overwrite"] else "new",
        output_dir=settings.get("output_dir"),
    )
    note_high_caps(wanted, known, notes)
    return wanted


def _kept(evaluation: Evaluation) -> Iterator[str]:
    """What an earlier plan answered that this one leaves out. Inputs that come later are not known yet."""
    if evaluation.wanted.mode != "resume" or not evaluation.store.complete:
        return
    from umwelten.report.queries.leftovers import kept_aside
    from umwelten.store import Reader

    with Reader.open(evaluation.folder) as reader:
        text = kept_aside(reader)
    if text is not None:
        yield text


def _begins(wanted: EvaluationSpec) -> Iterator[str]:
    """What to know when there is nothing to go on with: the id may be a slip of the pen."""
    if wanted.mode != "resume" or wanted.id is None or database(wanted.output_dir / wanted.id).exists():
        return
    known: list[str] = []
    # A directory that can't be read is an error of its own, later.
    with contextlib.suppress(OSError):
        known = [folder.name for folder in evaluations(wanted.output_dir)]
    suggestion = did_you_mean_clause(closest(wanted.id, known), "{!r}")
    yield f"there is no evaluation {wanted.id!r} yet; this begins it{suggestion}"


def _inputs(flags: Mapping[str, Any], settings: Settings, notes: list[Wording]) -> Inputs:
    directory = flags["directory"]
    # What a settings file says of directories is no mistake where there is none.
    of_directory = settings.get if directory is not None else flags.get
    return chosen(
        Choice(
            directory=directory,
            files=flags["files"],
            rows=flags["rows"],
            from_=flags["from_"],
            where=flags["where"],
            row_name=flags["row_name"],
            file_pattern=of_directory("file_pattern"),
            recursive=bool(of_directory("recursive")),
            max_files=settings.get("max_files"),
            id=flags["id_"],
            output_dir=settings.get("output_dir"),
        ),
        notes.append,
    )


def _prompts(flags: Mapping[str, Any]) -> tuple[str, tuple[Prompt, ...]]:
    """The prompt alone, or "" and several."""
    if flags["prompts"] is None:
        if flags["prompt"] is None:
            raise click.UsageError("Missing option '-p' / '--prompt'.", click.get_current_context())
        return text_or_file(flags["prompt"], "--prompt"), ()
    if flags["prompt"] is not None:
        raise UsageError("--prompt and --prompts exclude each other", "Give the one that you mean.")
    return "", read_prompts(flags["prompts"])


def _shape(settings: Settings) -> OutputSchema | None:
    given = settings.get("schema")
    if given is None:
        if settings.get("coerce") and settings.source("coerce") == as_flag("coerce"):
            raise UsageError("--coerce goes with --schema", "Add --schema, or leave it out.")
        return None
    return load_schema(given)


def _reports(settings: Settings) -> tuple[Path, ...]:
    from umwelten.report.output_files import check_report_path

    paths: tuple[Path, ...] = settings.get("report") or ()
    for path in paths:
        check_report_path(path)
    return paths
