"""What runs of the command line that share an account do to each other: real processes, a real limit.

Each scenario returns what it came to as a line, and fails by an assertion. The provider is another process
with its own ledger. `make torture` runs all of them; the suite the shortest.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from forked import FORKS, Forked
from provider import ChildProvider, clean_environment, provider_process
from umwelten.simulate.faultserver.profile import Profile

CAP = 8
SILENT = {"hints": "none", "headers": "none"}
TAKEN_OVER_S = 2.0
NOT_SHARED = "rate limits are not shared"
OTHER_VERSION = "import umwelten.version as v; v.__version__ = '0.0.9'"


def cap(n: int = CAP) -> dict[str, Any]:
    """So many at a time, else 429 without a hint."""
    return {"kind": "concurrency", "n": n, **SILENT}


def rate(per_s: float) -> dict[str, Any]:
    """A bucket that holds half a second's worth."""
    return {"kind": "bucket", "rate": per_s, "burst": per_s / 2, **SILENT}


@contextmanager
def limited(*limiters: dict[str, Any], latency_s: float = 0.1) -> Iterator[ChildProvider]:
    """A provider with these limits."""
    profile = {"default": {"latency_s": latency_s}, "limiters": limiters, "records": 20000}
    with provider_process(msgspec.convert(profile, Profile)) as served:
        yield served


class Child:
    """`umwelten eval batch` of so many calls, in a folder of its own below the one of all."""

    def __init__(
        self, served: ChildProvider, root: Path, name: str, calls: int, *options: str, code: str = ""
    ) -> None:
        self.calls, self.folder = calls, root / name
        self.folder.mkdir(exist_ok=True)
        rows = "q\n" + "".join(f"question {n} of {name}\n" for n in range(calls))
        (self.folder / "rows.csv").write_text(rows)
        command = ["eval", "batch", "-p", "{{row.q}}", "-m", "openai:m", "--rows", "rows.csv", "-i", "x"]
        if "--max-concurrency" not in options:
            command += ["--max-concurrency", "20"]
        command += ["--progress", "plain", *options]
        env = clean_environment({**served.env(), "XDG_STATE_HOME": str(root / "state")})
        self.process: Forked | subprocess.Popen[bytes]
        with (self.folder / "said.txt").open("wb") as said:
            if code:  # which is to run before the modules are there
                code = f"import runpy; {code}; runpy.run_module('umwelten', run_name='__main__')"
                self.process = subprocess.Popen(
                    [sys.executable, "-c", code, *command],
                    cwd=self.folder,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                )
            else:
                number = said.fileno()
                words = ["-m", "umwelten", *command]
                self.process = FORKS.start(words, cwd=self.folder, env=env, stdout=number, stderr=number)

    def end(self, timeout_s: float = 60.0) -> str:
        """Wait for its end; return what it printed. All of its calls succeeded, and each is stored once."""
        code = self.process.wait(timeout_s)
        text = (self.folder / "said.txt").read_text()
        assert code == 0, text
        with closing(sqlite3.connect(self.folder / "output/x/evaluation.db")) as connection:
            stored = connection.execute("SELECT count(*), count(DISTINCT input_id) FROM calls").fetchone()
        assert stored == (self.calls, self.calls), (stored, text)
        return text


@contextmanager
def ended(*started: Child) -> Iterator[None]:
    """None of these outlives the block."""
    try:
        yield
    finally:
        for child in started:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGCONT)
            child.process.kill()
            child.process.wait()


def owner_pid(state: Path) -> int | None:
    """Return the process that listens on the only socket."""
    folder = state / "umwelten/run"
    for path in folder.glob("*"):
        if path.is_socket() and "." not in path.name:
            number = os.open(folder, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.setblocking(False)
                try:
                    peer.connect(f"/proc/self/fd/{number}/{path.name}")  # the path itself is too long
                except OSError:
                    return None
                finally:
                    os.close(number)
                found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                return int(struct.unpack("3i", found)[0])
    return None


def await_owner(root: Path, other_than: int | None = None, within_s: float = 30.0) -> int:
    """Wait until some other process listens; return which."""
    found: list[int] = []

    def there() -> bool:
        pid = owner_pid(root / "state")
        found[:] = [] if pid is None or pid == other_than else [pid]
        return bool(found)

    _await(there, within_s, "no owner in time")
    return found[0]


def await_answers(served: ChildProvider, count: int, within_s: float = 60.0) -> None:
    """Wait until the provider has answered so many calls."""
    _await(lambda: answered(served) >= count, within_s, f"no {count} answers in time")


def answered(served: ChildProvider) -> int:
    """Return how many calls the provider has answered."""
    return int(served.counts()["totals"]["answered"])


def _await(met: Callable[[], bool], within_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def _said(served: ChildProvider, calls: int, most_refused: float = 0.5) -> str:
    totals = served.counts()["totals"]
    refused = totals["refused"] / max(1, totals["answered"])
    assert refused <= most_refused, totals
    return f"{calls} calls, {totals['answered']} answers, {refused:.2f} refused per call"


# --- scenarios ---------------------------------------------------------------------------------


def lost_owner(root: Path, how: signal.Signals, calls: int = 150, taken_over_s: float = TAKEN_OVER_S) -> str:
    """Kill or stop the owner: another one starts calls in that time, and a stopped one comes back.

    What a killed one had not done, its resumed run does.
    """
    with limited(cap()) as served:
        one = Child(served, root, "one", calls)
        with ended(one):
            first = await_owner(root)
            two, three = (Child(served, root, name, calls) for name in ("two", "three"))
            with ended(two, three):
                assert first == one.process.pid
                await_answers(served, 2 * CAP)
                before = answered(served)
                await_answers(served, before + 4 * CAP)
                one.process.send_signal(how)
                began = time.monotonic()
                second = await_owner(root, other_than=first, within_s=taken_over_s)
                took = time.monotonic() - began
                assert second in (two.process.pid, three.process.pid)
                before = answered(served)
                await_answers(served, before + CAP + 1, within_s=taken_over_s + 1.0 - took)
                again = 0
                if how is signal.SIGSTOP:
                    one.process.send_signal(signal.SIGCONT)
                else:
                    one.process.wait()
                    one = Child(served, root, "one", calls, "--resume")
                    again = CAP
                with ended(one):
                    assert all(NOT_SHARED not in child.end() for child in (one, two, three))
            assert 3 * calls <= answered(served) <= 3 * calls + again + 2
            return f"{_said(served, 3 * calls)}; another run owns the lane after {took:.2f} s"


def finished_owner(root: Path, calls: int = 150) -> str:
    """Let the owner end: the others go on without a break."""
    with limited(cap()) as served:
        one = Child(served, root, "one", 40)
        with ended(one):
            await_owner(root)
            two, three = (Child(served, root, name, calls) for name in ("two", "three"))
            with ended(two, three):
                one.end()
                began = len(served.counts(records=True)["records"])
                for child in (two, three):
                    assert NOT_SHARED not in child.end()
                starts = sorted(record["at_s"] for record in served.counts(records=True)["records"][began:])
        gap = max(after - before for before, after in pairwise(starts))
        assert gap < 1.5, gap
        return f"{_said(served, 2 * calls + 40)}; at most {gap:.2f} s without a start"


def lost_guest(root: Path, calls: int = 300) -> str:
    """Kill a guest: what it was granted comes back, and the owner has all of the limit."""
    with limited(cap()) as served:
        one = Child(served, root, "one", calls)
        with ended(one):
            await_owner(root)
            two = Child(served, root, "two", calls)
            with ended(two):
                # The limit is found, and both have calls under way.
                await_answers(served, 8 * CAP)
                _await(lambda: _who(served) == {"one", "two"}, 30.0, "the guest starts nothing")
                two.process.kill()
                two.process.wait()
            began, before = time.monotonic(), answered(served)
            one.end()
            held = (answered(served) - before) / (time.monotonic() - began) / (CAP / 0.1)
        assert held > 0.5, held
        return f"{_said(served, calls)}; the owner held {held:.0%} of the limit afterwards"


def _who(served: ChildProvider) -> set[str]:
    last = served.counts(records=True)["records"][-4 * CAP :]
    return {record["prompt"].split()[-1] for record in last}


def many(root: Path, count: int, calls: int, limiter: dict[str, Any] | None, *options: str) -> str:
    """Start so many runs at once."""
    with limited(*[limiter] if limiter else [], latency_s=0.1) as served:
        children = [Child(served, root, f"run{n}", calls, *options) for n in range(count)]
        with ended(*children):
            said = [child.end(120.0) for child in children]
        assert not any(NOT_SHARED in text for text in said), said
        records = served.counts(records=True)["records"]
        starts = [record["at_s"] for record in records if record["fate"] == "answered"]
        assert len(starts) == count * calls
        a_second = len(starts) / (max(starts) - min(starts))
        return f"{_said(served, count * calls, 1.0)}; {a_second:.0f} calls per second"


def own_rate(root: Path) -> str:
    """Two runs that know the rate keep to it together."""
    text = many(root, 2, 60, None, "--rate", "openai=20/s")
    assert float(text.split("; ")[1].split()[0]) <= 24, text
    return text


def own_number(root: Path) -> str:
    """Each run keeps to its own number of calls in flight."""
    with limited() as served:
        children = [Child(served, root, f"run{n}", 60, "--max-concurrency", str(n)) for n in (1, 3)]
        with ended(*children):
            for child in children:
                child.end()
        peak = served.counts()["totals"]["peak_in_flight"]
        assert peak == 4
        return f"{_said(served, 120)}; {peak} in flight"


def other_version(root: Path, calls: int = 100) -> str:
    """Another version goes on alone, and says so in one line."""
    with limited(cap(), latency_s=0.2) as served:
        one = Child(served, root, "one", calls)
        with ended(one):
            await_owner(root)
            two = Child(served, root, "two", 10, code=OTHER_VERSION)
            with ended(two):
                said = two.end()
                assert said.count(NOT_SHARED) == 1, said
                assert NOT_SHARED not in one.end()
        return _said(served, calls + 10, 1.0)


def no_folder(root: Path, *options: str) -> str:
    """Without a folder for sockets each run goes on alone, and says so."""
    (root / "state").write_text("a file")
    with limited(latency_s=0.0) as served:
        one = Child(served, root, "one", 5, *options)
        with ended(one):
            assert one.end().count(NOT_SHARED) == (0 if options else 1)
        return _said(served, 5)


SCENARIOS: dict[str, Callable[[Path], str]] = {
    "kill -9 of the owner": lambda root: lost_owner(root, signal.SIGKILL),
    "owner stopped, and continued after another took over": lambda root: lost_owner(root, signal.SIGSTOP),
    "owner ends": finished_owner,
    "kill -9 of a guest": lost_guest,
    "4 runs at once, 8 calls at a time": lambda root: many(root, 4, 150, cap()),
    "4 runs at once, 60 calls per second": lambda root: many(root, 4, 150, rate(60)),
    "20 runs at once, 60 calls per second": lambda root: many(root, 20, 30, rate(60)),
    "2 runs at once, no limit": lambda root: many(root, 2, 300, None),
    "2 runs that know the rate, 20 calls per second": own_rate,
    "runs with 1 and 3 calls in flight": own_number,
    "another version": other_version,
    "no folder": no_folder,
    "sharing turned off": lambda root: no_folder(root, "--no-share-limits"),
}
"""All scenarios, by what happens."""
