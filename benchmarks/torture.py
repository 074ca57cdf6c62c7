"""Kill, fill, damage and count: `python -m benchmarks.torture [--kills 1000] [--write-docs]`.

Prints the figures; with `--write-docs` they go into `docs/reliability.md`. What is proved here at length is
proved in short by `tests/reliability`, whose parts this uses.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks import fleet_kills, hostile  # noqa: E402
from benchmarks.coverage import coverage  # noqa: E402
from benchmarks.soak import soak  # noqa: E402
from hostile.trying import MOST_RESIDENT, MOST_S  # noqa: E402
from memory import kills as learning_kills  # noqa: E402
from provider import clean_environment, provider_process  # noqa: E402
from reliability import (  # noqa: E402
    every_cut,
    fleet_scenarios,
    journal_kills,
    judging,
    matrix,
    memory,
    promises,
    rank_kills,
    scoring_kills,
    server_kills,
    suite_kills,
    tool_kills,
    torture,
)
from sharing.processes import SCENARIOS  # noqa: E402
from umwelten.records import AttemptRecord, CallRecord, StoredSpec  # noqa: E402
from umwelten.simulate.faultserver.profile import Profile  # noqa: E402
from umwelten.store.store import Store  # noqa: E402
from umwelten.types import ModelRef, Prompt, Reply, RequestSettings, Timing  # noqa: E402

DONE = 100_000
Lines = list[str]


def main() -> int:
    """Run the chosen parts; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--size", type=int, default=10_000, help="calls of a job")
    parser.add_argument("--soak-minutes", type=float, default=30.0)
    parser.add_argument("--files", type=int, default=20_000, help="hostile files")
    parser.add_argument(
        "--parts",
        default="kills,scores,judging,suites,rankings,changes,tools,servers,learning,sharing,fleet,matrix,calls,resume,memory,files,"
        "intervals,soak",
    )
    parser.add_argument("--write-docs", action="store_true")
    chosen = parser.parse_args()
    parts: dict[str, Callable[[Path], tuple[Lines, bool]]] = {
        "kills": lambda root: kills(root, chosen.kills, chosen.size),
        "judging": lambda root: judged_kills(root, chosen.kills // 5, chosen.size // 2),
        "suites": lambda root: killed_suites(root, chosen.kills // 10, chosen.size // 10),
        "rankings": lambda root: killed_rankings(root, chosen.kills // 10, chosen.size // 10),
        "scores": lambda root: killed_scoring(root, chosen.kills // 5),
        "tools": lambda root: killed_tools(root, chosen.kills // 50),
        "changes": lambda root: killed_changes(root, chosen.kills // 10),
        "servers": lambda root: ended_servers(root, chosen.kills // 10),
        "learning": lambda root: killed_learning(root, max(10, chosen.kills // 100), chosen.size),
        "sharing": shared_limits,
        "fleet": lambda root: workers_elsewhere(root, chosen.kills // 50),
        "matrix": faults,
        "calls": lambda _: cut_calls(),
        "resume": resume,
        "memory": large_files,
        "files": lambda _: hostile_files(chosen.files),
        "intervals": lambda _: coverage(20_000),
        "soak": lambda root: long_run(root, chosen.soak_minutes),
    }
    found: dict[str, Lines] = {}
    good = True
    for name in chosen.parts.split(","):
        with tempfile.TemporaryDirectory(prefix=f"umwelten-{name}-") as folder:
            found[name], held = parts[name](Path(folder))
        good = good and held
        print("\n".join([*found[name], ""]), flush=True)
    if chosen.write_docs:
        (ROOT / "docs" / "reliability.md").write_text(document(found))
    return 0 if good else 1


def kills(root: Path, count: int, size: int) -> tuple[Lines, bool]:
    """Kill -9, at all moments."""
    figures = torture.torture(root, kills=count, size=size, kills_a_job=40)
    moments = ", ".join(f"{number} {moment}" for moment, number in figures.moments.items())
    bound = torture.IN_FLIGHT + torture.GROUP_SIZE
    table = {
        "kills": f"{figures.kills} ({moments})",
        "jobs × calls": f"{figures.jobs} × {size}, {torture.IN_FLIGHT} in flight",
        "answers acknowledged": str(figures.acknowledged),
        "acknowledged answers lost": str(figures.lost),
        "duplicate records": str(figures.doubled),
        "incomplete text files, answers stored under the wrong file": f"{figures.torn}, {figures.wrong}",
        "answers paid for more than once": f"{figures.again}, {figures.again / figures.kills:.1f} per kill",
        "most for a single kill": f"{figures.most_again} (limit {bound})",
        "time": f"{figures.wall_s:.0f} s",
    }
    bad = figures.lost or figures.doubled or figures.torn or figures.wrong
    return _two_columns("kill -9", table), not bad and figures.most_again <= bound


def judged_kills(root: Path, count: int, size: int) -> tuple[Lines, bool]:
    """Kill -9 while a judge is asked about answers."""
    figures = judging.torture(root, kills=count, size=size, kills_a_job=40)
    moments = ", ".join(f"{number} {moment}" for moment, number in figures.moments.items())
    table = {
        "kills": f"{figures.kills} ({moments})",
        "evaluations × answers": f"{figures.jobs} × {size}, {judging.IN_FLIGHT} in flight",
        "verdicts missing or twice": str(abs(figures.answers - figures.verdicts)),
        "tables unlike the undisturbed one": str(figures.unlike),
        "verdicts paid for more than once": f"{figures.again}, {figures.again / figures.kills:.1f} per kill",
        "most for a single kill": f"{figures.most_again} (limit {figures.bound})",
        "time": f"{figures.wall_s:.0f} s",
    }
    bad = figures.unlike or figures.verdicts != figures.answers
    return _two_columns("kill -9 while judging", table), not bad and figures.most_again <= figures.bound


def killed_suites(root: Path, count: int, size: int) -> tuple[Lines, bool]:
    """Kill -9 while the tasks of a suite are run, scored and judged."""
    figures = suite_kills.torture(root, kills=count, size=size, kills_a_suite=20)
    return _repeated_commands(figures, "suites", "answers and verdicts", "leaderboards")


def killed_rankings(root: Path, count: int, size: int) -> tuple[Lines, bool]:
    """Kill -9 while judges compare answers."""
    figures = suite_kills.torture(root, kills=count, size=size, kills_a_suite=20, of=rank_kills.RankJob)
    return _repeated_commands(figures, "rankings", "verdicts", "rankings")


def _repeated_commands(
    figures: suite_kills.Figures, what: str, calls: str, printed: str
) -> tuple[Lines, bool]:
    table = {
        "kills": str(figures.kills),
        f"{what} × calls of {calls}": f"{figures.suites} × {figures.calls // figures.suites}, "
        f"{figures.in_flight} in flight",
        f"{calls} missing or twice": str(abs(figures.calls - figures.stored)),
        f"{printed} unlike the undisturbed one": str(figures.unlike),
        "calls paid for more than once": f"{figures.again}, {figures.again / figures.kills:.1f} per kill",
        "most for a single kill": f"{figures.most_again} (limit {figures.bound})",
        "time": f"{figures.wall_s:.0f} s",
    }
    bad = figures.unlike or figures.stored != figures.calls
    return _two_columns(f"kill -9 of {what}", table), not bad and figures.most_again <= figures.bound


def killed_scoring(root: Path, count: int) -> tuple[Lines, bool]:
    """Kill -9 of `eval score`, at random moments."""
    cwd = Path.cwd()
    os.chdir(root)
    try:
        figures = scoring_kills.kill_scoring(root, kills=count, answers=5_000)
    finally:
        os.chdir(cwd)
    table = {
        "kills of `eval score` over 5,000 answers and 3 scorers": str(figures.kills),
        "after which some scores were kept and some missing": str(figures.partial),
        "kept scores that an undisturbed run has not": str(figures.wrong),
        "finished tables of scores, unequal to those of an undisturbed run": (
            f"{figures.jobs}, {figures.unequal}"
        ),
    }
    return _two_columns("kill -9 of scoring", table), not figures.wrong and not figures.unequal


def killed_tools(root: Path, count: int) -> tuple[Lines, bool]:
    """Kill -9 of a batch whose models call tools of a second, at random moments."""
    plain = tool_kills.torture(root / "plain", kills=count, files=300, tool_s=1.0, latency_s=0.4)
    once = tool_kills.torture(root / "once", kills=count, files=60, tool_s=1.0, latency_s=0.4, once=True)
    names = {
        "kills": "kills",
        "calls": "calls of four requests each",
        "answered": "answered once",
        "may_have_run": "failed since a tool that may run once was running",
        "lost": "stored steps that were lost",
        "again": "stored steps that were paid for once more",
        "uncommitted": "requests in flight or not yet stored at a kill, paid for twice",
        "twice": "tools run twice that may run once",
        "left": "processes left behind",
        "invalid": "requests that the provider refused",
    }
    lines = ["| kill -9 while tools are run | any tools | half of them may run once |", "|---|---|---|"]
    lines += [f"| {text} | {getattr(plain, name)} | {getattr(once, name)} |" for name, text in names.items()]
    lines.append(f"| time | {plain.wall_s:.0f} s | {once.wall_s:.0f} s |")
    return lines, plain.good and once.good


def killed_changes(root: Path, count: int) -> tuple[Lines, bool]:
    """Kill -9 right after a run has said that a change is stored."""
    figures = journal_kills.torture(root, kills=count)
    table = {
        "kills within 10 ms of the answer": str(figures.kills),
        "changes that were not stored": str(len(figures.lost)),
        "time": f"{figures.wall_s:.0f} s",
    }
    return _two_columns("kill -9 after `umwelten ctl`", table), figures.good


def ended_servers(root: Path, count: int) -> tuple[Lines, bool]:
    """Batches with MCP servers that end in every way, at random moments."""
    figures = server_kills.end_batches(root, count=count)
    ways = ", ".join(f"{number} by {way}" for way, number in figures.ways.items())
    table = {
        "batches with three MCP servers that were ended": f"{figures.ways.total()} ({ways})",
        "of them while servers ran": str(figures.with_servers),
        "processes left behind": str(figures.left),
        "slowest end; one of them ignores the end of its input and SIGTERM": f"{figures.slowest_s:.1f} s",
    }
    return _two_columns("ends of batches with MCP servers", table), not figures.left


def killed_learning(root: Path, count: int, size: int) -> tuple[Lines, bool]:
    """Kill -9 of `memory learn`, with facts added and brought up to date."""
    lines, good = Lines(), True
    for merge, rows in (("add", size), ("update", size // 10)):
        folder = root / merge
        folder.mkdir()
        doubled = 0.3 if merge == "add" else 0.0
        figures = learning_kills.kill_learning(
            folder,
            rows=learning_kills.make_rows(rows, 100, doubled=doubled),
            kills=count,
            merge=merge,
        )
        good = good and figures.good
        table = {
            f"kills while facts of {rows:,} rows and 100 scopes were learnt": str(figures.kills),
            "facts that are missing, or that no row says": str(figures.wrong),
            "facts that are there twice": str(figures.doubled),
            "facts without their call": str(figures.sourceless),
            "facts that ended otherwise than they should": str(figures.broken_chains),
            "requests beyond those of an undisturbed run": f"{figures.again:,}",
        }
        lines += [*_two_columns(f"kill -9 of learning, `--merge {merge}`", table), ""]
    return lines[:-1], good


def shared_limits(root: Path) -> tuple[Lines, bool]:
    """Runs of one account that meet, end, are killed and stopped."""
    return _scenarios(SCENARIOS, root)


def _scenarios(scenarios: Mapping[str, Callable[[Path], str]], root: Path) -> tuple[Lines, bool]:
    table, good = {}, True
    for number, (name, scenario) in enumerate(scenarios.items()):
        folder = root / str(number)
        folder.mkdir()
        try:
            table[name] = scenario(folder)
        except AssertionError as error:
            table[name], good = f"broken: {str(error)[:500]}", False
    return _two_columns("what happens", table), good


def workers_elsewhere(root: Path, count: int) -> tuple[Lines, bool]:
    """Runs with workers on Ray: kills and stops, and what else is promised."""
    figures = fleet_kills.torture(root / "kills", count)
    scenarios, good = _scenarios(fleet_scenarios.SCENARIOS, root)
    good = good and all(each.good for each in figures.values())
    return [*fleet_kills.table(figures), "", *scenarios], good


def faults(root: Path) -> tuple[Lines, bool]:
    """The matrix."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with matrix.bench(root) as tried:
        cells = tried.run()
        followed = tried.elsewhere
    by_name = {fault.name: fault for fault in matrix.FAULTS}
    wrong = sum(bool(matrix.problems(by_name[cell.fault], cell)) for cell in cells.values())
    said = f"{len(cells)} cells, {wrong} wrong, {followed} redirects followed."
    return [said, "", matrix.table(cells)], not wrong and not followed


def resume(root: Path) -> tuple[Lines, bool]:
    """Seconds from the start of the process to the first new request with `DONE` calls done."""
    _make_done(root)
    times = []
    with provider_process(Profile(records=0)) as server:
        for _ in range(5):
            times.append(_first_request(root, server))
            with closing(sqlite3.connect(root / "output" / "s" / "evaluation.db")) as connection:
                connection.execute("DELETE FROM calls WHERE id = (SELECT max(id) FROM calls)")
                connection.commit()
    shown = ", ".join(f"{took:.2f}" for took in sorted(times))
    said = f"With {DONE:,} calls done, from `--resume` to the first new request: {min(times):.2f} s"
    return [f"{said} (five times: {shown} s)."], min(times) < 1.0


def _make_done(root: Path) -> None:
    (root / "in").mkdir()
    files = []
    for n in range(DONE + 1):
        path = root / "in" / f"{n:06}.txt"
        path.write_text(f"This is file number {n}.")
    from umwelten.inputs import scan

    model = ModelRef("openai", "a")
    timing = Timing(started_at=time.time(), latency_s=0.5)
    cwd = Path.cwd()
    os.chdir(root)
    try:
        files = list(scan(Path("in")))
    finally:
        os.chdir(cwd)
    request = RequestSettings(prompts=(Prompt(name="", text="go"),))
    spec = StoredSpec(id="s", kind="batch", models=(model,), request=request)
    with Store.create(root / "output" / "s", spec) as store:
        store.set_inputs(files, read_hash=_never)
        store.start_run({})
        for call in store.lease(1, DONE):
            reply = Reply(text=f"answer {call.id}")
            store.submit(AttemptRecord(call=call, number=1, outcome=reply, timing=timing))
            store.submit(
                CallRecord(
                    call=call,
                    key=f"u1:{call.id}",
                    content=b"",
                    outcome=reply,
                    timing=timing,
                    attempts=1,
                    time_s=0.5,
                )
            )
        store.end_run("stopped", None, 1)


def _never(path: str, *_: str) -> bytes:
    raise AssertionError(f"{path} was read")


def _first_request(root: Path, server: object) -> float:
    from provider import ChildProvider

    assert isinstance(server, ChildProvider)
    server.reset()
    command = ["eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in", "--resume"]
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "umwelten", *command, "--progress", "none"],
        cwd=root,
        env=clean_environment(server.env()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        while not server.counts()["totals"]["requests"]:
            if process.poll() is not None:
                raise RuntimeError(process.communicate()[1].decode())
            time.sleep(0.003)
        took = time.monotonic() - began
        process.communicate()
    return took


def large_files(root: Path) -> tuple[Lines, bool]:
    """200 files of 20 MB at 50 in flight."""
    memory.write_pictures(root, 200, 20_000_000)
    peak = memory.peak_bytes(root, 200, models="openai:a", in_flight=50)
    said = f"200 files of 20 MB at 50 in flight: at most {peak / 1e6:.0f} MB resident."
    return [said], peak < 1_000_000_000


def cut_calls() -> tuple[Lines, bool]:
    """Streams of calls, cut at every byte."""
    found = every_cut.cut_everywhere()
    table = {
        "streams, in the manner of all servers": str(found.streams),
        "at every byte, once with a second cut": f"{found.cuts:,} cuts",
        "with other calls than in one piece": ", ".join(found.differ[:20]) or "0",
    }
    return _two_columns("cut", table), not found.differ


def hostile_files(count: int) -> tuple[Lines, bool]:
    """Damaged and hostile files of every type."""
    found = list(hostile.tried(range(count), "", os.cpu_count() or 1))
    offenders = [outcome for outcome in found if outcome.offences()]
    said = (
        f"{count:,} files, each in a process of 1 GB: {len(offenders)} took more than {MOST_S:g} s of the "
        f"processor or {MOST_RESIDENT / 1e6:.0f} MB, or ended in anything but what is sent or an error of "
        "the file. Crashed: the converter, which fails its file alone."
    )
    shown = [f"- {hostile.described(outcome)}" for outcome in offenders]
    return [said, "", *hostile.table(found), *["", *shown][: bool(shown) * 100]], not offenders


def long_run(root: Path, minutes: float) -> tuple[Lines, bool]:
    """The soak."""
    figures = soak(root, seconds=minutes * 60, latency_s=0.8)
    problems = figures.pop("problems")
    table = {name.replace("_mb", " (MB)").replace("_", " "): _shown(value) for name, value in figures.items()}
    return _two_columns("soak", table | {"problems": ", ".join(problems) or "none"}), not problems


def _shown(value: object) -> str:
    return f"{value[0]} early, {value[1]} late" if isinstance(value, list) else str(value)


def _two_columns(head: str, table: dict[str, str]) -> Lines:
    return [f"| {head} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in table.items())]


def document(found: dict[str, Lines]) -> str:
    """The whole of `docs/reliability.md`."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    heads = {
        "kills": "Kills",
        "scores": "Kills while answers are scored",
        "judging": "Kills while answers are judged",
        "suites": "Kills of suites",
        "rankings": "Kills of rankings",
        "changes": "Kills after changes of a run",
        "tools": "Kills while tools are run",
        "servers": "MCP servers",
        "learning": "Kills while facts are learnt",
        "sharing": "Runs that share a rate limit",
        "fleet": "Workers on Ray",
        "resume": "Resuming",
        "matrix": "Network faults",
        "calls": "Calls of tools in streams",
        "memory": "Large files",
        "files": "Hostile files",
        "intervals": "Intervals of scores",
        "soak": "Soak test",
    }
    sections = [f"## {heads[name]}\n\n" + "\n".join(found[name]) for name in heads if name in found]
    start = (
        "# Reliability\n\n"
        "What umwelten guarantees, and how each guarantee is tested. Generated by\n"
        "`python -m benchmarks.torture --write-docs`; do not edit.\n\n"
        f"Figures of the last run: {machine}, {python}.\n\n" + promises.table()
    )
    return "\n\n".join([start, *sections]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
