"""Why a run ends before its work is done, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.control.pool import Pool
from umwelten.control.stop import StopReason
from umwelten.events import RunStatus, StopCode
from umwelten.types import ModelRef


class Ending:
    """See the module's text. `models` by number; `cancelled` counts the calls that somebody cancelled."""

    def __init__(self, pool: Pool, models: Mapping[int, ModelRef]) -> None:
        self._pool, self._models = pool, models
        self.reason: StopReason | None = None
        self.interrupted = False
        self.cancelled = 0

    def close(self, reason: StopReason) -> None:
        """Start no further call; the first reason is the run's."""
        self.reason = self.reason or reason
        self._pool.closed = True

    def status(self, failed: int) -> RunStatus:
        """Return how the run ended, in which so many calls failed; there is a `reason` then if it stopped."""
        if self.interrupted:
            return RunStatus.INTERRUPTED
        if self.cancelled and self.reason is None:
            calls = "1 call was" if self.cancelled == 1 else f"{self.cancelled} calls were"
            self.reason = StopReason(code=StopCode.CALLER, wording=f"{calls} cancelled")
        stopped = [lane.name for lane in self._pool.stopped_lanes()]
        stopped += [str(self._models[model]) for model in self._pool.stopped_models()]
        self.reason = self.reason or self._pool.cap.reason
        if self.reason is None and stopped:
            which = "; ".join(f"{name} is unavailable" for name in stopped)
            self.reason = StopReason(code=StopCode.UNAVAILABLE, wording=which)
        if self._pool.closed or stopped or self.cancelled:
            return RunStatus.STOPPED
        return RunStatus.FAILED if failed else RunStatus.COMPLETE
