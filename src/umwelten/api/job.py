"""A run that was asked for: it begins when it is first waited for, in a coroutine or in plain code."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from umwelten.api.answer import Answer, T, answer
from umwelten.api.background_run import Background, wait
from umwelten.api.results import Results
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import Arrivals

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.background_run import Prepare


class NeverRun(RuntimeWarning):
    """A job was dropped without being waited for: no call was made."""


class Job(Generic[T]):
    """What `run` and `batch` return. Nothing happens before it is used:

    - `await job` or `job.wait()` runs to the end and returns the `Results`;
    - `async for answer in job` or `for answer in job` gives each `Answer` as it comes, the stored ones of
      earlier runs first; leaving the loop early stops the run;
    - `async with job` or `with job` stops it on the way out, unless it has ended.

    Stopped, it starts no further call; those in flight have `grace_s` to finish and are kept. So it is on
    Ctrl-C and when a task that awaits it is cancelled. What the user must fix is raised, as a
    `UmweltenError`, where the job is used; calls that fail are answers with an `error`.

    >>> with umwelten.run("Name a river.", "openai:gpt-5.4-mini", repeat=2) as job:
    ...     for answer in job:
    ...         print(answer.repeat, answer.cost_usd is not None)
    1 True
    2 True
    """

    def __init__(
        self,
        prepare: Prepare,
        *,
        name: str,
        shape: type[T] | None = None,
        grace_s: float = 10.0,
    ) -> None:
        """Use `run` or `batch`."""
        self._used = False
        self._name, self._shape = name, shape
        self._background = Background(prepare, grace_s)
        self._lock = threading.Lock()

    # --- to the end ------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Results[T]]:
        return self._wait().__await__()

    def wait(self) -> Results[T]:
        """Run to the end and return what came out. Also where an event loop runs, as in a notebook."""
        with self._closing():
            wait(self._begin().finished())
        return self._results()

    def to_pandas(self) -> pandas.DataFrame:
        """Run to the end; then `Results.to_pandas`."""
        return self.wait().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Run to the end; then `Results.to_polars`."""
        return self.wait().to_polars()

    def to_arrow(self) -> pyarrow.Table:
        """Run to the end; then `Results.to_arrow`."""
        return self.wait().to_arrow()

    # --- as they come ----------------------------------------------------------------------

    def __iter__(self) -> Iterator[Answer[T]]:
        background = self._begin()
        with self._closing():
            for step in self._steps():
                if isinstance(step, int):
                    wait(background.changed(step))
                else:
                    yield step

    async def __aiter__(self) -> AsyncIterator[Answer[T]]:
        background = self._begin()
        try:
            for step in self._steps():
                if isinstance(step, int):
                    await asyncio.wrap_future(background.changed(step))
                else:
                    yield step
        except BaseException as error:
            await self._close(error)
            raise

    def _steps(self) -> Iterator[Answer[T] | int]:
        """Answers, and in between the version that has to change before there can be more."""
        background = self._background
        while background.folder is None:
            version = background.version
            if background.ended:
                self._results()
            yield version
        with Reader.open(background.folder) as reader:
            arrivals = Arrivals(reader)
            while True:
                version, ended = background.version, background.ended
                with store_errors(background.folder):
                    calls = arrivals.take()
                yield from (answer(call, self._shape) for call in calls)
                if not calls and ended:
                    break
                if not calls:
                    yield version
        self._results()

    # --- the end before the end ------------------------------------------------------------

    def stop(self, reason: str = "stopped", *, grace_s: float | None = None) -> None:
        """Start no further call. Those in flight have the grace to finish; who waits gets what there is.

        From any thread; returns at once. `grace_s` None: that of the job. Again with 0: at once.
        """
        self._background.stop(reason, grace_s=grace_s)

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
        state = "ended" if self._background.ended else "running" if self._used else "not yet run"
        return f"<Job {self._name}: {state}>"

    def __del__(self) -> None:
        if not self.__dict__.get("_used", True):
            warnings.warn(
                f"{self._name} was never run: await it, or use .wait()", NeverRun, stacklevel=2, source=self
            )

    # --- inside ----------------------------------------------------------------------------

    def _begin(self) -> Background:
        with self._lock:
            first, self._used = not self._used, True
        if first:
            self._background.start()
        return self._background

    def _results(self) -> Results[T]:
        background = self._background
        if background.error is not None:
            raise background.error
        assert background.folder is not None, "an evaluation that ran has a folder"
        return Results(background.folder, self._shape)

    async def _wait(self) -> Results[T]:
        background = self._begin()
        try:
            await asyncio.wrap_future(background.finished())
        except BaseException as error:
            await self._close(error)
            raise
        return self._results()

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


def _why(error: BaseException | None) -> tuple[str, bool]:
    """The reason that is noted, and whether it was an interruption."""
    if error is None or isinstance(error, GeneratorExit):
        return "closed early", False
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return "interrupted" if isinstance(error, KeyboardInterrupt) else "cancelled", True
    return f"{type(error).__name__} in the code that uses it", True
