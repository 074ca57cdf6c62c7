"""A worker that answers without a request; it is imported where the workers of a run are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from umwelten.engine.interfaces import AttemptResult
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.worker import Worker
from umwelten.types import Call, Reply, Timing, Turn


class Answers:
    """A `fleet.interfaces.WorkerRunner` that knows the answer."""

    room = 100_000
    missing: tuple[str, ...] = ()

    def set_keys(self, keys: Mapping[str, str]) -> None: ...
    def set_timeout(self, timeout_s: float) -> None: ...
    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None: ...
    async def close(self) -> None: ...

    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: Any,
    ) -> AttemptResult:
        """Answer at once, with the words of a short answer."""
        text = f"The number of this call is {call.id}, and that is all there is to say about it."
        timing = Timing(started_at=time.time(), latency_s=0.0001)
        return AttemptResult(
            outcome=Reply(text=text), timing=timing, key=f"{call.id:032}", content=b"", cost_nusd=0
        )


async def _build(payload: bytes, host: object) -> Answers:
    return Answers()


def make_worker(place: WorkerPlace) -> Worker:
    """Return a worker of answers."""
    return Worker(_build, place=place)
