"""Stored evaluations that a command names by ids and patterns: their folders, and errors that help."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import click

from umwelten.config.settings import Settings, load
from umwelten.errors import StoreError
from umwelten.evaluation.spec import check_id
from umwelten.store.database import (
    VALUE_ERRORS,
    DatabaseError,
    damage,
    evaluations,
    has_database,
    raise_if_damaged,
    raise_if_interrupted,
)
from umwelten.store.latest import latest_evaluation
from umwelten.store.reader import Reader
from umwelten.text.suggestions import closest, did_you_mean

_GLOB = "*?["


def output_settings(output_dir: Path | None) -> Settings:
    """Return the settings of this directory with that output directory; None: the configured one."""
    return load(Path.cwd(), os.environ).with_flags({"output_dir": output_dir})


def named_folders(output_dir: Path, ids: Sequence[str]) -> list[Path]:
    """Return the folders that the ids and patterns name, each once, in the order given.

    Raises `StoreError` if one is not there.
    """
    found: dict[Path, None] = {}
    for id_ in ids:
        if not is_pattern(id_):
            folder = output_dir / check_id(id_)
            check_there(folder)
            found[folder] = None
            continue
        matches = [path for path in evaluations(output_dir) if fnmatchcase(path.name, id_)]
        if not matches:
            raise StoreError(f"no evaluation matches {id_!r} in {output_dir}", _there(output_dir))
        found.update(dict.fromkeys(matches))
    return list(found)


def latest_folder(output_dir: Path) -> Path:
    """Return the folder of the evaluation that was started last, and say which that is, on stderr."""
    found = latest_evaluation(output_dir)
    if found is None:
        raise StoreError(
            f"no evaluations in {output_dir}", "Name their folder with --output-dir, or begin one: eval run."
        )
    sys.stdout.flush()
    click.echo(f"latest evaluation: {found.name}", err=True)
    return found


def named_folder(id_: str | None, output_dir: Path | None) -> Path:
    """Return the folder of the evaluation with that id; without one, of the latest, which is told.

    Raises `StoreError` if it is not there.
    """
    folder: Path = output_settings(output_dir).get("output_dir")
    if id_ is None:
        return latest_folder(folder)
    check_there(folder / check_id(id_))
    return folder / id_


def check_there(folder: Path) -> None:
    """Raise `StoreError` if no evaluation is in the folder, with the ids that there are."""
    if not has_database(folder):
        raise StoreError(
            f"no evaluation {folder.name!r} in {folder.parent}", _there(folder.parent, folder.name)
        )


@contextmanager
def open_readers(folders: Sequence[Path]) -> Iterator[list[Reader]]:
    """Open them; what SQLite says of a damaged file becomes an error that names it."""
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader.open(folder)) for folder in folders]
        try:
            yield readers
        except DatabaseError as error:
            raise_if_interrupted(error)
            names = ", ".join(folder.name for folder in folders)
            raise StoreError(
                f"the database of {names} is damaged: {damage(error)}", "Restore it from a copy."
            ) from None
        except VALUE_ERRORS as error:
            for folder in folders:
                raise_if_damaged(folder, error)
            raise


def is_pattern(id_: str) -> bool:
    """Return whether it may name several evaluations."""
    return any(character in id_ for character in _GLOB)


def _there(output_dir: Path, name: str = "") -> str:
    known = [path.name for path in evaluations(output_dir)]
    if not known:
        return "There are none yet."
    tasks = [each for each in known if each.startswith(f"{name}.")]
    if len(tasks) > 1:  # the name of a suite
        return f"Did you mean one of its tasks? There are {', '.join(tasks)}."
    some = ", ".join(known[:10])
    return f"{nearest_name(name, known)}There are {some}{', …' if len(known) > 10 else ''}."


def nearest_name(word: str, names: Iterable[str]) -> str:
    """Return `Did you mean 'demo'? `, or nothing where no name is near."""
    names = list(names)
    # A file in a folder, named without it, is nearer than another of its length.
    below = [name for name in names if word and name.endswith(f"/{word}")]
    # So is one of which it is the beginning: ids may be cut short elsewhere.
    begun = sorted((name for name in names if len(word) > 2 and name.startswith(word)), key=len)
    name = next(iter([*below, *begun]), None) or closest(word, names)
    return f"{did_you_mean(name, '{!r}')} ".lstrip()
