"""Kill -9 again and again while a judge is asked, and count the verdicts that are missing or asked for twice.

The provider is another process with its own ledger; what is right is what an evaluation says that nobody
disturbed.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from forked import FORKS
from provider import ChildProvider, clean_environment, provider_process
from reliability.moments import AT_RANDOM, AT_START, kill_at
from reliability.runs import Process
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.store.writer import GROUP_SIZE

IN_FLIGHT = 50
SCORES = "while scores are written"
WRITES = "while writing a group"
_MOMENTS = (AT_RANDOM, WRITES, SCORES, AT_START)
_VERDICT = '{{"reason": "it says so", "verdict": "{}"}}'


@dataclass
class Figures:
    """What the kills came to. `again`: verdicts that the provider gave beyond one an answer."""

    kills: int = 0
    jobs: int = 0
    answers: int = 0
    verdicts: int = 0
    again: int = 0
    most_again: int = 0
    unlike: int = 0
    wall_s: float = 0.0
    moments: dict[str, int] = field(default_factory=dict)

    @property
    def bound(self) -> int:
        """Verdicts that one kill may cost twice: those in flight, and one group."""
        return IN_FLIGHT + GROUP_SIZE


class _Job:
    """An evaluation of `size` rows, of whose answers one in seven fails."""

    _words = ("eval", "score", "job", "--scorer", "ok=judge:Is it good?", "--judge", "openai:judge")

    def __init__(self, root: Path, size: int, server: ChildProvider) -> None:
        self.root, self.size, self.server = root, size, server
        root.mkdir()
        rows = (f"{n},answer {n:05}{' bad' if n % 7 == 0 else ''}" for n in range(size))
        (root / "q.csv").write_text("\n".join(("n,a", *rows)) + "\n")
        self._run("eval", "batch", "-i", "job", "-p", "{{row.a}}", "-m", "openai:a", "--rows", "q.csv")

    def _start(self, *words: str) -> Process:
        with (self.root / "table").open("wb") as table, (self.root / "notes").open("wb") as notes:
            return FORKS.start(
                ["-m", "umwelten", *words, "--max-concurrency", str(IN_FLIGHT)],
                cwd=self.root,
                env=clean_environment(self.server.env()),
                stdout=table.fileno(),
                stderr=notes.fileno(),
            )

    def _run(self, *words: str) -> str:
        code = self._start(*words).wait(300)
        assert code == 0, (self.root / "notes").read_text()[-2000:]
        return (self.root / "table").read_text()

    def score(self) -> Process:
        return self._start(*self._words)

    def finish(self) -> str:
        return self._run(*self._words)

    def given(self) -> int:
        """How many verdicts the provider gave, once nothing is under way there."""
        deadline = time.monotonic() + 10
        while (totals := self.server.counts()["totals"])["in_flight"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return int(totals["answered"])

    def stored(self) -> int:
        """How many verdicts are stored."""
        path = self.root / "output" / "job.ok" / "evaluation.db"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'calls'").fetchone()
            if found[0]:
                found = connection.execute("SELECT count(*) FROM calls WHERE status = 1").fetchone()
            return int(found[0])

    def kill(self, moment: str, dice: random.Random) -> bool:
        """One start and its end; True if it was killed, False if it was done before."""
        process = self.score()
        if moment == SCORES:
            return _kill_when(process, lambda: self.stored() == self.size, dice.uniform(0.0, 0.2))
        folder = self.root / "output" / "job.ok"
        return kill_at(process, folder, moment, after_s=dice.uniform(0.0, 0.9), times=dice.randint(1, 40))


def _kill_when(process: Process, there: Callable[[], bool], after_s: float) -> bool:
    while process.poll() is None and not there():
        time.sleep(0.005)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def torture(root: Path, *, kills: int, size: int, kills_a_job: int, seed: int = 1) -> Figures:
    """So many kills over as many evaluations of `size` answers as it takes, each then judged to its end."""
    figures, dice, began = Figures(), random.Random(seed), time.monotonic()
    answer = Behaviour(latency_s=(0.002, 0.01, 0.03), text="{prompt}")
    rules = tuple(
        Rule(
            model="judge",
            prompt=prompt,
            behaviour=Behaviour(latency_s=(0.002, 0.01, 0.03), text=_VERDICT.format(word), shaped="ignore"),
        )
        for prompt, word in ((" bad", "fail"), ("", "pass"))
    )
    with provider_process(Profile(default=answer, rules=rules, records=0)) as server:
        expected = _Job(root / "undisturbed", size, server).finish()
        while figures.kills < kills:
            job = _Job(root / f"job{figures.jobs}", size, server)
            server.reset()
            _kill_often(job, figures, min(kills, figures.kills + kills_a_job), dice)
            table = job.finish()
            figures.jobs += 1
            figures.answers += size
            figures.verdicts += job.stored()
            figures.again += job.given() - size
            figures.unlike += not table == expected == job.finish()
    figures.wall_s = time.monotonic() - began
    return figures


def _kill_often(job: _Job, figures: Figures, until: int, dice: random.Random) -> None:
    wasted = 0
    while figures.kills < until:
        moment = _MOMENTS[figures.kills % len(_MOMENTS)]
        if not job.kill(moment, dice) and moment != SCORES:
            return
        figures.kills += 1
        figures.moments[moment] = figures.moments.get(moment, 0) + 1
        now = job.given() - job.stored()
        figures.most_again = max(figures.most_again, now - wasted)
        wasted = now
