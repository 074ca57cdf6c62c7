"""The workers of a run on several processes as rows of a table: texts, the same in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from umwelten.report.models import WorkerSums
from umwelten.text import formatting

HEAD = ("node", "worker", "failures", "left", "attempts", "answered", "mean time")
"""The titles of the columns; the last three are of numbers."""

MOST_ROWS = 40
"""Workers in a table; of more, each node is a row: which machine is at fault is seen as well."""


@dataclass(slots=True)
class _Row:
    """One worker, or all of a node."""

    node: str
    names: list[str] = field(default_factory=list)
    attempts: int = 0
    answered: int = 0
    time_s: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    def add(self, worker: WorkerSums, name: str) -> None:
        self.names.append(name)
        self.attempts += worker.attempts
        self.answered += worker.answered
        self.time_s += (worker.mean_s or 0.0) * worker.attempts
        self.failures.update(worker.failures)
        if worker.left_at is not None:
            self.left[worker.why] += 1

    def cells(self) -> tuple[str, ...]:
        name = self.names[0] if len(self.names) == 1 else formatting.count(len(self.names), "worker")
        return (
            self.node,
            name,
            ", ".join(f"{n:,} × {kind}" for kind, n in self.failures.most_common()),
            ", ".join(why if n == 1 else f"{n:,} × {why}" for why, n in self.left.most_common()),
            f"{self.attempts:,}",
            f"{self.answered:,}",
            formatting.seconds(self.time_s / self.attempts) if self.attempts else formatting.UNKNOWN,
        )


def worker_rows(workers: Sequence[WorkerSums]) -> list[tuple[str, ...]]:
    """Return a row for each worker, or for each node where there are many; none without workers."""
    several = len({worker.run for worker in workers}) > 1
    by_node = len(workers) > MOST_ROWS
    rows: dict[object, _Row] = {}
    for worker in workers:
        name = f"{worker.worker} of run {worker.run}" if several else str(worker.worker)
        key = worker.node if by_node else (worker.run, worker.worker)
        rows.setdefault(key, _Row(node=worker.node)).add(worker, name)
    return [row.cells() for row in rows.values()]
