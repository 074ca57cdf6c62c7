"""What a ranking came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from umwelten.api.argument_names import as_argument
from umwelten.errors import StoreError, UsageError
from umwelten.report.queries.rankings import own_ranking
from umwelten.report.render.ranking_text import ranking_lines
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import (
    Cycles,
    LengthEffect,
    RankedContestant,
    RankedPair,
    RankingJudgeFigures,
)
from umwelten.scoring.ranking.ranking import Ranking as StoredRanking
from umwelten.store.reader import Reader
from umwelten.text.html_table import html_table
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.dataframes import Column

COLUMNS = 100
"""Of `table`: a notebook's cell and most terminals have room for so many."""


class Ranking:
    """A ranking of models by what judges prefer. Iterating gives the lines of the board, best first.

    `ranking["openai:gpt-5.4"]` is a contestant's line: `points` with their 95 % interval from `low` to
    `high`, `rank` with the range `best_rank` to `worst_rank` in which it cannot be told apart from others,
    `wins`, `ties`, `losses`. `None` is an end that is open, or not known.

    >>> models = ["openai:gpt-5.4-mini", "ollama:gemma3:12b"]
    >>> results = umwelten.batch("Sum this up.", models, directory="texts", id="tides").wait()
    >>> ranking = umwelten.rank("tides", judge="anthropic:claude-sonnet-5-5").wait()
    >>> [(line.name, line.rank, line.points) for line in ranking]
    [('ollama:gemma3:12b', 1, 1000.0), ('openai:gpt-5.4-mini', 1, 1000.0)]
    """

    def __init__(self, folder: Path, found: StoredRanking) -> None:
        """Use `umwelten.rank` or `Results.rankings`."""
        self.folder, self._found = folder, found

    @property
    def id(self) -> str:
        """The id of the ranking's own evaluation, whose answers are verdicts."""
        return self.folder.name

    @property
    def of(self) -> tuple[str, ...]:
        """The evaluations whose answers are compared."""
        return self._found.of

    @property
    def question(self) -> str:
        """What judges were asked to look at."""
        return self._found.question

    @property
    def board(self) -> tuple[RankedContestant, ...]:
        """The contestants, best first; empty where they fall into groups that never met."""
        return self._found.board

    @property
    def compared(self) -> tuple[RankedPair, ...]:
        """Every two contestants: the difference in points with its interval, `p` and `p_adjusted`."""
        return self._found.compared

    @property
    def judges(self) -> tuple[RankingJudgeFigures, ...]:
        """How far each judge can be relied on; `able` is False where it cannot tell the answers apart."""
        return self._found.judges

    @property
    def cycles(self) -> Cycles | None:
        """How often A beats B, B beats C, and C beats A; `None`: not known."""
        return self._found.cycles

    @property
    def length(self) -> LengthEffect | None:
        """What length is worth to the judges, with `control="length"`."""
        return self._found.length

    @property
    def groups(self) -> tuple[tuple[Contestant, ...], ...]:
        """Contestants that never met those of the other groups; empty where all can be ranked."""
        return self._found.groups

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about it."""
        return self._found.notes

    @property
    def all_comparisons(self) -> int:
        """Every file, prompt and repeat, times every pair of contestants."""
        return self._found.all_comparisons

    @property
    def drawn(self) -> int:
        """The comparisons that were to be judged: `judged`, `equal` and `unscored` together."""
        return self._found.drawn

    @property
    def judged(self) -> int:
        """The comparisons with a value from verdicts."""
        return self._found.judged

    @property
    def equal(self) -> int:
        """The comparisons of answers that are the same text: ties without a call."""
        return self._found.equal

    @property
    def unscored(self) -> Mapping[str, int]:
        """The comparisons without a value, by kind: no_answer, judge_failed, pending, input_changed."""
        return self._found.unscored

    @property
    def table(self) -> str:
        """The ranking as text, as `umwelten eval rank` prints it."""
        return "\n".join(ranking_lines(self._found, COLUMNS))

    def __getitem__(self, name: str) -> RankedContestant:
        for line in self.board:
            if line.name == name:
                return line
        known = [line.name for line in self.board]
        near = did_you_mean(closest(name, known), "{!r}")
        raise KeyError(sentences(f"{name!r} is not ranked.", near, f"Ranked are {', '.join(known)}."))

    def __iter__(self) -> Iterator[RankedContestant]:
        return iter(self.board)

    def __len__(self) -> int:
        return len(self.board)

    def to_pandas(self) -> pandas.DataFrame:
        """A row a contestant, with the columns of the short CSV report. Needs pandas."""
        from umwelten.api import dataframes

        return dataframes.to_pandas(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """A row a contestant, with the columns of the short CSV report. Needs polars."""
        from umwelten.api import dataframes

        return dataframes.to_polars(self._columns())

    def to_arrow(self) -> pyarrow.Table:
        """A row a contestant, with the columns of the short CSV report. Needs pyarrow."""
        from umwelten.api import dataframes

        return dataframes.to_arrow(self._columns())

    def report(self, path: str | Path) -> None:
        """Write the report to a file; its ending tells the format: .html .csv .json .md .parquet."""
        from umwelten.report.output_files import write_report

        try:
            write_report(self.folder, expand_home(Path(path)), spelling=as_argument)
        except UsageError as error:
            raise error.spell(as_argument) from None

    def __repr__(self) -> str:
        names = ", ".join(f"{line.rank}. {line.name}" for line in self.board)
        return f"<Ranking {self.id!r}: {names or 'nobody can be ranked'}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                line.rank,
                line.name,
                f"{line.points:.0f}",
                _ends(line),
                f"{line.best_rank} to {line.worst_rank}",
            )
            for line in self.board
        ]
        more = " ".join(judge.verdict for judge in self.judges if judge.verdict)
        heads = ("rank", "contestant", "points", "95 % interval", "ranks")
        return html_table(f"Ranking {self.id!r}", heads, rows, more)

    def _columns(self) -> list[Column]:
        from umwelten.api.dataframes import ranking_columns

        return ranking_columns(self._found)


def stored_ranking(folder: Path) -> Ranking:
    """Return the ranking that an evaluation was made for. Raises `StoreError`."""
    with Reader.open(folder) as reader:
        found = own_ranking(reader)
    if found is None:
        raise StoreError(f"{folder.name!r} has no ranking", "The same call of rank makes one.")
    return Ranking(folder, found)


def _ends(line: RankedContestant) -> str:
    low, high = ("open" if end is None else f"{end:.0f}" for end in (line.low, line.high))
    return "" if line.low is None and line.high is None else f"{low} to {high}"
