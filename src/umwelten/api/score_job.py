"""Scoring that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from umwelten.api.answer import T
from umwelten.api.background_job import BackgroundJob
from umwelten.api.scores import Scores

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.background_run import Prepare
    from umwelten.api.scoring_work import ScoringWork
    from umwelten.events import Event


class ScoreJob(BackgroundJob[Scores[T]], Generic[T]):
    """What `Results.score` returns. Nothing happens before it is used.

    `await job` or `job.wait()` computes what is missing and returns the `Scores`; `async with job` or `with
    job` stops it on the way out, unless it has ended. Stopped, what was computed is kept, and the next time
    goes on from there. What the user must fix is raised, as a `UmweltenError`, where the job is used; a
    scorer that fails leaves the answer unscored.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini").wait()
    >>> job = results.score(short=lambda answer: len(answer.text) < 200)
    >>> job.wait()["short"]["openai:gpt-5.4-mini"].scored
    1
    """

    def __init__(
        self, prepare: Prepare, folder: Path, shape: type[T] | None = None, grace_s: float = 10.0
    ) -> None:
        """Use `Results.score`."""
        super().__init__(prepare, name="results.score(…)", grace_s=grace_s)
        self._shape = shape
        self._background.folder = folder

    def to_pandas(self) -> pandas.DataFrame:
        """Run to the end; then `Scores.to_pandas`."""
        return self.wait().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Run to the end; then `Scores.to_polars`."""
        return self.wait().to_polars()

    def to_arrow(self) -> pyarrow.Table:
        """Run to the end; then `Scores.to_arrow`."""
        return self.wait().to_arrow()

    def _outcome(self) -> Scores[T]:
        self._raise_error()
        folder = self._background.folder
        assert folder is not None
        return Scores(folder, self._shape)


def score_job(
    folder: Path,
    shape: type[T] | None,
    named: Mapping[str, Any],
    given: Mapping[str, Any],
    again: Sequence[str],
    on_event: Callable[[Event], None] | None,
    grace_s: float,
) -> ScoreJob[T]:
    """Return the job that scores the answers in a folder. `given` are the options by name."""

    def prepare() -> ScoringWork:
        import os

        from umwelten.api.argument_names import as_argument
        from umwelten.api.notes import observer
        from umwelten.api.scoring_work import ScoringWork
        from umwelten.config.settings import load
        from umwelten.errors import UmweltenError

        try:
            configured = load(Path.cwd(), os.environ, profile=given.get("profile"))
            settings = configured.with_flags(given, as_argument, arguments=True)
            with settings.concealing():
                return ScoringWork(folder, named, settings, shape, again, observer(on_event))
        except UmweltenError as error:
            raise error.spell(as_argument) from None

    return ScoreJob(prepare, folder, shape, grace_s)
