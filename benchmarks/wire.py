"""What a call costs, beside the peers: `python -m benchmarks.wire [SCENARIO …] [--rounds N] [--small]`.

The provider runs in its own process on its own core; contestants share the others and take turns. CPU is
user and system time of the whole process. "per call" is (CPU of the job - CPU of a job of one call) /
(calls - 1); the start is a row of its own. Efficiency is ideal / measured time from the first request to
the last answer as the provider saw it; `whole` is the same with the process's start and end in it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks import solo
from benchmarks.contestants import ALL, FLOOR, LITELLM, OPENAI, UMWELTEN, Contestant
from benchmarks.provider import Provider, provider
from benchmarks.rounds import (
    Job,
    Shot,
    Shots,
    end_well,
    figure,
    in_turn,
    machine,
    note,
    per_call_ms,
    present,
    table,
    varied,
)

ONE = Job(calls=1, in_flight=1)


@dataclass
class Bench:
    """A run of the harness. `small` is for the harness's own test: it shows that all works, not how fast."""

    provider: Provider
    rounds: int
    small: bool
    contestants: Sequence[Contestant]
    starts: Shots = field(default_factory=dict)

    def size(self, calls: int) -> int:
        """So many calls, or a handful."""
        return min(calls, 12) if self.small else calls

    def in_turn(self, job: Job, contestants: Sequence[Contestant]) -> Shots:
        """All of them at one job."""
        chosen = [each for each in self.contestants if each in contestants]
        return in_turn([(each.name, each, job) for each in chosen], self.rounds, self.provider)

    def started(self) -> Shots:
        """Everybody at one call: what starting up costs. Done once."""
        if not self.starts:
            self.starts = self.in_turn(ONE, ALL)
        return self.starts

    def start_cpu_s(self, name: str) -> float:
        """CPU of a job of one call, whole process."""
        return figure(shot.ran.cpu_s for shot in self.started()[name]).median

    def start_wall_s(self, name: str) -> float:
        """The same on the clock."""
        return figure(shot.ran.wall_s for shot in self.started()[name]).median


def start(bench: Bench) -> str:
    """The whole process for one call."""
    rows = [
        [
            name,
            figure(s.ran.cpu_s * 1000 for s in each).text(0),
            figure(s.ran.wall_s for s in each).text(2),
            f"{max(s.ran.peak_mb for s in each):.0f}",
        ]
        for name, each in bench.started().items()
    ]
    helped = solo.help_cpu_ms(1 if bench.small else 2 * bench.rounds + 1)
    rows.append(["umwelten --help", helped.text(0), "", ""])
    return table("One call to an instant provider, whole process", ("who", "CPU ms", "wall s", "MB"), rows)


def unary(bench: Bench) -> str:
    """CPU per call with 200 in flight."""
    job = Job(calls=bench.size(2000), in_flight=200, behaviour={"latency_s": 0.05})
    title = "Unary, 200 in flight, 50 ms latency"
    # Over more calls, connecting and all else that is done once weighs less; peers would take minutes.
    longer = varied(job, calls=bench.size(20_000))
    return _cost_table(bench, title, job, ALL) + _cost_table(bench, title, longer, (UMWELTEN, FLOOR))


def stream(bench: Bench) -> str:
    """CPU per call of answers in 100 chunks."""
    behaviour = {"chunks": 100, "chunk_gap_s": 0.005, "text": "word " * 100}
    job = Job(calls=bench.size(400), in_flight=50, behaviour=behaviour, stream=True)
    title = "Streaming, 100 chunks an answer 5 ms apart, 50 in flight"
    return _cost_table(bench, title, job, (UMWELTEN, FLOOR, OPENAI, LITELLM))


def images(bench: Bench) -> str:
    """Pictures of 1 MB."""
    job = Job(calls=bench.size(200), in_flight=50, behaviour={"latency_s": 0.2}, images=1_000_000)
    return _cost_table(bench, "Images of 1 MB, 50 in flight, 0.2 s latency", job, (UMWELTEN, FLOOR))


def _cost_table(bench: Bench, title: str, job: Job, contestants: Sequence[Contestant]) -> str:
    bench.started()
    shots = bench.in_turn(job, contestants)
    costs = {name: per_call_ms(each, job.calls, bench.start_cpu_s(name)) for name, each in shots.items()}
    floor = costs[FLOOR.name].median if FLOOR.name in costs else math.nan
    rows = [
        [name, cost.text(3), f"{cost.median / floor:.1f}", *_common(shots[name], job.calls)]
        for name, cost in costs.items()
    ]
    head = ("who", "CPU ms per call", "× floor", "peak in flight", "MB", "provider's core", "done")
    return table(f"{title}, {job.calls} calls", head, rows)


def _common(shots: Sequence[Shot], calls: int) -> list[str]:
    last = shots[-1]
    return [
        str(max(shot.peak for shot in shots)),
        f"{max(shot.ran.peak_mb for shot in shots):.0f}",
        f"{max(shot.provider_share for shot in shots):.0%}",
        last.state(calls),
    ]


def rate(bench: Bench) -> str:
    """Calls per second where the provider answers at once."""
    job = Job(calls=bench.size(2000), in_flight=200)
    bench.started()
    shots = bench.in_turn(job, ALL)
    rows = []
    for name, each in shots.items():
        first = bench.start_wall_s(name)
        speed = figure((job.calls - 1) / max(1e-3, shot.ran.wall_s - first) for shot in each)
        rows.append([name, speed.text(0), *_common(each, job.calls)[1:]])
    if UMWELTEN in bench.contestants:
        long = varied(job, calls=bench.size(20_000))
        for name, each_shots in bench.in_turn(long, (UMWELTEN, FLOOR)).items():
            whole = figure(long.calls / shot.ran.wall_s for shot in each_shots)
            label = f"{name}, {long.calls} calls, start and end included"
            rows.append([label, whole.text(0), *_common(each_shots, long.calls)[1:]])
    title = f"Calls per second, zero-latency provider, one process, {job.calls} calls"
    return table(title, ("who", "calls/s", "MB", "provider's core", "done"), rows)


def latency(bench: Bench) -> str:
    """How much of the ideal speed is reached at 0.5 s an answer."""
    parts = []
    for in_flight, calls in ((200, 4000), (1000, 20_000)):
        calls = bench.size(calls)
        seconds = 0.05 if bench.small else 0.5
        ideal = math.ceil(calls / in_flight) * seconds
        job = Job(
            calls=calls, in_flight=in_flight, behaviour={"latency_s": seconds}, records=True, limit_s=45
        )
        rows = []
        for name, each in bench.in_turn(job, ALL).items():
            spans = figure(shot.efficiency(calls, ideal) for shot in each)
            whole = figure(ideal / shot.ran.wall_s if shot.done(calls) else math.nan for shot in each)
            rows.append([name, spans.text(3), whole.text(3), *_common(each, calls)])
        head = ("who", "efficiency", "whole", "peak in flight", "MB", "provider's core", "done")
        parts.append(table(f"{seconds} s latency, {in_flight} in flight, {calls} calls", head, rows))
    return "\n".join(parts)


def progress(bench: Bench) -> str:
    """What it costs to be shown how it goes."""
    job = Job(calls=bench.size(4000), in_flight=200, behaviour={"latency_s": 0.05})
    looks = {
        "none": (("--progress", "none"), False),
        "plain": (("--progress", "plain"), False),
        "rich, on a terminal": (("--progress", "rich"), True),
        "json, to a file": (("--progress", "json"), False),
        "plain --verbose, to a file": (("--progress", "plain", "--verbose"), False),
    }
    jobs = [
        (name, UMWELTEN, varied(job, options=options, terminal=terminal))
        for name, (options, terminal) in looks.items()
    ]
    shots = in_turn(jobs, bench.rounds + 2, bench.provider)
    costs = {
        name: per_call_ms(each, job.calls, bench.start_cpu_s(UMWELTEN.name)) for name, each in shots.items()
    }
    rows = [
        [name, cost.text(3), f"{cost.median / costs['none'].median - 1:+.1%}"] for name, cost in costs.items()
    ]
    return table(f"Progress, {job.calls} calls", ("--progress", "CPU ms per call", "against none"), rows)


def lateness(bench: Bench) -> str:
    """How long umwelten's event loop is held up."""
    return solo.lateness(bench.provider, bench.rounds, bench.small)


def resume(bench: Bench) -> str:
    """How soon umwelten goes on where it was."""
    return solo.resume(bench.provider, bench.rounds, bench.small)


def capacity(bench: Bench) -> str:
    """That the provider is not the bottleneck."""
    return solo.capacity(bench.provider, bench.small)


SCENARIOS: dict[str, Callable[[Bench], str]] = {
    "capacity": capacity,
    "start": start,
    "unary": unary,
    "rate": rate,
    "latency": latency,
    "stream": stream,
    "progress": progress,
    "images": images,
    "lateness": lateness,
    "resume": resume,
}


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the scenarios asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a few calls each: does the harness work?")
    parser.add_argument("--only", action="append", metavar="NAME", help="these contestants alone; repeatable")
    options = parser.parse_args(arguments)
    end_well()
    chosen = [each for each in ALL if not options.only or each.name in options.only]
    with provider() as served:
        bench = Bench(served, options.rounds, options.small, present(chosen))
        print(f"{machine()}; median (min–max) of {options.rounds} rounds, in turn\n", flush=True)
        for name in options.scenarios or SCENARIOS:
            note(f"… {name}")
            print(SCENARIOS[name](bench), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
