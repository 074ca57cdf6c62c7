"""Kill -9 again and again while the tasks of a suite are run, scored and judged.

The provider is another process with its own ledger: what a kill may cost twice is what was in flight, and one
group that was not written yet. What is right is the leaderboard of a suite that nobody disturbed.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import FORKS
from provider import ChildProvider, clean_environment, provider_process
from reliability.runs import Process
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import call_count
from umwelten.store.tables import SUCCEEDED
from umwelten.store.writer import GROUP_SIZE

_SUITE = """\
[suite]
name = "s"
models = ["openai:a", "openai:b"]
[tasks.echo]
rows = "t.csv"
prompt = "{{row.answer}}"
expected = "{{row.want}}"
scorers.right = { type = "contains" }
[tasks.judged]
rows = "t.csv"
prompt = "Say {{row.answer}}"
scorers.ok = { type = "judge", ask = "Is it good?", model = "openai:judge" }
[gates]
"echo.right" = ">= 0.5"
total = ">= 0.5"
"""
_SLOW = (0.002, 0.01, 0.03)
_TIMES = ("p50_s", "p95_s")


@dataclass
class Figures:
    """What the kills came to. `again`: answers and verdicts that the provider gave beyond one a call."""

    in_flight: int
    kills: int = 0
    suites: int = 0
    calls: int = 0
    stored: int = 0
    again: int = 0
    most_again: int = 0
    unlike: int = 0
    wall_s: float = 0.0

    @property
    def bound(self) -> int:
        """Calls that one kill may cost twice: those in flight, and one group."""
        return self.in_flight + GROUP_SIZE


class Job:
    """A command that is killed and repeated: it makes `calls` calls, which these evaluations hold."""

    command: tuple[str, ...]
    evaluations: tuple[str, ...]
    rules: tuple[Rule, ...]
    calls: int

    def __init__(self, root: Path, size: int, in_flight: int, server: ChildProvider) -> None:
        self.root, self.server, self.in_flight = root, server, in_flight
        root.mkdir(parents=True)
        self.prepare(size)

    def prepare(self, size: int) -> None:
        """Write what the command reads, and set `calls`."""
        raise NotImplementedError

    def start(self) -> Process:
        with (self.root / "board").open("wb") as board, (self.root / "notes").open("wb") as notes:
            flags = ("--json", "--progress", "none", "--max-concurrency", str(self.in_flight))
            return FORKS.start(
                ["-m", "umwelten", "eval", *self.command, *flags],
                cwd=self.root,
                env=clean_environment(self.server.env()),
                stdout=board.fileno(),
                stderr=notes.fileno(),
            )

    def finish(self) -> Any:
        """Run it to its end; returns what it prints, without times."""
        code = self.start().wait(300)
        assert code == 0, (self.root / "notes").read_text()[-2000:]
        return _timeless(json.loads((self.root / "board").read_text()))

    def given(self) -> int:
        """How many answers and verdicts the provider gave, once nothing is under way there."""
        deadline = time.monotonic() + 10
        while (totals := self.server.counts()["totals"])["in_flight"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return int(totals["answered"])

    def stored(self) -> int:
        """How many answers and verdicts are stored."""
        found = 0
        for name in self.evaluations:
            folder = self.root / "output" / name
            # A kill may have come before there was anything to read.
            with suppress(NeverStarted):
                if has_database(folder):
                    with Reader.open(folder) as reader:
                        found += call_count(reader, SUCCEEDED)
        return found


def judge_rules(field: str, words: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return a judge's verdicts by a part of what it is shown."""
    return tuple(
        Rule(
            model="judge",
            prompt=part,
            behaviour=Behaviour(
                latency_s=_SLOW, text=json.dumps({"reason": "so", field: word}), shaped="ignore"
            ),
        )
        for part, word in words.items()
    )


class SuiteJob(Job):
    """A suite over `size` rows: two tasks of two models, and a judge of one of them."""

    command = ("suite", "s.toml")
    evaluations = ("s.echo", "s.judged", "s.judged.ok")
    rules = judge_rules("verdict", {" bad": "fail", "": "pass"})

    def prepare(self, size: int) -> None:
        """Write the table and the suite."""
        self.calls = 6 * size
        rows = (f"{n},it is {n:05}{' bad' if n % 7 == 0 else ''},{n:05}" for n in range(size))
        (self.root / "t.csv").write_text("\n".join(("n,answer,want", *rows)) + "\n")
        (self.root / "s.toml").write_text(_SUITE)


def torture(
    root: Path,
    *,
    kills: int,
    size: int,
    kills_a_suite: int,
    in_flight: int = 20,
    seed: int = 1,
    of: type[Job] = SuiteJob,
) -> Figures:
    """So many kills over as many suites as it takes, each then run to its end by the same command."""
    figures, dice, began = Figures(in_flight), random.Random(seed), time.monotonic()
    default = Behaviour(latency_s=_SLOW, text="{prompt}")
    with provider_process(Profile(default=default, rules=of.rules, records=0)) as server:
        job = of(root / "undisturbed", size, in_flight, server)
        at = time.monotonic()
        expected = job.finish()
        whole_s = time.monotonic() - at
        while figures.kills < kills:
            job = of(root / f"job{figures.suites}", size, in_flight, server)
            server.reset()
            _kill_often(job, figures, min(kills, figures.kills + kills_a_suite), whole_s, dice)
            found = job.finish()
            figures.suites += 1
            figures.calls += job.calls
            figures.stored += job.stored()
            figures.again += job.given() - job.calls
            figures.unlike += not found == expected == job.finish()
    figures.wall_s = time.monotonic() - began
    return figures


def _kill_often(job: Job, figures: Figures, until: int, whole_s: float, dice: random.Random) -> None:
    wasted = 0
    # So that the kills fall over all of the suite: its whole time is that of one start without a kill.
    step = 1.5 * whole_s / max(1, until - figures.kills)
    while figures.kills < until:
        process = job.start()
        try:
            process.wait(dice.uniform(0.1, 0.1 + step))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        else:
            return
        figures.kills += 1
        now = job.given() - job.stored()
        figures.most_again = max(figures.most_again, now - wasted)
        wasted = now


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in _TIMES}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
