"""The worker's end: makes the attempts that the coordinator assigns, and says what they came to."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from umwelten.events import NoteLevel
from umwelten.fleet.arrivals import Arrivals
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.gathering import MeanAnswers, gathering_s
from umwelten.fleet.handshake import python_version
from umwelten.fleet.hearing import Hearing
from umwelten.fleet.held_standbys import HeldStandbys
from umwelten.fleet.interfaces import Build, NothingSent, WorkerRunner
from umwelten.fleet.messages import (
    PROTOCOL,
    Assignment,
    Cancel,
    Connected,
    Contents,
    Expired,
    Forget,
    FromWorker,
    Garbled,
    Hello,
    Keys,
    Leave,
    Limits,
    Load,
    Ping,
    Refused,
    Said,
    Setup,
    Supplied,
    Supply,
    TakeBack,
    ToWorker,
    Wanted,
    completion_of,
    decode_to_worker,
    encode_message,
)
from umwelten.fleet.wire_turns import unpack_turns
from umwelten.fleet.worker_outbox import WorkerOutbox
from umwelten.store.contents import Content
from umwelten.types import AttemptOutcome, Failure, FailureKind, Reply, Timing
from umwelten.version import __version__

LOAD_S = 0.9
"""How often a worker says how it does, at most; the coordinator gives it a sign of life every second."""

_BEAT_S = 0.25
"""How often a worker looks how late its event loop is."""

_CONTENTS_S = 0.01
"""How long texts to keep may wait; the attempt that names them follows."""


class _Assigned:
    """What an assignment says beside its call; an `interfaces.AssignedCall`."""

    def __init__(self, worker: Worker, message: Assignment) -> None:
        self._worker, self._n, self._key = worker, message.n, message.supply
        self.about = message.about
        self.key: asyncio.Future[str] | None = None

    def may_send(self) -> bool:
        """Return whether a request may go out now."""
        return self._worker.may_send()

    async def supply(self) -> Supply | None:
        """Return the input that the coordinator sends with the call."""
        return await self._worker.supply(self._key) if self._key else None

    async def wanted(self) -> Supply:
        """Ask the coordinator for the input."""
        self.key = asyncio.get_running_loop().create_future()
        self._worker.say(Wanted(n=self._n))
        self._key = await self.key
        return await self._worker.supply(self._key)


class Worker:
    """A worker of a run, for a carrier: `take` gives it frames, `frames` returns those it has to say.

    `build` makes what makes its attempts; it is an `interfaces.WorkerHost` for that. `cpu_s` gives the
    seconds of processor time that its process used.
    """

    def __init__(
        self, build: Build, *, place: WorkerPlace, cpu_s: Callable[[], float] = time.process_time
    ) -> None:
        self._build, self._place, self._cpu_s = build, place, cpu_s
        self._loop = asyncio.get_running_loop()
        self._runner: WorkerRunner | None = None
        self._hearing = Hearing()
        self._attempts: dict[int, tuple[asyncio.Task[None], _Assigned]] = {}
        self._arrivals = Arrivals()
        self._standbys = HeldStandbys(lambda message: self._arrivals.forget_once(message.supply))
        self._background: set[asyncio.Task[None]] = set()
        self._means = MeanAnswers()
        self._outbox = WorkerOutbox(self._loop)
        self._load_at = -math.inf
        self._beat_at = self._late_s = 0.0
        self._is_leaving = False
        self.ended = asyncio.Event()
        """Set once it has released what it held, after `Leave`."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            Assignment: self._on_assignment,
            Cancel: self._on_cancel,
            TakeBack: self._on_take_back,
            Supply: self._arrivals.take,
            Supplied: self._on_supplied,
            Forget: lambda m: self._arrivals.forget(m.keys),
            Keys: lambda m: self._ready.set_keys(m.values),
            Limits: lambda m: self._ready.set_timeout(m.timeout_s),
            Refused: lambda m: self._ready.refuse(m.model, m.address, m.fields),
        }

    # --- for the carrier -------------------------------------------------------------------

    def take(self, frame: bytes) -> None:
        """Take a frame of the coordinator."""
        if self._is_leaving:
            return
        try:
            late_s = 0.0
            for message in decode_to_worker(frame):
                if type(message) is Ping:
                    late_s = self._hear(message)
                else:
                    self._handle(message, late_s)
        except Exception as error:  # noqa: BLE001 - whoever carries frames must go on
            self._break_off()
            # A value of a message may be a key: of faults of ours, only the kind is told.
            is_garbage = isinstance(error, msgspec.MsgspecError)
            self.say(Garbled(why=str(error) if is_garbage else type(error).__name__))

    def _hear(self, ping: Ping) -> float:
        now = self._loop.time()
        late_s = self._hearing.hear(ping.sent_at, now)
        if now - self._load_at >= LOAD_S:
            self._say_load(now)
        return late_s

    def _handle(self, message: ToWorker, late_s: float) -> None:
        if type(message) is Assignment and self._hearing.is_late(late_s):
            self._arrivals.forget_once(message.supply)
            self.say(Expired(n=message.n))
        elif type(message) is Setup:
            self._start(self._set_up(message))
        elif type(message) is Leave:
            self._start(self._leave())
        elif (handler := self._handlers.get(type(message))) is not None:
            handler(message)

    async def frames(self, wait_s: float) -> bytes:
        """Return what there is to say once it is due; after `wait_s` nothing, a sign of life."""
        return await self._outbox.frame(wait_s)

    # --- what makes attempts ---------------------------------------------------------------

    def note(self, text: str, level: NoteLevel) -> None:
        """Tell the user something."""
        self.say(Said(text=text, level=level))

    def keep(self, contents: Iterable[Content]) -> None:
        """Have texts kept in the store."""
        self.say(Contents(contents=tuple(contents)), _CONTENTS_S)

    def on_connected(self, lane: str, took_s: float) -> None:
        """Say how long a new connection took."""
        self.say(Connected(lane=lane, took_s=took_s))

    def on_refused(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        """Tell the other workers which optional fields a model refused."""
        self.say(Refused(model=model, address=address, fields=fields))

    def may_send(self) -> bool:
        """Return whether the coordinator was heard of lately."""
        return self._hearing.is_near(self._loop.time()) and not self._is_leaving

    async def supply(self, key: str) -> Supply:
        """Return an input that the coordinator sends, once it is there."""
        return await self._arrivals.get(key)

    def say(self, message: FromWorker, wait_s: float = 0.0) -> None:
        """Say something to the coordinator within `wait_s` of the frame before."""
        self._outbox.add(encode_message(message), wait_s)

    # --- messages --------------------------------------------------------------------------

    @property
    def _ready(self) -> WorkerRunner:
        assert self._runner is not None, "whatever needs it is sent after `Hello`"
        return self._runner

    async def _set_up(self, message: Setup) -> None:
        problem, room = "", 0
        missing: tuple[str, ...] = ()
        try:
            runner = await self._build(message.payload, self)
            missing, room = runner.missing, runner.room
        except Exception as error:  # noqa: BLE001 - the coordinator tells the user
            problem = str(error) or repr(error)
        self.say(
            Hello(
                protocol=PROTOCOL,
                version=__version__,
                python=python_version(),
                node=self._place.node,
                address=self._place.address,
                pid=self._place.pid,
                room=room,
                missing=missing,
                problem=problem,
            )
        )
        if problem:
            return
        self._runner = runner
        self._beat_at = self._loop.time()
        self._loop.call_later(_BEAT_S, self._beat)

    def _on_assignment(self, message: Assignment) -> None:
        if message.standby:
            self._standbys.add(message, self._loop.time())
        elif message.n not in self._attempts:
            self._begin(message)

    def _begin(self, message: Assignment) -> None:
        assigned = _Assigned(self, message)
        task = self._loop.create_task(self._attempt(message, assigned, self._loop.time()), name="attempt")
        self._attempts[message.n] = task, assigned
        # Not at the end of `_attempt`: one that is cancelled before it began never gets there.
        task.add_done_callback(partial(self._on_end, message))

    async def _attempt(self, message: Assignment, assigned: _Assigned, taken_at: float) -> None:
        n, on_text = message.n, partial(self._on_text, message.n) if message.texts else None
        try:
            if not self.may_send():
                raise NothingSent
            turns = unpack_turns(message.turns) if message.turns else ()
            result = await self._ready(message.call, turns, on_text, message.lane, assigned)
        except NothingSent:
            self.say(Expired(n=n))
        except Exception as error:  # noqa: BLE001 - a fault of ours in one call must not end the others
            self._say_fault(n, error, taken_at)
        else:
            self._means.add(message.lane, result.timing.latency_s)
            held_s = self._loop.time() - taken_at
            began = self._follow(message.lane, result.outcome)
            try:
                completion = completion_of(
                    result.outcome,
                    n=n,
                    timing=result.timing,
                    held_s=held_s,
                    key=result.key,
                    content=result.content,
                    cost_nusd=result.cost_nusd,
                    step=result.step,
                    kept=result.kept,
                    began=began,
                )
                self.say(completion, gathering_s(self._means(message.lane)))
            except (TypeError, OverflowError, ValueError) as error:
                self._say_fault(n, error, taken_at, began)

    def _on_end(self, message: Assignment, task: asyncio.Task[None]) -> None:
        self._attempts.pop(message.n, None)
        self._arrivals.forget_once(message.supply)

    def _follow(self, lane: str, outcome: AttemptOutcome) -> int:
        """Begin an attempt on standby in place of one that was answered; return its number, 0 if none is.

        After a failure, which may be the first sign of a limit, the coordinator decides what goes on.
        """
        if isinstance(outcome, Failure):
            for n in self._standbys.of(lane):
                self._expire_standby(n)
            return 0
        if type(outcome) is not Reply or not self.may_send():
            return 0
        if (message := self._standbys.pop(lane)) is None:
            return 0
        self._begin(message)
        return message.n

    def _expire_standby(self, n: int) -> None:
        if self._standbys.drop(n):
            self.say(Expired(n=n))

    def _on_take_back(self, message: TakeBack) -> None:
        self._expire_standby(message.n)

    def _say_fault(self, n: int, error: Exception, taken_at: float, began: int = 0) -> None:
        took_s = self._loop.time() - taken_at
        message = f"umwelten failed on this call: {error!r}"
        failure = Failure(kind=FailureKind.BAD_REQUEST, message=message, code="internal", retry=False)
        timing = Timing(started_at=0.0, latency_s=took_s)
        self.say(completion_of(failure, n=n, timing=timing, held_s=took_s, began=began))

    def _on_text(self, n: int, text: str) -> None:
        if n in self._attempts:
            self._outbox.add_text(n, text)

    def _on_cancel(self, message: Cancel) -> None:
        self._outbox.drop_text(message.n)
        self._standbys.drop(message.n)
        if (found := self._attempts.get(message.n)) is not None:
            found[0].cancel()

    def _on_supplied(self, message: Supplied) -> None:
        found = self._attempts.get(message.n)
        if found is not None and found[1].key is not None and not found[1].key.done():
            found[1].key.set_result(message.key)

    # --- the end ---------------------------------------------------------------------------

    def _break_off(self) -> list[asyncio.Task[None]]:
        self._standbys.clear()
        tasks = [task for task, _ in self._attempts.values()]
        for task in tasks:
            task.cancel()
        return tasks

    async def _leave(self) -> None:
        self._is_leaving = True
        try:
            if tasks := self._break_off():
                await asyncio.wait(tasks)
            if self._runner is not None:
                await self._runner.close()
        finally:
            self.ended.set()

    def die(self) -> None:
        """End at once, as a process that is killed: nothing is released, nothing more is said."""
        self._is_leaving = True
        self._break_off()
        for task in self._background:
            task.cancel()

    # --- how it does -----------------------------------------------------------------------

    def _beat(self) -> None:
        now = self._loop.time()
        late_s = max(0.0, now - self._beat_at - _BEAT_S)
        self._late_s += (late_s - self._late_s) * 0.3
        self._beat_at = now
        for n in self._standbys.late(now):
            self._expire_standby(n)
        if not self._is_leaving:
            self._loop.call_later(_BEAT_S, self._beat)

    def _say_load(self, now: float) -> None:
        self._load_at = now
        load = Load(
            cpu_s=self._cpu_s(),
            late_s=self._late_s,
            heard_at=self._hearing.latest,
        )
        self.say(load)

    def _start(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
