"""Small files of this user alone. One that others could have written is none to read."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
_LOCK_S = 5.0
"""What is done under the lock takes milliseconds."""


def read_private(path: Path, most_bytes: int) -> bytes:
    """Return what a file holds, its first `most_bytes` at most.

    Raises OSError: FileNotFoundError if there is none, and PermissionError without an error text for one that
    is no plain file, another user's, or writable by others. A link is not followed.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  a path would be followed
        status = os.fstat(file.fileno())
        own = not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), 0)
        closed = os.name != "posix" or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(status.st_mode) or not own or not closed:
            raise PermissionError(path)
        return file.read(most_bytes)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file, for this user alone to read and write. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(number, "wb") as file:  # noqa: PTH123  it is open
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same from changing the folder's files meanwhile.

    Raises OSError if the folder cannot be made or locked, or is held for more than `_LOCK_S`.
    """
    # It takes longer to import than all the rest.
    from filelock import FileLock

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=_LOCK_S, mode=0o600):
            yield
    except NotImplementedError as error:
        raise OSError(errno.ENOTSUP, str(error)) from None
