"""What the tasks of a suite came to, model by model, as reports show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from umwelten.scoring.gate_outcomes import GateResult
from umwelten.types import FrozenStruct

TaskState = Literal["scored", "unscored", "not_begun"]
"""It has scores; it was asked and never scored, or no scorer is part of its total; nothing was asked."""


class TaskValue(FrozenStruct):
    """What one model reached in one task: the weighted mean of its scorers, from 0 to 1, `None` if unknown.

    `low` and `high` are the ends of the interval, `se` its error. `files` and `scored` count files with a
    value and scored answers, `planned` all answers there should be, `unscored` those without, by kind.
    `cost_usd` is that of the answers, `None` where no call's is known; `unpriced` counts the calls whose cost
    is unknown. `bounds`: the mean if all unscored answers of the plan were 0, and if all were 1.
    """

    mean: float | None
    low: float | None
    high: float | None
    se: float | None
    files: int
    scored: int
    planned: int
    succeeded: int
    failed: int
    pending: int
    cost_usd: float | None
    unpriced: int
    p50_s: float | None
    unscored: Mapping[str, int] = {}
    bounds: tuple[float, float] | None = None


class LeaderboardTask(FrozenStruct):
    """A task: `name` in the suite, `id` of its evaluation, `weight` in the mean, and its scorers' names.

    `judged_usd` is what its judges cost, `None` where there are none or no cost is known; `judged_unpriced`
    counts their calls of unknown cost.
    """

    name: str
    id: str
    weight: float
    scorers: tuple[str, ...] = ()
    judged_usd: float | None = None
    judged_unpriced: int = 0
    state: TaskState = "scored"


class LeaderboardRow(FrozenStruct):
    """A model: its value in each task by the task's name (missing: it lacks that task) and their mean.

    `mean` is weighted, `None` where a task of any weight lacks a value: `missing` names those tasks. `low`
    and `high` are the ends of its interval, `se` its error, wider where tasks ask about the same inputs.
    `cost_usd` is that of all its answers, `None` where no call's is known, `unpriced` the number of calls
    whose cost is unknown, `p50_s` the median time of all its answers.
    """

    model: str
    prompt: str | None
    tasks: Mapping[str, TaskValue]
    missing: tuple[str, ...]
    mean: float | None
    low: float | None
    high: float | None
    se: float | None
    cost_usd: float | None
    unpriced: int
    p50_s: float | None

    @property
    def name(self) -> str:
        """How it is called."""
        return self.model if self.prompt is None else f"{self.model} · {self.prompt}"


class TaskGate(FrozenStruct):
    """What came of a gate; `task` None: it is about the suite's total."""

    task: str | None
    result: GateResult


class Leaderboard(FrozenStruct):
    """The board of a suite: rows with a mean come first, best first, then those that lack a task."""

    suite: str
    tasks: tuple[LeaderboardTask, ...]
    rows: tuple[LeaderboardRow, ...]
    gates: tuple[TaskGate, ...] = ()
    level: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[int | None, ...]:
        """The place of each row, which rows of equal mean share; `None` for one without a mean."""
        # Sums in another order differ in the last digits.
        means = [None if row.mean is None else round(row.mean, 12) for row in self.rows]
        return tuple(None if mean is None else 1 + means.index(mean) for mean in means)
