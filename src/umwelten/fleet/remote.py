"""The coordinator's end: an attempt runner whose attempts are made by workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from umwelten.engine.interfaces import AttemptResult
from umwelten.engine.lost_attempts import is_lost
from umwelten.events import NoteLevel, Observer
from umwelten.fleet.assigned_attempt import AssignedAttempt, unsent
from umwelten.fleet.attempts_under_way import AttemptsUnderWay
from umwelten.fleet.carrier import Carrier, WorkerPlace
from umwelten.fleet.gathering import LONGEST_GATHERING_S
from umwelten.fleet.handshake import worker_name
from umwelten.fleet.interfaces import NoSupplies, OutcomeCheck, Supplies
from umwelten.fleet.late_attempts import LateAttempts
from umwelten.fleet.membership import LOOK_S, Member, Membership, Standing
from umwelten.fleet.messages import (
    Cancel,
    Completion,
    Connected,
    Contents,
    Expired,
    Garbled,
    Hello,
    Load,
    Pieces,
    Refused,
    Said,
    Setup,
    Supplied,
    TakeBack,
    Wanted,
    decode_from_worker,
    encode_message,
    outcome_of,
)
from umwelten.fleet.outboxes import Outboxes
from umwelten.fleet.registration import NotesOnce, Registration
from umwelten.fleet.shipments import Shipments
from umwelten.records import WorkerRecord
from umwelten.store.contents import Content
from umwelten.types import Call, Failure, FailureKind, Reply, Turn

PING_S = 1.0
"""How often each worker hears of the coordinator at least."""


class RemoteRunner:
    """Makes attempts by workers; an `engine.interfaces.AttemptRunner`, and what its carrier tells.

    `setup` is what attempts need, packed. `keys` are sent to workers if given, by the names of their
    variables. `check` decides what of an attempt is decided here. `keep` takes contents for
    the store. `on_room` is told when `room` may have changed. `hold` is told True when no worker is usable,
    and False once one is. `on_late` is told how an attempt ended that was given up as lost. `sticky`: calls
    of the same text go to the same worker. `unix` gives Unix seconds.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        setup: bytes,
        keys: Mapping[str, str] | None = None,
        supplies: Supplies | None = None,
        check: OutcomeCheck | None = None,
        keep: Callable[[Iterable[Content]], None] = lambda contents: None,
        observer: Observer = lambda event: None,
        on_connected: Callable[[str, float, float], None] = lambda lane, took_s, transit_s: None,
        on_workers: Callable[[WorkerRecord], None] = lambda record: None,
        on_room: Callable[[], None] = lambda: None,
        hold: Callable[[bool], None] = lambda held: None,
        on_late: Callable[[int, AttemptResult], None] = lambda assignment, result: None,
        sticky: Callable[[Call], str | None] = lambda call: None,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._carrier, self._check = carrier, check
        self._hold, self._on_room, self._sticky, self._unix = hold, on_room, sticky, unix
        self._loop = asyncio.get_running_loop()
        self._say = NotesOnce(observer)
        self._membership = Membership(self._on_standing)
        self._outboxes = Outboxes(carrier.send, self._loop)
        self._shipments = Shipments(carrier, supplies or NoSupplies(), self._outboxes)
        self._under_way = AttemptsUnderWay(self._membership, self._shipments)
        self._late = LateAttempts(check, on_late, self._say)
        self._registration = Registration(
            Setup(payload=setup),
            keys=keys or {},
            membership=self._membership,
            outboxes=self._outboxes,
            on_workers=on_workers,
            observer=observer,
            say=self._say,
            unix=unix,
        )
        self._is_open = self._is_held = self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: dict[type, Callable[[Member, Any], None]] = {
            Completion: self._on_completion,
            Load: self._on_load,
            Pieces: self._on_pieces,
            Contents: lambda member, m: keep(m.contents),
            Said: lambda member, m: self._say(m.text, m.level),
            Connected: lambda member, m: on_connected(
                m.lane, m.took_s, member.round_trip_s + 2 * LONGEST_GATHERING_S
            ),
            Expired: self._on_expired,
            Wanted: self._on_wanted,
            Refused: self._registration.on_refused,
            Hello: self._on_hello,
            Garbled: lambda member, m: self._on_garbled(member, m.why),
        }

    # --- the run ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the workers; return once each introduced itself. Raises `UmweltenError`, then ends them."""
        try:
            await self._carrier.open(self)
            self._look()
            await self._registration.wait()
        except BaseException:
            await self.close(0.0)
            raise
        self._is_open = True
        self._check_usable()

    async def close(self, grace_s: float = 5.0) -> None:
        """Let the workers release what they hold, within the grace; then end them."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._late.close()
        self._shipments.close()
        self._registration.end()
        self._outboxes.flush()
        try:
            await self._carrier.close(grace_s)
        finally:
            self._outboxes.close()
            self._registration.record_end()

    @property
    def is_held(self) -> bool:
        """Whether no worker is usable, as `hold` was told last."""
        return self._is_held

    @property
    def room(self) -> int:
        """How many attempts the workers' open files allow together."""
        return self._membership.room

    @property
    def is_closed(self) -> bool:
        """Whether the workers were told to end: those that leave from then on are not lost."""
        return self._is_closed

    def set_timeout(self, timeout_s: float) -> None:
        """Use another limit of time for attempts that begin from now on."""
        self._registration.set_timeout(timeout_s)

    # --- attempts --------------------------------------------------------------------------

    async def __call__(
        self, call: Call, turns: tuple[Turn, ...], on_text: Callable[[str], None] | None, lane: str
    ) -> AttemptResult:
        """Have an attempt made. It is lost if its worker is, or if there is none."""
        member = self._membership.choose(self._sticky(call))
        if member is None or self._is_closed:
            self._hold(True)  # or the same call would be started again at once, without an end
            message = "no worker is there: nothing was sent"
            return unsent(Failure(kind=FailureKind.LOST, message=message), self._unix())
        assigned = self._under_way.add(call, turns, on_text, lane, member)
        try:
            result = await self._make(assigned)
        finally:
            self._cancel(assigned)
        assert result is not None, "it is not on standby"
        return result

    async def _make(self, assigned: AssignedAttempt) -> AttemptResult | None:
        call, member = assigned.call, assigned.member
        try:
            if key := self._shipments.key(call, member.place.node):
                ended = assigned.future
                assigned.supply = await self._shipments.bring(member.number, key, call, ended)
            if not assigned.future.done():
                self._assign(assigned)
            result = await assigned.future
        except (TypeError, OverflowError) as error:
            message = f"umwelten failed on this call: {error!r}"
            failure = Failure(kind=FailureKind.BAD_REQUEST, message=message, code="internal", retry=False)
            return unsent(failure, self._unix())
        if self._check is None or result is None or is_lost(result):
            return result
        return await self._check(call, assigned.turns, result)

    def _cancel(self, assigned: AssignedAttempt) -> None:
        """Have a worker break off an attempt that nobody waits for any more, unless it has ended."""
        if assigned.n in self._under_way.attempts:
            self._under_way.end(assigned)
            self._late.cancel(assigned.n)
            self._registration.tell(assigned.member, Cancel(n=assigned.n))

    # --- standby ---------------------------------------------------------------------------

    def wants_standby(self, lane: str, call: Call | None = None) -> bool:
        """Return whether a worker should have one more of a lane on standby, and that call's may be."""
        is_sticky = call is not None and self._sticky(call) is not None
        return not is_sticky and self._choose_standby(lane) is not None

    def _choose_standby(self, lane: str) -> Member | None:
        return None if self._is_closed else self._under_way.choose_standby(lane)

    def stand_by(
        self, call: Call, lane: str, on_begin: Callable[[int], None]
    ) -> tuple[int, asyncio.Task[AttemptResult | None]]:
        """Have a worker begin an attempt by itself once another of the lane is answered there."""
        member = self._choose_standby(lane)
        assert member is not None, "one is wanted"
        assigned = self._under_way.add(call, (), None, lane, member, on_begin)
        task = self._loop.create_task(self._make(assigned), name="standby")
        task.add_done_callback(lambda _: self._cancel(assigned))
        return assigned.n, task

    def take_back(self, number: int) -> None:
        """Have an attempt on standby not begin any more; the worker says whether it has."""
        assigned = self._under_way.attempts.get(number)
        if assigned is not None and assigned.on_begin is not None:
            if assigned.is_sent:
                self._registration.tell(assigned.member, TakeBack(n=number))
            else:
                self._under_way.end(assigned)
                assigned.settle(None)

    # --- both ------------------------------------------------------------------------------

    def _assign(self, assigned: AssignedAttempt) -> None:
        about = None if self._check is None else self._check.about(assigned.call, assigned.turns)
        wait_s = self._under_way.gathering_s(assigned.lane)
        self._outboxes.add(assigned.member.number, encode_message(assigned.message(about)), wait_s)
        assigned.is_sent = True

    def _give_up(self, assigned: AssignedAttempt, why: str) -> None:
        """End an attempt as lost; what it really came to may be told later."""
        self._under_way.end(assigned)
        if assigned.on_begin is not None and not assigned.is_sent:
            assigned.settle(None)
            return
        if assigned.is_sent:
            self._late.give_up(assigned)
        assigned.settle(assigned.lost(why, sent=assigned.is_sent, now=self._loop.time(), unix=self._unix()))

    def _give_up_all(self, member: Member, why: str) -> None:
        for assigned in self._under_way.of(member):
            self._give_up(assigned, why)

    # --- what the carrier tells ------------------------------------------------------------

    def on_join(self, worker: int, place: WorkerPlace) -> None:
        """Send a worker what the attempts of the run need."""
        if not self._is_closed:
            self._registration.join(worker, place)

    def on_frame(self, worker: int, frame: bytes) -> None:
        """Take what a worker says."""
        member = self._membership.get(worker)
        if member is None or self._is_closed:
            return
        before = member.standing
        self._membership.hear(member, self._loop.time())
        if before is Standing.LOST:
            self._outboxes.ping_now(worker)  # what it answers shows that it hears this process again
        if before is Standing.SUSPECT:
            self._check_usable()
        if not frame:
            return
        try:
            for message in decode_from_worker(frame):
                if (handler := self._handlers.get(type(message))) is not None:
                    handler(member, message)
        except msgspec.MsgspecError as error:
            self._on_garbled(member, str(error))
        except Exception as error:  # noqa: BLE001 - whoever carries frames must go on
            self._loop.call_exception_handler({"message": "a frame of a worker", "exception": error})
            self._on_garbled(member, repr(error))

    def on_leave(self, worker: int, why: str) -> None:
        """Give up the attempts of a worker that is gone."""
        member = self._membership.get(worker)
        if member is None or member.standing is Standing.GONE:
            return
        self._membership.leave(member, why)
        self._outboxes.drop(worker)
        self._shipments.drop(worker)
        self._check_usable()  # before its attempts end: they must not be started again with nobody there
        self._give_up_all(member, f"left: {why}")
        self._registration.on_leave(member, why)

    # --- what workers say ------------------------------------------------------------------

    def _on_hello(self, member: Member, hello: Hello) -> None:
        self._registration.on_hello(member, hello)
        self._check_usable()

    def _on_load(self, member: Member, load: Load) -> None:
        self._membership.load(member, load.cpu_s, load.late_s, load.heard_at)
        self._check_usable()

    def _on_completion(self, member: Member, message: Completion) -> None:
        outcome, now = outcome_of(message), self._loop.time()
        assigned = self._under_way.get(message.n, member)
        follower = self._under_way.get(message.began, member) if message.began else None
        if follower is not None and follower.on_begin is not None:
            on_begin = self._under_way.begin(follower)
            if assigned is None or assigned.future.done():
                on_begin(message.began)
        if assigned is None:
            if (late := self._late.take(member, message.n)) is not None:
                self._late.tell(late, late.result(message, outcome, now=now, unix=self._unix()))
            return
        took_s = now - assigned.begun_at if type(outcome) is Reply else None
        if assigned.on_begin is not None:  # nobody said that it began; the engine sees it by its result
            self._under_way.begin(assigned)
            took_s = None
        self._under_way.end(assigned, took_s)
        unix = self._unix()
        assigned.settle(assigned.result(message, outcome, now=now, unix=unix, successor=message.began))

    def _on_expired(self, member: Member, message: Expired) -> None:
        self._end_unsent(member, message.n, "had not heard of this process for too long: nothing was sent")

    def _end_unsent(self, member: Member, n: int, why: str) -> None:
        assigned, now = self._under_way.get(n, member), self._loop.time()
        if assigned is not None:
            self._under_way.end(assigned)
            lost = assigned.lost(why, sent=False, now=now, unix=self._unix())
            assigned.settle(None if assigned.on_begin is not None else lost)
        elif (late := self._late.take(member, n)) is not None:
            self._late.tell_unsent(late, late.lost(why, sent=False, now=now, unix=self._unix()))

    def _on_wanted(self, member: Member, message: Wanted) -> None:
        assigned = self._under_way.get(message.n, member)
        if assigned is None:
            self._registration.tell(member, Cancel(n=message.n))  # or it would wait for ever
            if message.n in self._late.given_up:
                self._end_unsent(member, message.n, "had no input for it yet: nothing was sent")
            return
        if assigned.supply:
            self._shipments.release(member.number, assigned.supply)
        assigned.supply = name = self._shipments.want(member.number, member.place.node, assigned.call)
        self._registration.tell(member, Supplied(n=message.n, key=name))

    def _on_pieces(self, member: Member, message: Pieces) -> None:
        assigned = self._under_way.get(message.n, member)
        if assigned is not None and assigned.on_text is not None:
            assigned.on_text(message.text)

    def _on_garbled(self, member: Member, why: str) -> None:
        """Messages were lost: nobody knows any more which attempts of the worker end."""
        self._say(
            f"messages of {worker_name(member.number, member.place)} could not be understood ({why}): its "
            "attempts are made again",
            NoteLevel.WARNING,
        )
        self._shipments.drop(member.number)  # nor which inputs it has
        self._give_up_all(member, "could not be understood")

    # --- time ------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_S, self._look)  # whatever the rest comes to
        now = self._loop.time()
        for member in self._membership.look(now):
            self._check_usable()
            self._give_up_all(member, member.why)
        self._check_usable()
        # A little before the time, or each one would come after every second look.
        self._outboxes.ping(PING_S - LOOK_S / 2)
        self._shipments.forget(now)
        self._registration.record_changes(now)

    def _on_standing(self, member: Member, before: Standing) -> None:
        if self._is_closed:
            return
        self._registration.on_standing(member, before)
        if Standing.USABLE in (before, member.standing):
            self._on_room()

    def _check_usable(self) -> None:
        held = not self._membership.usable
        if self._is_open and held is not self._is_held:
            self._is_held = held
            self._hold(held)
