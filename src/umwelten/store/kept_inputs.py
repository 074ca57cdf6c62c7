"""The folder of an evaluation that holds inputs which were given by a program, and came from no file."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from umwelten.errors import StoreError

INPUTS = "evaluation.inputs"
"""Beside the database. No answer's file is called so, and no later step takes what is in it for answers."""


def has_kept_inputs(folder: Path) -> bool:
    """Return whether inputs were kept in an evaluation's folder: in a folder of its own, no link."""
    try:
        return stat.S_ISDIR(os.lstat(folder / INPUTS).st_mode)
    except OSError:
        return False


def make_room(path: Path, folder: Path) -> None:
    """Make the folder of a file among an evaluation's kept inputs. Raises StoreError for a link on the way.

    Whoever made the evaluation could have what is kept written elsewhere.
    """
    place = folder
    for name in path.parent.relative_to(folder).parts:
        place /= name
        with suppress(FileExistsError):
            place.mkdir()
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            raise StoreError(
                f"{place} is a link", "Remove it: inputs are kept in a folder of the evaluation's."
            )


def remove_kept_inputs(folder: Path) -> None:
    """Remove them. No link is followed."""
    if has_kept_inputs(folder):
        shutil.rmtree(folder / INPUTS, ignore_errors=True)


def copy_kept_inputs(folder: Path, target: Path) -> None:
    """Copy them to another evaluation's folder; times stay, so that nothing looks changed."""
    if has_kept_inputs(folder):
        with suppress(FileExistsError):
            shutil.copytree(folder / INPUTS, target / INPUTS, symlinks=True)
