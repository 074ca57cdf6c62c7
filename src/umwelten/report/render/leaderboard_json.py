"""The leaderboard of a suite as JSON. Keys are stable; `null` is "not known", never 0.

    {"suite", "level",
     "tasks": [{"name", "id", "weight", "scorers": [name, …], "judged_usd", "judged_unpriced",
                "state": "scored", "unscored" or "not_begun"}, …],
     "rows":  [{"place", "model", "prompt", "mean", "low", "high", "se", "missing": [task, …], "cost_usd",
                "unpriced", "p50_s", "tasks": {task: {"mean", "low", "high", "se", "bounds": [least, most],
                "files", "scored", "planned", "unscored": {kind: count}, "succeeded", "failed", "pending",
                "cost_usd", "unpriced", "p50_s"}, …}}, …],
     "gates": [{"task", "gate", "outcome", "models": [{"model", "prompt", "value", "low", "high",
                "bounds": [least, most], "outcome"}, …]}, …],
     "comparisons": {task: the object of a comparison, …},
     "notes": [text, …]}

"rows" stand in the order of the board; equal means share a "place", which is null without a mean. "task" of
a gate is null where it is about all tasks. What the figures mean is said in `scoring.leaderboard` and
`scoring.leaderboard_figures`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import asdict

from umwelten.report.comparison.comparison import Comparison
from umwelten.scoring.leaderboard import Leaderboard
from umwelten.text.sanitize import json_safe

_encoder = msgspec.json.Encoder()


def leaderboard_json(board: Leaderboard, comparisons: Mapping[str, Comparison] | None = None) -> str:
    """Return the board as JSON, over several lines. `comparisons` with a baseline: by task."""
    values = {
        "suite": board.suite,
        "level": board.level,
        "tasks": board.tasks,
        "rows": [
            {"place": place, **asdict(row)} for place, row in zip(board.places, board.rows, strict=True)
        ],
        "gates": [{"task": gate.task, **asdict(gate.result)} for gate in board.gates],
        "comparisons": {
            task: {**asdict(found), "outcome": found.outcome} for task, found in (comparisons or {}).items()
        },
        "notes": board.notes,
    }
    return json_safe(msgspec.json.format(_encoder.encode(values)).decode()) + "\n"
