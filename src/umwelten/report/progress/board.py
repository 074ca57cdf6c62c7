"""What progress shows at one moment, as values: taken from the tally and the lanes when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from umwelten.events import LaneView, ModelCalls
from umwelten.report import stats
from umwelten.report.progress.pace import Pace
from umwelten.report.progress.time_left import Route, TimeLeft, Work, time_left
from umwelten.report.progress.waiting import brief_wait, wait_state
from umwelten.report.progress.worker_words import staff_state
from umwelten.tally import LaneTally, Tally
from umwelten.text import formatting
from umwelten.types import FrozenStruct

_LEAST_ENDED = 3

_MEMORY = 0.25
"""The time left is judged by the last quarter of a run at least, or each window of a limit moves it."""

_WAITED_S = 1.0
"""Shorter pauses are not worth a word."""

View = Callable[[], Sequence[LaneView]]


class LaneRow(FrozenStruct):
    """One lane. `state` says why it does less than it could, "" if it doesn't, and `brief` the same in two
    words; `cost` as text.
    """

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
    brief: str = ""
    models: tuple[str, ...] = ()


class ModelRow(FrozenStruct):
    """One model. `done` includes earlier runs' answers, all else is of this run; `cost` as text.

    Its rates are those of lately, once all of its calls have `ended` their means. `lanes` are those that make
    its calls. `state` as in `LaneRow`: if a lane is its own, that lane's.
    """

    name: str
    total: int
    done: int
    failed: int
    retries: int
    in_flight: int
    calls_per_s: float
    tokens_per_s: float
    cost: str
    state: str
    brief: str
    ended: bool
    stopped: bool
    lanes: tuple[str, ...] = ()


class Board(FrozenStruct):
    """The whole run. `done` includes earlier runs' answers, `done_before` of them; `left_s` is `None` while
    not known, and `left_about` says that it is no more than a guess.

    `complete` False: `total` is what is known so far. `projected` is what this run will have cost at its
    end, as text; "" while that is not known. `workers` says how many there are, "" without any; `starts`:
    they are being started, and nothing else goes on yet.
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
    models: tuple[ModelRow, ...] = ()
    done_before: int = 0
    left_about: bool = False
    workers: str = ""
    starts: bool = False

    @property
    def money(self) -> str:
        """`$0.0123 of about $0.45`; of a run that goes on with an earlier one, `this run $0.0123 of …`."""
        text = f"{self.cost} of about {self.projected}" if self.projected else self.cost
        return f"this run {text}" if self.done_before else text

    @property
    def left(self) -> str:
        """`3 min 20 s`, `about 3 min 20 s`, or "" while it is not known."""
        if self.left_s is None:
            return ""
        return ("about " if self.left_about else "") + formatting.minutes(self.left_s)

    @property
    def shared_lanes(self) -> tuple[LaneRow, ...]:
        """The lanes that are not those of one model alone, of which that model's row says everything."""
        alone = {row.lanes[0] for row in self.models if len(row.lanes) == 1}
        return tuple(lane for lane in self.lanes if len(lane.models) != 1 or lane.name not in alone)


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
        self._models: dict[str, Pace] = {}
        self._rests: dict[str, Pace] = {}

    def look(self) -> Board:
        """The run as it is now."""
        with self._lock:
            return self._board(self._clock())

    def _board(self, now: float) -> Board:
        tally = self._tally
        views = self._fresh_views()
        ended = tally.done
        self._pace.look(now, ended, tally.output_tokens, tally.time_s, 1)
        left = self._left(views, now)
        return Board(
            total=tally.total,
            done=tally.done_before + ended,
            failed=tally.failed,
            in_flight=sum(view.in_flight for view in views),
            calls_per_s=self._pace.calls_per_s,
            tokens_per_s=self._pace.tokens_per_s,
            cost=_cost(tally),
            elapsed_s=now - self._began,
            left_s=None if left is None else left.seconds,
            lanes=tuple(self._lane(view, now) for view in views),
            projected=self._projected_cost(views),
            complete=tally.complete,
            models=self._model_rows(views, now),
            done_before=tally.done_before,
            left_about=left is not None and left.about,
            workers="" if tally.workers is None else staff_state(tally.workers, time.time()),
            starts=tally.workers is not None and tally.workers.started_s is None,
        )

    def _projected_cost(self, views: Sequence[LaneView]) -> str:
        """Each lane's mean cost times its calls; not before each has had a few that are all priced."""
        pending = self._tally.pending if self._tally.complete else {}
        whole = 0.0
        for name, calls in pending.items():
            lane = self._tally.lanes.get(name) or LaneTally()
            stopped = any(view.name == name and view.stopped is not None for view in views)
            if lane.unpriced or (not stopped and lane.ended < min(calls, _LEAST_ENDED)):
                return ""
            rest = 0 if stopped else max(calls - lane.ended, 0)
            whole += lane.cost_nusd + rest * lane.cost_nusd / max(lane.ended, 1)
        return formatting.money(stats.usd(round(whole))) if whole else ""

    # --- the time left ---------------------------------------------------------------------

    def _left(self, views: Sequence[LaneView], now: float) -> TimeLeft | None:
        """`None` while not known. What a stopped lane or model still had will not run."""
        tally = self._tally
        if not tally.complete or tally.started is None:
            return None
        slots, in_flight = tally.started.max_concurrency, sum(view.in_flight for view in views)
        # It may have been raised meanwhile; if it was lowered, the pace that was measured says so.
        return time_left(self._routes(views, now), None if slots is None else max(slots, in_flight))

    def _routes(self, views: Sequence[LaneView], now: float) -> list[Route]:
        tally, routes = self._tally, list[Route]()
        if not tally.by_model or not any(view.models for view in views):
            # What is told of lanes alone, or of the run alone, as by events of others than ours.
            for view in views:
                calls = tally.pending.get(view.name, 0) if tally.pending else 0
                work = self._work(f"lane {view.name}", calls, view.in_flight, tally.lanes.get(view.name), now)
                routes += [Route(int(view.limit), [work], _wait_s(view))] if view.stopped is None else []
            if not tally.pending:
                in_flight = sum(view.in_flight for view in views)
                work = self._work("", tally.total - tally.done_before, in_flight, None, now)
                routes = [Route(max(in_flight, 1), [work])]
            return routes
        found: dict[tuple[str, ...], Route] = {}
        for model, lanes in _lanes_of(views).items():
            open_ = [lane for lane in lanes if lane.stopped is None]
            pending = (tally.by_model.get(model) or _NO_CALLS).pending
            in_flight = lanes[0].models[model]
            work = self._work(model, pending, in_flight, tally.models.get(model), now)
            if not open_ or model in tally.stopped:
                continue
            route = found.setdefault(
                tuple(lane.name for lane in open_),
                Route(sum(int(lane.limit) for lane in open_), [], min(map(_wait_s, open_))),
            )
            route.works.append(work)
        return list(found.values())

    def _work(self, key: str, calls: int, in_flight: int, sums: LaneTally | None, now: float) -> Work:
        tally = self._tally
        ended, time_s = (sums.ended, sums.time_s) if sums else (0, 0.0)
        if not key:
            ended, time_s = tally.done, tally.time_s
        pace = self._rests.setdefault(key, Pace(self._began, _MEMORY))
        pace.look(now, ended, 0, time_s, in_flight)
        remaining = max(calls - ended, 0)
        return Work(remaining, in_flight, ended, pace.call_s, pace.progress_per_s, pace.in_flight, pace.age_s)

    # --- rows ------------------------------------------------------------------------------

    def _fresh_views(self) -> Sequence[LaneView]:
        with suppress(RuntimeError):  # a lane was added in the other thread while this one walked over them
            self._views = tuple(self._view())
        return self._views

    def _lane(self, view: LaneView, now: float) -> LaneRow:
        tally = self._tally.lanes.get(view.name) or LaneTally()
        pace = self._lanes.setdefault(view.name, Pace(self._began))
        pace.look(now, tally.ended, tally.output_tokens, tally.time_s, view.in_flight)
        state, brief = _state(view)
        return LaneRow(
            name=view.name,
            in_flight=view.in_flight,
            limit=int(view.limit),
            calls_per_s=pace.calls_per_s,
            tokens_per_s=pace.tokens_per_s,
            ended=tally.ended,
            failed=tally.failed,
            retries=tally.retries,
            cost=_cost(tally),
            state=state,
            stopped=view.stopped is not None,
            brief=brief,
            models=tuple(view.models),
        )

    def _model_rows(self, views: Sequence[LaneView], now: float) -> tuple[ModelRow, ...]:
        lanes = _lanes_of(views)
        return tuple(
            self._model(name, calls, lanes.get(name, ()), now) for name, calls in self._tally.by_model.items()
        )

    def _model(self, name: str, calls: ModelCalls, lanes: Sequence[LaneView], now: float) -> ModelRow:
        tally = self._tally.models.get(name) or LaneTally()
        in_flight = lanes[0].models[name] if lanes else 0
        pace = self._models.setdefault(name, Pace(self._began))
        pace.look(now, tally.ended, tally.output_tokens, tally.time_s, in_flight)
        ended = self._tally.complete and tally.ended >= calls.pending
        stopped = self._tally.stopped.get(name)
        state, brief = ("done", "done") if ended else ("", "")
        if stopped is not None and not ended:
            state, brief = f"stopped: {stopped.message}", "stopped"
        elif not ended and len(lanes) == 1 and len(lanes[0].models) == 1:
            state, brief = _state(lanes[0])
        calls_per_s, tokens_per_s = pace.mean if ended else (pace.calls_per_s, pace.tokens_per_s)
        return ModelRow(
            name=name,
            total=calls.total,
            done=calls.total - calls.pending + tally.ended,
            failed=tally.failed,
            retries=tally.retries,
            in_flight=in_flight,
            calls_per_s=calls_per_s,
            tokens_per_s=tokens_per_s,
            cost=_cost(tally),
            state=state,
            brief=brief,
            ended=ended,
            stopped=not ended and (stopped is not None or brief == "stopped"),
            lanes=tuple(lane.name for lane in lanes),
        )


_NO_CALLS = ModelCalls(total=0, pending=0)


def _lanes_of(views: Sequence[LaneView]) -> dict[str, list[LaneView]]:
    """Return the lanes of each model."""
    lanes: dict[str, list[LaneView]] = {}
    for view in views:
        for model in view.models:
            lanes.setdefault(model, []).append(view)
    return lanes


def _wait_s(view: LaneView) -> float:
    """Return for how long a lane will start nothing."""
    if view.wait is not None and view.wait.until_unix is not None:
        return max(0.0, view.wait.until_unix - view.wait.at_unix)
    return view.waiting_s or 0.0


def _cost(tally: Tally | LaneTally) -> str:
    """Short, for a column: `$0.0123`, `$0.0123+?`, `?`."""
    known = stats.usd(stats.total_cost(tally.cost_nusd, tally.priced, tally.unpriced))
    return "?" if known is None else formatting.short_cost(known, tally.unpriced)


def _state(view: LaneView) -> tuple[str, str]:
    """Return why a lane does less than it could, and that in two words."""
    if view.stopped is not None:
        return f"stopped: {view.stopped}", "stopped"
    tools = f"{view.parked:,} at tools" if view.parked else ""
    if view.wait is not None and view.wait.waited_s >= _WAITED_S:
        return wait_state(view.wait) + (f", {tools}" if tools else ""), brief_wait(view.wait)
    if view.waiting_s:
        text = f"waits {formatting.minutes(max(view.waiting_s, 1))}"
        return text + _because(view.waiting_why), text
    retries = f"{view.waiting:,} to retry" if view.waiting else ""
    parts = [f"{retries}{_because(view.waiting_why)}"] if retries else []
    return ", ".join([*parts, tools] if tools else parts), retries or tools


def _because(why: str | None) -> str:
    return f": {why}" if why else ""
