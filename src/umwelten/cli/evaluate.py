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
from umwelten.config import Settings, load, vendors
from umwelten.errors import UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs import expand
from umwelten.inputs.prompt_files import read_prompts
from umwelten.inputs.sources import Choice, Inputs, chosen
from umwelten.phrases import Wording
from umwelten.providers.protocol import Vendor
from umwelten.schema import OutputSchema, load_schema
from umwelten.store import evaluations
from umwelten.store.database import database
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import Prompt


def start(kind: Literal["run", "batch"], flags: dict[str, Any]) -> None:
    """Check, prepare, run, and end the process with the exit status."""
    if flags["ui"]:
        raise UsageError("--ui is not built yet", "Follow a run with --progress rich --verbose.")
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    if flags["dry_run"] and flags["estimate"] is not None:
        raise UsageError("--dry-run and --estimate exclude each other", "--estimate makes calls.")
    known = vendors(settings)
    notes = list[Wording](settings.notes)
    spec = _spec(kind, flags, settings, known, notes)
    notes.extend(_begins(spec))
    reports = _reports(settings)
    if flags["dry_run"]:
        from umwelten.cli.dry_run import dry_run

        dry_run(spec, settings, known, notes, as_json=flags["as_json"])
        return
    if flags["estimate"] is not None:
        from umwelten.cli.estimate import check_sample

        check_sample(spec, flags["estimate"])
        if spec.inputs is not None:
            # A sample is drawn from all that there is.
            spec = msgspec.structs.replace(spec, inputs=msgspec.structs.replace(spec.inputs, lazy=False))
    evaluation = Evaluation.prepare(spec, settings, known, as_flag)
    if spec.output.id is None:
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


def _spec(
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
    system = settings.get("system")
    return build_spec(
        kind,
        settings,
        known,
        notes,
        prompts=_prompts(flags),
        system=None if system is None else text_or_file(system, "--system"),
        output_schema=_output_schema(settings),
        inputs=_inputs(flags, settings, notes) if kind == "batch" else None,
        attach=(path for text in flags["attach"] for path in expand(text, Path())),
        id=flags["id_"],
        mode="resume" if flags["resume"] else "overwrite" if flags["overwrite"] else "new",
    )


def _kept(evaluation: Evaluation) -> Iterator[str]:
    """What an earlier plan answered that this one leaves out. Inputs that come later are not known yet."""
    if evaluation.spec.output.mode != "resume" or not evaluation.store.complete:
        return
    from umwelten.report.queries.leftovers import kept_aside
    from umwelten.store import Reader

    with Reader.open(evaluation.folder) as reader:
        text = kept_aside(reader)
    if text is not None:
        yield text


def _begins(spec: EvaluationSpec) -> Iterator[str]:
    """What to know when there is nothing to go on with: the id may be a slip of the pen."""
    id, folder = spec.output.id, spec.output.output_dir
    if spec.output.mode != "resume" or id is None or database(folder / id).exists():
        return
    known: list[str] = []
    # A directory that can't be read is an error of its own, later.
    with contextlib.suppress(OSError):
        known = [path.name for path in evaluations(folder)]
    suggestion = did_you_mean_clause(closest(id, known), "{!r}")
    yield f"there is no evaluation {id!r} yet; this begins it{suggestion}"


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


def _prompts(flags: Mapping[str, Any]) -> tuple[Prompt, ...]:
    if flags["prompts"] is None:
        if flags["prompt"] is None:
            raise click.UsageError("Missing option '-p' / '--prompt'.", click.get_current_context())
        return (Prompt(name="", text=text_or_file(flags["prompt"], "--prompt")),)
    if flags["prompt"] is not None:
        raise UsageError("--prompt and --prompts exclude each other", "Give the one that you mean.")
    return read_prompts(flags["prompts"])


def _output_schema(settings: Settings) -> OutputSchema | None:
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
