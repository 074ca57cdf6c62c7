"""Failures that are this machine's own: no room for another file or connection, a disk that fails."""

from __future__ import annotations

import errno
import re

import aiohttp

from umwelten.errors import EXHAUSTED, MachineError
from umwelten.events import Note, NoteLevel
from umwelten.phrases import Phrase, Spelling
from umwelten.types import EXHAUSTED_CODE, Failure, FailureKind

_NUMBER = re.compile(r"\[Errno (\d{1,4})\]")


def exhaustion(error: Exception) -> Failure | None:
    """Return the failure of a connection for which this machine had no room, `None` for any other error."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if not isinstance(cause, OSError):
        return None
    # Of several addresses that were tried, the errors are one text.
    numbers = {cause.errno} if cause.errno is not None else {int(n) for n in _NUMBER.findall(str(cause))}
    return _failure(f"no connection: {_reason(cause)}", EXHAUSTED_CODE) if numbers & EXHAUSTED else None


def local_failure(error: OSError | MemoryError | MachineError) -> Failure:
    """Return the failure for what happened on this machine before a request was sent."""
    if isinstance(error, MachineError):
        return _failure(error.message, EXHAUSTED_CODE if error.exhausted else "io")
    if isinstance(error, MemoryError):
        return _failure("out of memory", EXHAUSTED_CODE)
    where = f"{error.filename}: " if error.filename else ""
    return _failure(f"{where}{_reason(error)}", EXHAUSTED_CODE if error.errno in EXHAUSTED else "io")


def exhaustion_note(failure: Failure, spelling: Spelling) -> Note:
    """Return what to tell the user: this machine sets a limit, and this is how to move it."""
    text = Phrase(
        "this machine has no room for so many calls at once ({why}): fewer will be in flight. A higher "
        "`ulimit -n` makes room for open files, a lower {option:max_concurrency} needs less",
        why=failure.message,
    )
    return Note(text=text.spell(spelling), level=NoteLevel.WARNING)


def _reason(error: OSError) -> str:
    if error.errno in EXHAUSTED and error.strerror is None:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    return error.strerror or str(error) or type(error).__name__


def _failure(message: str, code: str) -> Failure:
    return Failure(kind=FailureKind.LOCAL, message=message, code=code)
