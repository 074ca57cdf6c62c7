"""A suite as a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.background_job import BackgroundJob
from umwelten.api.leaderboards import Leaderboard

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.progress import JobProgress
    from umwelten.api.suite_work import SuiteWork
    from umwelten.events import Event


class SuiteJob(BackgroundJob[Leaderboard]):
    """What `umwelten.suite` returns. Nothing happens before it is used.

    `await job` or `job.wait()` runs what is missing and returns the `Leaderboard`; `async with job` or `with
    job` stops it on the way out, unless it has ended. Stopped, the answers that there are are scored by
    rules, and the next time goes on from there. What the user must fix is raised, as a `UmweltenError`, where
    the job is used, before the first call. `status`, `set` and `pause` are about the task that is running.

    >>> river = {"directory": "texts", "prompt": "Sum this up.", "scorer": "length:1..200 words"}
    >>> job = umwelten.suite({"tasks": {"sums": river}}, "openai:gpt-5.4-mini", id="brief", max_cost=1)
    >>> with job:
    ...     job.wait().rows[0].mean
    1.0
    """

    def __init__(
        self,
        suite: str | Path | Mapping[str, Any],
        given: Mapping[str, Any],
        only: str | Sequence[str],
        baseline: str | None,
        max_drop: float,
        on_event: Callable[[Event], None] | None,
        grace_s: float = 10.0,
        progress: JobProgress | None = None,
    ) -> None:
        """Use `umwelten.suite`."""
        # Not the job itself, which is to be dropped with its last name.
        self._read: list[SuiteWork] = []
        read = self._read

        def prepare() -> SuiteWork:
            from umwelten.api.notes import observer
            from umwelten.api.suite_work import SuiteWork

            tell = observer(progress, on_event)
            read.append(SuiteWork(suite, given, only, baseline, max_drop, tell))
            return read[0]

        super().__init__(prepare, name="umwelten.suite(…)", grace_s=grace_s, progress=progress)

    @property
    def id(self) -> str | None:
        """The name of the suite, with which the ids of its tasks begin; `None` until it was read."""
        return self._read[0].plan.name if self._read else None

    @property
    def folder(self) -> Path | None:
        """The output directory, which holds the evaluations of the tasks; `None` until it is known."""
        return self._read[0].plan.output_dir if self._read else None

    def to_pandas(self) -> pandas.DataFrame:
        """Run to the end; then `Leaderboard.to_pandas`."""
        return self.wait().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Run to the end; then `Leaderboard.to_polars`."""
        return self.wait().to_polars()

    def to_arrow(self) -> pyarrow.Table:
        """Run to the end; then `Leaderboard.to_arrow`."""
        return self.wait().to_arrow()

    def _outcome(self) -> Leaderboard:
        self._raise_error()
        return self._read[0].board
