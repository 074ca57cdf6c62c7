"""The workers as the coordinator greets them: their introductions, what all are told, and their records."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from umwelten.errors import UmweltenError, UsageError
from umwelten.events import Note, NoteLevel, Observer, WorkerChanged, WorkerState
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.handshake import problem_of
from umwelten.fleet.membership import Member, Membership, Standing
from umwelten.fleet.messages import (
    Hello,
    Keys,
    Leave,
    Limits,
    Refused,
    Setup,
    ToWorker,
    encode_message,
)
from umwelten.fleet.outboxes import Outboxes
from umwelten.records import WorkerRecord

HELLO_S = 60.0
"""How long workers may take to introduce themselves: they import what attempts need, and read files."""

RECORD_S = 5.0
"""How often a worker's record is written while its calls change."""


class Registration:
    """Greets workers when they join; those that join later are told what the others were told before.

    `keys` are sent to workers if given, by the names of their variables. `unix` gives Unix seconds.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        keys: Mapping[str, str],
        membership: Membership,
        outboxes: Outboxes,
        on_workers: Callable[[WorkerRecord], None],
        observer: Observer,
        say: Callable[[str, NoteLevel], None],
        unix: Callable[[], float],
    ) -> None:
        self._setup, self._keys = encode_message(setup), dict(keys)
        self._membership, self._outboxes = membership, outboxes
        self._on_workers, self._observer, self._say, self._unix = on_workers, observer, say, unix
        self._loop = asyncio.get_running_loop()
        self._joined_at: dict[int, float] = {}
        self._recorded: dict[int, tuple[float, int]] = {}
        self._timeout_s: float | None = None
        self._refused: dict[tuple[str, str], frozenset[str]] = {}
        self._problem: UmweltenError | None = None
        self._changed = asyncio.Event()
        self._is_open = False

    def join(self, worker: int, place: WorkerPlace) -> None:
        """Send a worker what the attempts of the run need; it answers with a `Hello`."""
        self._membership.join(worker, place, self._loop.time())
        self._joined_at[worker] = self._unix()
        self._outboxes.join(worker)
        self._outboxes.add(worker, self._setup)

    async def wait(self) -> None:
        """Return once each worker introduced itself. Raises `UmweltenError` for one that cannot be used."""
        until = self._loop.time() + HELLO_S
        while True:
            if self._problem is not None:
                raise self._problem
            is_late = self._loop.time() >= until
            joining = any(each.standing is Standing.JOINING for each in self._membership)
            if self._membership.usable and (is_late or not joining):
                self._is_open = True
                return
            if is_late:
                raise UsageError(
                    f"no worker was ready within {HELLO_S:g} s",
                    "look into the workers' logs",
                )
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._changed.wait()

    def on_hello(self, member: Member, hello: Hello) -> None:
        """Let a worker in, or leave it out."""
        if member.standing is not Standing.JOINING:
            return
        self._changed.set()
        problem = problem_of(member.number, hello, self._keys)
        if problem is not None:
            self._membership.leave_out(member)
            if self._is_open:
                self._say(f"a worker is left out: {problem}", NoteLevel.WARNING)
            else:
                self._problem = self._problem or problem
            return
        member.place = WorkerPlace(node=hello.node, address=hello.address, pid=hello.pid)
        if self._keys:
            self.tell(member, Keys(values=self._keys))
        if self._timeout_s is not None:
            self.tell(member, Limits(timeout_s=self._timeout_s))
        for (model, address), fields in self._refused.items():
            self.tell(member, Refused(model=model, address=address, fields=tuple(sorted(fields))))
        self._membership.greet(member, hello.room)
        self._record(member)

    def on_leave(self, member: Member, why: str) -> None:
        """Note that a worker is gone."""
        if member.number in self._recorded:
            self._record(member, why)
        self._changed.set()

    def on_standing(self, member: Member, before: Standing) -> None:
        """Tell of a worker that may be used for other things than before."""
        state = _state(before, member.standing)
        if state is not None:
            self._tell(member, state)

    def on_refused(self, member: Member, message: Refused) -> None:
        """Tell the others what fields a model refused at a worker."""
        known = self._refused.get((message.model, message.address), frozenset())
        if known.issuperset(message.fields):
            return
        self._refused[message.model, message.address] = known.union(message.fields)
        for other in self._membership:
            if other is not member and other.number in self._recorded:
                self.tell(other, message)

    def set_timeout(self, timeout_s: float) -> None:
        """Tell all the limit of time for attempts that begin from now on."""
        self._timeout_s = timeout_s
        for member in self._membership:
            if member.number in self._recorded:
                self.tell(member, Limits(timeout_s=timeout_s))

    def end(self) -> None:
        """Tell all that the run has ended."""
        for member in self._membership:
            self.tell(member, Leave())

    def tell(self, member: Member, message: ToWorker) -> None:
        """Send a worker a message at once."""
        if member.standing is not Standing.GONE:
            self._outboxes.add(member.number, encode_message(message))

    # --- records ---------------------------------------------------------------------------

    def _tell(self, member: Member, state: WorkerState) -> None:
        self._observer(
            WorkerChanged(
                number=member.number,
                node=member.place.node,
                state=state,
                at_unix=self._unix(),
                why=member.why if state is WorkerState.LOST else "",
            )
        )

    def record_changes(self, now: float) -> None:
        """Write the records of workers whose calls changed, now and then."""
        for member in self._membership:
            at, calls = self._recorded.get(member.number, (now, member.calls))
            if now - at >= RECORD_S and calls != member.calls and member.standing is not Standing.GONE:
                self._record(member)

    def record_end(self) -> None:
        """Write the records of the workers as the run leaves them."""
        for member in self._membership:
            if member.number in self._recorded and member.standing is not Standing.GONE:
                self._record(member, "the run ended")
                self._tell(member, WorkerState.LEFT)

    def _record(self, member: Member, left: str = "") -> None:
        place = member.place
        self._recorded[member.number] = (self._loop.time(), member.calls)
        self._on_workers(
            WorkerRecord(
                number=member.number,
                node=place.node,
                address=place.address,
                pid=place.pid,
                joined_at=self._joined_at[member.number],
                left_at=self._unix() if left else None,
                why=left,
                calls=member.calls,
                cpu_s=member.cpu_s,
            )
        )


def _state(before: Standing, now: Standing) -> WorkerState | None:
    """Return what users are told of a worker whose standing changed, `None` if they know."""
    match now:
        case Standing.USABLE:
            return WorkerState.JOINED if before is Standing.JOINING else WorkerState.BACK
        case Standing.SUSPECT:
            return WorkerState.SUSPECT
        case Standing.LOST | Standing.GONE if before in (Standing.USABLE, Standing.SUSPECT):
            return WorkerState.LOST
    return None


class NotesOnce:
    """Tells each note of the workers once, however many of them have it."""

    def __init__(self, observer: Observer, most: int = 1_000) -> None:
        self._observer, self._most = observer, most
        self._told: dict[str, None] = {}

    def __call__(self, text: str, level: NoteLevel) -> None:
        """Tell a note, unless it was among the latest."""
        if text in self._told:
            return
        self._told[text] = None
        if len(self._told) > self._most:
            del self._told[next(iter(self._told))]
        self._observer(Note(text=text, level=level))
