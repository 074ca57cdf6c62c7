"""What the tasks of a suite came to, model by model, as reports show it."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.scoring.gate_outcomes import GateResult
from umwelten.types import FrozenStruct


class TaskValue(FrozenStruct):
    """What one model reached in one task: the weighted mean of its scorers, from 0 to 1, `None` if unknown.

    `low` and `high` are the ends of the interval, `se` its error. `files` and `scored` count files with a
    value and scored answers, `planned` all answers there should be, `unscored` those without, by kind.
    `cost_usd` is that of the answers, `None` where no call's is known; `unpriced` counts the calls whose cost
    is unknown.
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


class LeaderboardTask(FrozenStruct):
    """A task: `name` in the suite, `id` of its evaluation, `weight` in the mean, and its scorers' names.

    `judged_usd` is what its judges cost.
    """

    name: str
    id: str
    weight: float
    scorers: tuple[str, ...] = ()
    judged_usd: float | None = None
    judged_unpriced: int = 0


class LeaderboardRow(FrozenStruct):
    """A model: its value in each task by the task's name (missing: it lacks that task) and their mean.

    `mean` is weighted, `None` where a task lacks a value: `missing` names those tasks.
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
