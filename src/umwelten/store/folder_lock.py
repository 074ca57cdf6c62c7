"""The lock of an evaluation's folder: one process works on it at a time."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from umwelten.errors import EvaluationBusy, StoreError
from umwelten.phrases import Phrase
from umwelten.store.database import (
    EVALUATION,
    DatabaseKind,
    check_own_files,
    open_for_reading,
)

if TYPE_CHECKING:
    from filelock import BaseFileLock


class FolderLock:
    """The lock of a folder, held. The operating system gives it back when the process ends."""

    def __init__(self, path: Path, file_lock: BaseFileLock) -> None:
        """Takes over `file_lock` of the file at that path, which has been acquired."""
        self._path, self._file_lock = str(path), file_lock
        self._file = file_id(self._path)

    def check(self) -> None:
        """Raises StoreError if the file in the folder is another than the locked one, or there is none.

        Then another process can take the lock as well.
        """
        if file_id(self._path) != self._file:
            raise StoreError(
                f"{self._path} was removed or replaced while the run went on: "
                "another process may work on the evaluation by now"
            )

    def release(self) -> None:
        """Give it back. Again: does nothing."""
        self._file_lock.release()


def file_id(path: str) -> tuple[int, int] | None:
    """Return what tells the file at a path from any other, also from one of the same name; None: no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - Path takes three times as long
    except OSError:
        return None
    return status.st_dev, status.st_ino


def lock(folder: Path, kind: DatabaseKind = EVALUATION) -> FolderLock:
    """Make the folder and take the lock of one of its databases.

    Raises EvaluationBusy at once if another process (or Store) has it, StoreError if one of them is a link.
    """
    # Not needed to read, and it takes longer to import than the rest of the store.
    from filelock import FileLock, Timeout

    check_own_files(folder, kind.lock)
    folder.mkdir(parents=True, exist_ok=True)
    folder_lock = FileLock(folder / kind.lock, timeout=0, thread_local=False)
    try:
        folder_lock.acquire()
    except Timeout:
        pid = _last_pid(folder, kind)
        who = "another process" if pid is None else f"process {pid}"
        raise EvaluationBusy(
            f"{who} {kind.work} {kind.subject or f'evaluation {folder.name!r}'}",
            Phrase("wait until it has ended{otherwise}", otherwise=kind.otherwise),
            argument="id" if kind.subject is None else "memory",
        ) from None
    return FolderLock(folder / kind.lock, folder_lock)


def _last_pid(folder: Path, kind: DatabaseKind) -> int | None:
    """The process of the latest run, if neither has ended."""
    try:
        with closing(open_for_reading(folder, kind=kind)) as connection:
            row = connection.execute("SELECT pid, ended_at FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    except (StoreError, sqlite3.Error):
        return None
    # The run of a process that was killed has no end either, and the next one may not have its row yet.
    return None if row is None or row[1] is not None or not _lives(row[0]) else int(row[0])


def _lives(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is not harmless
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
