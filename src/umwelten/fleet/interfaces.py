"""What the two ends of the messages need from others: what makes attempts, what has inputs, what checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from umwelten.engine.interfaces import AttemptResult
from umwelten.events import NoteLevel
from umwelten.fleet.messages import Supply
from umwelten.store.contents import Content
from umwelten.types import Call, Turn


class NothingSent(Exception):
    """Raised by what makes an attempt where `AssignedCall.may_send` forbade it to send anything."""


class AssignedCall(Protocol):
    """What an assignment says beside its call, for the attempt that makes it.

    `about` is what the call's conversation is about so far, `None`: it begins.
    """

    about: bytes | None

    def may_send(self) -> bool:
        """Return whether a request may go out now. If not, the attempt ends by raising `NothingSent`."""

    async def supply(self) -> Supply | None:
        """Return the input that the coordinator sends with the call; `None`: it is read at its path."""

    async def wanted(self) -> Supply:
        """Ask the coordinator for the input, which cannot be read here as it was seen there."""


class WorkerHost(Protocol):
    """What a worker does for what makes its attempts. All methods return at once."""

    def note(self, text: str, level: NoteLevel) -> None:
        """Tell the user something, once for all workers."""

    def keep(self, contents: Iterable[Content]) -> None:
        """Have texts kept in the store before the attempt that names them is."""

    def on_connected(self, lane: str, took_s: float) -> None:
        """Say how long a new connection took."""

    def on_refused(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        """Tell the other workers which optional fields a model refused."""


class WorkerRunner(Protocol):
    """Makes a worker's attempts. It returns whatever happens as a value, and raises only `NothingSent`."""

    @property
    def room(self) -> int:
        """How many attempts may be under way at once, as far as open files go."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Variables of keys that are needed and not there."""

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Use these keys, by the names of their variables."""

    def set_timeout(self, timeout_s: float) -> None:
        """Use another limit of time for attempts that begin from now on."""

    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        """Leave out fields that a model refused at another worker."""

    def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> Coroutine[Any, Any, AttemptResult]: ...

    async def close(self) -> None:
        """Release what is held at providers."""


Build = Callable[[bytes, WorkerHost], Awaitable[WorkerRunner]]
"""Makes what makes attempts, given the payload of `Setup`."""


ONCE = "once"
"""Begins the key of a supply that only one assignment names: it goes with that, and ends with it."""


class Supplies(Protocol):
    """The inputs that workers do not read by themselves, at the coordinator."""

    def key(self, call: Call, node: str) -> str:
        """Return the key of what is sent with a call to a worker on a node, "" where that reads it itself."""

    def want(self, call: Call, worker: int, node: str) -> str:
        """Take note that a worker cannot read the input of a call; returns the key of its `Supply`."""

    async def load(self, call: Call, key: str) -> Supply:
        """Return what is sent, of form "error" where it cannot be read. It is not kept here."""


class NoSupplies:
    """Supplies of a run whose workers read all inputs, or that has none."""

    def key(self, call: Call, node: str) -> str:
        """Return "": nothing is sent with a call."""
        return ""

    def want(self, call: Call, worker: int, node: str) -> str:
        """Return the key of what says that there is nothing."""
        return "none"

    async def load(self, call: Call, key: str) -> Supply:
        """Return that there is nothing."""
        name = "" if call.input is None else call.input.name
        return Supply(key=key, form="missing", data=f"cannot read {name}".encode())


class OutcomeCheck(Protocol):
    """What is decided at the coordinator about an attempt that a worker made: what its tools call for."""

    def about(self, call: Call, turns: tuple[Turn, ...]) -> bytes | None:
        """Return what a conversation is about so far, as `AttemptResult.content`; `None`: it begins."""

    def __call__(
        self, call: Call, turns: tuple[Turn, ...], result: AttemptResult, *, late: bool = False
    ) -> Awaitable[AttemptResult]:
        """Return the result with what its answer comes to; `late`: of an attempt that had been given up."""
