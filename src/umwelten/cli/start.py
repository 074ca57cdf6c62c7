"""From flags to a prepared evaluation, for `eval run` and `eval batch`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import click

from umwelten.api import Evaluation
from umwelten.cli.execute import Look, execute, leave
from umwelten.cli.options import MAX_CONCURRENCY, text_or_file
from umwelten.config import DEFAULT, Settings, load, vendors
from umwelten.errors import UsageError
from umwelten.inputs import expand, scan, scan_files
from umwelten.providers.catalog import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.types import Parameters, Scanned
from umwelten.wanted import Wanted


def start(kind: Literal["run", "batch"], flags: dict[str, Any]) -> None:
    """Check, prepare, run, and end the process with the exit status."""
    if flags["ui"]:
        raise UsageError("--ui is not built yet", "Follow a run with --progress rich --verbose.")
    settings = load(Path.cwd(), os.environ).with_flags(flags)
    if flags["dry_run"] and flags["estimate"] is not None:
        raise UsageError("--dry-run and --estimate exclude each other", "--estimate makes calls.")
    known = vendors(settings)
    notes = list(settings.notes)
    wanted = _wanted(kind, flags, settings, known, notes)
    if flags["dry_run"]:
        from umwelten.cli.dryrun import dry_run

        dry_run(wanted, settings, known, notes, as_json=flags["as_json"])
        return
    if flags["estimate"] is not None:
        from umwelten.cli.estimating import check_sample

        check_sample(wanted, flags["estimate"])
    evaluation = Evaluation.prepare(wanted, settings, known)
    if wanted.id is None:
        click.echo(f"evaluation {evaluation.store.spec.id}", err=True)
    look = Look(
        progress=settings.get("progress"),
        verbose=settings.get("verbose"),
        debug=settings.get("debug"),
        as_json=flags["as_json"],
    )
    if flags["estimate"] is not None:
        from umwelten.cli.estimating import estimate_first

        status = estimate_first(evaluation, look, notes, flags["estimate"], yes=flags["yes"])
        if status is not None:
            leave(status)
    leave(execute(evaluation, look, notes))


def _wanted(
    kind: Literal["run", "batch"],
    flags: Mapping[str, Any],
    settings: Settings,
    known: Mapping[str, Vendor],
    notes: list[str],
) -> Wanted:
    if settings.get("models") is None:
        raise click.UsageError("Missing option '-m' / '--models'.", click.get_current_context())
    if flags["resume"] and flags["overwrite"]:
        raise UsageError("--resume and --overwrite exclude each other", "Give the one that you mean.")
    if (flags["resume"] or flags["overwrite"]) and flags["id_"] is None:
        raise UsageError("--resume and --overwrite need --id", "`umwelten eval list` shows the ids.")
    models, said = parse_models(settings.get("models"), known)
    notes.extend(said)
    _check_ceilings(settings, known)
    system = settings.get("system")
    stream = settings.get("stream")
    wanted = Wanted(
        kind=kind,
        prompt=text_or_file(flags["prompt"], "--prompt"),
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
        files=_files(flags, settings, notes) if kind == "batch" else None,
        attach=tuple(path for text in flags["attach"] for path in expand(text, Path())),
        repeats=settings.get("repeat"),
        max_concurrency=_max_concurrency(settings, notes),
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
    _note_high_caps(wanted, known, notes)
    return wanted


def _files(flags: Mapping[str, Any], settings: Settings, notes: list[str]) -> Callable[[], Iterator[Scanned]]:
    directory, lists = flags["directory"], flags["files"]
    limit = settings.get("max_files")
    if directory is not None and lists:
        raise UsageError("--directory and --files exclude each other", "Give the one that you mean.")
    if directory is None and not lists:
        raise UsageError(
            "eval batch needs --directory or --files", "For example --directory texts --file-pattern '*.txt'."
        )
    if directory is None:
        for flag in ("file_pattern", "recursive"):
            if flags[flag]:
                name = flag.replace("_", "-")
                raise UsageError(f"--{name} goes with --directory, not with --files", "Use globs in --files.")
        paths = [path for text in lists for path in expand(text, Path())][:limit]
        return lambda: scan_files(paths)
    output_dir = settings.get("output_dir")
    # A directory that holds the outputs must not feed answers back; one below them is a step's output.
    inside = directory.absolute().is_relative_to(output_dir.absolute())
    own = output_dir / flags["id_"] if inside and flags["id_"] else output_dir
    return lambda: scan(
        directory,
        settings.get("file_pattern"),
        recursive=settings.get("recursive"),
        max_files=limit,
        exclude=[own] if own.absolute() != directory.absolute() else [],
        on_note=notes.append,
    )


def _max_concurrency(settings: Settings, notes: list[str]) -> int | Literal["auto"]:
    """The cap over all providers. Ceilings of providers alone mean: that many, in all."""
    cap: int | Literal["auto"] = settings.get("max_concurrency")
    ceilings = settings.get("provider_concurrency")
    if ceilings and settings.source("max_concurrency") == DEFAULT:
        cap = min(sum(ceilings.values()), MAX_CONCURRENCY)
        notes.append(f"up to {cap} calls in flight, from --provider-concurrency; --max-concurrency sets it")
    return cap


def _check_ceilings(settings: Settings, known: Mapping[str, Vendor]) -> None:
    for name in settings.get("provider_concurrency"):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UsageError(
                f"--provider-concurrency: {name!r} is not a known provider",
                f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}.",
            )


def _note_high_caps(wanted: Wanted, known: Mapping[str, Vendor], notes: list[str]) -> None:
    """One note where a cap lies above what suits most accounts; it is obeyed."""
    if wanted.max_concurrency == "auto":
        return
    share = -(-wanted.max_concurrency // len(wanted.models))
    for name in dict.fromkeys(model.provider for model in wanted.models):
        low, high = known[name].recommended
        models = sum(1 for model in wanted.models if model.provider == name)
        calls = wanted.provider_concurrency.get(name, share * models)
        if name != "local" and calls > high:
            notes.append(
                f"{calls} calls in flight are more than the {low}-{high} that suit most {name} "
                "accounts; it slows down by itself where that is too many"
            )
