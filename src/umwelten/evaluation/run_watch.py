"""Looks at a run from any thread: what `RunState` shows, from its sums, its lanes and what was changed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from umwelten.evaluation.live_run import LiveRun
from umwelten.evaluation.run_state import (
    ChangeState,
    LaneState,
    LaneWait,
    ModelState,
    RunPhase,
    RunState,
    WorkersState,
    WorkerView,
)
from umwelten.events import LaneView
from umwelten.report import stats
from umwelten.report.progress.board import LaneRow, Watch
from umwelten.tally import LaneTally, Tally, WorkerTally
from umwelten.version import __version__

if TYPE_CHECKING:
    from umwelten.evaluation.evaluation import Evaluation

_DIGITS = 3

_GOES_ON = (RunPhase.STARTING, RunPhase.RUNNING)
"""Where a time left means something: nobody knows when a pause ends."""


class RunWatch:
    """See the module's text. `pause` and `resume` count the time in which all of the run was paused."""

    def __init__(self, evaluation: Evaluation, tally: Tally) -> None:
        self._evaluation, self._tally = evaluation, tally
        self._paused_s = 0.0
        self._paused_since: float | None = None
        self._watch = Watch(tally, time.monotonic)

    def begin(self) -> None:
        """A run starts."""
        self._watch.start(self._evaluation.lanes)

    def pause(self, now: float) -> None:
        """It is paused, at seconds of its loop."""
        if self._paused_since is None:
            self._paused_since = now

    def resume(self, now: float) -> None:
        """It goes on."""
        if self._paused_since is not None:
            self._paused_s += now - self._paused_since
            self._paused_since = None

    def state(self, changes: Sequence[ChangeState]) -> RunState:
        """Return the run as it is now, with what was changed in it."""
        tally, live, evaluation = self._tally, self._evaluation.live, self._evaluation
        now, started = time.time(), tally.started
        views = evaluation.lanes()
        board = self._watch.look()
        rows = {row.name: row for row in board.lanes}
        finished, phase = tally.finished, self._phase(live)
        in_flight = sum(view.in_flight for view in views)
        return RunState(
            id=evaluation.store.spec.id,
            folder=str(evaluation.folder.absolute()),
            pid=os.getpid(),
            version=__version__,
            phase=phase,
            started_at=now if started is None else started.at_unix,
            elapsed_s=self._elapsed(now),
            paused_s=self._paused(live),
            quiet=live is None or live.engine.is_quiet,
            total=tally.total,
            complete=tally.complete,
            done=tally.done_before + tally.succeeded,
            failed=tally.failed,
            in_flight=in_flight,
            calls_per_s=round(board.calls_per_s, _DIGITS),
            tokens_per_s=round(board.tokens_per_s, _DIGITS),
            left_s=None if phase not in _GOES_ON or board.left_s is None else round(board.left_s, _DIGITS),
            cost_usd=_usd(tally),
            unpriced_calls=tally.unpriced,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            settings={} if live is None else live.settings,
            lanes=()
            if live is None
            else tuple(self._lane(live, view, rows.get(view.name)) for view in views),
            models=tuple(self._models(live)),
            changes=tuple(changes),
            status=None if finished is None else str(finished.status),
            reason=None if finished is None else finished.reason,
            workers=_workers(tally.workers),
        )

    def _phase(self, live: LiveRun | None) -> RunPhase:
        if self._tally.finished is not None:
            return RunPhase.ENDED
        if live is None or self._tally.started is None:
            return RunPhase.STARTING
        if live.engine.is_closed:
            return RunPhase.STOPPING
        return RunPhase.PAUSED if "" in live.paused else RunPhase.RUNNING

    def _elapsed(self, now: float) -> float:
        started, finished = self._tally.started, self._tally.finished
        if finished is not None:
            return finished.wall_s
        return 0.0 if started is None else now - started.at_unix

    def _paused(self, live: LiveRun | None) -> float:
        since = self._paused_since
        return self._paused_s + (live.loop.time() - since if since is not None and live is not None else 0.0)

    def _lane(self, live: LiveRun, view: LaneView, row: LaneRow | None) -> LaneState:
        lane = next(lane for lane in live.pool.lanes if lane.name == view.name)
        sums = self._tally.lanes.get(view.name) or LaneTally()
        models = [
            str(ref) for number, ref in live.models.items() if view.name in live.targets[number].by_lane
        ]
        return LaneState(
            name=view.name,
            provider=lane.group,
            models=tuple(dict.fromkeys(models)),
            in_flight=view.in_flight,
            limit=int(view.limit),
            ceiling=lane.limit.ceiling,
            ready=view.ready,
            waiting=view.waiting,
            parked=view.parked,
            calls_per_s=0.0 if row is None else round(row.calls_per_s, _DIGITS),
            tokens_per_s=0.0 if row is None else round(row.tokens_per_s, _DIGITS),
            succeeded=sums.succeeded,
            failed=sums.failed,
            retries=sums.retries,
            cost_usd=_usd(sums),
            unpriced_calls=sums.unpriced,
            paused=live.pool.paused_since(lane) is not None,
            rate=live.rates.get(lane.name, live.rates.get(lane.group)),
            wait=_wait(view),
            stopped=view.stopped,
        )

    def _models(self, live: LiveRun | None) -> list[ModelState]:
        numbers: dict[str, list[int]] = {}
        for number, ref in self._evaluation.store.models.items():
            numbers.setdefault(str(ref), []).append(number)
        states = []
        for name, calls in self._tally.by_model.items():
            sums, of = self._tally.models.get(name) or LaneTally(), numbers.get(name, [])
            stopped = self._tally.stopped.get(name)
            states.append(
                ModelState(
                    model=name,
                    total=calls.total,
                    done=calls.total - calls.pending + sums.succeeded,
                    failed=sums.failed,
                    in_flight=0 if live is None else sum(map(live.pool.in_flight_of, of)),
                    cost_usd=_usd(sums),
                    unpriced_calls=sums.unpriced,
                    paused=live is not None and bool(of) and all(map(live.pool.is_paused, of)),
                    stopped=None if stopped is None else stopped.message,
                )
            )
        return states


def _workers(found: WorkerTally | None) -> WorkersState | None:
    if found is None:
        return None
    each = [
        WorkerView(number=one.number, node=one.node, state=str(one.state), since=one.at_unix)
        for _, one in sorted(found.by_number.items())
    ]
    return WorkersState(wanted=found.wanted, ready=found.ready, lost=found.lost, each=tuple(each))


def _usd(sums: Tally | LaneTally) -> float | None:
    return stats.usd(stats.total_cost(sums.cost_nusd, sums.priced, sums.unpriced))


def _wait(view: LaneView) -> LaneWait | None:
    wait = view.wait
    if wait is None:
        return None
    said = [str(wait.status) if wait.status else "", wait.message or ""]
    return LaneWait(
        reason=str(wait.reason),
        text=" ".join(word for word in said if word),
        since=wait.since_unix,
        until=wait.until_unix,
        gives_up_at=wait.gives_up_unix,
    )
