"""The work of one job in a thread, with an event loop of its own for its calls.

Whoever waits for it, in a coroutine, a notebook or a plain script, does the same thing: looks at `version`,
and waits until it has changed. The run's pace does not depend on what they do meanwhile.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.evaluation.run_control import RunControl
    from umwelten.evaluation.run_start import CallSubset
    from umwelten.events import Event, Observer, RunStatus

    Prepare = Callable[[], "Work"]

_Order = tuple[str, bool, float]
"""Why the job is stopped, whether it was interrupted, and the grace in seconds."""

_LOOK_S = 0.5
"""Where a wait for a lock can't be interrupted (Windows), Ctrl-C is noticed after this long."""

_EXIT_S = 5.0
"""At the program's end: how long to wait beyond the grace."""


class Halted(Exception):
    """The job was stopped while it did what is no call."""


class Work(Protocol):
    """What a job does."""

    def do(self, thread: Background) -> None:
        """Do it, in the job's thread. `Halted` may be raised."""


class Background:
    """`prepare`, called in the thread, returns the work."""

    def __init__(self, prepare: Prepare, grace_s: float) -> None:
        self.folder: Path | None = None
        self.error: BaseException | None = None
        self.ended = False
        self.run_control: RunControl | None = None
        self.at_end: Callable[[], None] = lambda: None
        self.version = 0
        self._prepare, self._grace_s = prepare, grace_s
        self._lock = threading.Lock()
        self._waiters: list[Future[None]] = []
        self._enders: list[Future[None]] = []
        self._stopped: _Order | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._evaluation: Evaluation | None = None
        # A daemon, so that a program whose main thread ends comes to its exit, where the run is stopped.
        self._thread = threading.Thread(target=self._work, name="umwelten-job", daemon=True)

    def start(self) -> None:
        """Begin. Once."""
        atexit.register(self._leave)
        self._thread.start()

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float | None = None) -> None:
        """Start no further call; those in flight have the grace to finish. From any thread, and again."""
        order = (reason, interrupted, self._grace_s if grace_s is None else grace_s)
        with self._lock:
            self._stopped = order
            if self._loop is not None:
                # Closed just now: then there is nothing left to stop.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._apply)

    def changed(self, version: int) -> Future[None]:
        """Done as soon as `version` is no longer the present one."""
        return self._waiter(self._waiters, lambda: self.version != version)

    def finished(self) -> Future[None]:
        """Done as soon as the run has ended."""
        return self._waiter(self._enders, lambda: self.ended)

    # --- in the thread ---------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - it is raised where the job is waited for
            self.error = error
        finally:
            atexit.unregister(self._leave)
            self.at_end()
            self._tell(ended=True)

    def _run(self) -> None:
        with suppress(Halted):
            self._prepare().do(self)

    @property
    def stopped(self) -> _Order | None:
        """The latest order to stop, `None` without one."""
        return self._stopped

    def checker(self) -> Callable[[], None]:
        """Return what raises `Halted` if the job is stopped from now on."""
        before = self._stopped

        def check() -> None:
            if self._stopped is not before:
                raise Halted

        return check

    def make_calls(
        self, evaluation: Evaluation, observe: Observer, only: CallSubset | None = None
    ) -> RunStatus:
        """Run an evaluation, or just these calls, in an event loop, until it ends or the job is stopped."""
        import asyncio

        from umwelten.threads import new_event_loop

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                return runner.run(self._drive(evaluation, observe, only))
        finally:
            with self._lock:
                self._loop = self._evaluation = None

    async def _drive(self, evaluation: Evaluation, observe: Observer, only: CallSubset | None) -> RunStatus:
        import asyncio

        from umwelten.evaluation.run_control import RunControl
        from umwelten.live.server import controlled
        from umwelten.tally import Tally

        tally = Tally()
        run_control = RunControl(evaluation, tally)
        with self._lock:
            self._evaluation, self._loop = evaluation, asyncio.get_running_loop()
            self.run_control = run_control
        self._apply()
        with controlled(evaluation, run_control, observe) as more:
            # Those of `more` before the program's own: that may change the run because of an event.
            told: list[Observer] = [tally, self._begun, *more, observe, self._on_commit]
            return (await evaluation.run(told, only=only)).status

    def _apply(self) -> None:
        with self._lock:
            order, evaluation = self._stopped, self._evaluation
        if order is not None and evaluation is not None:
            reason, interrupted, grace_s = order
            evaluation.stop(reason, interrupted=interrupted, grace_s=grace_s)

    def _begun(self, event: Event) -> None:
        from umwelten.events import RunStarted

        # The folder of the first is that of the job: others hold what judges said of its answers.
        if isinstance(event, RunStarted) and self.folder is None and self._evaluation is not None:
            self.folder = self._evaluation.folder
            self._tell()

    def _on_commit(self, event: Event) -> None:
        from umwelten.events import CallFailed, CallSucceeded

        if isinstance(event, CallSucceeded | CallFailed):
            self._tell()

    def _waiter(self, waiters: list[Future[None]], come: Callable[[], bool]) -> Future[None]:
        waiter: Future[None] = Future()
        with self._lock:
            if not come():
                waiters.append(waiter)
                return waiter
        waiter.set_result(None)
        return waiter

    def _tell(self, *, ended: bool = False) -> None:
        with self._lock:
            self.version += 1
            self.ended = ended
            waiters, self._waiters = self._waiters, []
            if ended:
                waiters += self._enders
        for waiter in waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(None)

    def _leave(self) -> None:
        """Stop the run because the program ends."""
        self.stop("the program ended", interrupted=True)
        self._thread.join(self._grace_s + _EXIT_S)


def wait(waiter: Future[None]) -> None:
    """Wait for it in a plain thread, so that Ctrl-C is noticed."""
    while not waiter.done():
        with suppress(TimeoutError):
            waiter.result(_LOOK_S)
