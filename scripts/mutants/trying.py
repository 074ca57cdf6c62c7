"""Run tests on a copy of the tree that has the fault; the working tree is never touched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from .killers import Killers
from .sites import PACKAGE, Mutant, mutated
from .watching import HUNG_S, LOG, ORDER

Outcome = Literal["killed", "timed out", "survived", "not covered"]
_NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv", ".mutants", ".bench", "output", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
)
_NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)
# Tests take so many times as long with coverage, as they were measured.
SLOWED = 3.0
# As `by`: no test, since none could be collected.
_IMPORT = "import"


@dataclass(frozen=True)
class Tried:
    """What became of a fault, by which test, after how many seconds and tests."""

    outcome: Outcome
    by: str
    seconds: float
    tests: int


def copy(root: Path, to: Path) -> Path:
    """A copy of the tree without what git ignores."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(root, to, ignore=_NOT_COPIED)
    return to


class Bench:
    """A copy with a fault in it at a time, and one without."""

    def __init__(self, root: Path, folder: Path, within_s: float, sound: dict[str, bool]) -> None:
        """`sound`: the tests that were tried without a fault, of all benches."""
        self._root = root
        self._folder = folder
        self._tree = copy(root, folder / "tree")
        self._within_s = within_s
        self._writes = 0
        self._sound = sound

    def try_out(self, mutant: Mutant, killers: Killers) -> Tried:
        """Put the fault in, run its tests, take it out.

        A test counts as a killer only if it passes, alone, without the fault. One that took too long has to
        do so twice: the machine may be busy.
        """
        begun = time.monotonic()
        tests = list(killers.tests)
        if not tests:
            return Tried("not covered", "", 0.0, 0)
        while True:
            left = self._within_s - (time.monotonic() - begun)
            with self._fault(mutant):
                tried = self._run(tests, killers.seconds, left)
            seconds = round(time.monotonic() - begun, 1)
            if tried.outcome == "survived" or self._is_true(tried, mutant, tests, killers.seconds):
                return Tried(tried.outcome, tried.by, seconds, tried.tests)
            if tried.by == _IMPORT and tried.outcome == "killed":
                raise RuntimeError(f"no test runs on the untouched sources: see {self._folder / 'out'}")
            tests = [test for test in tests if test not in (tried.by, tried.by.partition("::")[0])]
            if not tests or seconds > self._within_s:
                return Tried("survived", "", seconds, tried.tests)

    def _is_true(
        self, tried: Tried, mutant: Mutant, tests: Sequence[str], seconds: Mapping[str, float]
    ) -> bool:
        """Whether the test tells of the fault: it passes without, and if it hung it does so again."""
        if tried.outcome == "timed out":
            again = tried.by if tried.by != _IMPORT else tests[0]
            with self._fault(mutant):
                twice = self._run([again], {again: 2 * seconds.get(again, HUNG_S)}, 2 * self._within_s)
            if twice.outcome == "survived":
                return False
        return self._is_sound(tried.by, tests, seconds)

    def _is_sound(self, test: str, tests: Sequence[str], seconds: Mapping[str, float]) -> bool:
        if test not in self._sound:
            alone = [test] if "::" in test else tests[:1]
            self._sound[test] = self._run(alone, seconds, self._within_s).outcome == "survived"
        return self._sound[test]

    @contextlib.contextmanager
    def _fault(self, mutant: Mutant) -> Iterator[None]:
        self._write(mutant.module, mutated(self._root, mutant) or "")
        try:
            yield
        finally:
            self._write(mutant.module, (self._root / PACKAGE / mutant.module).read_text(encoding="utf-8"))

    def _write(self, module: str, text: str) -> None:
        path = self._tree / PACKAGE / module
        path.write_text(text, encoding="utf-8")
        # Compiled files are told apart by whole seconds and size.
        self._writes += 1
        at = 1_600_000_000 + self._writes
        os.utime(path, (at, at))

    def _run(self, tests: Sequence[str], seconds: Mapping[str, float], within_s: float) -> Tried:
        order, log = self._folder / "order.json", self._folder / "log"
        known = {test: seconds[test] for test in tests if test in seconds}
        chosen = _within(tests, known, within_s)
        order.write_text(json.dumps({"tests": chosen, "seconds": known, "until_s": within_s}))
        log.write_text("")
        files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        code = self._pytest(files, order, log, within_s)
        lines = log.read_text().splitlines()
        begun = [line[2:] for line in lines if line.startswith("> ")]
        failed = next((line[2:] for line in lines if line.startswith("- ")), None)
        if failed is not None:
            return Tried("killed", failed, 0.0, len(begun))
        if not begun and code not in (0, _NO_TESTS):
            return Tried("killed" if code > 0 else "timed out", _IMPORT, 0.0, 0)
        if begun and f"+ {begun[-1]}" not in lines and code != -signal.SIGALRM:
            return Tried("timed out", begun[-1], 0.0, len(begun))
        return Tried("survived", "", 0.0, len(begun))

    def _pytest(self, files: Sequence[str], order: Path, log: Path, within_s: float) -> int:
        """The exit code; -SIGALRM if the time was over before the tests were through."""
        temporary = self._folder / "tmp"
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            **{ORDER: str(order), LOG: str(log), "PYTHONPATH": str(self._tree / "src")},
        }
        plugins = ("no:cacheprovider", "no:faulthandler", "no:xdist", "scripts.mutants.watching")
        command = [sys.executable, "-m", "pytest", "-x", "-q", *(f"-p{name}" for name in plugins)]
        command += [f"--basetemp={temporary}", *files]
        with (self._folder / "out").open("w") as out:
            child = subprocess.Popen(
                command, cwd=self._tree, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
            try:
                return child.wait(within_s)
            except subprocess.TimeoutExpired:
                return -signal.SIGALRM
            finally:
                _end(child, environment["PYTHONPATH"])
                shutil.rmtree(temporary, ignore_errors=True)


def _within(tests: Sequence[str], seconds: Mapping[str, float], within_s: float) -> list[str]:
    """As many of the first tests as may take that long together; those of unknown time count as a second."""
    chosen: list[str] = []
    left = SLOWED * within_s
    for test in tests:
        left -= seconds.get(test, 1.0)
        if left < 0 and chosen:
            break
        chosen.append(test)
    return chosen


def _end(child: subprocess.Popen[bytes], path: str) -> None:
    """End what the run has left: its group, and on Linux children in other groups, known by their path."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PYTHONPATH={path}\0".encode() in process.read_bytes():
                os.kill(int(process.parent.name), signal.SIGKILL)
        except OSError:
            continue
