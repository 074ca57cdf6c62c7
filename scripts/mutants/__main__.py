"""Put faults by chance into the sources and see whether the tests fail: `make mutants COUNT=300 SEED=1`.

The first run measures which tests run which lines (it takes longer than the tests themselves), and keeps that
in `.mutants/`. Results are lines of JSON there, one a fault; a run that was stopped goes on where it was.
With `--quick` nothing is measured: tests are whole files from `test_files.json`, as CI does it.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .collecting import collect
from .killers import Mapped, Measured
from .sites import GROUPS, PACKAGE, Mutant, diff, digest, draw
from .trying import Bench, copy

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".mutants"
Result = dict[str, Any]


def main() -> int:
    """0 if enough of the faults were seen, else 1."""
    given = _arguments()
    seed = given.seed or _of_sources()
    FOLDER.mkdir(exist_ok=True)
    killers: Measured | Mapped
    if given.quick:
        killers = Mapped(ROOT)
    else:
        if given.measure or not (FOLDER / "measured" / "tests.json").exists():
            collect(copy(ROOT, FOLDER / "measured" / "tree"), FOLDER / "measured", given.jobs)
        killers = Measured(FOLDER / "measured", ROOT)
        if given.write_map:
            killers.write_map()
            return 0
    kept = FOLDER / ("quick.jsonl" if given.quick else f"{digest(seed)}.jsonl")
    if given.quick:
        kept.unlink(missing_ok=True)
    earlier = _earlier(kept, given.again)
    mutants = draw(ROOT, seed, given.count, given.groups.split(","))
    wanted = [mutant for mutant in mutants if mutant.id not in earlier]
    begun = time.monotonic()
    with kept.open("a", buffering=1) as out:
        for result in _results(wanted, killers, given.jobs, given.within):
            earlier[result["id"]] = result
            out.write(json.dumps(result) + "\n")
            _say(result)
    found = [earlier[mutant.id] for mutant in mutants]
    print(f"\nseed {seed}, {len(wanted)} faults tried in {(time.monotonic() - begun) / 60:.1f} minutes\n")
    print("\n".join(_table(found)))
    rate = sum(_is_dead(result) for result in found) / max(len(found), 1)
    if rate < given.least:
        print(f"\nonly {rate:.0%} of the faults were seen, {given.least:.0%} are wanted", file=sys.stderr)
    return int(rate < given.least)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="how many faults (300)")
    parser.add_argument("--seed", default="", help="what is drawn; without it, it follows from the sources")
    parser.add_argument("--groups", default=",".join(GROUPS), help="parts to draw from, all without it")
    parser.add_argument("--within", type=float, default=60.0, help="seconds of tests a fault (60)")
    parser.add_argument("--jobs", type=int, default=2, help="faults tried at a time (2)")
    parser.add_argument("--least", type=float, default=0.85, help="share that must be seen (0.85)")
    parser.add_argument("--quick", action="store_true", help="measure nothing, choose by test_files.json")
    parser.add_argument("--again", action="store_true", help="try those again that were not seen")
    parser.add_argument("--measure", action="store_true", help="measure anew which tests run which lines")
    parser.add_argument("--write-map", action="store_true", help="write test_files.json and end")
    return parser.parse_args()


def _of_sources() -> str:
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / PACKAGE).rglob("*.py"))]
    return digest("".join(texts))


def _earlier(kept: Path, again: bool) -> dict[str, Result]:
    lines = kept.read_text().splitlines() if kept.exists() else []
    found: Mapping[str, Result] = {result["id"]: result for result in map(json.loads, lines)}
    return {id_: result for id_, result in found.items() if _is_dead(result) or not again}


def _results(
    mutants: list[Mutant], killers: Measured | Mapped, jobs: int, within_s: float
) -> Iterator[Result]:
    """One at a time as they come, from so many copies of the tree."""
    benches: queue.Queue[Bench] = queue.Queue()
    sound: dict[str, bool] = {}
    for number in range(min(jobs, len(mutants))):
        benches.put(Bench(ROOT, FOLDER / f"bench-{number}", within_s, sound))

    def try_out(mutant: Mutant) -> Result:
        bench = benches.get()
        try:
            tried = bench.try_out(mutant, killers.of(mutant))
        finally:
            benches.put(bench)
        return {"id": mutant.id, **asdict(mutant), **asdict(tried), "diff": diff(ROOT, mutant)}

    with ThreadPoolExecutor(jobs) as pool:
        yield from (
            future.result() for future in as_completed([pool.submit(try_out, one) for one in mutants])
        )


def _is_dead(result: Result) -> bool:
    return result["outcome"] in ("killed", "timed out")


def _say(result: Result) -> None:
    place = f"{result['module']}:{result['line']}"
    print(f"{result['outcome']:<11} {place} {result['seconds']:.0f} s {result['by']}")
    if not _is_dead(result):
        print("\n".join("    " + line for line in result["diff"]))
    sys.stdout.flush()


def _table(found: Iterable[Result]) -> Iterator[str]:
    """A line for each group and one for all, then what was not seen."""
    counts: dict[str, Counter[str]] = {}
    for result in found:
        for group in (result["group"], "all"):
            counts.setdefault(group, Counter())[result["outcome"]] += 1
    columns = ("killed", "timed out", "survived", "not covered")
    yield f"| group | drawn | {' | '.join(columns)} | seen |"
    yield "|---|---|---|---|---|---|---|"
    for group in [*(name for name in GROUPS if name in counts), "all"]:
        row = counts.get(group, Counter())
        dead = row["killed"] + row["timed out"]
        numbers = " | ".join(str(row[column]) for column in columns)
        yield f"| {group} | {row.total()} | {numbers} | {dead / max(row.total(), 1):.0%} |"
    for result in found:
        if not _is_dead(result):
            place = f"{PACKAGE}/{result['module']}:{result['line']}"
            yield f"\n{result['outcome']}: {place} ({result['operator']})"
            yield from ("    " + line for line in result["diff"])


if __name__ == "__main__":
    sys.exit(main())
