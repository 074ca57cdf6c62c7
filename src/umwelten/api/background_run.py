"""One run in a thread with an event loop of its own.

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Event, Observer

    Prepare = Callable[[], tuple[Evaluation, Observer, tuple[Path, ...]]]

_LOOK_S = 0.5
"""Where a wait for a lock can't be interrupted (Windows), Ctrl-C is noticed after this long."""

_EXIT_S = 5.0
"""At the program's end: how long to wait beyond the grace."""


class Background:
    """`prepare`, called in the thread, returns the evaluation, its observer, and the reports to write."""

    def __init__(self, prepare: Prepare, grace_s: float) -> None:
        self.folder: Path | None = None
        self.error: BaseException | None = None
        self.ended = False
        self.version = 0
        self._prepare, self._grace_s = prepare, grace_s
        self._lock = threading.Lock()
        self._waiters: list[Future[None]] = []
        self._enders: list[Future[None]] = []
        self._stopped: tuple[str, bool, float] | None = None
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
            self._tell(ended=True)

    def _run(self) -> None:
        import asyncio

        from umwelten.threads import new_event_loop

        evaluation, observe, reports = self._prepare()
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._drive(evaluation, observe))
        finally:
            with self._lock:
                self._loop = None
            evaluation.close()
        for path in reports:
            from umwelten.api.argument_names import as_argument
            from umwelten.report.output_files import write_report

            write_report(evaluation.folder, path, vendors=evaluation.vendors, spelling=as_argument)

    async def _drive(self, evaluation: Evaluation, observe: Observer) -> None:
        import asyncio

        with self._lock:
            self._evaluation, self._loop = evaluation, asyncio.get_running_loop()
        self._apply()
        await evaluation.run([self._begun, observe, self._on_commit])

    def _apply(self) -> None:
        with self._lock:
            order = self._stopped
        if order is not None and self._evaluation is not None:
            reason, interrupted, grace_s = order
            self._evaluation.stop(reason, interrupted=interrupted, grace_s=grace_s)

    def _begun(self, event: Event) -> None:
        from umwelten.events import RunStarted

        if isinstance(event, RunStarted) and self._evaluation is not None:
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
