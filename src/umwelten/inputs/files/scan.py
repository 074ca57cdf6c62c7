"""The walk over a directory: lazy, in the order of paths, with one note of the links it skips."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path

from umwelten.errors import InputError
from umwelten.inputs.files.glob import Glob, State
from umwelten.inputs.files.suggestions import nearest_name, no_match
from umwelten.phrases import Phrase
from umwelten.store.database import DATABASE, LOCK
from umwelten.store.text_file_names import TEMPORARY
from umwelten.text.suggestions import did_you_mean
from umwelten.types import FoundInput

_ALL_MAY_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_OWN_PREFIXES = (DATABASE, TEMPORARY)
_NAME = attrgetter("name")


def scan(
    directory: Path,
    pattern: str = "*",
    *,
    recursive: bool = False,
    max_files: int | None = None,
    exclude: Collection[Path] = (),
    on_note: Callable[[str], None] | None = None,
) -> Iterator[FoundInput]:
    """Yield the files of a directory that match a pattern, ordered by the parts of their relative paths.

    `exclude` are folders that are not entered. Links to files inside the directory are followed, other
    links are skipped; `on_note` is called once with their number. Umwelten's own files, hidden files that
    the pattern does not name, and anything but regular files are left out. Raises `InputError` for a
    directory or file that can't be read (at once, or when the walk gets there) and if nothing matches.
    """
    _check_directory(directory)
    glob = Glob(pattern, recursive=recursive)
    return _scan(_DirectoryWalk(directory, glob, exclude), max_files, on_note or (lambda text: None))


def _scan(
    walk: _DirectoryWalk, max_files: int | None, on_note: Callable[[str], None]
) -> Iterator[FoundInput]:
    found_any = False
    for file in islice(walk.files(str(walk.root), "", walk.glob.start), max_files):
        found_any = True
        yield file
    if walk.links:
        on_note(
            "skipped links that leave the directory, point to a folder or are broken: "
            f"{walk.links}, the first {walk.link!r}"
        )
    if not found_any and max_files != 0:
        raise no_match(walk.root, walk.glob)


def _check_directory(directory: Path) -> None:
    if not directory.exists():
        suggestion = did_you_mean(nearest_name(directory)) or None
        raise InputError(f"no such directory: {directory}", suggestion)
    if not directory.is_dir():
        raise InputError(f"not a directory: {directory}", Phrase("Use {option:files} for single files."))


class _DirectoryWalk:
    """One walk. `links` is the number of skipped links, `link` the first of them."""

    def __init__(self, root: Path, glob: Glob, exclude: Collection[Path]) -> None:
        self.root, self.glob = root, glob
        self.links, self.link = 0, ""
        self._real_root = os.path.realpath(root)
        self._excluded = {
            (status.st_dev, status.st_ino) for status in map(_stat, exclude) if status is not None
        }

    def files(self, folder: str, prefix: str, state: State) -> Iterator[FoundInput]:
        """Yield the matching files below a folder; `prefix` is its relative path with a `/`, or empty."""
        matches = self.glob.last(state).match
        for entry in _entries(folder):
            name = entry.name
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False  # a cycle of links
            if is_folder:
                inside = self.glob.enter(state, name)
                if not inside or self._is_excluded(entry):
                    continue
                if entry.is_symlink():
                    self._skip_link(prefix + name)
                else:
                    yield from self.files(entry.path, f"{prefix}{name}/", inside)
            elif matches(name) and not is_own(name):
                scanned = self._file(entry, prefix + name)
                if scanned is not None:
                    yield scanned

    def _file(self, entry: os.DirEntry[str], name: str) -> FoundInput | None:
        if entry.is_symlink() and not self._stays_inside(entry.path):
            self._skip_link(name)
            return None
        try:
            status = entry.stat()
        except FileNotFoundError:
            return None  # deleted since the folder was listed
        except OSError as error:
            raise InputError(f"cannot read {entry.path}: {error.strerror}") from error
        return scanned_file(entry.path, name, status) if stat.S_ISREG(status.st_mode) else None

    def _stays_inside(self, link: str) -> bool:
        target = Path(os.path.realpath(link))
        return target.is_relative_to(self._real_root) and not is_own(target.name) and target.exists()

    def _skip_link(self, name: str) -> None:
        self.links += 1
        self.link = self.link or name

    def _is_excluded(self, entry: os.DirEntry[str]) -> bool:
        if not self._excluded:
            return False
        status = entry.stat(follow_symlinks=False)
        return (status.st_dev, status.st_ino) in self._excluded


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=_NAME)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def is_own(name: str) -> bool:
    """Return whether a file is one of umwelten's own, which are never inputs."""
    return name.startswith(_OWN_PREFIXES) or name == LOCK or name.endswith(".umwelten-tmp")


def stamp(status: os.stat_result) -> str:
    """Return a string that changes whenever the file's bytes may have changed."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def scanned_file(path: str, name: str, status: os.stat_result) -> FoundInput:
    """Return the input for one file. Raises `InputError` if it can't be opened or its name is not text."""
    # If the mode lets everybody read, `os.access`, which takes as long as `stat`, is not needed.
    if status.st_mode & _ALL_MAY_READ != _ALL_MAY_READ and not os.access(path, os.R_OK):
        raise InputError(f"cannot read {path}: permission denied")
    if not name.isascii() and not is_text(name):
        raise InputError(f"the file name {name!r} is not valid UTF-8", "Rename the file.")
    return FoundInput(name=name, path=path, size=status.st_size, stamp=stamp(status))


def is_text(name: str) -> bool:
    """Return whether a name can be encoded as UTF-8: undecodable bytes of names become lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in name)
