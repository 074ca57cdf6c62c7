"""The walk over a directory: lazy, in the order of paths, with notes of what it leaves out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path

from umwelten.errors import InputError
from umwelten.inputs.files.glob import Glob, State
from umwelten.inputs.files.left_out import LeftOut
from umwelten.inputs.files.names import escaped, existing, is_own, is_text, numbered
from umwelten.inputs.files.suggestions import nearest_name, no_match
from umwelten.phrases import Phrase, Wording
from umwelten.store.kept_inputs import INPUTS
from umwelten.text.patterns import composed
from umwelten.text.suggestions import did_you_mean
from umwelten.types import FoundInput

_ALL_MAY_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_NAME = attrgetter("name")


def scan(
    directory: Path,
    pattern: str = "*",
    *,
    recursive: bool = False,
    max_files: int | None = None,
    exclude: Collection[Path] = (),
    on_note: Callable[[Wording], None] | None = None,
) -> Iterator[FoundInput]:
    """Yield the files of a directory that match a pattern, ordered by the parts of their relative paths.

    `exclude` are folders that are not entered. Links to files inside the directory are followed, other
    links are left out. So are umwelten's own files, hidden files that the pattern does not name, and
    anything but regular files. `on_note` is called at the end with what is worth knowing of that. Bytes of
    a name that are not UTF-8 are written as `\\xe9` in the input's name. Raises `InputError` for a
    directory or file that can't be read (at once, or when the walk gets there) and if nothing matches.
    """
    directory = existing(directory)
    _check_directory(directory)
    glob = Glob(pattern, recursive=recursive)
    return _scan(_DirectoryWalk(directory, glob, exclude), max_files, on_note or (lambda text: None))


def _scan(
    walk: _DirectoryWalk, max_files: int | None, on_note: Callable[[Wording], None]
) -> Iterator[FoundInput]:
    found_any = False
    for file in islice(walk.files(str(walk.root), "", walk.glob.start), max_files):
        found_any = True
        yield file
    if not found_any and max_files != 0:
        raise no_match(walk.root, walk.glob, walk.left_out, walk.is_excluded)
    for note in walk.left_out.notes(walk.glob.pattern):
        on_note(note)


def _check_directory(directory: Path) -> None:
    if not directory.exists():
        suggestion = did_you_mean(nearest_name(directory)) or None
        raise InputError(f"no such directory: {escaped(str(directory))}", suggestion)
    if not directory.is_dir():
        raise InputError(f"not a directory: {directory}", Phrase("Use {option:files} for single files."))


class _DirectoryWalk:
    """One walk; `left_out` grows with it."""

    def __init__(self, root: Path, glob: Glob, exclude: Collection[Path]) -> None:
        self.root, self.glob = root, glob
        self.left_out = LeftOut()
        self._real_root = os.path.realpath(root)
        self._excluded = {
            (status.st_dev, status.st_ino) for status in map(_stat, exclude) if status is not None
        }

    def files(self, folder: str, prefix: str, state: State) -> Iterator[FoundInput]:
        """Yield the matching files below a folder; `prefix` is its relative path with a `/`, or empty."""
        matches, alike = self.glob.last(state).match, self.glob.last_in_any_case(state)
        for entry in _entries(folder):
            name = composed(entry.name)
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False  # a cycle of links
            if is_folder:
                if name == INPUTS:
                    continue  # what was asked about is no answer
                inside = self.glob.enter(state, name)
                if not inside or self.is_excluded(entry):
                    continue
                if entry.is_symlink():
                    self.left_out.add_link(entry.path, prefix + entry.name, self._real_root, to_folder=True)
                else:
                    yield from self.files(entry.path, f"{prefix}{entry.name}/", inside)
            elif is_own(name):
                continue
            elif matches(name):
                scanned = self._file(entry, prefix + entry.name)
                if scanned is not None:
                    yield scanned
            elif alike is not None and alike.match(name):
                self.left_out.add("case", prefix + entry.name)

    def _file(self, entry: os.DirEntry[str], name: str) -> FoundInput | None:
        if entry.is_symlink() and not self._stays_inside(entry.path):
            self.left_out.add_link(entry.path, name, self._real_root)
            return None
        try:
            status = entry.stat()
        except FileNotFoundError:
            return None  # deleted since the folder was listed
        except OSError as error:
            raise InputError(f"cannot read {escaped(entry.path)}: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            return None
        if not is_text(name):
            self.left_out.add("unnamed", name)
        return scanned_file(entry.path, name, status)

    def _stays_inside(self, link: str) -> bool:
        target = Path(os.path.realpath(link))
        return target.is_relative_to(self._real_root) and not is_own(target.name) and target.exists()

    def is_excluded(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a folder is not to be entered."""
        if not self._excluded:
            return False
        status = entry.stat(follow_symlinks=False)
        return (status.st_dev, status.st_ino) in self._excluded


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=_NAME)
    except OSError as error:
        raise InputError(f"cannot read the folder {escaped(folder)}: {error.strerror}") from error


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def stamp(status: os.stat_result) -> str:
    """Return a string that changes whenever the file's bytes may have changed."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def scanned_file(path: str, name: str, status: os.stat_result) -> FoundInput:
    """Return the input for one file. Raises `InputError` if it can't be opened."""
    # If the mode lets everybody read, `os.access`, which takes as long as `stat`, is not needed.
    if status.st_mode & _ALL_MAY_READ != _ALL_MAY_READ and not os.access(path, os.R_OK):
        raise InputError(f"cannot read {escaped(path)}: permission denied")
    if not is_text(name):
        name = _free_name(path, name)
    return FoundInput(name=name, path=path, size=status.st_size, stamp=stamp(status))


def _free_name(path: str, name: str) -> str:
    """Return the name with its bytes escaped, and a number if another file is really called that."""
    text, number = escaped(name), 2
    folder, free = path.removesuffix(name), text
    while os.path.lexists(folder + free):
        free, number = numbered(text, number), number + 1
    return free
