"""Ranking as a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.background_job import BackgroundJob
from umwelten.api.rankings import Ranking, stored_ranking

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.background_run import Prepare
    from umwelten.api.progress import JobProgress, ProgressChoice
    from umwelten.api.ranking_work import RankingWork
    from umwelten.events import Event


class RankJob(BackgroundJob[Ranking]):
    """What `umwelten.rank` returns. Nothing happens before it is used.

    `await job` or `job.wait()` asks the judges what they have not said and returns the `Ranking`; `async with
    job` or `with job` stops it on the way out, unless it has ended. Stopped, the verdicts that there are
    count, and the next time goes on from there. What the user must fix is raised, as a `UmweltenError`,
    where the job is used; a verdict that fails leaves its comparison without a value.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini,ollama:gemma3:12b", id="rivers").wait()
    >>> job = umwelten.rank(results, judge="anthropic:claude-sonnet-5-5", max_cost=0.5)
    >>> job.wait().judged
    1
    """

    def __init__(self, prepare: Prepare, grace_s: float = 10.0, progress: JobProgress | None = None) -> None:
        """Use `umwelten.rank`."""
        super().__init__(prepare, name="umwelten.rank(…)", grace_s=grace_s, progress=progress)

    def to_pandas(self) -> pandas.DataFrame:
        """Run to the end; then `Ranking.to_pandas`."""
        return self.wait().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Run to the end; then `Ranking.to_polars`."""
        return self.wait().to_polars()

    def to_arrow(self) -> pyarrow.Table:
        """Run to the end; then `Ranking.to_arrow`."""
        return self.wait().to_arrow()

    def _outcome(self) -> Ranking:
        self._raise_error()
        folder = self._background.folder
        assert folder is not None, "an evaluation that ran has a folder"
        return stored_ranking(folder)


def rank_job(
    ranked: Sequence[str | Path],
    question: str | Path | None,
    given: Mapping[str, Any],
    progress: ProgressChoice | None,
    on_event: Callable[[Event], None] | None,
    grace_s: float,
) -> RankJob:
    """Return the job that ranks evaluations, by their ids or folders. `given` are the options by name."""
    from umwelten.api.progress import job_progress

    shown = job_progress(progress)

    def prepare() -> RankingWork:
        from umwelten.api.notes import observer
        from umwelten.api.ranking_work import RankingWork

        return RankingWork(ranked, question, given, observer(shown, on_event))

    return RankJob(prepare, grace_s, shown)
