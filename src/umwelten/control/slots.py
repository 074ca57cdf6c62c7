"""What the calls under way take together, beside what their lanes let start."""

from __future__ import annotations

from dataclasses import dataclass, field

from umwelten.control.circuit import NEVER
from umwelten.control.crowding import Crowding
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.stop import UNBOUNDED


@dataclass(slots=True)
class Slots:
    """How many calls may be under way, and how many bytes they may hold; `None`: any number.

    `full_since`: since when so many are. `closed`: none starts any more; `held_since`: since when none does
    because nobody is there to make attempts.
    """

    max_in_flight: int | None = None
    max_bytes: int | None = None
    in_flight: int = 0
    peak_in_flight: int = 0
    standing_by: int = 0
    bytes: int = 0
    full_since: float = NEVER
    closed: bool = False
    held_since: float | None = None
    _crowding: Crowding = field(default_factory=Crowding)

    @property
    def is_full(self) -> bool:
        """Whether as many calls are in flight as may be."""
        return self.max_in_flight is not None and self.in_flight >= self.max_in_flight

    @property
    def is_shut(self) -> bool:
        """Whether no call may start, of whatever lane."""
        return self.closed or self.held_since is not None

    @property
    def bytes_left(self) -> int:
        """How many bytes the next call may have: any number if it is the only one."""
        return self.max_bytes - self.bytes if self.max_bytes is not None and self.bytes else UNBOUNDED

    def take(self, scheduled: ScheduledCall, now: float) -> None:
        """Count a call that starts."""
        self.in_flight += 1
        self.bytes += scheduled.size
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self.full_since = now if self.is_full else NEVER

    def free(self, scheduled: ScheduledCall) -> None:
        """Count one that ended."""
        self.in_flight -= 1
        self.bytes -= scheduled.size
        self.full_since = NEVER

    def stand_by(self, scheduled: ScheduledCall, more: int) -> None:
        """Count a call that goes on standby, or with -1 one that no longer is."""
        self.standing_by += more
        self.bytes += more * scheduled.size

    def narrow(self, started_at: float, now: float) -> bool:
        """Allow fewer calls in flight. False if there is no room even for one."""
        cap = self._crowding.narrow(self.max_in_flight, self.in_flight, started_at, now)
        self.max_in_flight = cap or 1
        return cap is not None
