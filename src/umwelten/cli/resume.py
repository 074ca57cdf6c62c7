"""`eval resume` and `eval retry`: an evaluation goes on with the options that it was started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.cli.evaluate import start_with
from umwelten.cli.flag_names import as_flag
from umwelten.cli.stored_evaluations import named_folder
from umwelten.config.given_options import GivenOptions, restored
from umwelten.config.option_demands import option_demands
from umwelten.config.option_types import PlainText
from umwelten.config.project_files import Place, project_file
from umwelten.config.settings import Settings, load
from umwelten.errors import Untrusted, UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.failed_calls import check_kinds, failed_calls
from umwelten.evaluation.given import StoredOptions, stored_options, with_kept_rows
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.evaluation.stored_request import options_of_request, with_kept_texts
from umwelten.live.launch import is_launched
from umwelten.phrases import Phrase
from umwelten.store.database import database
from umwelten.store.derived import JUDGE, RANK, owner, stored_derived
from umwelten.text.sanitize import one_line

Choose = Callable[[Evaluation], CallSubset | None]
_WIDEST = 1_000
_OWN = {
    "recall": "sends what your memory store {} knows",
    "memory": "sends what your memory store {} knows, and adds to it",
    "from_": "sends answers of your evaluation {}",
}
"""What lies in the user's own output directory, where a stranger's evaluation names it."""


def resume(id_: str | None, flags: dict[str, Any]) -> None:
    """Do what failed and what is missing, and end the process with the exit status."""
    _go_on(id_, flags, None)


def retry(id_: str | None, flags: dict[str, Any], kinds: Sequence[str], models: Sequence[str]) -> None:
    """Make the failed calls again, of these kinds and models alone, and end with the exit status."""

    kinds = check_kinds(kinds)
    models = [name.strip() for model in models for name in model.split(",") if name.strip()]

    def choose(evaluation: Evaluation) -> CallSubset | None:
        only = failed_calls(evaluation, kinds, models)
        if only is None:
            click.echo("no failed call to make again", err=True)
        return only

    _go_on(id_, flags, choose)


def _go_on(id_: str | None, flags: dict[str, Any], choose: Choose | None) -> None:
    trusted = flags.pop("trust")
    folder = named_folder(id_, flags["output_dir"]).absolute()
    _check_own_evaluation(folder)
    found = stored_options(folder)
    change: Callable[[EvaluationSpec], EvaluationSpec] = _unchanged
    if found is None:
        found, change = options_of_request(folder)
    else:
        options = with_kept_rows(found.options, folder)
        if (texts := with_kept_texts(options, folder)) is not None:
            options, change = texts
        found = msgspec.structs.replace(found, options=options)
    here = Path.cwd()
    settings = _settings(found, folder, {**flags, "output_dir": None}, trusted=trusted)
    if settings.get("detach") and not is_launched():
        from umwelten.cli.detach import check_detachable, detach

        os.chdir(here)
        check_detachable(settings)
        detach(sys.argv[1:])
    with settings.concealing():
        start_with(found.options.kind, settings, choose, change)


def _unchanged(spec: EvaluationSpec) -> EvaluationSpec:
    return spec


def _check_own_evaluation(folder: Path) -> None:
    """Raise `UsageError` for what belongs to another evaluation, with the command that goes on with it."""
    derived = stored_derived(folder)
    if derived is None:
        return
    whose = owner(folder, derived)
    if derived.role == JUDGE and whose is not None:
        raise UsageError(
            f"{folder.name!r} is what the judge {derived.scorer!r} says of {whose.name!r}",
            f"It goes on when that is scored again: umwelten eval score {whose.name} …",
        )
    if derived.role == RANK:
        of = [id for id in derived.definition.get("of", ()) if isinstance(id, str)] or [derived.of]
        raise UsageError(
            f"{folder.name!r} is a ranking of {', '.join(of)}",
            Phrase(
                "It goes on when these are ranked again: umwelten eval rank {of} {option:id={id}} …",
                of=" ".join(of),
                id=folder.name,
            ),
        )
    raise UsageError(
        f"{folder.name!r} was made for the memory store {derived.of!r}",
        "It goes on when the command that learns is repeated: umwelten memory learn …",
    )


def _settings(found: StoredOptions, folder: Path, flags: Mapping[str, Any], *, trusted: bool) -> Settings:
    """The options as they were, with the flags on top. The working directory becomes what it was."""
    stored, here = found.options, Path.cwd()
    if found.own or trusted:
        _go_to(stored, folder)
    configured = load(Path.cwd(), os.environ, profile=None)
    # From elsewhere whole, so that what is printed can be used there.
    shown = _as_given(folder) if here == Path.cwd() else folder
    now = {name for name, value in flags.items() if value not in (None, (), False)}
    settings = restored(stored, configured, shown, now)
    if not found.own and not trusted and not configured.trust.everything:
        _refuse_strange(settings, stored, folder)
    given = settings.given
    settings = settings.with_flags(flags, as_flag)
    return msgspec.structs.replace(settings, given=settings.given | given)


def _as_given(folder: Path) -> Path:
    """The folder as seen from the working directory, as far as it is below: paths stay what they were."""
    with suppress(ValueError):
        return folder.relative_to(Path.cwd())
    return folder


def _go_to(stored: GivenOptions, folder: Path) -> None:
    """Relative paths are those of the directory that the run was started in."""
    started_in = stored.working_directory
    if Path.cwd() == started_in:
        return
    try:
        os.chdir(started_in)
    except OSError as error:
        click.echo(
            f"note: {folder.name!r} was started in {started_in}, which cannot be used "
            f"({error.strerror}): relative paths are those of the working directory",
            err=True,
        )
    else:
        click.echo(f"note: paths are as seen from {started_in}, where it was started", err=True)


def _refuse_strange(settings: Settings, stored: GivenOptions, folder: Path) -> None:
    """Refuse what an evaluation says that this user has not stored: to read or run what is elsewhere."""
    path = database(folder)
    place = Place(file=project_file(path, Path.cwd(), path.stat().st_uid))
    said = {
        name: msgspec.structs.replace(settings.values[name], value=_as_words(value), place=place)
        for name in stored.options
        # A text is one, whatever it begins with.
        if not isinstance(value := settings.get(name), PlainText | Mapping) or name == "params"
    }
    output_dir = settings.get("output_dir")
    texts = [demand.text for demand in option_demands(said, output_dir)]
    for variant in stored.variants:
        rows = {
            name: msgspec.structs.replace(row, place=place)
            for name, row in settings.variants[variant].items()
            if not isinstance(row.value, PlainText | Mapping)
        }
        texts += [demand.text for demand in option_demands(rows, output_dir)]
    texts += [text.format(settings.get(name)) for name, text in _OWN.items() if name in stored.options]
    lines = dict.fromkeys(one_line(text, _WIDEST) for text in texts)
    if lines:
        told = "\n".join(f"  {line}" for line in lines)
        raise Untrusted(
            f"evaluation {folder.name!r} was not started by you on this machine with this version; "
            f"it\n{told}",
            "If you want that, add --trust; or give the whole command again, with --resume.",
        )


def _as_words(value: Any) -> Any:
    """Paths in lists as the texts that a flag would give."""
    if isinstance(value, list):
        return [str(each) if isinstance(each, Path) else each for each in value]
    return value
