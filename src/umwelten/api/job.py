"""A run that was asked for, and its answers as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Generic

from umwelten.api.answer import Answer, T, answer
from umwelten.api.background_job import BackgroundJob
from umwelten.api.background_run import wait
from umwelten.api.results import Results
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import Arrivals

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.background_run import Background, Prepare
    from umwelten.api.progress import JobProgress
    from umwelten.inputs.given.walk import GivenData


class Job(BackgroundJob[Results[T]], Generic[T]):
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
        data: GivenData | None = None,
        progress: JobProgress | None = None,
    ) -> None:
        """Use `run` or `batch`."""
        super().__init__(prepare, name=name, grace_s=grace_s, progress=progress)
        self._shape, self._data = shape, data

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
        background = self._begin(asyncio.get_running_loop())
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
                self._outcome()
            yield version
        with Reader.open(background.folder) as reader:
            arrivals = Arrivals(reader)
            while True:
                version, ended = background.version, background.ended
                with store_errors(background.folder):
                    calls = arrivals.take()
                yield from (answer(call, self._shape, background.folder) for call in calls)
                if not calls and ended:
                    break
                if not calls:
                    yield version
        self._outcome()

    def _begin(self, loop: asyncio.AbstractEventLoop | None = None) -> Background:
        if self._data is not None and not self._used:
            background = self._background
            self._data.loop, self._data.stopped = loop, lambda: background.stopped is not None
        return super()._begin(loop)

    def _outcome(self) -> Results[T]:
        self._raise_error()
        folder = self._background.folder
        assert folder is not None, "an evaluation that ran has a folder"
        return Results(folder, self._shape)
