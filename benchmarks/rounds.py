"""Contestants in turn on the same work, round after round, and what came of it as figures with spread."""

from __future__ import annotations

import math
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.child import Ran, run
from benchmarks.contestants import Contestant, Work
from benchmarks.provider import CONTESTANT_CORES, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of work and the provider it meets. `records`: have the provider remember when it answered."""

    calls: int
    in_flight: int
    behaviour: dict[str, Any] = field(default_factory=dict)
    rules: tuple[dict[str, Any], ...] = ()
    limiters: tuple[dict[str, Any], ...] = ()
    stream: bool = False
    images: int = 0
    auto: bool = False
    options: tuple[str, ...] = ("--progress", "plain")
    terminal: bool = False
    records: bool = False
    limit_s: float = 120.0
    cores: frozenset[int] = frozenset(CONTESTANT_CORES)

    def profile(self) -> dict[str, Any]:
        """What the provider is told."""
        return {
            "records": 20 * self.calls if self.records else 0,
            "default": self.behaviour,
            "rules": self.rules,
            "limiters": self.limiters,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One contestant, once. `span_s`: from the first request to the last answer, as the provider saw it."""

    ran: Ran
    answered: int
    refused: int
    peak: int
    span_s: float | None
    provider_share: float

    def done(self, calls: int) -> bool:
        """Whether every call got its answer and the contestant ended well and in time."""
        return not self.ran.late and self.ran.status == 0 and self.answered >= calls

    def state(self, calls: int) -> str:
        """The same in words."""
        if self.done(calls):
            return "all"
        if self.answered >= calls:
            how = "not ended" if self.ran.late else f"status {self.ran.status}"
            return f"all, {how} after {self.ran.wall_s:.0f} s"
        return f"{self.answered} of {calls} after {self.ran.wall_s:.0f} s"

    def efficiency(self, calls: int, ideal_s: float) -> float:
        """Ideal / measured time, first request to last answer; not a number if answers are missing."""
        return ideal_s / self.span_s if self.span_s and self.answered >= calls else math.nan


Shots = dict[str, list[Shot]]


def shoot(contestant: Contestant, job: Job, provider: Provider) -> Shot:
    """Have a contestant do a job."""
    work = Work(
        url=provider.url,
        folder=new_folder(),
        calls=job.calls,
        in_flight=job.in_flight,
        stream=job.stream,
        images=job.images,
        hidden_limit=bool(job.limiters),
        auto=job.auto,
        options=job.options,
    )
    command, env = contestant.command(work)
    provider.use(job.profile())
    before = provider.cpu_s()
    ran = run(
        command, cwd=work.folder, env=env, limit_s=job.limit_s, terminal=job.terminal, cores=set(job.cores)
    )
    return _shot(ran, provider.ledger(), provider.cpu_s() - before)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="umwelten-bench-")


def new_folder() -> Path:
    """An empty folder that stays until this process ends.

    Not earlier: on ext4, making files in the minutes after many were deleted costs a multiple, since it
    passes over inodes that were freed lately. Whoever came after a contestant with many files would pay.
    """
    return Path(tempfile.mkdtemp(dir=_scratch().name))


def _shot(ran: Ran, ledger: dict[str, Any], used_s: float) -> Shot:
    totals = ledger["totals"]
    ends = [record["done_s"] for record in ledger["records"] if record["fate"] == "answered"]
    return Shot(
        ran=ran,
        answered=totals["answered"],
        refused=totals["refused"],
        peak=totals["peak_in_flight"],
        span_s=max(ends) if ends else None,
        provider_share=used_s / ran.wall_s,
    )


def in_turn(jobs: Iterable[tuple[str, Contestant, Job]], rounds: int, provider: Provider) -> Shots:
    """A B C A B C …, so that whatever else the machine does strikes all alike. One that missed its time or
    failed is not asked again."""
    jobs = list(jobs)
    shots: Shots = {name: [] for name, _, _ in jobs}
    for _ in range(rounds):
        for name, contestant, job in jobs:
            if all(shot.done(job.calls) for shot in shots[name]):
                shot = shoot(contestant, job, provider)
                shots[name].append(shot)
                if not shot.done(job.calls) and not shot.ran.late:
                    note(f"{name} ended with status {shot.ran.status}: {shot.ran.said[-600:]}")
    return shots


def present(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Those that can be measured here; the others are named."""
    found = []
    for each in contestants:
        why = each.missing()
        if why is None:
            found.append(each)
        else:
            note(f"skipped {each.name}: {why}")
    return found


def end_well() -> None:
    """Have a request to terminate end this process as Ctrl-C does: children and folders go with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def note(text: str) -> None:
    """A line for whoever watches."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its extremes."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    def text(self, digits: int = 2) -> str:
        """`0.31 (0.30–0.33)`."""
        if any(math.isnan(value) for value in self.values):
            return "–"
        if len(self.values) == 1:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({min(self.values):.{digits}f}–{max(self.values):.{digits}f})"


def figure(values: Iterable[float]) -> Figure:
    """Of all the values, at least one."""
    return Figure(tuple(values))


def per_call_ms(shots: Sequence[Shot], calls: int, startup_s: float) -> Figure:
    """CPU milliseconds of each call after the first; `startup_s`: of a process with one call."""
    return figure((shot.ran.cpu_s - startup_s) / max(1, calls - 1) * 1000 for shot in shots)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"### {title}", "", line(head), rule, *map(line, rows), ""])


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({model}), Python {sys.version.split()[0]}, load {load:.1f}"


def varied(job: Job, **changes: Any) -> Job:
    """The same job but for these."""
    return replace(job, **changes)
