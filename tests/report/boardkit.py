"""Suites of small stored evaluations, made without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.scoredkit import evaluate, score, write_table

from umwelten.report.queries.leaderboards import leaderboard
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardTask
from umwelten.scoring.suite_gates import read_suite_gate


def make_task(
    folder: Path,
    name: str,
    answers: Mapping[str, str],
    *scorers: str | dict[str, object],
    prompts: Sequence[str] = (),
) -> None:
    """Make and score the task `nightly.NAME`.

    `answers` has a letter a file for each model: r right, w wrong, - a failed call. `scorers`: "right=exact"
    if there are none; one empty text: it is not scored. `prompts`: names of several.
    """
    texts = {"r": "yes", "w": "no", "-": ""}
    files = len(next(iter(answers.values())))
    table = [
        {"n": str(n), "want": "yes", **{f"c{k}": texts[all_[n]] for k, all_ in enumerate(answers.values())}}
        for n in range(files)
    ]
    path = write_table(folder / f"{name}.csv", table)
    columns = {model: f"c{k}" for k, model in enumerate(answers)}
    made = evaluate(path, columns, id=f"nightly.{name}", output=folder, names=prompts)
    if scorers != ("",):
        score(made, *(scorers or ("right=exact",)))


def board(folder: Path, *tasks: str, weights: Sequence[float] = (), gates: Sequence[str] = ()) -> Leaderboard:
    """Return the board of these tasks."""
    found = [
        LeaderboardTask(name=name, id=f"nightly.{name}", weight=weight)
        for name, weight in zip(tasks, weights or [1.0] * len(tasks), strict=True)
    ]
    return leaderboard(folder, "nightly", found, [read_suite_gate(gate, "--gate", tasks) for gate in gates])
