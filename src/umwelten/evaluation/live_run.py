"""A run that goes on, as whoever changes it needs it: its parts, and the settings that hold now."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from umwelten.attempts.target import Target
from umwelten.control.lane import Lane
from umwelten.control.pool import Pool
from umwelten.engine.engine import Engine
from umwelten.errors import UsageError
from umwelten.evaluation.descriptors import within_room
from umwelten.evaluation.local_attempts import AttemptMaker
from umwelten.evaluation.spec import EvaluationSpec, Limits
from umwelten.events import Observer
from umwelten.records import ChangeRecord, Committable
from umwelten.store.store import Store
from umwelten.types import ModelRef

T = TypeVar("T")

ENDED = "the run has ended"
AFTERWARDS = "Use `umwelten eval resume` once it has."


@dataclass(eq=False)
class LiveRun:
    """See the module's text. All but `do` belongs to the thread of the event loop.

    `models` are the evaluation's by number. `local_slots`: how many calls the local server takes at once.
    `texts`: pieces of streamed answers are told whether anybody watches or not.
    """

    loop: asyncio.AbstractEventLoop
    spec: EvaluationSpec
    store: Store
    engine: Engine
    pool: Pool
    attempts: AttemptMaker
    targets: Mapping[int, Target]
    tell: Observer
    local_slots: int
    run_id: int
    texts: bool = True
    max_concurrency: int | Literal["auto"] = 1
    ceilings: dict[str, int] = field(default_factory=dict)
    rates: dict[str, str] = field(default_factory=dict)
    max_cost_usd: float | None = None
    earlier_costs_counted: bool = False
    paused: dict[str, asyncio.TimerHandle | None] = field(default_factory=dict)
    requeued: set[int] = field(default_factory=set)
    _thread: int = field(default_factory=threading.get_ident)
    _journal: dict[int, Future[bool]] = field(default_factory=dict)
    _ended: bool = False

    @classmethod
    def begin(cls, limits: Limits, **parts: Any) -> LiveRun:
        """Return it as it starts. `parts` are those of the run."""
        from umwelten.config.rate_texts import written

        return cls(
            max_concurrency=limits.max_concurrency,
            ceilings=dict(limits.provider_concurrency),
            rates={name: ", ".join(map(written, rates)) for name, rates in limits.rates.items()},
            max_cost_usd=limits.max_cost_usd,
            earlier_costs_counted=limits.max_cost_usd is not None,
            **parts,
        )

    @property
    def models(self) -> Mapping[int, ModelRef]:
        """The models by number; those with several prompts have several."""
        return self.store.models

    @property
    def settings(self) -> dict[str, Any]:
        """What holds now, by the names of the options, as values of JSON."""
        return {
            "max_concurrency": self.max_concurrency,
            "provider_concurrency": dict(self.ceilings),
            "rate": dict(self.rates),
            "max_cost": self.max_cost_usd,
            "max_errors": self.engine.max_errors,
            "timeout": self.attempts.timeout_s,
            "retries": self.pool.policy.retries,
        }

    # --- from another thread ---------------------------------------------------------------

    @property
    def is_own_thread(self) -> bool:
        """Whether this is the thread of the loop, where nothing may wait for it."""
        return threading.get_ident() == self._thread

    def do(self, act: Callable[[], T], timeout_s: float) -> T:
        """Have this done in the loop's thread, and return what it returns.

        Raises `UsageError` where the run has ended, and `TimeoutError`.
        """
        if self.is_own_thread:
            self._check()
            return act()
        outcome: Future[T] = Future()

        def run() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                self._check()
                outcome.set_result(act())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                outcome.set_exception(error)

        try:
            self.loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise UsageError(ENDED) from None
        try:
            return outcome.result(timeout_s)
        except TimeoutError:
            outcome.cancel()  # what nobody waits for any more must not happen later
            raise

    def _check(self) -> None:
        if self._ended or not self.engine.is_running:
            raise UsageError(ENDED)

    def check_open(self, hint: str) -> None:
        """Raise `UsageError` where no further call starts, so that a change would have no effect."""
        if self.engine.is_closed:
            raise UsageError("the run is about to end, and starts no further call", hint)

    def tell_texts(self, wanted: bool) -> None:
        """Tell of pieces of streamed answers, of calls that start from now on, as long as they are wanted."""
        self.engine.stream = self.spec.stream and (self.texts or wanted)

    # --- the journal -----------------------------------------------------------------------

    def journal(self, record: ChangeRecord) -> Future[bool]:
        """Store a change; the future tells whether that is committed."""
        committed: Future[bool] = Future()
        self._journal[id(record)] = committed
        if self.store.error is not None:
            self._settle(id(record), stored=False)
        else:
            self.store.submit(record)
            self.store.flush_soon()
        return committed

    def on_commit(self, records: Sequence[Committable]) -> None:
        """Take note of what is committed. In the writer's thread."""
        for record in records:
            if isinstance(record, ChangeRecord):
                self._settle(id(record), stored=True)
        if not records and self.store.error is not None:
            self._give_up()

    def _settle(self, number: int, *, stored: bool) -> None:
        future = self._journal.pop(number, None)
        if future is not None:
            with suppress(Exception):
                future.set_result(stored)

    def _give_up(self) -> None:
        for number in tuple(self._journal):
            self._settle(number, stored=False)

    def fit_room(self) -> None:
        """Have as many calls in flight at most as is set, and as there is room for."""
        wanted = None if self.max_concurrency == "auto" else self.max_concurrency
        self.pool.max_in_flight = within_room(wanted, self.attempts.room)

    def end(self) -> None:
        """The run has ended: nothing can be changed any more."""
        self._ended = True
        for timer in self.paused.values():
            if timer is not None:
                timer.cancel()
        self.paused.clear()

    def close(self) -> None:
        """All that was to be stored is, or never will be."""
        self._give_up()

    # --- what a scope means ----------------------------------------------------------------

    def lanes_of(self, scope: str) -> list[Lane]:
        """Return the lanes with that name, or of that provider; all for ""."""
        return [lane for lane in self.pool.lanes if scope in ("", lane.name, lane.group)]

    def models_of(self, scope: str) -> list[int]:
        """Return the numbers of the models with that name, with or without its variant."""
        return [number for number, ref in self.models.items() if scope in (str(ref), str(ref.plain))]
