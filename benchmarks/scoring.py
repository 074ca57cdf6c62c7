"""Scores of 100,000 stored answers: `python -m benchmarks.scoring [--answers 100000] [PART …]`.

Three deterministic scorers with references from the rows; the same again, when nothing is to do; reports
with scores and without; a comparison of two evaluations; a Python scorer; the verdicts of a judge; and what
a running batch loses to scoring beside it. The answers are stored without a network, so nothing but scoring
is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.child import Ran, run  # noqa: E402
from benchmarks.contestants import PYTHON, UMWELTEN, Work, environment  # noqa: E402
from benchmarks.provider import CORES, Provider, provider  # noqa: E402
from benchmarks.rounds import end_well, machine, new_folder, note, table  # noqa: E402

SCORERS = ("--scorer", "contains", "--scorer", "number", "--scorer", "f1", "--expected", "{{row.want}}")
FORMATS = ("md", "json", "csv", "html")
CHECK = "def same(answer, expected):\n    return expected in answer.text\n"
WORDS = ("tide", "river", "mill", "stone", "harbour", "ledger", "north", "lamp", "winter", "oak", "salt")
Row = list[str]


class Bench:
    """A folder with the evaluations `base` and `new` about the same rows, and the commands run in it."""

    def __init__(self, answers: int) -> None:
        self.folder, self.answers = new_folder(), answers
        # In a process of its own: a child's peak of memory is never below what its parent had when it began.
        maker = multiprocessing.get_context("spawn").Process(target=_make, args=(self.folder, answers))
        maker.start()
        maker.join()
        assert maker.exitcode == 0

    def run(self, *arguments: str, url: str = "http://127.0.0.1:9/v1", cores: set[int] | None = None) -> Ran:
        """Run a command of umwelten to its end."""
        work = Work(url=url, folder=self.folder, calls=1, in_flight=1)
        command = [str(PYTHON), "-m", "umwelten", *arguments]
        ran = run(command, cwd=self.folder, env=environment(work), limit_s=1200, cores=cores)
        assert ran.status == 0 and not ran.late, ran.said[-2000:]
        return ran

    def score(self, id: str, *arguments: str, url: str = "http://127.0.0.1:9/v1") -> Ran:
        """Score an evaluation, or do what is missing."""
        return self.run("eval", "score", id, *arguments, "--progress", "none", url=url)

    def kept(self, id: str) -> int:
        """How many scores there are."""
        with sqlite3.connect(self.folder / "output" / id / "scores.db") as db:
            return int(db.execute("SELECT count(*) FROM scores").fetchone()[0])

    def copy(self, id: str, of: str) -> str:
        """The same answers without scores."""
        source, target = self.folder / "output" / of, self.folder / "output" / id
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("scores*", "*.txt"))
        return id


def _make(folder: Path, answers: int) -> None:
    from scoredkit import evaluate, write_table

    os.chdir(folder)  # rows are read again from where the evaluation found them
    dice = random.Random(1)
    path = write_table(Path("table.csv"), [_row(n, dice) for n in range(answers)])
    for id, column in (("base", "old"), ("new", "new")):
        evaluate(path, {"openai:a": column}, id=id, output=Path("output"))


def _row(n: int, dice: random.Random) -> dict[str, object]:
    want = f"{WORDS[n % len(WORDS)]} {n % 977}"
    right, wrong = (
        f"I would say it is {want}.",
        f"It may be {dice.choice(WORDS)} {dice.randrange(977)}, or not.",
    )
    return {
        "n": n,
        "want": want,
        "old": right if dice.random() < 0.8 else wrong,
        "new": right if dice.random() < 0.82 else wrong,
    }


def _cells(name: str, ran: Ran) -> Row:
    return [name, f"{ran.cpu_s:.1f}", f"{ran.wall_s:.1f}", f"{ran.peak_mb:.0f}"]


def stored(bench: Bench) -> list[Row]:
    """Scoring for the first time and again; reports without and with scores; a comparison."""
    plain = {form: bench.run("eval", "report", "base", "-o", f"plain.{form}") for form in FORMATS}
    rows = [_cells("three scorers (contains, number, f1)", bench.score("base", *SCORERS))]
    assert bench.kept("base") == 3 * bench.answers
    rows.append(_cells("the same again, 0 new", bench.score("base", *SCORERS)))
    for form in FORMATS:
        with_scores = bench.run("eval", "report", "base", "-o", f"scored.{form}")
        rows.append(_cells(f"report .{form} without scores", plain[form]))
        rows.append(_cells(f"report .{form} with scores", with_scores))
    bench.score("new", *SCORERS)
    rows.append(_cells("eval compare of two", bench.run("eval", "compare", "base", "new")))
    return rows


def programs(bench: Bench) -> list[Row]:
    """A trivial Python function in its process."""
    (bench.folder / "checks.py").write_text(CHECK)
    id = bench.copy("program", "base")
    ran = bench.score(id, "--scorer", "same=python:checks.py:same", "--expected", "{{row.want}}")
    return [_cells("one Python function, in its process", ran)]


def verdicts(bench: Bench) -> list[Row]:
    """What a judge said about every answer is collected; the calls themselves are any batch's."""
    judge = {"text": json.dumps({"reason": "It names it.", "verdict": "pass"}), "shaped": "ignore"}
    id = bench.copy("judged", "base")
    flags = ("--scorer", "right=judge:Is it right?", "--judge", "openai:judge", "--max-concurrency", "200")
    with provider({"records": 0, "default": judge}) as served:
        asked = bench.score(id, *flags, url=served.url)
        (bench.folder / "output" / id / "scores.db").unlink()
        collected = bench.score(id, *flags, url=served.url)
        again = bench.score(id, *flags, url=served.url)
        assert served.ledger()["totals"]["answered"] == bench.answers
    return [
        _cells("a judge asked about every answer, zero latency", asked),
        _cells("its verdicts collected, 0 calls", collected),
        _cells("the same again, 0 new", again),
    ]


def beside(bench: Bench, calls: int, rounds: int) -> list[Row]:
    """A batch of 200 calls in flight by itself, and while its answers are scored without a pause, in turn."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with provider({"records": 20 * calls, "default": {"latency_s": 0.5}}) as served:
        for _ in range(rounds):
            for scored in (False, True):
                found[scored].append(_batch(served, calls, scored))
    spans = {scored: statistics.median(span for span, _ in runs) for scored, runs in found.items()}
    cpu = {scored: statistics.median(used for _, used in runs) for scored, runs in found.items()}
    ratios = [one[0] / other[0] for other, one in zip(found[False], found[True], strict=True)]
    note(f"scored again and again beside it / alone: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
    return [
        [f"batch of {calls:,} calls of 0.5 s, 200 in flight", f"{cpu[False]:.1f}", f"{spans[False]:.1f}", ""],
        ["the same, its answers scored without a pause", f"{cpu[True]:.1f}", f"{spans[True]:.1f}", ""],
    ]


def _batch(served: Provider, calls: int, scored: bool) -> tuple[float, float]:
    """Seconds from the first request to the last answer, and the batch's CPU seconds."""
    served.use({"records": 20 * calls, "default": {"latency_s": 0.5}})
    work = Work(
        url=served.url, folder=new_folder(), calls=calls, in_flight=200, options=("--progress", "none")
    )
    command, env = UMWELTEN.command(work)
    score = [str(PYTHON), "-m", "umwelten", "eval", "score", "bench", "--progress", "none"]
    score += [
        "--scorer",
        "contains",
        "--scorer",
        "number",
        "--scorer",
        "f1",
        "--expected",
        "=a river and 3 people",
    ]
    loop = f"import subprocess\nwhile True: subprocess.run({score!r})"
    beside = None
    if scored:
        beside = subprocess.Popen(
            [str(PYTHON), "-c", loop],
            cwd=work.folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        ran = run(command, cwd=work.folder, env=env, limit_s=600, cores=set(CORES))
    finally:
        if beside is not None:
            os.killpg(beside.pid, 9)
            beside.wait()
    assert ran.status == 0, ran.said[-2000:]
    ends = [record["done_s"] for record in served.ledger()["records"] if record["fate"] == "answered"]
    return max(ends), ran.cpu_s


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=8_000, help="of the batch that is scored while it runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "parts", nargs="*", choices=("stored", "programs", "verdicts", "beside", []), metavar="PART"
    )
    options = parser.parse_args(arguments)
    end_well()
    parts: dict[str, Callable[[Bench], list[Row]]] = {
        "stored": stored,
        "programs": programs,
        "verdicts": verdicts,
        "beside": lambda bench: beside(bench, options.calls, options.rounds),
    }
    bench = Bench(options.answers)
    rows: list[Row] = []
    for name in options.parts or parts:
        rows += parts[name](bench)
        note("\n".join(" | ".join(row) for row in rows))
    print(machine())
    print(table(f"{options.answers:,} stored answers", ("what", "CPU s", "s", "peak MB"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
