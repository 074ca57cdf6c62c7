"""The coordinator's end: an attempt runner whose attempts are made by workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from umwelten.engine.interfaces import AttemptResult
from umwelten.errors import UmweltenError, UsageError
from umwelten.events import Note, NoteLevel, Observer
from umwelten.fleet.carrier import Carrier, WorkerPlace
from umwelten.fleet.gathering import MeanAnswers, gathering_s
from umwelten.fleet.handshake import problem_of, worker_name
from umwelten.fleet.interfaces import NoSupplies, OutcomeCheck, Supplies
from umwelten.fleet.membership import LOOK_S, Member, Membership, Standing
from umwelten.fleet.messages import (
    Assignment,
    Cancel,
    Completion,
    Connected,
    Contents,
    Expired,
    Garbled,
    Hello,
    Keys,
    Leave,
    Limits,
    Load,
    Pieces,
    Refused,
    Said,
    Setup,
    Supplied,
    ToWorker,
    Wanted,
    decode_from_worker,
    encode_message,
    outcome_of,
    pack_turns,
)
from umwelten.fleet.outboxes import Outboxes
from umwelten.fleet.shipments import Shipments
from umwelten.records import WorkerRecord
from umwelten.store.contents import Content
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, Reply, Timing, Turn

PING_S = 1.0
"""How often each worker hears of the coordinator at least."""

HELLO_S = 60.0
"""How long workers may take to introduce themselves: they import what attempts need, and open their pools."""

RECORD_S = 5.0
"""How often a worker's record is written while its calls change."""

_MOST_TEXTS = 1_000
"""Notes that are remembered, so that each is told once for all workers."""

_MOST_ENDED = 100_000
"""Assignments that were given up and may still be told of; older ones are forgotten."""


class _Assigned:
    """An attempt under way at a worker. `supply`: the key of its input, if that is sent with it."""

    __slots__ = (
        "begun_at",
        "call",
        "future",
        "is_sent",
        "lane",
        "member",
        "n",
        "on_text",
        "size",
        "supply",
        "turns",
    )

    def __init__(
        self, n: int, call: Call, turns: tuple[Turn, ...], lane: str, member: Member, begun_at: float
    ) -> None:
        self.n, self.call, self.turns, self.lane, self.member = n, call, turns, lane, member
        self.begun_at, self.supply, self.is_sent = begun_at, "", False
        self.size = call.input.size if call.input is not None else 0
        self.on_text: Callable[[str], None] | None = None
        self.future: asyncio.Future[AttemptResult] | None = None


class RemoteRunner:
    """Makes attempts by workers; an `engine.interfaces.AttemptRunner`, and what its carrier tells.

    `setup` is what attempts need, packed; `run` names the run. `keys` are sent to workers if given, by the
    names of their variables. `check` decides what of an attempt is decided here. `keep` takes contents for
    the store. `hold` is told True when no worker is usable, and False once one is. `on_late` is told how an
    attempt ended that was given up as lost. `sticky`: calls of the same text go to the same worker.
    `unix` gives Unix seconds.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        setup: bytes,
        run: str,
        keys: Mapping[str, str] | None = None,
        supplies: Supplies | None = None,
        check: OutcomeCheck | None = None,
        keep: Callable[[Iterable[Content]], None] = lambda contents: None,
        observer: Observer = lambda event: None,
        on_connected: Callable[[str, float], None] = lambda lane, took_s: None,
        on_workers: Callable[[WorkerRecord], None] = lambda record: None,
        hold: Callable[[bool], None] = lambda held: None,
        on_late: Callable[[int, AttemptResult], None] = lambda assignment, result: None,
        sticky: Callable[[Call], str | None] = lambda call: None,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._carrier, self._setup, self._keys = carrier, Setup(run=run, payload=setup), dict(keys or {})
        self._check, self._keep, self._observer, self._on_workers = check, keep, observer, on_workers
        self._hold, self._on_late, self._sticky, self._unix = hold, on_late, sticky, unix
        self._loop = asyncio.get_running_loop()
        self._membership, self._means = Membership(), MeanAnswers()
        self._outboxes = Outboxes(carrier.send, self._loop)
        self._shipments = Shipments(carrier, supplies or NoSupplies(), self._outboxes)
        self._assigned: dict[int, _Assigned] = {}
        self._given_up: dict[int, _Assigned] = {}
        self._n = 0
        self._held = self._closed = False
        self._joined_at: dict[int, float] = {}
        self._recorded: dict[int, tuple[float, int]] = {}
        self._timeout_s: float | None = None
        self._refused: dict[tuple[str, str], frozenset[str]] = {}
        self._texts: dict[str, None] = {}
        self._problem: UmweltenError | None = None
        self._ready = asyncio.Event()
        self._is_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._late_checks: set[asyncio.Task[None]] = set()
        self._handlers: dict[type, Callable[[Member, Any], None]] = {
            Completion: self._on_completion,
            Load: lambda member, m: self._membership.load(member, m.cpu_s, m.late_s, m.heard_at),
            Pieces: self._on_pieces,
            Contents: lambda member, m: keep(m.contents),
            Said: lambda member, m: self._say(m.text, m.level),
            Connected: lambda member, m: on_connected(m.lane, m.took_s),
            Expired: self._on_expired,
            Wanted: self._on_wanted,
            Refused: self._on_refused,
            Hello: self._on_hello,
            Garbled: lambda member, m: self._on_garbled(member, m.why),
        }

    # --- the run ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the workers; return once each introduced itself. Raises `UmweltenError`, then ends them."""
        try:
            await self._carrier.open(self)
            self._look()
            await self._wait_for_hello()
        except BaseException:
            await self.close(0.0)
            raise
        self._is_open = True
        self._check_usable()

    async def _wait_for_hello(self) -> None:
        until = self._loop.time() + HELLO_S
        while True:
            if self._problem is not None:
                raise self._problem
            joining = [each for each in self._membership if each.standing is Standing.JOINING]
            if not joining and self._membership.usable:
                return
            left_s = until - self._loop.time()
            if left_s <= 0:
                if self._membership.usable:
                    return  # the others may come later
                raise UsageError(f"no worker was ready within {HELLO_S:g} s", "look at the workers' logs")
            self._ready.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), min(left_s, PING_S))

    async def close(self, grace_s: float = 5.0) -> None:
        """Let the workers release what they hold, within the grace; then end them."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._late_checks:
            task.cancel()
        self._tell_all(Leave())
        self._outboxes.flush()
        try:
            await self._carrier.close(grace_s)
        finally:
            self._outboxes.close()
            for each in self._membership:
                if each.standing is not Standing.GONE and each.standing is not Standing.UNFIT:
                    self._record(each, left="the run ended")

    @property
    def room(self) -> int:
        """How many attempts the workers' open files allow together."""
        return self._membership.room

    def set_timeout(self, timeout_s: float) -> None:
        """Use another limit of time for attempts that begin from now on."""
        self._timeout_s = timeout_s
        self._tell_all(Limits(timeout_s=timeout_s))

    # --- attempts --------------------------------------------------------------------------

    async def __call__(
        self, call: Call, turns: tuple[Turn, ...], on_text: Callable[[str], None] | None, lane: str
    ) -> AttemptResult:
        """Have an attempt made. It is lost if its worker is, or if there is none."""
        member = self._membership.choose(self._sticky(call))
        if member is None or self._closed:
            message = "no worker is there: nothing was sent"
            return self._unsent(Failure(kind=FailureKind.LOST, message=message))
        self._n = n = self._n + 1
        assigned = _Assigned(n, call, turns, lane, member, self._loop.time())
        future: asyncio.Future[AttemptResult] = self._loop.create_future()
        assigned.future = future
        assigned.on_text = on_text
        self._assigned[n] = assigned
        self._membership.begin(member, assigned.size)
        try:
            if key := self._shipments.key(call):
                await self._shipments.bring(member.number, key, call)
                assigned.supply = key
            if not future.done():
                self._assign(assigned)
            result = await future
        except (TypeError, OverflowError) as error:
            message = f"umwelten failed on this call: {error!r}"
            failure = Failure(kind=FailureKind.BAD_REQUEST, message=message, code="internal", retry=False)
            return self._unsent(failure)
        finally:
            if n in self._assigned:  # cancelled
                self._end(assigned)
                self._tell(member, Cancel(n=n))
        if self._check is None or (isinstance(result.outcome, Failure) and _is_lost(result.outcome)):
            return result
        return await self._check(call, turns, result)

    def _assign(self, assigned: _Assigned) -> None:
        turns = assigned.turns
        message = Assignment(
            n=assigned.n,
            call=assigned.call,
            lane=assigned.lane,
            turns=pack_turns(turns) if turns else (),
            about=None if self._check is None else self._check.about(assigned.call, turns),
            supply=assigned.supply,
            texts=assigned.on_text is not None,
        )
        wait_s = gathering_s(self._means(assigned.lane))
        self._outboxes.add(assigned.member.number, encode_message(message), wait_s)
        assigned.is_sent = True

    def _end(self, assigned: _Assigned, took_s: float | None = None) -> None:
        del self._assigned[assigned.n]
        self._membership.end(assigned.member, assigned.size, assigned.lane, took_s)
        if assigned.supply:
            self._shipments.release(assigned.member.number, assigned.supply)

    def _unsent(self, failure: Failure) -> AttemptResult:
        timing = Timing(started_at=self._unix(), latency_s=0.0)
        return AttemptResult(outcome=failure, timing=timing, key="", content=b"", cost_nusd=0)

    def _give_up(self, assigned: _Assigned, why: str, cost_nusd: int | None = None) -> None:
        """End an attempt as lost; what it really came to may be told later."""
        self._end(assigned)
        self._given_up[assigned.n] = assigned
        if len(self._given_up) > _MOST_ENDED:
            del self._given_up[next(iter(self._given_up))]
        assert assigned.future is not None
        if not assigned.future.done():
            assigned.future.set_result(self._lost(assigned, why, cost_nusd))

    def _lost(self, assigned: _Assigned, why: str, cost_nusd: int | None) -> AttemptResult:
        took_s = self._loop.time() - assigned.begun_at
        member = assigned.member
        message = f"{worker_name(member.number, member.place)} {why}"
        return AttemptResult(
            outcome=Failure(kind=FailureKind.LOST, message=message),
            timing=Timing(started_at=self._unix() - took_s, latency_s=took_s),
            key="",
            content=b"",
            cost_nusd=cost_nusd,
            worker=member.number,
            assignment=assigned.n,
        )

    def _give_up_all(self, member: Member, why: str) -> None:
        for assigned in [each for each in self._assigned.values() if each.member is member]:
            self._give_up(assigned, why, None if assigned.is_sent else 0)

    # --- what the carrier tells ------------------------------------------------------------

    def on_join(self, worker: int, place: WorkerPlace) -> None:
        """Send a worker what the attempts of the run need."""
        self._membership.join(worker, place, self._loop.time())
        self._joined_at[worker] = self._unix()
        self._outboxes.add(worker, encode_message(self._setup))

    def on_frame(self, worker: int, frame: bytes) -> None:
        """Take what a worker says."""
        member = self._membership.get(worker)
        if member is None or self._closed:
            return
        silent = member.standing
        self._membership.hear(member, self._loop.time())
        if silent is Standing.SUSPECT or silent is Standing.LOST:
            self._check_usable()
            self._tell_now(member)
        if not frame:
            return
        try:
            for message in decode_from_worker(frame):
                if (handler := self._handlers.get(type(message))) is not None:
                    handler(member, message)
        except msgspec.MsgspecError as error:
            self._on_garbled(member, str(error))

    def on_leave(self, worker: int, why: str) -> None:
        """Give up the attempts of a worker that is gone."""
        member = self._membership.get(worker)
        if member is None or member.standing is Standing.GONE:
            return
        was_fit = member.standing is not Standing.UNFIT
        self._membership.leave(member)
        self._outboxes.drop(worker)
        self._shipments.drop(worker)
        self._check_usable()  # before its attempts end: they must not be started again with nobody there
        self._give_up_all(member, f"left: {why}")
        if was_fit and worker in self._recorded:
            self._record(member, left=why)
        self._ready.set()

    # --- what workers say ------------------------------------------------------------------

    def _on_hello(self, member: Member, hello: Hello) -> None:
        if member.standing is not Standing.JOINING:
            return
        problem = problem_of(member.number, hello, self._keys)
        if problem is not None:
            self._membership.leave_out(member)
            if self._is_open:
                self._say(f"a worker is left out: {problem}", NoteLevel.WARNING)
            else:
                self._problem = problem
        else:
            member.place = WorkerPlace(node=hello.node, address=hello.address, pid=hello.pid)
            if self._keys:
                self._tell(member, Keys(values=self._keys))
            if self._timeout_s is not None:
                self._tell(member, Limits(timeout_s=self._timeout_s))
            for (model, address), fields in self._refused.items():
                self._tell(member, Refused(model=model, address=address, fields=tuple(sorted(fields))))
            self._membership.greet(member, hello.room)
            self._record(member)
            self._check_usable()
        self._ready.set()

    def _on_completion(self, member: Member, message: Completion) -> None:
        assigned = self._assigned.get(message.n)
        if assigned is None:
            if (assigned := self._given_up.pop(message.n, None)) is not None:
                self._tell_late(assigned, self._result(assigned, message, outcome_of(message)))
            return  # or it was cancelled
        if assigned.member is not member:
            return
        outcome = outcome_of(message)
        took_s = self._loop.time() - assigned.begun_at if type(outcome) is Reply else None
        self._end(assigned, took_s)
        if took_s is not None:
            self._means.add(assigned.lane, took_s)
        assert assigned.future is not None
        if not assigned.future.done():
            assigned.future.set_result(self._result(assigned, message, outcome))

    def _result(self, assigned: _Assigned, message: Completion, outcome: AttemptOutcome) -> AttemptResult:
        timing, passed_s = message.timing, self._loop.time() - assigned.begun_at
        # Clocks of machines differ: when it began follows from how long it was on its way and was held.
        under_way_s = (passed_s + message.held_s) / 2
        held_back_s = max(0.0, message.held_s - timing.latency_s)
        started_at = self._unix() - max(0.0, under_way_s - held_back_s)
        return AttemptResult(
            outcome=outcome,
            timing=Timing(started_at=started_at, latency_s=timing.latency_s, ttft_s=timing.ttft_s),
            key=message.key,
            content=message.content,
            cost_nusd=message.cost_nusd,
            step=message.step,
            kept=message.kept,
            worker=assigned.member.number,
            away=assigned.begun_at < assigned.member.away_before,
            assignment=assigned.n,
        )

    def _tell_late(self, assigned: _Assigned, result: AttemptResult) -> None:
        check = self._check
        if check is None or (isinstance(result.outcome, Failure) and _is_lost(result.outcome)):
            self._on_late(assigned.n, result)
            return

        async def tell() -> None:
            self._on_late(assigned.n, await check(assigned.call, assigned.turns, result))

        task = self._loop.create_task(tell())
        self._late_checks.add(task)
        task.add_done_callback(self._late_checks.discard)

    def _on_expired(self, member: Member, message: Expired) -> None:
        why = "had not heard of this process for too long: nothing was sent"
        if (assigned := self._assigned.get(message.n)) is not None:
            if assigned.member is member:
                self._give_up(assigned, why, cost_nusd=0)
                self._given_up.pop(message.n, None)
        elif (assigned := self._given_up.pop(message.n, None)) is not None:
            self._on_late(message.n, self._lost(assigned, why, 0))

    def _on_wanted(self, member: Member, message: Wanted) -> None:
        assigned = self._assigned.get(message.n)
        if assigned is None or assigned.member is not member:
            return
        assigned.supply = key = self._shipments.want(member.number, assigned.call)
        self._tell(member, Supplied(n=message.n, key=key))

    def _on_pieces(self, member: Member, message: Pieces) -> None:
        assigned = self._assigned.get(message.n)
        if assigned is not None and assigned.on_text is not None and assigned.member is member:
            assigned.on_text(message.text)

    def _on_refused(self, member: Member, message: Refused) -> None:
        known = self._refused.get((message.model, message.address), frozenset())
        if known.issuperset(message.fields):
            return
        self._refused[message.model, message.address] = known.union(message.fields)
        for other in self._membership:
            if other is not member and other.room:
                self._tell(other, message)

    def _on_garbled(self, member: Member, why: str) -> None:
        """Messages were lost: nobody knows any more which attempts of the worker end."""
        self._say(
            f"messages of {worker_name(member.number, member.place)} could not be understood ({why}): its "
            "attempts are made again",
            NoteLevel.WARNING,
        )
        self._give_up_all(member, "could not be understood")

    # --- time ------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self._loop.time()
        for member in self._membership.look(now):
            self._check_usable()
            self._give_up_all(member, f"was silent for {now - member.heard_at:.0f} s")
        self._check_usable()
        # A little before the time, or each one would come after every second look.
        self._outboxes.ping(PING_S - LOOK_S / 2)
        self._shipments.forget(now)
        for member in self._membership:
            at, calls = self._recorded.get(member.number, (now, member.calls))
            if now - at >= RECORD_S and calls != member.calls:
                self._record(member)
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def _check_usable(self) -> None:
        held = not self._membership.usable
        if self._is_open and held is not self._held:
            self._held = held
            self._hold(held)

    # --- what is said ----------------------------------------------------------------------

    def _tell(self, member: Member, message: ToWorker) -> None:
        if member.standing is not Standing.GONE:
            self._outboxes.add(member.number, encode_message(message))

    def _tell_now(self, member: Member) -> None:
        """Give a worker that was silent a sign of life to answer."""
        if member.standing is not Standing.GONE:
            self._outboxes.ping_now(member.number)

    def _tell_all(self, message: ToWorker) -> None:
        for member in self._membership:
            if member.standing is not Standing.UNFIT or isinstance(message, Leave):
                self._tell(member, message)

    def _say(self, text: str, level: NoteLevel) -> None:
        if text in self._texts:
            return
        self._texts[text] = None
        if len(self._texts) > _MOST_TEXTS:
            del self._texts[next(iter(self._texts))]
        self._observer(Note(text=text, level=level))

    def _record(self, member: Member, left: str = "") -> None:
        self._recorded[member.number] = (self._loop.time(), member.calls)
        self._on_workers(
            WorkerRecord(
                number=member.number,
                node=member.place.node,
                address=member.place.address,
                pid=member.place.pid,
                joined_at=self._joined_at[member.number],
                left_at=self._unix() if left else None,
                why=left,
                calls=member.calls,
                cpu_s=member.cpu_s,
            )
        )


def _is_lost(failure: Failure) -> bool:
    return failure.kind is FailureKind.LOST
