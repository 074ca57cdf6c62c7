"""Kill and stop workers, nodes and coordinators at random moments, and count what is lost and paid twice.

The provider is another process with its own ledger, in which each request names its file.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from provider import ChildProvider, provider_process
from reliability.fleet_runs import IN_FLIGHT, PAID, FleetRun, profile
from reliability.ray_cluster import SECOND, Cluster, cluster
from umwelten.store.writer import GROUP_SIZE

NOTICED_S = 5.0
"""A worker that is killed is missed by then."""
AVOIDED_S = 4.0
"""A worker that gives no sign of life gets no more assignments from then on."""
SILENT_S = 5.0
"""Workers whose coordinator is gone send nothing from then on."""
ENDED_S = 90.0
"""A run of some hundred calls is over by then, whatever is killed."""


@dataclass
class Figures:
    """What the kills of one kind came to.

    `again`: requests that the provider bills beyond one a call; `in_flight`: attempts that were under way at
    what was killed; `late`: of them those whose answer came all the same.
    """

    kills: int = 0
    calls: int = 0
    lost: int = 0
    doubled: int = 0
    missing: int = 0
    again: int = 0
    most_again: int = 0
    in_flight: int = 0
    late: int = 0
    resumed: Counter[str] = field(default_factory=Counter)
    noticed_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def good(self) -> bool:
        """Whether everything is as promised."""
        return not (self.lost or self.doubled or self.missing or self.problems)

    def check(self, holds: bool, problem: str) -> None:
        """Note a broken promise."""
        if not holds:
            self.problems.append(f"kill {self.kills}: {problem}")


@dataclass
class Stage:
    """Where runs are made and killed."""

    root: Path
    server: ChildProvider
    engine: tuple[str, ...]
    dice: random.Random
    calls: int = 400
    cluster: Cluster | None = None

    def new_run(self, calls: int | None = None) -> FleetRun:
        """An evaluation in a folder of its own, and a ledger that begins."""
        self.server.reset()
        return FleetRun(self.root / f"run{len(list(self.root.iterdir()))}", self.server, calls or self.calls)


Act = Callable[[Stage, Figures], None]


def torture(root: Path, count: int, seed: int = 1, words: Sequence[str] = ()) -> dict[str, Figures]:
    """Do each way whose name has one of the words so often on one cluster, each time to a run of its own."""
    ways = {
        "kill -9 of a worker": (kill_worker, count),
        "kill -9 of a node's raylet": (kill_node, count),
        "kill -9 of the coordinator": (kill_coordinator, count),
        "kill -9 of a coordinator with a cluster of its own": (kill_owner, max(1, count // 4)),
        "SIGSTOP of a worker for 8 s": (pause_worker(8.0, 1200), count),
        "SIGSTOP of a worker for 30 s": (pause_worker(30.0, 3600), max(1, count // 4)),
    }
    root.mkdir(exist_ok=True)
    with provider_process(profile()) as server, cluster(server.env()) as running:
        engine = ("--engine", f"ray:{running.address}", "--workers", "4")
        stage = Stage(root, server, engine, random.Random(seed), cluster=running)
        return {
            name: repeat(stage, act, times)
            for name, (act, times) in ways.items()
            if not words or any(word in name for word in words)
        }


def repeat(stage: Stage, act: Act, count: int) -> Figures:
    """Do it so often, each time to a run of its own."""
    figures, began = Figures(), time.monotonic()
    for _ in range(count):
        figures.kills += 1
        try:
            act(stage, figures)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            figures.check(False, str(error)[-2000:])
    figures.wall_s = time.monotonic() - began
    return figures


# --- what is done to a run ---------------------------------------------------------------------


def kill_worker(stage: Stage, figures: Figures) -> None:
    """kill -9 of one of the workers."""
    run = stage.new_run()
    process = _started(stage, run)
    try:
        number = stage.dice.choice(list(run.workers()))
        killed_at = time.time()
        os.kill(run.workers()[number][1], signal.SIGKILL)
        _end(run, process)
    finally:
        _clean_up(run, process)
    _check_dead(run, figures, [number], killed_at, NOTICED_S)
    _count(run, figures)


def kill_node(stage: Stage, figures: Figures) -> None:
    """kill -9 of the raylet of the second node."""
    assert stage.cluster is not None
    assert stage.cluster.second is not None
    run = stage.new_run()
    process = _started(stage, run)
    try:
        dead = [number for number, (address, _) in run.workers().items() if address == SECOND]
        figures.check(bool(dead), f"no worker on the second node: {run.workers()}")
        killed_at = time.time()
        stage.cluster.second.kill_raylet()
        _end(run, process)
    finally:
        _clean_up(run, process)
        stage.cluster.start_second()
    _check_dead(run, figures, dead, killed_at, None)
    _count(run, figures)


def kill_coordinator(stage: Stage, figures: Figures) -> None:
    """kill -9 of the run's own process; then it is resumed, in turn on the same engine and on one machine."""
    run = stage.new_run()
    process = _started(stage, run)
    workers = [pid for _, pid in run.workers().values()]
    process.kill()
    process.wait()
    killed_at = time.monotonic()
    run.take_acknowledged()
    while any(map(_alive, workers)) and time.monotonic() < killed_at + SILENT_S:
        time.sleep(0.02)
    before = run.server.counts()["totals"]["requests"]
    run.wait_for(lambda: not any(map(_alive, workers)), 30.0)
    figures.noticed_s.append(time.monotonic() - killed_at)
    after = run.idle()["totals"]["requests"]
    figures.check(
        before == after, f"{after - before} requests more than {SILENT_S:g} s after the coordinator's"
    )
    left = run.family.await_end(10.0)
    figures.check(not left, f"left behind: {left}")
    engine = stage.engine if figures.kills % 2 else ()
    figures.resumed["on the same engine" if engine else "on one machine"] += 1
    process = run.start(*engine)
    try:
        _end(run, process)
    finally:
        _clean_up(run, process)
    _count(run, figures, in_flight=IN_FLIGHT + GROUP_SIZE)


def kill_owner(stage: Stage, figures: Figures) -> None:
    """The same to a run with a cluster of its own, of which nothing may be left."""
    kill_coordinator(replace(stage, engine=("--engine", "ray", "--workers", "2")), figures)


def pause_worker(seconds: float, calls: int) -> Act:
    """SIGSTOP of one of the workers for so long, in a run of so many calls."""

    def act(stage: Stage, figures: Figures) -> None:
        run = stage.new_run(calls)
        process = _started(stage, run, most=0.1)
        try:
            number = stage.dice.choice(list(run.workers()))
            pid = run.workers()[number][1]
            os.kill(pid, signal.SIGSTOP)
            stopped_at = time.time()
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
            _end(run, process)
        finally:
            _clean_up(run, process)
        query = "SELECT count(*) FROM attempts WHERE worker = ? AND started_at BETWEEN ? AND ?"
        begun = run.rows(query, number, stopped_at + AVOIDED_S, stopped_at + seconds)[0][0]
        figures.check(not begun, f"{begun} assignments to a worker that was stopped")
        _count(run, figures)

    return act


# --- what it came to -----------------------------------------------------------------------------


def _started(stage: Stage, run: FleetRun, most: float = 0.8) -> subprocess.Popen[bytes]:
    """Start a run; return its process once a random share of its calls is answered."""
    process = run.start(*stage.engine)
    try:
        run.await_answers(process, max(1, round(run.calls * stage.dice.uniform(0.01, most))))
        run.wait_for(lambda: bool(run.workers()), 10.0)
    except BaseException:
        _clean_up(run, process)
        raise
    return process


def _end(run: FleetRun, process: subprocess.Popen[bytes]) -> None:
    code = process.wait(ENDED_S)
    run.take_acknowledged()
    assert code == 0, run.said()


def _clean_up(run: FleetRun, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    run.family.end()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _check_dead(
    run: FleetRun, figures: Figures, dead: Sequence[int], killed_at: float, within_s: float | None
) -> None:
    for number in dead:
        [(left_at,)] = run.rows("SELECT left_at FROM workers WHERE worker = ?", number) or [(None,)]
        figures.check(left_at is not None, f"worker {number} was killed, and is said to be there")
        if left_at is not None:
            figures.noticed_s.append(left_at - killed_at)
            figures.check(within_s is None or left_at - killed_at <= within_s, f"{left_at - killed_at:.1f} s")
        query = "SELECT count(*) FROM attempts WHERE worker = ? AND started_at > ?"
        begun = run.rows(query, number, killed_at + AVOIDED_S)[0][0]
        figures.check(not begun, f"{begun} assignments to a dead worker")


def _count(run: FleetRun, figures: Figures, in_flight: int | None = None) -> None:
    """Compare what is stored with what the provider saw. `in_flight`: what the kill may cost, where the
    database does not know."""
    ledger = run.idle()
    paid = sum(record["fate"] in PAID for record in ledger["records"])
    asked = {mark for record in ledger["records"] for mark in record["marks"]}
    figures.check(len(asked) == run.calls, f"{len(asked)} of {run.calls} files were asked about")
    stored, cells = run.rows("SELECT count(*), count(DISTINCT input_id) FROM calls WHERE status = 1")[0]
    lost = run.rows("SELECT count(*) FROM attempts WHERE error_kind = 'lost'")[0][0]
    late = run.rows("SELECT count(*) FROM attempts WHERE error_kind IS NULL")[0][0] - stored
    bound = lost + late if in_flight is None else in_flight
    again = paid - run.calls
    figures.check(again <= bound, f"{again} calls paid again, {bound} in flight")
    figures.check(lost + late <= IN_FLIGHT or in_flight is not None, f"{lost + late} attempts lost")
    figures.calls += run.calls
    figures.missing += run.calls - cells
    figures.doubled += stored - cells + sum(count - 1 for count in run.acknowledged.values())
    figures.lost += run.lost_answers()
    figures.again += again
    figures.most_again = max(figures.most_again, again)
    figures.in_flight += lost + late
    figures.late += late
