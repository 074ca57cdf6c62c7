"""The leaderboard of a suite that ran, from what is stored of its tasks."""

from __future__ import annotations

from umwelten.evaluation.suite.plan import SuitePlan
from umwelten.report.queries.leaderboards import leaderboard
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardTask


def leaderboard_of(plan: SuitePlan) -> Leaderboard:
    """Return the board of all tasks of a suite, those that did not run now included."""
    tasks = [
        LeaderboardTask(name=name, id=id, weight=plan.weights[name], scorers=plan.scorers[name])
        for name, id in plan.ids.items()
    ]
    return leaderboard(plan.output_dir, plan.name, tasks, plan.gates)
