"""What a suite came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from umwelten.api.argument_names import as_argument
from umwelten.api.rankings import COLUMNS
from umwelten.errors import UmweltenError
from umwelten.report.comparison.comparison import Comparison
from umwelten.report.leaderboard_files import write_leaderboard
from umwelten.report.render.leaderboard_text import leaderboard_lines
from umwelten.scoring.leaderboard import Leaderboard as Board
from umwelten.scoring.leaderboard import LeaderboardRow, LeaderboardTask, TaskGate
from umwelten.text.html_table import html_table
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from umwelten.api.dataframes import Column

LeaderboardOutcome = Literal["missed", "regressed", "undecided", "met"]
_GRAVEST: tuple[LeaderboardOutcome, ...] = ("missed", "regressed", "undecided")


class Leaderboard:
    """The models of a suite, best first. Iterating gives a row for each model.

    `board["openai:gpt-5.4"]` is a model's row: `mean` over the tasks by weight, its 95 % interval from `low`
    to `high`, `tasks` by name with a `mean` each, `missing`, `cost_usd`, `p50_s`. With several prompts the
    key is (model, prompt). `None` is what is not known: a model that lacks a task has no mean.

    >>> brief = {"directory": "texts", "prompt": "Sum this up.", "scorer": "short=length:1..200 words"}
    >>> board = umwelten.suite({"tasks": {"brief": brief}}, "openai:gpt-5.4-mini", id="daily").wait()
    >>> [(row.name, row.mean, row.tasks["brief"].scored) for row in board]
    [('openai:gpt-5.4-mini', 1.0, 1)]
    """

    def __init__(
        self,
        found: Board,
        output_dir: Path,
        comparisons: Mapping[str, Comparison] | None = None,
        errors: Mapping[str, UmweltenError] | None = None,
    ) -> None:
        """Use `umwelten.suite`."""
        self._found, self._output_dir = found, output_dir
        self._comparisons, self._errors = comparisons or {}, errors or {}

    @property
    def suite(self) -> str:
        """The name of the suite, with which the ids of its tasks begin."""
        return self._found.suite

    @property
    def tasks(self) -> tuple[LeaderboardTask, ...]:
        """The tasks: `name`, `id` of the evaluation, `weight`, `state`, and what judges cost."""
        return self._found.tasks

    @property
    def rows(self) -> tuple[LeaderboardRow, ...]:
        """The models: those with a mean, best first, then those that lack a task."""
        return self._found.rows

    @property
    def gates(self) -> tuple[TaskGate, ...]:
        """What came of each gate: "met", "missed" or "undecided" is its `result.outcome`."""
        return self._found.gates

    @property
    def comparisons(self) -> Mapping[str, Comparison]:
        """The tasks beside those of the baseline, by name."""
        return self._comparisons

    @property
    def errors(self) -> Mapping[str, UmweltenError]:
        """What went wrong with tasks as a whole, by name. The same call again tries them once more."""
        return self._errors

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about it."""
        return self._found.notes

    @property
    def outcome(self) -> LeaderboardOutcome | None:
        """The gravest of what gates and the baseline say; `None`: there are neither.

        "missed": a gate is. "regressed": a task is worse than that of the baseline. "undecided": unscored
        answers decide on a gate. "met": all gates are, and no task has surely become worse.
        """
        found: set[str] = {gate.result.outcome for gate in self.gates}
        found |= {compared.outcome for compared in self.comparisons.values()}
        return next((each for each in _GRAVEST if each in found), "met" if found else None)

    @property
    def table(self) -> str:
        """The leaderboard as text, as `umwelten eval suite` prints it."""
        return "\n".join(leaderboard_lines(self._found, COLUMNS))

    def __getitem__(self, model: str | tuple[str, str]) -> LeaderboardRow:
        rows = {row.model if row.prompt is None else (row.model, row.prompt): row for row in self.rows}
        if model in rows:
            return rows[model]
        names = list(dict.fromkeys(row.model for row in self.rows))
        near = did_you_mean(closest(model, names) if isinstance(model, str) else None, "{!r}")
        listed = ", ".join(map(repr, rows))
        raise KeyError(sentences(f"There is no row {model!r}.", near, f"Rows are {listed}." if rows else ""))

    def __iter__(self) -> Iterator[LeaderboardRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_pandas(self) -> pandas.DataFrame:
        """A row a model, with the columns of the CSV file. Needs pandas."""
        from umwelten.api import dataframes

        return dataframes.to_pandas(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """A row a model, with the columns of the CSV file. Needs polars."""
        from umwelten.api import dataframes

        return dataframes.to_polars(self._columns())

    def to_arrow(self) -> pyarrow.Table:
        """A row a model, with the columns of the CSV file. Needs pyarrow."""
        from umwelten.api import dataframes

        return dataframes.to_arrow(self._columns())

    def report(self, path: str | Path) -> None:
        """Write it to a file; its ending tells the format: .html .csv .json .md .parquet .junit.xml."""
        try:
            write_leaderboard(self._found, self._output_dir, expand_home(Path(path)), self._comparisons)
        except UmweltenError as error:
            raise error.spell(as_argument) from None

    def __repr__(self) -> str:
        rows = ", ".join(f"{row.name} {_mean(row.mean)}" for row in self.rows)
        return f"<Leaderboard of {self.suite!r}: {rows or 'no model'}>"

    def _repr_html_(self) -> str:
        names = [task.name for task in self.tasks]
        rows = [
            (
                row.name,
                _mean(row.mean),
                "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}",
                *(_mean(row.tasks[name].mean) if name in row.tasks else "–" for name in names),
            )
            for row in self.rows
        ]
        gates = "; ".join(f"{gate.result.gate}: {gate.result.outcome}" for gate in self.gates)
        heads = ("model", "mean", "95 % interval", *names)
        return html_table(f"Leaderboard of {self.suite!r}", heads, rows, gates)

    def _columns(self) -> list[Column]:
        from umwelten.api.dataframes import leaderboard_columns

        return leaderboard_columns(self._found)


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
