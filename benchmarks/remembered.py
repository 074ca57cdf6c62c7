"""The second run of an account: `python -m benchmarks.remembered --seeds A:B [--changed N] [--family NAME]`.

Each case of `benchmarks.families` is run three times: once to learn its limits, then with other chances both
cold and from what the first run learnt. With `--changed` the limits are so many times as high in these two.
A row is the cold run's figures and the other's; seconds to 90 % are medians of the runs that both got there.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import fmean as mean
from statistics import median

import msgspec

from benchmarks.families import FAMILIES, Case, Figures, draw, run
from umwelten.control.memory import LaneMemory
from umwelten.simulate import profile as p

SHIFT = 10_000
"""Between the seeds of the first run and of the second."""

_SIZES = ("rate", "burst", "n", "k", "per_minute")


class Pair(msgspec.Struct, frozen=True):
    """The second run of a case, cold and from memory; `remembered`: there was anything to begin from."""

    cold: Figures
    warm: Figures
    remembered: LaneMemory | None


def changed(case: Case, factor: float) -> Case:
    """Return the case with limits so many times as high, by other chances."""
    provider = case.profile.providers[0]
    limits = tuple(_scaled(limit, factor) for limit in provider.limits)
    provider = msgspec.structs.replace(provider, limits=limits)
    profile = msgspec.structs.replace(case.profile, providers=(provider,))
    return msgspec.structs.replace(case, profile=profile, seed=case.seed + SHIFT)


def _scaled(limit: p.AnyLimit, factor: float) -> p.AnyLimit:
    if isinstance(limit, p.Quota):
        return limit
    sizes = {name: getattr(limit, name) for name in _SIZES if hasattr(limit, name)}
    new = {
        name: max(1, round(size * factor)) if isinstance(size, int) else size * factor
        for name, size in sizes.items()
    }
    if "burst" in new:
        new["burst"] = max(1.0, new["burst"])
    return msgspec.structs.replace(limit, **new)


def run_twice(job: tuple[str, int], *, steady: bool, factor: float) -> Pair:
    """Run a case for the first time, and then twice."""
    memory: dict[str, LaneMemory] = {}
    case = draw(*job, steady=steady)
    run(case, memory=memory)
    second = changed(case, factor)
    found = next(iter(memory.values()), None)
    return Pair(run(second), run(second, memory=dict(memory)), found)


_HEAD = (
    "family",
    "headers",
    "runs (remembered)",
    "efficiency median / tenth",
    "refused a call median / 90th",
    "s to 90 %",
)


def table(pairs: list[Pair]) -> Iterator[str]:
    """The figures by family and by what is stated, as a Markdown table."""
    yield f"| {' | '.join(_HEAD)} |"
    yield "|---" * len(_HEAD) + "|"
    for family in dict.fromkeys(pair.cold.family for pair in pairs):
        for style in ("blind", "honest", "lies"):
            part = [pair for pair in pairs if (pair.cold.family, pair.cold.style) == (family, style)]
            if part:
                yield f"| {family} | {style} | {_cells(part)} |"
    yield f"| all | | {_cells(pairs)} |"
    known = [pair for pair in pairs if pair.remembered is not None]
    if known:
        yield f"| remembered | | {_cells(known)} |"
        longer = sorted(pair.warm.wall_s - pair.cold.wall_s for pair in known)
        ninth = longer[math.ceil(0.9 * len(longer)) - 1]
        yield ""
        yield f"remembered, seconds longer: median {median(longer):.1f}, 9 of 10 runs {ninth:.1f}"
    yield ""
    for name, rows in {"cold": [x.cold for x in pairs], "remembered": [x.warm for x in pairs]}.items():
        yield (
            f"{name}: mean efficiency {mean(r.efficiency for r in rows):.3f}, refused"
            f" {mean(r.refused for r in rows):.3f}, most in a second {max(r.burst for r in rows)},"
            f" above 1 a call {sum(r.refused > 1 for r in rows)},"
            f" below half efficiency {sum(r.efficiency < 0.5 for r in rows)},"
            f" longest standstill by closure {max(r.standstill / max(1.5, r.closure) for r in rows):.1f}"
        )


def _cells(pairs: list[Pair]) -> str:
    tenth = max(0, math.ceil(len(pairs) / 10) - 1)
    cold, warm = [pair.cold for pair in pairs], [pair.warm for pair in pairs]
    good = [sorted(row.efficiency for row in rows) for rows in (cold, warm)]
    bad = [sorted(row.refused for row in rows) for rows in (cold, warm)]
    both = [(c.s_to_90, w.s_to_90) for c, w in zip(cold, warm, strict=True) if c.s_to_90 and w.s_to_90]
    times = " → ".join(f"{median(times):.1f}" for times in zip(*both, strict=True)) or "–"
    known = sum(pair.remembered is not None for pair in pairs)
    return (
        f"{len(pairs)} ({known}) | "
        + " → ".join(f"{median(rows):.2f} / {rows[tenth]:.2f}" for rows in good)
        + " | "
        + " → ".join(f"{median(rows):.2f} / {rows[-1 - tenth]:.2f}" for rows in bad)
        + f" | {times}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0:6", help="from:to, `to` not among them")
    parser.add_argument("--steady", action="store_true", help="long runs, of 3,000 to 6,000 calls")
    parser.add_argument("--changed", type=float, default=1.0, help="times the limits are as high by then")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="this one only; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--worst", type=int, default=0, help="list the pairs that memory did worst to")
    args = parser.parse_args()
    first, _, last = args.seeds.partition(":")
    seeds = range(int(first), int(last or int(first) + 1))
    work = [(family, seed) for family in args.family or FAMILIES for seed in seeds]
    with ProcessPoolExecutor(args.jobs) as pool:
        job = partial(run_twice, steady=args.steady, factor=args.changed)
        pairs = list(pool.map(job, work, chunksize=4))
    print("\n".join(table(pairs)))
    for loss in (_slower, _more_refused, _larger_bursts):
        for pair in sorted(pairs, key=loss, reverse=True)[: args.worst]:
            print(f"{loss(pair):+.3f} {_words(pair)}")


def _words(pair: Pair) -> str:
    cold, warm = pair.cold, pair.warm
    found = msgspec.json.encode(pair.remembered).decode()
    return (
        f"{cold.family} {cold.seed - SHIFT} {cold.style}:"
        f" efficiency {cold.efficiency:.2f} → {warm.efficiency:.2f},"
        f" refused {cold.refused:.2f} → {warm.refused:.2f},"
        f" in a second {cold.burst} → {warm.burst}; {found}"
    )


def _slower(pair: Pair) -> float:
    return pair.cold.efficiency - pair.warm.efficiency


def _more_refused(pair: Pair) -> float:
    return pair.warm.refused - pair.cold.refused


def _larger_bursts(pair: Pair) -> float:
    return pair.warm.burst - pair.cold.burst


if __name__ == "__main__":
    main()
