"""What state an evaluation is in, derived from its runs and what is left to do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.events import RunStatus
from umwelten.types import FrozenStruct

if sys.platform != "win32":
    import fcntl

_STALE_S = 300.0


class EvaluationStatus(StrEnum):
    """How an evaluation stands."""

    RUNNING = "running"
    """A process is at work on it."""
    COMPLETE = "complete"
    """Every call was answered."""
    FAILED = "failed"
    """Every call ended, some failed."""
    INTERRUPTED = "interrupted"
    """Calls are pending, and the latest run was interrupted or killed."""
    INCOMPLETE = "incomplete"
    """Calls are pending: a rule or a stopped provider ended the run, or calls were added."""


UNFINISHED = (EvaluationStatus.INTERRUPTED, EvaluationStatus.INCOMPLETE)
"""With calls pending and nobody at work: then the latest run says why."""


class Run(FrozenStruct):
    """A process that worked on the evaluation; see the table `runs`."""

    pid: int
    started_at: float
    seen_at: float
    ended_at: float | None
    status: str | None
    reason: str | None

    @property
    def last_sign(self) -> float:
        """When it ended, or was last seen at work; Unix seconds."""
        return self.seen_at if self.ended_at is None else self.ended_at


def derive(runs: Sequence[Run], *, pending: int, failed: int, lock: Path) -> EvaluationStatus:
    """Return the evaluation's status. `lock` is the file that a process at work has locked."""
    last = runs[-1] if runs else None
    if last is not None and last.ended_at is None and _is_at_work(last, lock):
        return EvaluationStatus.RUNNING
    if not pending:
        return EvaluationStatus.FAILED if failed else EvaluationStatus.COMPLETE
    if last is not None and (last.ended_at is None or last.status == RunStatus.INTERRUPTED):
        return EvaluationStatus.INTERRUPTED
    return EvaluationStatus.INCOMPLETE


def iso(unix: float) -> str:
    """Return ISO 8601 in UTC with milliseconds: `2026-11-24T13:05:00.250Z`.

    Raises StoreError for a time that no clock shows.
    """
    try:
        moment = datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise StoreError(f"the database is damaged: {unix!r} is stored as a time") from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_at_work(run: Run, lock: Path) -> bool:
    if sys.platform == "win32":  # there, signal 0 is Ctrl-C: go by the last commit instead
        return time.time() - run.seen_at < _STALE_S
    # A pid alone may have passed on to another process, so the lock has the last word. It is looked at
    # only then: a process that starts at this very moment would find it taken.
    return _is_alive(run.pid) and _is_locked(lock)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
