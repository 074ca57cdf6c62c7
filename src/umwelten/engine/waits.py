"""Tells of lanes that stand still, seldom enough for a log.

Theory of operation. Every second each lane is asked what it waits for. One that has stood still for
`FIRST_S` is reported, one that never had an answer after `UNANSWERED_S`, then again after twice as long, and
so on, and once when it continues. The distance
between reports is kept when the lane stands still again for the same reason: a limit of a call in ten
seconds, or a window that is used up every minute, is told a dozen times in a day, not at each of its
pauses. Once a lane has worked for as long as the distance had become, the next pause is news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from umwelten.control.lane import Lane
from umwelten.control.waits import Wait
from umwelten.events import LaneResumed, LaneWaiting, Observer, WaitReason

FIRST_S = 5.0
"""Shorter pauses are what every limit makes of a batch."""

UNANSWERED_S = 2.0
"""Of a lane whose every attempt failed so far: a user who sees nothing happen wants to know why at once."""

LOOK_S = 1.0
"""Between two looks at the lanes."""

_UNTIL_ANSWERED = (WaitReason.RATE_LIMIT, WaitReason.OUTAGE, WaitReason.CONNECTION)
"""Attempts are made meanwhile; only an answer ends these."""

_LEAST_WORKED_S = 60.0
"""A lane that worked for less has not become another one."""


@dataclass(slots=True)
class _Pause:
    """A lane's pause for one reason, the present or the last one. `gap_s`: from one report to the next."""

    wait: Wait
    since: float
    started: int
    told: bool = False
    told_at: float = float("-inf")
    gap_s: float = 0.0
    stood_at: float = float("-inf")


class WaitReports:
    """See the module's text. `wait_of` says what a lane waits for; `unix_offset` makes its times Unix's."""

    def __init__(
        self,
        lanes: Iterable[Lane],
        wait_of: Callable[[Lane], Wait | None],
        observer: Observer,
        unix_offset: float,
    ) -> None:
        self._lanes, self._wait_of = tuple(lanes), wait_of
        self._observer, self._offset = observer, unix_offset
        self._pauses: dict[tuple[str, WaitReason], _Pause] = {}
        self._present: dict[str, _Pause] = {}

    def look(self, now: float) -> None:
        """Report what is due."""
        for lane in self._lanes:
            pause, wait = self._present.get(lane.name), self._wait_of(lane)
            if pause is not None and _is_over(pause, lane):
                self._end(lane, pause, now)
                pause = None
            if wait is None or lane.stopped is not None:
                if pause is not None and pause.wait.reason not in _UNTIL_ANSWERED:
                    self._end(lane, pause, now)
                continue
            if pause is None or pause.wait.reason is not wait.reason:
                pause = self._present[lane.name] = self._begin(lane, wait, now)
            pause.wait = wait
            self._tell(lane, pause, now)

    def of(self, lane: Lane, now: float) -> LaneWaiting | None:
        """Return why a lane stands still, as of the last look; `None` if it doesn't."""
        pause = self._present.get(lane.name)
        return None if pause is None else self._event(lane, pause, now)

    def _begin(self, lane: Lane, wait: Wait, now: float) -> _Pause:
        since = now if wait.since is None else wait.since
        last = self._pauses.get((lane.name, wait.reason))
        pause = self._pauses[lane.name, wait.reason] = _Pause(wait, since, lane.started)
        if last is not None and now - last.stood_at <= max(_LEAST_WORKED_S, last.gap_s):
            pause.told_at, pause.gap_s, pause.stood_at = last.told_at, last.gap_s, last.stood_at
        return pause

    def _tell(self, lane: Lane, pause: _Pause, now: float) -> None:
        ended, waited_s = lane.started - lane.own_in_flight, now - pause.since
        if waited_s < (UNANSWERED_S if 0 < ended <= lane.failures else FIRST_S):
            return
        pause.stood_at = now
        if now - pause.told_at >= pause.gap_s:
            pause.told, pause.told_at, pause.gap_s = True, now, max(min(FIRST_S, waited_s), 2 * pause.gap_s)
            self._observer(self._event(lane, pause, now))

    def _end(self, lane: Lane, pause: _Pause, now: float) -> None:
        del self._present[lane.name]
        if pause.told and lane.stopped is None:
            waited_s, at = now - pause.since, now + self._offset
            self._observer(
                LaneResumed(lane=lane.name, reason=pause.wait.reason, waited_s=waited_s, at_unix=at)
            )

    def _event(self, lane: Lane, pause: _Pause, now: float) -> LaneWaiting:
        wait, failure = pause.wait, pause.wait.failure
        return LaneWaiting(
            lane=lane.name,
            reason=wait.reason,
            since_unix=pause.since + self._offset,
            at_unix=now + self._offset,
            until_unix=None if wait.until is None else max(now, wait.until) + self._offset,
            gives_up_unix=None if wait.gives_up is None else wait.gives_up + self._offset,
            resource=wait.resource,
            status=None if failure is None else failure.status,
            message=None if failure is None else failure.message,
            failures=0 if failure is None else lane.failures,
        )


def _is_over(pause: _Pause, lane: Lane) -> bool:
    """Return whether a pause has ended: with an answer where it began with failures, else with a start."""
    if lane.stopped is not None:
        return True
    reason = pause.wait.reason
    if reason is WaitReason.RATE_LIMIT:
        return lane.throttled_since != pause.since
    if reason in _UNTIL_ANSWERED:
        return lane.circuit.open_since is None
    return reason is not WaitReason.LOADING and lane.started != pause.started
