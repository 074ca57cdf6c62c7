"""The answers as plain files: each appears whole or not at all. A record in one is a file beside its text.

The folder may come from somebody else, with links in it that lead out. So it is opened once, and every name
is looked up from there, directory by directory, without following a link (where the system can do that;
elsewhere it is looked at first).
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from errno import EINVAL, ELOOP, ENOTDIR
from pathlib import Path

import msgspec

from umwelten.store.text_file_names import TEMPORARY, flat_name, json_name

_BY_DESCRIPTOR = {os.open, os.mkdir, os.rename, os.rmdir, os.stat, os.unlink} <= os.supports_dir_fd
_NO_FOLLOW, _BINARY = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_BINARY", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
_NOWHERE = ("", ".", "..")

# A directory, or None for the working directory, and a path from there: what the calls of `os` take.
_Place = tuple[int | None, str]


class TextFiles:
    """The text files of one evaluation's folder, for one thread at a time. Its methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._descriptor = os.open(folder, _DIRECTORY | _NO_FOLLOW) if _BY_DESCRIPTOR else None
        # Random, so that nobody can have put it there, and one a process, so that a kill leaves at most one.
        self._temporary = f"{TEMPORARY}-{secrets.token_hex(8)}"

    def close(self) -> None:
        """Let go of the folder. Twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def clear(self) -> None:
        """Remove what processes that were killed have left half written, as far as that is possible now."""
        with suppress(OSError):
            names = os.listdir(self._folder if self._descriptor is None else self._descriptor)  # noqa: PTH208
            for name in names:
                if name.startswith(TEMPORARY) and name != self._temporary:
                    with suppress(OSError):
                        self._unlink(self._top(name))

    def write(self, output: str, text: str, data: str | None = None) -> str:
        """Write the file `output`, over what is there, and return the name it got.

        That is another one when a file or a link stands where a directory is needed, or the other way round.
        `data`, a record as JSON, goes beside it. When it fails, there is no new file, or a text whose record
        is missing.
        """
        try:
            name = self._write(output, text)
            return name if data is None else self._write_beside(output, name, data)
        except OSError:
            with suppress(OSError):
                self._unlink(self._top(self._temporary))
            raise

    def remove(self, output: str, *, data: bool = False) -> None:
        """Remove a text file, with `data` the record beside it too; that there is none is fine."""
        for name in (output, json_name(output)) if data else (output,):
            try:
                self._in_place(name, self._unlink)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def remove_directory(self, name: str) -> None:
        """Remove a directory within the folder, if it is empty; a link stays."""
        with suppress(OSError):
            self._in_place(name, self._rmdir)

    def is_missing(self, output: str, expected: bool, data: bool = False) -> bool:
        """Return whether it has to be written again; also an empty one, when `expected` says it has a text.

        After a power cut a file may have its name and no content yet. `data`: a record belongs beside it.
        """
        return self._is_gone(output, expected) or (data and self._is_gone(json_name(output), True))

    def _is_gone(self, name: str, expected: bool) -> bool:
        try:
            directory, path = self._top(name)
            found = os.stat(path, dir_fd=directory, follow_symlinks=False)
        except OSError:
            return True
        return not stat.S_ISREG(found.st_mode) or (found.st_size == 0 and expected)

    def _write_beside(self, output: str, name: str, data: str) -> str:
        """The record's file, and the name that both have: where its own is blocked, the text moves too."""
        pretty = msgspec.json.format(data, indent=2) + "\n"
        wanted = json_name(name)
        if self._write(wanted, pretty) == wanted:
            return name
        other = flat_name(output)
        self._in_place(name, lambda place: _rename(place, self._top(other)))
        return other

    def _write(self, output: str, text: str) -> str:
        temporary = self._top(self._temporary)
        handle = os.open(temporary[1], _NEW_FILE, 0o666, dir_fd=temporary[0])
        try:
            left = memoryview(text.encode())
            while left:
                left = left[os.write(handle, left) :]
        finally:
            os.close(handle)
        try:
            self._in_place(output, lambda place: _rename(temporary, place), make=True)
        except OSError:
            output = flat_name(output)
            _rename(temporary, self._top(output))
        return output

    def _top(self, name: str) -> _Place:
        """Where a file of the folder itself is."""
        return (None, f"{self._folder}/{name}") if self._descriptor is None else (self._descriptor, name)

    def _in_place(self, output: str, act: Callable[[_Place], None], *, make: bool = False) -> None:
        """Act on where a file is; its directories are made if need be. To a link among them goes nothing."""
        *directories, name = output.split("/")
        if name in _NOWHERE or any(part in _NOWHERE for part in directories):
            raise OSError(EINVAL, "not a name within the evaluation's folder")
        if not directories:
            act(self._top(name))
        elif self._descriptor is None:
            act((None, f"{self._checked(directories, make)}/{name}"))
        else:
            directory = self._open(directories, make)
            try:
                act((directory, name))
            finally:
                os.close(directory)

    def _open(self, directories: list[str], make: bool) -> int:
        assert self._descriptor is not None, "the folder is open"
        current = self._descriptor
        for name in directories:
            try:
                try:
                    found = os.open(name, _DIRECTORY | _NO_FOLLOW, dir_fd=current)
                except FileNotFoundError:
                    if not make:
                        raise
                    os.mkdir(name, dir_fd=current)
                    found = os.open(name, _DIRECTORY | _NO_FOLLOW, dir_fd=current)
            except OSError as error:
                raise NotADirectoryError(ENOTDIR, "a link") if error.errno == ELOOP else error from None
            finally:
                if current != self._descriptor:
                    os.close(current)
            current = found
        return current

    def _checked(self, directories: list[str], make: bool) -> str:
        path = self._folder
        for name in directories:
            path = f"{path}/{name}"
            if make:
                with suppress(FileExistsError):
                    os.mkdir(path)  # noqa: PTH102
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise NotADirectoryError(ENOTDIR, "no directory", path)
        return path

    @staticmethod
    def _rmdir(place: _Place) -> None:
        os.rmdir(place[1], dir_fd=place[0])

    @staticmethod
    def _unlink(place: _Place) -> None:
        os.unlink(place[1], dir_fd=place[0])


def _rename(old: _Place, new: _Place) -> None:
    os.replace(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])
