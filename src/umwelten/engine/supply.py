"""Calls on their way from the source to the pool, with what they are estimated to take."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.control.pool import Pool
from umwelten.control.queues import WINDOW
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.engine.interfaces import CallInfo, Source
from umwelten.engine.tool_steps import ToolSteps
from umwelten.types import Call


class Estimates:
    """What calls take, as `calls` tells."""

    def __init__(self, calls: CallInfo) -> None:
        self._calls = calls

    def schedule(self, call: Call) -> ScheduledCall:
        """Return a call with what its first request takes."""
        scheduled = ScheduledCall(call, call.input.size if call.input else 0)
        self.estimate(scheduled)
        return scheduled

    def estimate(self, scheduled: ScheduledCall) -> None:
        """Set what the call's next request takes."""
        call, turns = scheduled.call, scheduled.turns
        scheduled.input_tokens, scheduled.output_tokens = self._calls.tokens(call, turns)
        scheduled.reserve = self._calls.estimate(call, turns)

    def renew(self, scheduled: ScheduledCall) -> None:
        """Set it anew under another cap, also for where the call starts over."""
        self.estimate(scheduled)
        if scheduled.at_first is not None:
            size, _, tokens = scheduled.at_first
            scheduled.at_first = size, self._calls.estimate(scheduled.call, ()), tokens


class Supply:
    """Fetches calls in windows. With `tools`, some go on where an earlier run left them."""

    def __init__(self, pool: Pool, source: Source, estimates: Estimates, tools: ToolSteps | None) -> None:
        self._pool, self._source, self._estimates, self._tools = pool, source, estimates, tools

    def fetch(self) -> bool:
        """Fetch calls of the models that run low. True if none of a model's may start now: others may."""
        # Before `lease`: calls that come in between are leased the next time.
        complete, again = self._source.complete, False
        if self._is_full_of_conversations:
            return False
        if (problem := self._source.problem) is not None:
            raise problem
        for model in self._pool.models_to_refill():
            scheduled = [self._estimates.schedule(call) for call in self._source.lease(model, WINDOW)]
            fetched = len(scheduled)
            if self._tools is not None:
                scheduled = list(filter(self._tools.resume, scheduled))
            self._pool.add_calls(model, scheduled, drained=complete and fetched < WINDOW)
            again = again or bool(fetched and not scheduled)
        return again

    @property
    def _is_full_of_conversations(self) -> bool:
        """Return whether what models and tools said takes all the memory that calls may."""
        limit, tools = self._pool.max_bytes, self._tools
        if tools is None or limit is None or not tools.holds_over(limit):
            return False
        return bool(self._pool.in_flight or tools.tasks)

    def put_back(self, calls: Sequence[Call]) -> None:
        """Have calls made again that were given up, after those that wait already."""
        by_model: dict[int, list[ScheduledCall]] = {}
        for call in calls:
            by_model.setdefault(call.model, []).append(self._estimates.schedule(call))
        for model, scheduled in by_model.items():
            if self._tools is not None:
                scheduled = list(filter(self._tools.resume, scheduled))
            self._pool.put_back(model, scheduled)
