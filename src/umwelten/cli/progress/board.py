"""What progress shows at one moment, as values: taken from the tally and the lanes when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from umwelten.cli.progress.pace import Pace
from umwelten.cli.progress.waiting import wait_state
from umwelten.events import LaneTally, LaneView, Tally
from umwelten.report import stats
from umwelten.text import formatting
from umwelten.types import FrozenStruct

_LEAST_ENDED = 3

View = Callable[[], Sequence[LaneView]]


class LaneRow(FrozenStruct):
    """One lane. `state` says why it does less than it could, "" if it doesn't; `cost` as text."""

    name: str
    in_flight: int
    limit: int
    calls_per_s: float
    tokens_per_s: float
    ended: int
    failed: int
    retries: int
    cost: str
    state: str
    stopped: bool


class Board(FrozenStruct):
    """The whole run. `done` includes earlier runs' answers; `left_s` is `None` while not known.

    `complete` False: `total` is what is known so far. `projected` is what this run will have cost at its
    end, as text; "" while that is not known.
    """

    total: int
    done: int
    failed: int
    in_flight: int
    calls_per_s: float
    tokens_per_s: float
    cost: str
    elapsed_s: float
    left_s: float | None
    lanes: tuple[LaneRow, ...]
    projected: str = ""
    complete: bool = True

    @property
    def money(self) -> str:
        """`$0.0123 of about $0.45`."""
        return f"{self.cost} of about {self.projected}" if self.projected else self.cost


class Watch:
    """Looks at a run from any thread. `clock` gives seconds that only move on."""

    def __init__(self, tally: Tally, clock: Callable[[], float]) -> None:
        self._tally, self._clock = tally, clock
        self._lock = threading.Lock()
        self._view: View = tuple
        self._views: Sequence[LaneView] = ()
        self.start(tuple)

    def start(self, view: View) -> None:
        """Time runs from here."""
        self._view, self._began = view, self._clock()
        self._pace = Pace(self._began)
        self._lanes: dict[str, Pace] = {}

    def look(self) -> Board:
        """The run as it is now."""
        with self._lock:
            return self._board(self._clock())

    def _board(self, now: float) -> Board:
        tally = self._tally
        views = self._fresh_views()
        ended = tally.done
        mean_s = tally.time_s / ended if ended else 0.0
        self._pace.look(now, ended, tally.output_tokens, mean_s)
        in_flight = sum(view.in_flight for view in views)
        remaining = max(tally.total - tally.done_before - ended, 0)
        lanes = tuple(self._lane(view, now, mean_s) for view in views)
        return Board(
            total=tally.total,
            done=tally.done_before + ended,
            failed=tally.failed,
            in_flight=in_flight,
            calls_per_s=self._pace.calls_per_s,
            tokens_per_s=self._pace.tokens_per_s,
            cost=_cost(tally, ended),
            elapsed_s=now - self._began,
            left_s=self._left_s(remaining, in_flight, lanes),
            lanes=lanes,
            projected=self._projected_cost(views),
            complete=tally.complete,
        )

    def _projected_cost(self, views: Sequence[LaneView]) -> str:
        """Each lane's mean cost times its calls; not before each has had a few that are all priced."""
        pending = self._tally.pending if self._tally.complete else {}
        whole = 0.0
        for name, calls in pending.items():
            lane = self._tally.lanes.get(name) or LaneTally()
            ended = lane.succeeded + lane.failed
            stopped = any(view.name == name and view.stopped is not None for view in views)
            if lane.unpriced or (not stopped and ended < min(calls, _LEAST_ENDED)):
                return ""
            rest = 0 if stopped else max(calls - ended, 0)
            whole += lane.cost_nusd + rest * lane.cost_nusd / max(ended, 1)
        return formatting.money(stats.usd(round(whole))) if whole else ""

    def _left_s(self, remaining: int, in_flight: int, lanes: Sequence[LaneRow]) -> float | None:
        """The slowest lane's rest where each lane's share is known, else that of all together.

        What a stopped lane still had will not run.
        """
        pending = self._tally.pending
        if not self._tally.complete:
            return None
        if not pending:
            return self._pace.left_s(remaining, in_flight)
        rests = [
            self._lanes[lane.name].left_s(max(pending.get(lane.name, 0) - lane.ended, 0), lane.in_flight)
            for lane in lanes
            if not lane.stopped
        ]
        return max((rest for rest in rests if rest is not None), default=None) if None not in rests else None

    def _fresh_views(self) -> Sequence[LaneView]:
        with suppress(RuntimeError):  # a lane was added in the other thread while this one walked over them
            self._views = tuple(self._view())
        return self._views

    def _lane(self, view: LaneView, now: float, mean_s: float) -> LaneRow:
        tally = self._tally.lanes.get(view.name) or LaneTally()
        pace = self._lanes.setdefault(view.name, Pace(self._began))
        ended = tally.succeeded + tally.failed
        pace.look(now, ended, tally.output_tokens, mean_s)
        return LaneRow(
            name=view.name,
            in_flight=view.in_flight,
            limit=int(view.limit),
            calls_per_s=pace.calls_per_s,
            tokens_per_s=pace.tokens_per_s,
            ended=ended,
            failed=tally.failed,
            retries=tally.retries,
            cost=_cost(tally, ended),
            state=_state(view),
            stopped=view.stopped is not None,
        )


def _cost(tally: Tally | LaneTally, ended: int) -> str:
    """Short, for a column: `$0.0123`, `$0.0123+?`, `?`."""
    known = stats.usd(stats.total_cost(tally.cost_nusd, ended - tally.unpriced, tally.unpriced))
    if known is None:
        return "?"
    return formatting.money(known) + ("+?" if tally.unpriced else "")


def _state(view: LaneView) -> str:
    if view.stopped is not None:
        return f"stopped: {view.stopped}"
    if view.wait is not None and view.wait.waited_s >= 1:
        return wait_state(view.wait) + (f", {view.parked:,} at tools" if view.parked else "")
    if view.waiting_s:
        return f"waits {formatting.minutes(max(view.waiting_s, 1))}" + _because(view.waiting_why)
    parts = [f"{view.waiting:,} to retry{_because(view.waiting_why)}"] if view.waiting else []
    parts += [f"{view.parked:,} at tools"] if view.parked else []
    return ", ".join(parts)


def _because(why: str | None) -> str:
    return f": {why}" if why else ""
