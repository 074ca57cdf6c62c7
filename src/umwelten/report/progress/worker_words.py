"""What is said of the workers of a run: in a line of their own, and short, of all together."""

from __future__ import annotations

from umwelten.events import WorkerChanged, WorkersStarting, WorkerState
from umwelten.tally import WorkerTally
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_NODE, _WHY = 36, 200


def starting_line(event: WorkersStarting) -> str:
    """Return `starting 4 workers on a Ray cluster of this run`."""
    return f"starting {workers_on(event.workers, event.address)}"


def changed_line(event: WorkerChanged, workers: WorkerTally | None) -> str | None:
    """Return a line on a change, `None` where it is as it should be. `workers` have taken it in already."""
    who = f"worker {event.number}" + (f" on {one_line(event.node, _NODE)}" if event.node else "")
    match event.state:
        case WorkerState.SUSPECT:
            return f"{who} does not answer: it gets no new calls"
        case WorkerState.BACK:
            return f"{who} answers again"
        case WorkerState.LOST:
            why = f" ({one_line(event.why, _WHY)})" if event.why else ""
            return f"{who} is lost{why}: its calls are made again"
        case WorkerState.JOINED if workers is not None and workers.lost:
            return f"{who} joined: {worker_count(workers.ready, workers.wanted)}"
        case WorkerState.JOINED if workers is not None and workers.started_s is not None:
            ready, took = len(workers.by_number), workers.started_s
            is_last = ready == workers.wanted and event.at_unix - workers.since_unix >= took
            return f"{formatting.count(ready, 'worker')} ready after {took:.1f} s" if is_last else None
    return None


def worker_count(ready: int, wanted: int, lost: int = 0) -> str:
    """Return `4 workers`, `3 of 4 workers, 1 lost`."""
    most = max(ready, wanted)
    some = formatting.count(most, "worker") if ready == most else f"{ready:,} of {most:,} workers"
    return f"{some}, {lost:,} lost" if lost else some


def staff_state(workers: WorkerTally, now_unix: float) -> str:
    """Return `worker_count`, or while they start, `starting 4 workers on a Ray cluster of this run (8 s)`."""
    if workers.started_s is not None:
        return worker_count(workers.ready, workers.wanted, workers.lost)
    what = workers_on(workers.wanted, workers.address)
    there = f", {len(workers.by_number):,} there" if workers.by_number else ""
    took = max(0.0, now_unix - workers.since_unix)
    return f"starting {what} ({took:.0f} s{there})"


def workers_on(workers: int, address: str) -> str:
    """Return `4 workers on a Ray cluster of this run`, `… on the Ray cluster at head:6379`."""
    known = {"": "a Ray cluster of this run", "auto": "the Ray cluster found here"}
    cluster = known.get(address) or f"the Ray cluster at {one_line(address, 80)}"
    return f"{formatting.count(workers, 'worker')} on {cluster}"
