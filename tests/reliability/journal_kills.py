"""Kill -9 right after a run has said that a change is stored, and count the changes that are not there."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from forked import FORKS
from provider import ChildProvider, clean_environment, provider_process
from reliability.runs import Process
from umwelten.live.client import Run, RunError, all_runs
from umwelten.simulate.faultserver import Behaviour, Profile

MOST_LATE_S = 0.01
"""Between the answer of the run and its end."""
FILES = 2000


@dataclass
class Figures:
    """What the kills came to. `lost`: changes that were said to be stored and are not."""

    kills: int = 0
    lost: list[int] = field(default_factory=list)
    unsaid: int = 0
    wall_s: float = 0.0

    @property
    def good(self) -> bool:
        """Whether each change is there."""
        return not (self.lost or self.unsaid)


def torture(root: Path, *, kills: int, seed: int = 1) -> Figures:
    """Change and kill one evaluation so often."""
    figures, dice, began = Figures(kills=kills), random.Random(seed), time.monotonic()
    (root / "rows.csv").write_text("n\n" + "\n".join(map(str, range(FILES))) + "\n")
    with provider_process(Profile(default=Behaviour(latency_s=0.2))) as server:
        for number in range(kills):
            _change_and_kill(root, server, number + 10, dice.uniform(0, MOST_LATE_S), figures)
    figures.wall_s = time.monotonic() - began
    return figures


def _change_and_kill(root: Path, server: ChildProvider, value: int, late_s: float, figures: Figures) -> None:
    process = _start(root, server)
    try:
        run = _reached(root, process)
        change = run.change("PATCH", "/settings", {"key": "max_concurrency", "value": value, "via": "ctl"})
        time.sleep(late_s)
    finally:
        process.kill()
        process.wait()
    figures.unsaid += change.journalled is not True
    with closing(sqlite3.connect(root / "output" / "job" / "evaluation.db")) as connection:
        found = connection.execute("SELECT 1 FROM changes WHERE new = ?", (str(value),)).fetchone()
    if found is None:
        figures.lost.append(value)


def _start(root: Path, server: ChildProvider) -> Process:
    words = ("eval", "batch", "-i", "job", "--resume", "-p", "Go {{row.n}}", "-m", "openai:a")
    speed = ("--rows", "rows.csv", "--max-concurrency", "3", "--progress", "none")
    with (root / "err").open("wb") as err:
        return FORKS.start(
            ["-m", "umwelten", *words, *speed],
            cwd=root,
            env=clean_environment({**server.env(), "XDG_STATE_HOME": str(root / "state")}),
            stdout=subprocess.DEVNULL,
            stderr=err.fileno(),
        )


def _reached(root: Path, process: Process) -> Run:
    """Return the run once it can be asked."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, (root / "err").read_text()[-2000:]
        for run in all_runs(root / "state" / "umwelten" / "run"):
            try:
                if run.file.pid == process.pid and run.state().in_flight:
                    return run
            except RunError:
                continue
        time.sleep(0.01)
    raise AssertionError("the run cannot be asked")
