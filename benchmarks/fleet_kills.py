"""Kills of workers, nodes and coordinators on Ray: `python -m benchmarks.fleet_kills [WAY …] [--kills 20]`.

The same as the part `fleet` of `benchmarks.torture`, a way at a time. 20 of each take 45 minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.rounds import end_well  # noqa: E402
from reliability.fleet_kills import Figures, torture  # noqa: E402

_NAMES = {
    "kills": "how often",
    "calls": "calls",
    "missing": "calls without an answer at the end",
    "lost": "acknowledged answers lost",
    "doubled": "records stored twice",
    "in_flight": "attempts under way at what was killed or stopped, and given up",
    "again": "requests paid beyond one a call",
    "most_again": "most of them for a single kill",
    "late": "answers that came late and were kept",
}


def table(figures: Mapping[str, Figures]) -> list[str]:
    """Return the figures as Markdown, and what is not as promised."""
    lines = [f"| what is done | {' | '.join(figures)} |", "|---" * (len(figures) + 1) + "|"]
    for name, text in _NAMES.items():
        lines.append(f"| {text} | {' | '.join(f'{getattr(each, name):,}' for each in figures.values())} |")
    noticed = (f"{max(each.noticed_s):.2f} s" if each.noticed_s else "–" for each in figures.values())
    lines.append(f"| noticed after, at most | {' | '.join(noticed)} |")
    resumed = (", ".join(f"{n} {how}" for how, n in each.resumed.items()) or "–" for each in figures.values())
    lines.append(f"| resumed | {' | '.join(resumed)} |")
    lines.append(f"| time | {' | '.join(f'{each.wall_s:.0f} s' for each in figures.values())} |")
    problems = [f"- {name}: {problem}" for name, each in figures.items() for problem in each.problems]
    return [*lines, "", *problems] if problems else lines


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_kills", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WAY", help="part of the name of a way, such as 'worker'")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    end_well()
    with tempfile.TemporaryDirectory(prefix="umwelten-fleet-") as folder:
        figures = torture(Path(folder), options.kills, seed=options.seed, words=options.words)
    print("\n".join(table(figures)))
    return 0 if all(each.good for each in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
