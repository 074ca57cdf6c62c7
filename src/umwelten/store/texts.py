"""The answers as plain text files: each appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from umwelten.store.names import TEMPORARY, flat_name


def write_text(folder: str, output: str, text: str) -> str:
    """Write `folder/output`, over what is there, and return the name it got.

    That is another one when a file stands where a directory is needed or the other way round. Only one
    thread may write in a folder at a time. Raises OSError; then there is no new file.
    """
    temporary = os.path.join(folder, TEMPORARY)  # noqa: PTH118 - Path costs as much as the write
    try:
        _write(temporary, text.encode())
        return _place(folder, temporary, output)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_text(folder: str, output: str) -> None:
    """Remove a text file; that there is none is fine."""
    try:
        os.unlink(f"{folder}/{output}")  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError):
        return


def is_missing(folder: str, output: str, expected: bool) -> bool:
    """Whether the file has to be written again; an empty one too, when `expected` says it has a text.

    After a power cut a file may have its name and no content yet.
    """
    try:
        return os.stat(f"{folder}/{output}").st_size == 0 and expected  # noqa: PTH116
    except OSError:
        return True


def _write(path: str, data: bytes) -> None:
    # One fixed name for all, so that a kill leaves at most one, which the next write replaces.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def _place(folder: str, temporary: str, output: str) -> str:
    target = f"{folder}/{output}"
    try:
        os.replace(temporary, target)  # noqa: PTH105
    except FileNotFoundError:
        return _place_deep(folder, temporary, output)
    except OSError:
        return _place_flat(folder, temporary, output)
    return output


def _place_deep(folder: str, temporary: str, output: str) -> str:
    target = Path(folder, output)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, target)  # noqa: PTH105
    except OSError:
        return _place_flat(folder, temporary, output)
    return output


def _place_flat(folder: str, temporary: str, output: str) -> str:
    name = flat_name(output)
    os.replace(temporary, f"{folder}/{name}")  # noqa: PTH105
    return name
