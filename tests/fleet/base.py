"""Workers whose attempts do as a test says, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from umwelten.engine.interfaces import AttemptResult
from umwelten.events import Event, Note, NoteLevel
from umwelten.fleet.interfaces import AssignedCall, WorkerHost
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.virtual import VirtualCarrier
from umwelten.records import WorkerRecord
from umwelten.simulate.clock import run_virtual
from umwelten.types import Call, Input, Reply, Timing, Turn

Attempt = Callable[["TestRunner", Call, AssignedCall, Callable[[str], None] | None], Coroutine[Any, Any, str]]


async def _answer(
    runner: TestRunner, call: Call, assigned: AssignedCall, on_text: Callable[[str], None] | None
) -> str:
    await asyncio.sleep(1.0)
    return "answer"


class TestRunner:
    """A worker's runner; `attempt` returns the text of its answers."""

    __test__ = False

    def __init__(self, host: WorkerHost, attempt: Attempt, missing: tuple[str, ...] = ()) -> None:
        self.host, self.attempt, self.missing, self.room = host, attempt, missing, 100
        self.keys: dict[str, str] = {}
        self.timeouts: list[float] = []
        self.refused: list[tuple[str, str, tuple[str, ...]]] = []
        self.calls: list[int] = []
        self.under_way = self.cancelled = 0
        self.is_closed = False

    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> AttemptResult:
        began = asyncio.get_running_loop().time()
        self.calls.append(call.id)
        self.under_way += 1
        try:
            text = await self.attempt(self, call, assigned, on_text)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        timing = Timing(started_at=began, latency_s=asyncio.get_running_loop().time() - began)
        return AttemptResult(outcome=Reply(text=text), timing=timing, key="key", content=b"c", cost_nusd=7)

    def set_keys(self, keys: Mapping[str, str]) -> None:
        self.keys.update(keys)

    def set_timeout(self, timeout_s: float) -> None:
        self.timeouts.append(timeout_s)

    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        self.refused.append((model, address, fields))

    async def close(self) -> None:
        self.is_closed = True


class Fleet:
    """A coordinator and its workers. `missing`: keys that they do not have."""

    def __init__(
        self,
        attempt: Attempt = _answer,
        *,
        workers: int = 2,
        missing: tuple[str, ...] = (),
        way_s: float = 0.01,
        **options: Any,
    ) -> None:
        self.attempt, self.missing = attempt, missing
        self.runners: list[TestRunner] = []
        self.notes: list[Note] = []
        self.records: list[WorkerRecord] = []
        self.held: list[bool] = []
        self.late: list[tuple[int, AttemptResult]] = []
        self.carrier = VirtualCarrier(
            self._build, workers=workers, delay_out=lambda: way_s, delay_back=lambda: way_s
        )
        self.remote = RemoteRunner(
            self.carrier,
            setup=b"setup",
            observer=self._observe,
            on_workers=options.pop("on_workers", self.records.append),
            hold=self.held.append,
            on_late=lambda n, result: self.late.append((n, result)),
            **options,
        )

    async def _build(self, payload: bytes, host: WorkerHost) -> TestRunner:
        assert payload == b"setup"
        self.runners.append(TestRunner(host, self.attempt, self.missing))
        return self.runners[-1]

    def _observe(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event)

    @property
    def warnings(self) -> list[str]:
        return [note.text for note in self.notes if note.level is NoteLevel.WARNING]

    def start(
        self, number: int, on_text: Callable[[str], None] | None = None, name: str = ""
    ) -> asyncio.Task[AttemptResult]:
        """Have an attempt made."""
        name = name or f"{number}.txt"
        source = Input(id=number, name=name, path=f"/data/{name}", size=10, stamp="1:10")
        call = Call(id=number, model=0, input=source)
        return asyncio.ensure_future(self.remote(call, (), on_text, "lane"))


def play(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time, an hour at most."""
    run_virtual(asyncio.wait_for(main(), 3_600))
