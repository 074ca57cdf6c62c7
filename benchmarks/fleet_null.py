"""What a call costs the coordinator: `python -m benchmarks.fleet_null [CALLS] [WORKERS] [IN_FLIGHT]`.

The engine, its lanes and the messages, over a carrier whose workers answer at once; no store. What the
stand-in for workers takes is counted by itself.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, AttemptRunner, CallInfo
from umwelten.fleet.carrier import Listener, WorkerPlace
from umwelten.fleet.handshake import python_version
from umwelten.fleet.messages import (
    PROTOCOL,
    Assignment,
    Completion,
    Hello,
    Load,
    Ping,
    Setup,
    decode_to_worker,
    encode,
)
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.worker import LOAD_S
from umwelten.records import CallRecord, Record
from umwelten.types import Call, FinishReason, Input, ModelRef, Reply, Timing, Turn, Usage
from umwelten.version import __version__

REPLY = Reply(
    text="An answer of a few words.",
    finish_reason=FinishReason.STOP,
    usage=Usage(input_tokens=900, output_tokens=12),
    served_model="null-1",
    request_id="req_0123456789",
)
TIMING = Timing(started_at=0.0, latency_s=0.2)


class NullCarrier:
    """A carrier whose workers answer each assignment in the next turn of the event loop."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.cpu_s, self.frames, self.bytes = 0.0, 0, 0
        self._loads: dict[int, float] = {}

    async def open(self, listener: Listener) -> None:
        """Have the workers join."""
        self._listener, self._loop = listener, asyncio.get_running_loop()
        for worker in range(1, self._workers + 1):
            listener.on_join(worker, WorkerPlace(node="node", address="127.0.0.1", pid=worker))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        began = time.thread_time()
        yield
        self.cpu_s += time.thread_time() - began

    def send(self, worker: int, frame: bytes) -> None:
        """Answer what a frame asks for."""
        with self._counted():
            self.frames += 1
            self.bytes += len(frame)
            answers: list[Completion | Hello | Load] = []
            for message in decode_to_worker(frame):
                if isinstance(message, Assignment):
                    answers.append(_completion(message.n))
                elif isinstance(message, Setup):
                    answers.append(_hello(worker))
                elif isinstance(message, Ping) and message.sent_at - self._loads.get(worker, 0.0) > LOAD_S:
                    self._loads[worker] = message.sent_at
                    answers.append(Load(cpu_s=0.0, late_s=0.0, heard_at=message.sent_at))
            if answers:
                back = encode(answers)
                self.bytes += len(back)
                self._loop.call_later(0.02, self._listener.on_frame, worker, back)

    def ship(self, worker: int, key: str, frame: bytes) -> None:
        """Nothing is shipped."""

    def forget(self, key: str) -> None:
        """Nothing is kept."""

    async def close(self, grace_s: float) -> None:
        """Nothing is held."""


def _completion(n: int) -> Completion:
    return Completion(
        n=n, timing=TIMING, held_s=0.2, key="0123456789abcdef", content=b"c" * 16, cost_nusd=12, reply=REPLY
    )


def _hello(worker: int) -> Hello:
    return Hello(
        protocol=PROTOCOL,
        version=__version__,
        python=python_version(),
        node="node",
        address="127.0.0.1",
        pid=worker,
        room=10_000,
    )


class _Calls:
    """Source and sink: calls of files; records are safe at once."""

    error: BaseException | None = None
    complete, problem = True, None

    def __init__(self, calls: int) -> None:
        self._left = self._total = calls
        self.ended: list[Record] = []
        self.answered = 0
        self.engine: Engine | None = None

    def lease(self, model: int, n: int) -> list[Call]:
        n = min(n, self._left)
        first = self._total - self._left
        self._left -= n
        return [Call(id=i + 1, model=0, input=_input(i)) for i in range(first, first + n)]

    def submit(self, record: Record) -> None:
        if isinstance(record, CallRecord):
            self.ended.append(record)
            self.answered += isinstance(record.outcome, Reply)
            if len(self.ended) == 1:
                asyncio.get_running_loop().call_later(0.02, self._commit)

    def _commit(self) -> None:
        ended, self.ended = self.ended, []
        assert self.engine is not None
        self.engine.acknowledge(ended)  # type: ignore[arg-type]  # they are all records of calls

    def flush_soon(self) -> None:
        pass


def _input(number: int) -> Input:
    return Input(
        id=number + 1,
        name=f"reports/2026/{number:06}.txt",
        path=f"/data/reports/2026/{number:06}.txt",
        size=3_000,
        stamp="1700000000000000000:3000",
    )


async def measure(calls: int, workers: int, in_flight: int) -> None:
    """Print the processor time of a call."""
    lane = Lane(name="null", group="null", limit=Limit(value=float(in_flight), ceiling=in_flight))
    source = _Calls(calls)
    carrier = NullCarrier(workers)
    remote: AttemptRunner
    if workers:
        remote = runner = RemoteRunner(carrier, setup=b"")
        await runner.open()
    else:
        remote = _alone
    engine = Engine(
        pool=Pool({0: lane}, policy=RetryPolicy()),
        source=source,
        sink=source,
        runner=remote,
        calls=CallInfo(models={0: ModelRef("null", "null-1")}),
    )
    source.engine = engine
    began, cpu = time.perf_counter(), time.process_time()
    await engine.run()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    assert source.answered == calls
    own_s = cpu_s - carrier.cpu_s
    print(
        f"{workers} workers, {in_flight} in flight: {calls / wall_s:,.0f} calls/s; "
        f"{own_s / calls * 1e6:.1f} µs a call = {calls / own_s:,.0f} calls/s of the coordinator alone; "
        f"{carrier.frames} frames, {carrier.bytes / calls:.0f} bytes a call"
    )
    if workers:
        await runner.close()


async def _alone(call: Call, turns: tuple[Turn, ...], on_text: object, lane: str) -> AttemptResult:
    await asyncio.sleep(0.02)
    return AttemptResult(
        outcome=REPLY, timing=TIMING, key="0123456789abcdef", content=b"c" * 16, cost_nusd=12
    )


def main(calls: int = 50_000, workers: int = 4, in_flight: int = 400) -> None:
    """Measure the engine by itself, then with messages."""
    for number in (0, workers):
        asyncio.run(measure(calls, number, in_flight))


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:4]))
