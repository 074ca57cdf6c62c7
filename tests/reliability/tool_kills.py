"""Kill -9 again and again while models call tools, and count what is missing, paid for twice or run twice.

The provider is another process with its own ledger of conversations. Of the tools, one appends to a file what
it was run for, and may run once a call only.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import FORKS
from provider import ChildProvider, clean_environment, provider_process
from reliability.runs import Process
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

MODELS = ("a", "b", "c")
TURNS = 4
"""Requests of a call: three that call tools, and the answer."""
SLOTS = 20

_TOOLS = '''
import asyncio

import umwelten


async def look(topic: str) -> str:
    """Look something up."""
    await asyncio.sleep({seconds})
    return "found"


@umwelten.tool(once=True)
async def book(topic: str, context: umwelten.ToolContext) -> str:
    """Book something."""
    with open("booked.txt", "a") as file:
        print(context.model, context.input_name, context.step, context.place, file=file)
    await asyncio.sleep({seconds})
    return "booked"
'''

Steps = set[tuple[str, str, int]]
"""Model, file and number of steps."""


@dataclass
class Figures:
    """What the kills came to.

    `again`: committed steps that were paid for once more. `uncommitted`: requests beyond those that the calls
    need, which were in flight or not committed at a kill. `twice`: runs of the tool that may run once, beyond
    the first. `may_have_run`: calls that failed since such a tool was running at a kill. `left`: processes.
    """

    kills: int = 0
    calls: int = 0
    answered: int = 0
    may_have_run: int = 0
    lost: int = 0
    again: int = 0
    uncommitted: int = 0
    twice: int = 0
    left: int = 0
    invalid: int = 0
    wall_s: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        whole = self.answered + self.may_have_run == self.calls
        bound = self.kills * SLOTS * 2  # in flight, and answered within one group
        kept = not (self.lost or self.again or self.twice or self.left or self.invalid)
        return whole and kept and self.uncommitted <= bound


class Job:
    """An evaluation of `files` files with three models whose calls take four requests."""

    def __init__(self, root: Path, files: int, tool_s: float, server: ChildProvider, *, once: bool) -> None:
        self.root, self.files, self.server, self.once = root, files, server, once
        (root / "in").mkdir(parents=True)
        for number in range(files):
            (root / "in" / f"{number:04}.txt").write_text(f"text {number:04}\n")
        (root / "tools.py").write_text(_TOOLS.format(seconds=tool_s))

    def start(self) -> Process:
        words = ("eval", "batch", "-i", "job", "--resume", "-p", "Go", "--directory", "in")
        models = ",".join(f"openai:{model}" for model in MODELS)
        tools = ("--tools", "tools.py" if self.once else "tools.py:look", "--tool-concurrency", "500")
        speed = ("--max-concurrency", str(SLOTS), "--progress", "none")
        with (self.root / "out").open("wb") as out, (self.root / "err").open("wb") as err:
            return FORKS.start(
                ["-m", "umwelten", *words, "-m", models, *tools, *speed],
                cwd=self.root,
                env=clean_environment(self.server.env()),
                stdout=out.fileno(),
                stderr=err.fileno(),
            )

    @property
    def good_ends(self) -> tuple[int, ...]:
        """Statuses of a run that ended: calls fail whose tool may have run and may not run again."""
        return (0, 1) if self.once else (0,)

    def finish(self) -> None:
        code = self.start().wait(600)
        assert code in self.good_ends, (self.root / "err").read_text()[-2000:]

    def rows(self, query: str) -> list[Any]:
        path = self.root / "output" / "job" / "evaluation.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'steps'").fetchone()
            return connection.execute(query).fetchall() if found[0] else []

    def committed(self) -> Steps:
        """The steps that are stored, answers included."""
        rows = self.rows(
            "SELECT m.name, i.name, s.number FROM (SELECT call_id, number FROM steps UNION ALL"
            " SELECT id, steps FROM calls WHERE status = 1) s"
            " JOIN models m ON m.id = (s.call_id >> 16) & 4095 JOIN inputs i ON i.id = s.call_id >> 28"
        )
        return {(model.partition(":")[2], name, number) for model, name, number in rows}

    def paid(self) -> Counter[tuple[str, str, int]]:
        """How often the provider was paid for each step, once nothing is under way there."""
        deadline = time.monotonic() + 20
        while (ledger := self.server.counts(records=True))["totals"]["in_flight"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        found: Counter[tuple[str, str, int]] = Counter()
        for record in ledger["records"]:
            if record["fate"] in ("answered", "abandoned"):
                name = record["prompt"].partition("File: ")[2].partition("\n")[0]
                found[record["model"], name, record["step"]] += 1
        return found

    def booked(self) -> Counter[str]:
        path = self.root / "booked.txt"
        return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def profile(latency_s: float) -> Profile:
    turns = ToolTurns(turns=TURNS - 1, tools=("look", "book"))
    return Profile(default=Behaviour(latency_s=latency_s, tool_turns=turns), records=10**6)


def processes(folder: Path) -> int:
    """How many processes work in a folder or below it."""
    if sys.platform != "linux":
        return 0
    found = 0
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found += entry.readlink().is_relative_to(folder)
    return found


def torture(
    root: Path, *, kills: int, files: int, tool_s: float, latency_s: float, once: bool = False, seed: int = 1
) -> Figures:
    """Kill one evaluation so often, at random moments, and let it end.

    `once`: half of the tools that are called may run once only.
    """
    figures, dice, began = Figures(calls=files * len(MODELS)), random.Random(seed), time.monotonic()
    requests = figures.calls * TURNS
    whole_s = requests * latency_s / SLOTS
    with provider_process(profile(latency_s)) as server:
        job = Job(root / "job", files, tool_s, server, once=once)
        for _ in range(kills):
            committed, paid = job.committed(), job.paid()
            process = job.start()
            # Over the whole run, however far it has got; a start takes a second of it.
            try:
                code = process.wait(1.0 + dice.uniform(0.0, 2.0) * whole_s / kills)
                assert code in job.good_ends, (job.root / "err").read_text()[-2000:]
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                figures.kills += 1
            now = job.paid()
            figures.again += sum(now[step] > paid[step] for step in committed)
            figures.lost += len(committed - job.committed())
        committed, paid = job.committed(), job.paid()
        job.finish()
        now = job.paid()
        figures.again += sum(now[step] > paid[step] for step in committed)
        figures.uncommitted = sum(count - 1 for count in now.values())
        figures.answered = job.rows("SELECT count(*) FROM calls WHERE status = 1")[0][0]
        failed = job.rows("SELECT error_message FROM calls WHERE status = 2")
        figures.may_have_run = sum("may have run" in message for (message,) in failed)
        figures.twice = sum(count - 1 for count in job.booked().values())
        figures.invalid = server.counts()["totals"]["invalid"]
        figures.left = processes(job.root)
    figures.wall_s = time.monotonic() - began
    return figures
