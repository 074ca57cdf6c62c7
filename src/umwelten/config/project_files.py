"""The files that come with a folder, perhaps from somebody else: its `umwelten.toml` and `.env`.

What they say carries the place where it stands, so that it can be asked about. What the user's own file,
the environment and the flags say carries none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import UmweltenError
from umwelten.types import FrozenStruct, Secret
from umwelten.user_folders import expand_home


class ProjectFile(FrozenStruct):
    """A file of the project. `path` is where it was found, in `folder`; `real` is where links lead.

    `owner` is the id of the user whose file it is, `shown` how messages call it.
    """

    path: Path
    real: Path
    owner: int
    shown: str

    @property
    def folder(self) -> Path:
        """The project's folder, without links."""
        return self.path.parent

    def goes_with(self, other: ProjectFile) -> bool:
        """Return whether one hand put both there: the same folder, links resolved, and the same owner."""
        return (self.real.parent, self.owner) == (other.real.parent, other.owner)

    def real_path(self, path: Path) -> str:
        """Return where a path leads, or the path itself where that can't be known."""
        try:
            return os.path.realpath(expand_home(path))
        except (OSError, ValueError, UmweltenError):
            return str(path)

    def why_not_held(self, path: Path, *, new: bool = False) -> str | None:
        """Return why a path is not one of the project's own, wherever links lead; `None` if it is.

        `new`: it may be made there; else one that is not there as it is written counts as elsewhere.
        If the file is another user's, only what is that user's as well belongs to the project.
        """
        try:
            real = Path(os.path.realpath(expand_home(path)))
            # Not there as it is written, it may be there with its letters composed in another way.
            is_clear = new or str(path).isascii() or real.exists()
            if not is_clear or not real.is_relative_to(self.folder):
                return _OUTSIDE
            # What is hidden is hardly ever of the project: `.env`, `.git/config` and their like hold keys.
            if any(part.startswith(".") for part in real.relative_to(self.folder).parts):
                return "it is hidden"
            # Reading a pipe waits until somebody writes to it.
            if real.exists() and not (real.is_file() or real.is_dir()):
                return "it is neither a file nor a folder"
            return None if self.owner in _OWN or _owner(real) == self.owner else "it is another user's"
        except (OSError, ValueError, UmweltenError):
            return _OUTSIDE


def why_not_here(path: Path) -> str | None:
    """Return why a path is not one of the working directory's own, as `ProjectFile.why_not_held`."""
    here = Path(os.path.realpath(Path.cwd())) / "umwelten.toml"
    return ProjectFile(path=here, real=here, owner=_OWN[0], shown=here.name).why_not_held(path)


_OUTSIDE = "it is outside of the project's folder"

_OWN = (os.geteuid() if hasattr(os, "geteuid") else 0, 0)
"""This user, and root, who could do anything anyway."""


def _owner(path: Path) -> int:
    """Return the owner of a path, or of the nearest folder above it that exists."""
    return next(at for at in (path, *path.parents) if at.exists()).stat().st_uid


def project_file(path: Path, cwd: Path, owner: int) -> ProjectFile:
    """Return the file found at a path, which belongs to that user."""
    path = path.absolute()
    return ProjectFile(
        path=Path(os.path.realpath(path.parent)) / path.name,
        real=Path(os.path.realpath(path)),
        owner=owner,
        shown=path.name if path.parent == cwd.absolute() else str(path),
    )


class Place(FrozenStruct):
    """Where a project's file says something: a key of an `umwelten.toml`, or a line of a `.env`.

    `uses` names the environment variables that a line takes its value from, and `written` is then that line's
    value without theirs.
    """

    file: ProjectFile
    position: TomlPosition | None = None
    key: str = ""
    number: int | None = None
    uses: tuple[str, ...] = ()
    written: Secret | None = None

    @property
    def line(self) -> int | None:
        """The number of the line, `None` where it is not known."""
        return self.number if self.position is None else self.position.line(self.key)

    def shown(self, value: Any) -> Any:
        """Return what may be shown for the value that stands here: never what the environment puts in."""
        return value if self.written is None else self.written.reveal()

    def __str__(self) -> str:
        """`umwelten.toml:12`, or the file alone where the line is not known."""
        return self.file.shown if self.line is None else f"{self.file.shown}:{self.line}"
