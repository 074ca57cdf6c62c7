"""What came out of an evaluation, read from its database when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Unpack, cast, overload

from umwelten.api.answer import Answer, T, answer
from umwelten.api.argument_names import as_argument
from umwelten.api.judging_options import RankArguments
from umwelten.api.signatures import check_names, with_options
from umwelten.errors import UsageError
from umwelten.report.models import UsageSums
from umwelten.report.queries import overviews
from umwelten.report.queries.status import EvaluationStatus
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import call_count, stored_calls
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.text import formatting
from umwelten.text.html_table import html_table
from umwelten.types import FrozenStruct
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.progress import ProgressChoice
    from umwelten.api.rank_job import RankJob
    from umwelten.api.rankings import Ranking
    from umwelten.api.score_job import ScoreJob
    from umwelten.api.scorers.program_scorers import ScorerLike
    from umwelten.api.scores import Scores
    from umwelten.events import Event

_SHOWN = 10
"""Answers that a notebook shows."""

Status = Literal["complete", "failed", "stopped", "interrupted", "running"]


class Summary(FrozenStruct):
    """The figures of an evaluation, as in its report. `cost_usd` None: no cost is known.

    `calls` = `succeeded` + `failed` + `pending`; `sequential_s` is the time of all calls one after the
    other, `speedup` what it is to `wall_s`. `errors` counts the failed calls by kind; `unpriced_calls`
    are those whose cost is not known and not in `cost_usd`.
    """

    calls: int
    succeeded: int
    failed: int
    pending: int
    wall_s: float
    sequential_s: float
    speedup: float | None
    p50_s: float | None
    p95_s: float | None
    cost_usd: float | None
    unpriced_calls: int
    usage: UsageSums
    errors: dict[str, int]

    def _repr_html_(self) -> str:
        tokens = (formatting.tokens(some) for some in (self.usage.input_tokens, self.usage.output_tokens))
        rows = [
            *((name, f"{getattr(self, name):,}") for name in ("calls", "succeeded", "failed", "pending")),
            ("time", formatting.seconds(self.wall_s)),
            ("median answer", formatting.seconds(self.p50_s)),
            ("95% within", formatting.seconds(self.p95_s)),
            ("tokens", "{} in, {} out".format(*tokens)),
            ("cost", formatting.cost(self.cost_usd, self.unpriced_calls)),
        ]
        return html_table("Summary", ("figure", "value"), rows)


class Answers(Sequence[Answer[T]], Generic[T]):
    """Calls that ended, by file, model and repeat. Nothing is held: each use reads the database.

    `len()`, indexing and slices work; iterating needs the memory of a few answers, however many there are.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini", repeat=3).wait()
    >>> len(results.answers), [answer.repeat for answer in results[1:]]
    (3, [2, 3])
    """

    def __init__(self, folder: Path, shape: type[T] | None = None, *, status: int | None = None) -> None:
        self.folder = folder
        self._shape, self._status = shape, status

    def __iter__(self) -> Iterator[Answer[T]]:
        with _reading(self.folder) as reader:
            yield from (answer(call, self._shape, self.folder) for call in stored_calls(reader, self._status))

    def __len__(self) -> int:
        with _reading(self.folder) as reader:
            return call_count(reader, self._status)

    @overload
    def __getitem__(self, index: int) -> Answer[T]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Answer[T]]: ...
    def __getitem__(self, index: int | slice) -> Answer[T] | list[Answer[T]]:
        places = range(len(self))[index]
        if isinstance(places, int):
            return self._some(places, 1)[0]
        if places.step == 1:
            return self._some(places.start, len(places))
        return [self._some(place, 1)[0] for place in places]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.folder.name!r}: {len(self)}>"

    def _repr_html_(self) -> str:
        count = len(self)
        rows = [
            (one.model, one.file, one.text if one.error is None else f"{one.error.kind}: {one.error.message}")
            for one in self[:_SHOWN]
        ]
        more = f"and {count - _SHOWN:,} more" if count > _SHOWN else ""
        return html_table(repr(self)[1:-1], ("model", "input", "answer"), rows, more)

    def _some(self, start: int, limit: int) -> list[Answer[T]]:
        with _reading(self.folder) as reader:
            calls = stored_calls(reader, self._status, start=start, limit=limit)
            return [answer(call, self._shape, self.folder) for call in calls]


class Results(Answers[T]):
    """An evaluation that was stored: a sequence of its answers, with figures, tables and reports.

    Failed calls are in the sequence as well; `answers` has the good ones alone, `failures` the others.
    """

    def __init__(self, folder: Path, shape: type[T] | None = None) -> None:
        super().__init__(folder, shape)

    @property
    def id(self) -> str:
        """The evaluation's id, the name of its folder."""
        return self.folder.name

    @property
    def text(self) -> str:
        """The text of the only answer. Raises `ValueError` where there are several, or the call failed.

        >>> umwelten.run("Name a river.", "openai:gpt-5.4-mini").wait().text
        'gpt-5.4-mini says ...'
        """
        ended = self[:2]
        if len(ended) != 1:
            many = "more than one answer" if ended else "no answer"
            raise ValueError(f"{self.id!r} has {many}: text is that of the only one")
        only = ended[0]
        if only.text is None:
            raise ValueError(f"the call failed: {only.error.message if only.error else 'no text'}")
        return only.text

    @property
    def answers(self) -> Answers[T]:
        """The calls that succeeded."""
        return Answers(self.folder, self._shape, status=SUCCEEDED)

    @property
    def failures(self) -> Answers[T]:
        """The calls that failed."""
        return Answers(self.folder, self._shape, status=FAILED)

    @property
    def summary(self) -> Summary:
        """Counts, times, tokens and cost. Reads every call once."""
        with _reading(self.folder) as reader, overviews.snapshot(reader):
            found = overviews.overview(reader)
        figures, cost = found.summary, found.cost
        return Summary(
            calls=figures.calls,
            succeeded=figures.succeeded,
            failed=figures.failed,
            pending=figures.pending,
            wall_s=figures.wall_s,
            sequential_s=figures.sequential_s,
            speedup=figures.speedup,
            p50_s=figures.p50_s,
            p95_s=figures.p95_s,
            cost_usd=cost.total_usd,
            unpriced_calls=cost.unpriced_calls,
            usage=cost.usage,
            errors={group.kind: group.count for group in found.errors},
        )

    @property
    def status(self) -> Status:
        """How it stands.

        "complete": every call was answered. "failed": every call ended, some failed. "stopped": calls are
        pending, because a cap or a provider that is unavailable ended the run, or it was closed early.
        "interrupted": calls are pending, because the run was interrupted or killed. "running": a process
        is at work on it.
        """
        with _reading(self.folder) as reader:
            status = overviews.summary(reader).evaluation.status
        return "stopped" if status == EvaluationStatus.INCOMPLETE else cast(Status, str(status))

    @property
    def reason(self) -> str | None:
        """Why the latest run ended with calls pending, with the messages of unavailable providers."""
        with _reading(self.folder) as reader:
            runs, refused = overviews.runs(reader), overviews.refused_models(reader)
            reason = runs[-1].reason if runs else None
            messages = [f"{row.model}: {row.message}" for row in refused]
            return "; ".join([reason, *messages]) if reason else None

    @property
    def scores(self) -> Scores[T]:
        """The scores that are stored; nothing is computed."""
        from umwelten.api.scores import Scores

        return Scores(self.folder, self._shape)

    def score(
        self,
        scorers: str | Path | Mapping[str, ScorerLike] | None = None,
        *,
        expected: str | None = None,
        judge: str | Sequence[str] | None = None,
        samples: int | None = None,
        check: str | Path | None = None,
        again: str | Sequence[str] = (),
        where: str | None = None,
        fail_under: str | Sequence[str] | None = None,
        max_concurrency: int | Literal["auto"] | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        max_cost: float | None = None,
        report: str | Path | Sequence[str | Path] | None = None,
        profile: str | None = None,
        on_event: Callable[[Event], None] | None = None,
        grace_s: float = 10.0,
        **named: ScorerLike,
    ) -> ScoreJob[T]:
        """Score the answers: what is missing is computed, and nothing else, when the job is used.

        Each further argument is a scorer by its name: a scorer such as `umwelten.Exact`, the short form of
        the command line, or a function of `answer`, `expected`, `row`, `file` and `model`, as far as it names
        them. `scorers` is a scorers file, or a dict of such scorers, for names that are arguments. Without
        any, the scorers that are stored go on.

        `expected` says what answers should be, for all scorers that do not say it themselves. `judge` and
        `samples`: who judges, and how often; `check` a table of what people said, which judges are compared
        with; `again` names judges whose verdicts are moved aside; `where`, `max_concurrency`, `timeout_s`,
        `retries` and `max_cost` are those of the judges' calls. `fail_under` are gates such as
        "right >= 0.9", whose outcomes are in `Scores.gates`. `report`: paths of reports to write at the end.
        """
        from umwelten.api.score_job import score_job

        by_name = {**scorers, **named} if isinstance(scorers, Mapping) else named
        if isinstance(scorers, Mapping) and (twice := scorers.keys() & named):
            raise TypeError(f"score() got two scorers called {min(twice)!r}")
        given = {
            "scorers": None if isinstance(scorers, Mapping) else scorers,
            "expected": expected,
            "judge": judge,
            "samples": samples,
            "check": check,
            "where": where,
            "max_concurrency": max_concurrency,
            "timeout_s": timeout_s,
            "retries": retries,
            "max_cost": max_cost,
            "fail_under": fail_under,
            "report": report,
            "profile": profile,
        }
        anew = (again,) if isinstance(again, str) else tuple(again)
        return score_job(self.folder, self._shape, by_name, given, anew, on_event, grace_s)

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        """The rankings of these answers that are stored; of a ranking's own evaluation, that one.

        >>> umwelten.open("rivers.rank").rankings[0].board[0].rank
        1
        """
        from umwelten.api.rankings import Ranking
        from umwelten.report.queries.rankings import rankings

        with _reading(self.folder) as reader:
            found = rankings(reader)
        return tuple(Ranking(self.folder.parent / each.id, each) for each in found)

    @with_options(RankArguments)
    def rank(
        self,
        judge: str | Sequence[str] | None = None,
        question: str | Path | None = None,
        *,
        progress: ProgressChoice | None = None,
        on_event: Callable[[Event], None] | None = None,
        grace_s: float = 10.0,
        **options: Unpack[RankArguments],
    ) -> RankJob:
        """Rank the models by what judges prefer: `umwelten.rank` of this evaluation, with its arguments."""
        from umwelten.api.rank_job import rank_job

        check_names(type(self).rank, options)
        return rank_job([self.folder], question, {**options, "judge": judge}, progress, on_event, grace_s)

    def to_pandas(self, *, full: bool = False) -> pandas.DataFrame:
        """A row a call, with the columns of the csv report; `full`: as with `--full`. Needs pandas."""
        from umwelten.api import dataframes

        return dataframes.to_pandas(dataframes.call_columns(self.folder, full=full))

    def to_polars(self, *, full: bool = False) -> polars.DataFrame:
        """A row a call, with the columns of the csv report; `full`: as with `--full`. Needs polars."""
        from umwelten.api import dataframes

        return dataframes.to_polars(dataframes.call_columns(self.folder, full=full))

    def to_arrow(self, *, full: bool = False) -> pyarrow.Table:
        """A row a call, with the columns of the csv report; `full`: as with `--full`. Needs pyarrow."""
        from umwelten.api import dataframes

        return dataframes.to_arrow(dataframes.call_columns(self.folder, full=full))

    def report(self, path: str | Path) -> None:
        """Write the report to a file; its ending tells the format: .html .csv .json .md .parquet."""
        from umwelten.report.output_files import write_report

        try:
            write_report(self.folder, expand_home(Path(path)), spelling=as_argument)
        except UsageError as error:
            raise error.spell(as_argument) from None

    def __repr__(self) -> str:
        with _reading(self.folder) as reader:
            found = overviews.summary(reader)
        parts = [f"{found.succeeded} of {found.calls} answered"]
        parts += [f"{found.failed} failed"] if found.failed else []
        return f"<Results of {self.id!r}: {', '.join(parts)}>"


@contextmanager
def _reading(folder: Path) -> Iterator[Reader]:
    with Reader.open(folder) as reader, store_errors(folder):
        yield reader
