"""Kill -9 again and again in the middle of large jobs, and count what is lost and what is paid twice.

The provider is another process with its own ledger, so what it says does not depend on the one that is
killed. Acknowledged is what `--progress json` told as `call_succeeded`.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from forked import FORKS
from provider import ChildProvider, clean_environment, provider_process
from reliability.moments import AT_START, MOMENTS, kill_at
from reliability.runs import Process
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.store.writer import GROUP_SIZE

IN_FLIGHT = 50
TEXT = "{tail} begins " + "word " * 200 + "and ends."
"""An answer that shows which file it is about and whether it is whole."""


@dataclass
class Figures:
    """What a torture came to. `again`: answers that the provider gave beyond one a call."""

    kills: int = 0
    jobs: int = 0
    calls: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    wrong: int = 0
    again: int = 0
    most_again: int = 0
    wall_s: float = 0.0
    moments: dict[str, int] = field(default_factory=dict)

    @property
    def allowed_again(self) -> int:
        """Calls in flight and one group, for every kill."""
        return self.kills * (IN_FLIGHT + GROUP_SIZE)


class _Line(msgspec.Struct):
    type: str
    call: dict[str, object] | None = None


class Job:
    """One evaluation of `size` small files that is killed until it is done."""

    def __init__(self, root: Path, size: int, server: ChildProvider, dice: random.Random) -> None:
        self.root, self.size, self.server, self.dice = root, size, server, dice
        self.folder = root / "output" / "job"
        self.acknowledged: set[int] = set()
        (root / "in").mkdir(parents=True)
        for n in range(size):
            (root / "in" / f"{n:05}.txt").write_text(f"This is file number {n:05}.")

    def start(self) -> Process:
        """The command line, telling its events to a file."""
        command = ("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "job", "--directory", "in")
        flags = ("--resume", "--max-concurrency", str(IN_FLIGHT), "--progress", "json", "--retries", "20")
        with (self.root / "events").open("wb") as events:
            return FORKS.start(
                ["-m", "umwelten", *command, *flags],
                cwd=self.root,
                env=clean_environment(self.server.env()),
                stdout=subprocess.DEVNULL,
                stderr=events.fileno(),
            )

    def run_and_kill(self, moment: str) -> bool:
        """One start and its end; True if it was killed, False if the job was done before."""
        process = self.start()
        late = moment != AT_START and self.folder.is_dir()
        after_s = self.dice.uniform(0.0, 0.6 if late else 0.9)
        killed = kill_at(process, self.folder, moment, after_s=after_s, times=self.dice.randint(1, 40))
        self.take_acknowledged()
        return killed

    def finish(self) -> None:
        """Let it run to its end."""
        code = self.start().wait(120)
        assert code == 0, (self.root / "events").read_text()[-2000:]
        self.take_acknowledged()

    def take_acknowledged(self) -> None:
        """The calls that the process said were safe. A kill may leave half a line."""
        for line in (self.root / "events").read_bytes().splitlines(keepends=True):
            if line.startswith(b'{"type":"call_succeeded"') and line.endswith(b"\n"):
                call = msgspec.json.decode(line, type=_Line).call
                assert call is not None
                number = int(str(call["id"]))
                assert number not in self.acknowledged, "a call that was done was made again"
                self.acknowledged.add(number)

    def stored(self) -> Iterator[tuple[int, str, str, str]]:
        """Calls that succeeded: id, file name, text file, answer."""
        if not (self.folder / "evaluation.db").exists():
            return
        query = (
            "SELECT c.id, i.name, c.output, a.text FROM calls c JOIN inputs i ON i.id = c.input_id"
            " LEFT JOIN answers a ON a.call_id = c.id WHERE c.status = 1"
        )
        with closing(sqlite3.connect(self.folder / "evaluation.db", timeout=30)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'calls'").fetchone()
            if tables[0]:
                yield from connection.execute(query)

    def answered(self) -> int:
        """How many sound answers the provider gave, once nothing is under way there."""
        deadline = time.monotonic() + 10
        while (totals := self.server.counts()["totals"])["in_flight"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return int(totals["answered"])

    def look(self, figures: Figures, *, whole: bool) -> int:
        """Check what is there after a kill (or, `whole`, at the end); how many answers are stored."""
        found = 0
        left = set(self.acknowledged)
        for number, name, output, answer in self.stored():
            found += 1
            acknowledged = number in left
            left.discard(number)
            path = self.folder / output
            text = path.read_text() if path.exists() else None
            figures.wrong += f"number {name[:5]}" not in (answer or "")
            figures.torn += text is not None and text != answer
            figures.lost += text is None and (acknowledged or whole)
        figures.lost += len(left)
        figures.torn += any(not p.read_text().endswith("and ends.") for p in self.folder.glob("*.txt"))
        return found

    def end(self, figures: Figures) -> None:
        """The sums of the finished job."""
        with closing(sqlite3.connect(self.folder / "evaluation.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            records, cells = connection.execute(
                "SELECT count(*), count(DISTINCT input_id || ',' || model_id || ',' || repeat) FROM calls"
            ).fetchone()
        assert self.look(figures, whole=True) == self.size
        assert len(list(self.folder.glob("*.txt"))) == self.size
        figures.jobs += 1
        figures.calls += self.size
        figures.acknowledged += len(self.acknowledged)
        figures.doubled += (records - cells) + (records - self.size)
        figures.again += self.answered() - self.size


def torture(root: Path, *, kills: int, size: int, kills_a_job: int, seed: int = 1) -> Figures:
    """So many kills over as many jobs of `size` calls as it takes; every job is then run to its end."""
    figures, dice, began = Figures(), random.Random(seed), time.monotonic()
    behaviour = Behaviour(latency_s=(0.002, 0.01, 0.03), text=TEXT)
    with provider_process(Profile(default=behaviour, records=0)) as server:
        while figures.kills < kills:
            server.reset()
            job = Job(root / f"job{figures.jobs}", size, server, dice)
            _kill_often(job, figures, min(kills, figures.kills + kills_a_job))
            job.finish()
            job.end(figures)
    figures.wall_s = time.monotonic() - began
    return figures


def _kill_often(job: Job, figures: Figures, until: int) -> None:
    wasted = 0
    while figures.kills < until:
        moment = MOMENTS[figures.kills % len(MOMENTS)]
        if not job.run_and_kill(moment):
            return
        figures.kills += 1
        figures.moments[moment] = figures.moments.get(moment, 0) + 1
        now = job.answered() - job.look(figures, whole=False)
        figures.most_again = max(figures.most_again, now - wasted)
        wasted = now
