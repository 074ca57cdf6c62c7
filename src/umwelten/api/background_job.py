"""A job: it begins when it is first waited for, in a coroutine or in plain code, and works in a thread."""

from __future__ import annotations

import asyncio
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from umwelten.api.background_run import Background, wait
from umwelten.errors import UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from umwelten.api.background_run import Prepare
    from umwelten.api.live_settings import LiveSettings
    from umwelten.api.progress import JobProgress
    from umwelten.evaluation.run_control import RunControl
    from umwelten.evaluation.run_state import Author, Change, RunState

R = TypeVar("R")

_NOT_RUN = "not yet run; await it, or use .wait()"


class NeverRun(RuntimeWarning):
    """A job was dropped without being waited for: nothing was done."""


class BackgroundJob(ABC, Generic[R]):
    """Runs to the end when it is awaited or waited for, and then has what came out."""

    def __init__(
        self, prepare: Prepare, *, name: str, grace_s: float = 10.0, progress: JobProgress | None = None
    ) -> None:
        """`prepare` returns the work, and is called in the job's thread."""
        self._used = False
        self._name, self._progress = name, progress
        self._background = Background(prepare, grace_s)
        self._lock = threading.Lock()

    # --- to the end ------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, R]:
        return self._wait().__await__()

    def wait(self) -> R:
        """Run to the end and return what came out. Also where an event loop runs, as in a notebook."""
        with self._closing():
            wait(self._begin().finished())
        return self._outcome()

    # --- the end before the end ------------------------------------------------------------

    def stop(self, reason: str = "stopped", *, grace_s: float | None = None) -> None:
        """Start no further call. Those in flight have the grace to finish; who waits gets what there is.

        From any thread; returns at once. `grace_s` None: that of the job. Again with 0: at once.
        """
        self._background.stop(reason, grace_s=grace_s)

    # --- changes while it goes on --------------------------------------------------------------

    def status(self) -> RunState | None:
        """Return what the run is doing, as it is now or was last; `None` before its first call.

        From any thread, and while it is waited for.
        """
        run_control = self._background.run_control
        return None if run_control is None else run_control.state()

    def set(self, *, reason: str = "", **settings: Unpack[LiveSettings]) -> tuple[Change, ...]:
        """Change settings of the run that goes on, and return what came of each, in their order.

        The arguments are those of `run`; in `provider_concurrency` and `rate`, by the name of a provider or
        a lane. `None` takes away a cap or a rate. Lowering cancels no call, raising acts at once; each change
        is stored with the evaluation, with its `reason`. From any thread. Raises `UsageError` for what cannot
        be set and where no run is under way; what was named before that is set.
        """
        run_control, by = self._run_control(), _author(reason)
        names = {"timeout_s": "timeout"}
        changes: list[Change] = []
        for name, value in settings.items():
            key = names.get(name, name)
            scoped = value if isinstance(value, Mapping) else {"": value}
            changes += [run_control.set(key, each, by, scope=scope) for scope, each in scoped.items()]
        return tuple(changes)

    def pause(self, scope: str = "", *, for_s: float | None = None, reason: str = "") -> Change:
        """Start no further call until `resume`, or for so long; what is in flight ends and is stored.

        `scope` is the name of a lane, a provider or a model, "" the whole run. From any thread. Raises
        `UsageError`.
        """
        return self._run_control().pause(_author(reason), scope=scope, for_s=for_s)

    def resume(self, scope: str = "", *, reason: str = "") -> Change:
        """End a pause; that of the whole run ends all. Raises `UsageError`."""
        return self._run_control().resume(_author(reason), scope=scope)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._used:
            self._close_now(error)
        self._used = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._used:
            await self._close(error)
        self._used = True

    # --- what it is ------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """The evaluation's id; `None` until it is there."""
        return None if self.folder is None else self.folder.name

    @property
    def folder(self) -> Path | None:
        """The evaluation's folder; `None` until it is there."""
        return self._background.folder

    def __repr__(self) -> str:
        state = "ended" if self._background.ended else "running" if self._used else _NOT_RUN
        return f"<{type(self).__name__} {self._name}: {state}>"

    def __del__(self) -> None:
        if not self.__dict__.get("_used", True):
            warnings.warn(
                f"{self._name} was never run: await it, or use .wait()", NeverRun, stacklevel=2, source=self
            )

    # --- inside ----------------------------------------------------------------------------

    @abstractmethod
    def _outcome(self) -> R:
        """Return what came out, after the end."""

    def _run_control(self) -> RunControl:
        run_control = self._background.run_control
        if run_control is None or self._background.ended:
            if self._background.ended:
                raise UsageError("the job has ended")
            hint = "It begins when it is waited for: change it while iterating over it, or in another thread."
            raise UsageError("the job is not under way", hint)
        return run_control

    def _raise_error(self) -> None:
        if self._background.error is not None:
            raise self._background.error

    def _begin(self, loop: asyncio.AbstractEventLoop | None = None) -> Background:
        """Start, if that was not done. `loop`: that of the program, which is free while it waits."""
        with self._lock:
            first = not self._used
            if first and self._progress is not None:
                self._progress.open()
                self._background.at_end = self._progress.close
            self._used = True
        if first:
            self._background.start()
        return self._background

    async def _wait(self) -> R:
        background = self._begin(asyncio.get_running_loop())
        try:
            await asyncio.wrap_future(background.finished())
        except BaseException as error:
            await self._close(error)
            raise
        return self._outcome()

    @contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._close_now(error)
            raise

    def _close_now(self, error: BaseException | None) -> None:
        """Stop and wait for the end; interrupted once more, at once."""
        background = self._background
        if background.ended:
            return
        reason, interrupted = _why(error)
        background.stop(reason, interrupted=interrupted)
        try:
            wait(background.finished())
        except BaseException:
            background.stop(reason, interrupted=True, grace_s=0)
            wait(background.finished())
            raise

    async def _close(self, error: BaseException | None) -> None:
        """The same in a coroutine."""
        background = self._background
        if background.ended:
            return
        reason, interrupted = _why(error)
        background.stop(reason, interrupted=interrupted)
        try:
            await asyncio.wrap_future(background.finished())
        except BaseException:
            background.stop(reason, interrupted=True, grace_s=0)
            await asyncio.wrap_future(background.finished())
            raise


def _author(reason: str) -> Author:
    from umwelten.evaluation.run_state import Author

    return Author(via="library", reason=reason)


def _why(error: BaseException | None) -> tuple[str, bool]:
    """The reason that is noted, and whether it was an interruption."""
    if error is None or isinstance(error, GeneratorExit):
        return "closed early", False
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return "interrupted" if isinstance(error, KeyboardInterrupt) else "cancelled", True
    return f"{type(error).__name__} in the code that uses it", True
