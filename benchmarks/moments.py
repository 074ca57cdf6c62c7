"""What has to feel instant, and the reports of 100,000 calls: `python -m benchmarks.moments [--small]`.

The tests count steps and compare much with little, since a busy machine changes neither. The seconds that are
promised are here: the median of several, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.child import run  # noqa: E402
from benchmarks.contestants import UMWELTEN, Work  # noqa: E402
from benchmarks.provider import provider  # noqa: E402
from benchmarks.rounds import end_well, machine, new_folder, table  # noqa: E402
from cli.project import add_evaluation, environment, make_project  # noqa: E402
from report.test_large import FORMATS, make, reported  # noqa: E402
from store.making import A, never, spec  # noqa: E402
from store.test_lazy import rows, until_complete  # noqa: E402
from umwelten.schema import load_schema  # noqa: E402
from umwelten.store.store import Store  # noqa: E402

LINES = ("umwelten eval run -m goo", "umwelten eval show ", "umwelten eval run --")

Moment = tuple[str, float, Callable[[], float]]
"""A name, the seconds that are promised, and one measurement."""


def commands(calls: int) -> Iterator[Moment]:
    """CPU of help and of answers to a shell; and how long a run lasts after its last answer."""
    root = new_folder()
    project = make_project(root / "project")
    for at in range(30):
        add_evaluation(project / "output" / f"more-{at}", [f"mine:{at}"], ["a"])
    env = environment(root)

    def cpu_s(*words: str, **more: str) -> float:
        ran = run([sys.executable, "-m", "umwelten", *words], cwd=project, env=env | more, limit_s=60)
        assert ran.status == 0, ran.said
        return ran.cpu_s

    def completing(line: str) -> float:
        return cpu_s(COMP_WORDS=line, _UMWELTEN_COMPLETE="bash_complete")

    yield "umwelten --help, CPU", 0.15, lambda: cpu_s("--help")
    completing(LINES[0])  # makes the list of names
    for line in LINES:
        yield f"completion of `{line}`, CPU", 0.2, lambda line=line: completing(line)  # type: ignore[misc]
    yield "from the last answer to the end of the process", 0.3, lambda: _end_s(calls)


def _end_s(calls: int) -> float:
    with provider() as served:
        served.use({"default": {"latency_s": 0.1}})
        folder = new_folder()
        work = Work(url=served.url, folder=folder, calls=calls, in_flight=2, options=("--progress", "none"))
        command, env = UMWELTEN.command(work)
        ran = run(command, cwd=folder, env=env, limit_s=60)
    assert ran.status == 0, ran.said
    written = (path.stat().st_mtime for path in (folder / "output").glob("*/*.txt"))
    return ran.began + ran.wall_s - max(written)


def library(inputs: int) -> Iterator[Moment]:
    """CPU of what is done in this process."""
    shape = load_schema("title, year? int: 1400-2100, tags? array, authors? array: {name, born? date}")
    text = json.dumps(
        {"title": "T" * 500, "year": 1999, "tags": ["a"] * 20, "authors": [{"name": "A" * 50}] * 4}
    )

    def reading() -> float:
        began = time.process_time()
        for _ in range(200):
            shape.read(text)
        return (time.process_time() - began) / 200

    folder, number = new_folder(), count()

    def taking_in() -> float:
        began = time.process_time()
        with Store.create(folder / str(next(number)), spec(A)) as store:
            store.set_inputs(rows(inputs), read_hash=never, ahead=2000)
            store.start_run({})
            until_complete(store)
            store.end_run("stopped", None, 0)
        return time.process_time() - began

    yield "reading an answer of 900 letters by a schema, CPU", 0.001, reading
    yield f"taking in {inputs:,} inputs, CPU", 1.0, taking_in


def reports(files: int) -> Iterator[Moment]:
    """CPU of a report in each format."""
    output = new_folder()
    make(output / "large", files)
    for format_ in FORMATS:
        path = output / format_
        name = f"report of {2 * files:,} calls, {format_}, CPU"
        yield name, 10.0, lambda format_=format_, path=path: reported(output, "large", format_, path)[0]  # type: ignore[misc]


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 if a figure misses its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moments", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="little of each, once: does it work?")
    options = parser.parse_args(arguments)
    end_well()
    calls, inputs, files = (2, 600, 50) if options.small else (8, 60_000, 50_000)
    cells, missed = [], False
    for moments in (commands(calls), library(inputs), reports(files)):
        for name, most_s, measure in moments:
            seconds = [measure() for _ in range(1 if options.small else options.times)]
            median = statistics.median(seconds)
            missed = missed or median > most_s
            spread = f"{median:.4f} ({min(seconds):.4f}–{max(seconds):.4f})"
            cells.append([name, f"{most_s:g}", spread + "  missed" * (median > most_s)])
    print(machine())
    print(table("Moments", ("what", "promised s", "measured s"), cells))
    return int(missed and not options.small)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
