"""How much work something is, told by what no other program on the machine changes.

A promised time is measured under `benchmarks/`. A test counts the calls of functions that the time goes into,
or compares the time for much with that for little, taken in turn in the same process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_COUNTED = """
import os, sys
calls, opened = 0, []
def count(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")
def note(event, arguments):
    if event == "open" or event == "sqlite3.connect":
        opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else "")
sys.addaudithook(note)
from umwelten.cli.app import main
sys.setprofile(count)
try:
    main()
finally:
    sys.setprofile(None)
    print(calls, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
    print(*opened, sep="\\n", file=sys.stderr)
"""


class Work(NamedTuple):
    """`calls` of functions, in Python and C, but for the first import; `modules` loaded; files `opened`."""

    calls: int
    modules: frozenset[str]
    opened: list[str]


def of_command(words: Sequence[str], *, cwd: Path, env: Mapping[str, str] = os.environ) -> Work:
    """The work of a command line in a process of its own, which must end well."""
    command = [sys.executable, "-c", _COUNTED, *words]
    done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    first, *opened = done.stderr.splitlines()
    calls, *modules = first.split()
    return Work(int(calls), frozenset(modules), opened)


def calls_of(act: Callable[[], object]) -> int:
    """The calls of functions, in Python and in C, that an act makes in this thread."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls


def growth(little: Callable[[], object], much: Callable[[], object], *, times: int = 3) -> float:
    """How many times the processor time of `little` is that of `much`: of each the least of several."""
    least = [float("inf")] * 2
    for _ in range(times):
        for at, act in enumerate((little, much)):
            began = time.process_time()
            act()
            least[at] = min(least[at], time.process_time() - began)
    return least[1] / least[0]
