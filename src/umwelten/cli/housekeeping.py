"""`eval delete`, `eval rename` and `eval copy`: evaluations with the judges that belong to them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from umwelten.cli.stored_evaluations import check_there, output_settings
from umwelten.errors import EvaluationBusy, UsageError
from umwelten.evaluation.spec import check_id
from umwelten.store.copying import copy as copy_folder
from umwelten.store.database import has_database
from umwelten.store.derived import derived_of, made_from, rankings_of
from umwelten.store.relocation import rename as rename_folder
from umwelten.store.relocation import unfinished
from umwelten.store.removal import Removed, remove, with_derived
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_UNCHANGED = 1
_SHOWN = 5  # names of files that stay


def delete(*, ids: Sequence[str], yes: bool, output_dir: Path | None) -> None:
    """Remove evaluations and what belongs to them, once the user has agreed."""
    if not ids:
        raise UsageError("which evaluation?", "Name its id: umwelten eval delete ID. `eval list` has them.")
    folders = [_folder(output_dir, id_) for id_ in ids]
    for folder in folders:
        check_there(folder)
    found = with_derived(folders)
    if not yes and not _confirm(found):
        click.echo("nothing was deleted", err=True)
        raise click.exceptions.Exit(_UNCHANGED)
    going = {folder.name for folder in found}
    steps = [name for folder in folders for name in made_from(folder) if name not in going]
    with _unless_busy():
        gone = remove(found)
    for removed in gone:
        _tell_removed(removed)
    for name in dict.fromkeys(steps):
        click.echo(f"note: {name} was made from what is deleted now; its own answers are all there", err=True)


def rename(*, old: str, new: str, output_dir: Path | None) -> None:
    """Give an evaluation and what belongs to it another name."""
    folder, target = _folder(output_dir, old), _folder(output_dir, new)
    if not has_database(folder) and unfinished(target) is None:
        check_there(folder)
    _check_new(folder, target)
    rewritten = {ranking.name for ranking in rankings_of(folder)}
    steps = [name for name in made_from(folder) if name not in rewritten]
    with _unless_busy():
        along = rename_folder(folder, target)
    _tell_new(folder, target, along, "renamed to")
    for name in steps:
        click.echo(f"note: {name} was made from it: continue that with --from {target.name}", err=True)


def copy(*, old: str, new: str, output_dir: Path | None) -> None:
    """Copy an evaluation and what belongs to it under another name."""
    folder, target = _folder(output_dir, old), _folder(output_dir, new)
    check_there(folder)
    _check_new(folder, target)
    with _unless_busy():
        along = copy_folder(folder, target)
    _tell_new(folder, target, along, "copied to")


def _folder(output_dir: Path | None, id_: str) -> Path:
    folder: Path = output_settings(output_dir).get("output_dir")
    return folder / check_id(id_)


def _check_new(folder: Path, target: Path) -> None:
    """See that all new names can be ids; they get longer."""
    for derived in derived_of(folder):
        check_id(target.name + derived.name.removeprefix(folder.name))


@contextmanager
def _unless_busy() -> Iterator[None]:
    try:
        yield
    except EvaluationBusy as error:
        hint = "Wait until it has ended, or stop it; nothing was changed."
        raise EvaluationBusy(error.wording, hint) from None


def _tell_new(folder: Path, target: Path, along: Sequence[str], done: str) -> None:
    click.echo(f"{folder.name} {done} {target.name}")
    for name in along:
        click.echo(f"{folder.name}{name.removeprefix(target.name)} {done} {name}")


# --- deleting ------------------------------------------------------------------------------------


def _confirm(folders: Sequence[Path]) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"deleting {', '.join(folder.name for folder in folders)}: there is no terminal to ask at",
            "Nothing was deleted; add --yes.",
        )
    for line in _shown(folders):
        click.echo(line, err=True)
    return click.confirm("Delete for good?", default=False, err=True)


def _shown(folders: Sequence[Path]) -> Iterator[str]:
    """What would go, and what it cost."""
    from umwelten.report.queries.listing import list_evaluations

    rows = {row.id: row for row in list_evaluations(folders[0].parent)}
    for folder in folders:
        row = rows.get(folder.name)
        what = ""
        if row is not None:
            cost = "" if not row.cost_usd else f", {formatting.money(row.cost_usd)}"
            what = f": {formatting.count(row.done, 'answer')}{cost}"
        yield one_line(f"{folder.name}{what}", 400)


def _tell_removed(removed: Removed) -> None:
    click.echo(f"deleted {removed.folder.name}")
    if removed.left:
        names = ", ".join(removed.left[:_SHOWN]) + (", …" if len(removed.left) > _SHOWN else "")
        text = f"note: {removed.folder} stays, as it holds files that are not umwelten's: {names}"
        click.echo(one_line(text, 400), err=True)
