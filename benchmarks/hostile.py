"""Damaged and hostile files of every type: `python -m benchmarks.hostile [--count 20000] [--processes 2]`.

Each is read in a child process whose address space is 1 GB, and has to end in what is sent or in an error of
the file, within 5 s and 300 MB. Prints a table by type, and every file that does not, with its number:

    python -m benchmarks.hostile --only 4711

Exit status: 1 if there is one.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from hostile.making import make  # noqa: E402
from hostile.trying import Outcome, outcomes  # noqa: E402

_BATCH = 100
_SO_FAR = 1000
"""Files after which the table of what was tried is shown: a long run may be ended at any time."""


def main() -> int:
    """Try the files; 1 if one of them does not end as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kind", default="", help="of one type alone, such as docx")
    parser.add_argument("--only", type=int, help="the file of this number; it is left here")
    chosen = parser.parse_args()
    numbers = range(chosen.first, chosen.first + chosen.count)
    if chosen.only is not None:
        numbers = range(chosen.only, chosen.only + 1)
        file = make(chosen.only, chosen.kind)
        Path(file.name).write_bytes(file.data)
    found: list[Outcome] = []
    with suppress(KeyboardInterrupt):  # what was tried so far counts
        for outcome in tried(numbers, chosen.kind, chosen.processes):
            found.append(outcome)
            _tell(outcome)
            if len(found) % _SO_FAR == 0:
                _show(table(found))
    _show(table(found))
    if chosen.only is not None:
        sys.stdout.write(f"{found[0]}\n")
    offenders = sum(bool(outcome.offences()) for outcome in found)
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    sys.stdout.write(f"{len(found)} files, {offenders} offenders; this process: {parent:.0f} MB\n")
    return 1 if offenders else 0


def _show(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _tell(outcome: Outcome) -> None:
    if outcome.offences() or outcome.end == "crashed":
        sys.stdout.write(f"{described(outcome)}\n")
        sys.stdout.flush()


def described(outcome: Outcome) -> str:
    """Return a file by its number, and what came of it."""
    offences = ", ".join(outcome.offences())
    what = f"{outcome.number} {outcome.kind} ({outcome.way}, {outcome.size:,} bytes)"
    return f"{what}: {outcome.end} {offences} {outcome.said}"


def tried(numbers: range, kind: str, processes: int) -> Iterator[Outcome]:
    """Yield what comes of the files, in any number of processes."""
    if processes == 1 or len(numbers) < _BATCH:
        yield from outcomes(numbers, kind)
        return
    batches = [numbers[at : at + _BATCH] for at in range(0, len(numbers), _BATCH)]
    pool = ProcessPoolExecutor(processes)
    try:
        for batch in pool.map(_batch, batches, [kind] * len(batches)):
            yield from batch
    finally:
        pool.shutdown(cancel_futures=True)


def _batch(numbers: Iterable[int], kind: str) -> list[Outcome]:
    return list(outcomes(numbers, kind))


def table(found: list[Outcome]) -> list[str]:
    """Return the lines of a table in markdown, a row for each type."""
    lines = [
        "| type | files | converted | refused | crashed | slowest | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in [*sorted({outcome.kind for outcome in found}), ""]:
        own = [outcome for outcome in found if kind in ("", outcome.kind)]
        ends = [outcome.end for outcome in own]
        lines.append(
            f"| {kind or 'all'} | {len(own):,} | {ends.count('converted'):,} | {ends.count('refused'):,} | "
            f"{ends.count('crashed'):,} | {max(o.took_s for o in own):.1f} s | "
            f"{max(o.resident for o in own) / 1e6:.0f} MB |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
