"""A table of a million rows: `python -m benchmarks.rows [--rows 1000000] [--seconds 40]`.

`umwelten eval batch --rows` over a csv, against a provider without latency: time to the first call, and peak
memory by the end of the time, when all rows have been taken in and calls go on. It is then stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.child import run
from benchmarks.contestants import UMWELTEN, Work
from benchmarks.provider import provider
from benchmarks.rounds import end_well, machine, new_folder, table
from benchmarks.solo import first_call_s


def _write(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("number,title,note\n")
        file.writelines(f'{n},Book {n},"said to be, at best, fair"\n' for n in range(rows))


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args(arguments)
    end_well()
    with provider() as served:
        served.use({"records": 0})
        folder = new_folder()
        work = Work(url=served.url, folder=folder, calls=1, in_flight=200, options=("--progress", "none"))
        command, env = UMWELTEN.command(work)
        at = command.index("--directory")
        command = [*command[:at], "--rows", "table.csv", *command[at + 4 :]]
        _write(folder / "table.csv", options.rows)
        ran = run(command, cwd=folder, env=env, limit_s=options.seconds)
        assert ran.late or ran.status == 0, ran.said[-2000:]
        answered = served.ledger()["totals"]["answered"]
        row = [f"{options.rows:,}", f"{first_call_s(folder, ran):.2f}", f"{ran.peak_mb:.0f}", f"{answered:,}"]
    print(machine())
    print(table("Rows of a csv, 200 in flight", ("rows", "s to first call", "peak MB", "answered"), [row]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
