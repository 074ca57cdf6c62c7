"""What was handed over to be stored, until it is committed, and the calls that failed."""

from __future__ import annotations

from collections.abc import Callable

from umwelten.control.stop import ErrorCap, StopReason
from umwelten.engine.interfaces import Sink
from umwelten.records import CallRecord
from umwelten.types import Failure

BACKLOG = 250
"""Ended calls that may wait for their commit; above that no call starts. A kill loses what waits, and it was
paid for. The store commits every 20 ms: a disk that keeps up never gets here at 2,000 calls a second."""


class Ledger:
    """See the module's text; `close` is told why the run must end, once too many calls have failed."""

    def __init__(self, sink: Sink, errors: ErrorCap, close: Callable[[StopReason], None]) -> None:
        self.errors, self.uncommitted = errors, 0
        self._sink, self._close = sink, close
        self._failing: set[int] = set()

    @property
    def is_full(self) -> bool:
        """Return whether so much waits for its commit that no call may start."""
        return self.uncommitted >= BACKLOG

    def submit(self, record: CallRecord) -> None:
        """Hand over a call that ended."""
        failed = isinstance(record.outcome, Failure)
        self.uncommitted += 1
        if failed:
            self._failing.add(record.call.id)
        self._sink.submit(record)
        if failed:
            self.errors.failed += 1
            self.check_errors()

    def count(self) -> None:
        """Count something else that was handed over, and that an event or a tool waits for."""
        self.uncommitted += 1

    def on_commit(self, record: object) -> None:
        """Take note that one of these is committed."""
        self.uncommitted -= 1
        if isinstance(record, CallRecord):
            self._failing.discard(record.call.id)

    def is_failing(self, call: int) -> bool:
        """Return whether a call failed, which is not known to be committed yet."""
        return call in self._failing

    def check_errors(self) -> None:
        """Have the run end if so many calls have failed."""
        if (reason := self.errors.reason) is not None:
            self._close(reason)
