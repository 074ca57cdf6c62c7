"""Runs whose workers are elsewhere, and what the provider's ledger and the database say of them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from provider import ChildProvider, clean_environment
from reliability.processes import Family
from umwelten.simulate.faultserver.profile import Behaviour, Profile

IN_FLIGHT = 40
LATENCIES_S = (0.3, 0.5, 0.7)
PAID = ("answered", "abandoned")
"""Fates of requests that a provider bills: a client that goes away does not take back what it asked."""


def profile() -> Profile:
    """A provider that takes half a second and repeats which file it was asked about."""
    return Profile(default=Behaviour(latency_s=LATENCIES_S, text="about {marks}: {tail}"))


def text(n: int) -> bytes:
    """What is in a file: the provider tells them apart by it."""
    return f"mark:{n:05} is the number of this file.".encode()


def write_files(folder: Path, count: int, data: Callable[[int], bytes]) -> None:
    """Write so many files: texts, or pictures if they are none."""
    folder.mkdir()
    for n in range(count):
        content = data(n)
        (folder / f"{n:05}.{'txt' if content.isascii() else 'jpg'}").write_bytes(content)


class FleetRun:
    """`eval batch` over so many files with id `x`, in a folder of its own, `in_flight` calls at once."""

    def __init__(
        self,
        root: Path,
        server: ChildProvider,
        calls: int,
        env: Mapping[str, str] | None = None,
        *,
        model: str = "openai:a",
        data: Callable[[int], bytes] = text,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self.root, self.server, self.calls, self._model = root, server, calls, model
        self._in_flight = in_flight
        self.env = {**server.env(), "XDG_STATE_HOME": str(root / "state"), **(env or {})}
        self.family = Family()
        root.mkdir()
        write_files(root / "in", calls, data)
        self.database = root / "output" / "x" / "evaluation.db"
        self.acknowledged: Counter[int] = Counter()
        self.started = 0

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it, or go on with it."""
        self.started += 1
        command = ("eval", "batch", "-p", "go", "-m", self._model, "-i", "x", "--directory", "in", "--resume")
        flags = ("--max-concurrency", str(self._in_flight), "--progress", "json", "--no-share-limits")
        with self._events().open("wb") as events:
            return subprocess.Popen(
                [sys.executable, "-m", "umwelten", *command, *flags, *options],
                cwd=self.root,
                env=clean_environment({**self.env, **self.family.env}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=events,
                start_new_session=True,
            )

    def _events(self) -> Path:
        return self.root / f"events{self.started}"

    def said(self) -> str:
        """What the last process said, its end."""
        return self._events().read_text(errors="replace")[-3000:]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds; nothing while there is no such table."""
        if not self.database.exists():
            return []
        try:
            with closing(sqlite3.connect(self.database, timeout=10)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []

    def workers(self) -> dict[int, tuple[str, int]]:
        """Return address and process of the workers that are there, by number."""
        query = (
            "SELECT worker, address, pid FROM workers WHERE left_at IS NULL"
            " AND run_id = (SELECT max(id) FROM runs) ORDER BY worker"
        )
        return {number: (address, pid) for number, address, pid in self.rows(query)}

    def await_answers(self, process: subprocess.Popen[bytes], count: int, timeout_s: float = 60.0) -> None:
        """Return once the provider has answered so many requests."""

        def there() -> bool:
            assert process.poll() is None, self.said()
            return bool(self.server.counts()["totals"]["answered"] >= count)

        self.wait_for(there, timeout_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Until the condition holds."""
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, f"it did not come to that: {self.said()}"
            time.sleep(0.02)

    def take_acknowledged(self) -> None:
        """The calls that the last process said were safe. A kill may leave half a line."""
        for line in self._events().read_bytes().splitlines(keepends=True):
            if line.startswith(b'{"type":"call_succeeded"') and line.endswith(b"\n"):
                self.acknowledged[int(msgspec.json.decode(line)["call"]["id"])] += 1

    def idle(self) -> dict[str, Any]:
        """The ledger, once nothing is under way."""
        self.wait_for(lambda: not self.server.counts()["totals"]["in_flight"], 20.0)
        return self.server.counts(records=True)

    def lost_answers(self) -> int:
        """Answers that were acknowledged, and are not stored under their file."""
        query = (
            "SELECT c.id FROM calls c JOIN inputs i ON i.id = c.input_id JOIN answers a ON a.call_id = c.id"
            " WHERE c.status = 1 AND instr(a.text, 'mark:' || substr(i.name, 1, 5)) > 0"
        )
        return len(set(self.acknowledged) - {number for (number,) in self.rows(query)})
