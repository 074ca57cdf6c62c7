"""Which tests run which lines: coverage of the whole suite, its children included, one context a test.

`collect` writes two files into `.mutants/`: `coverage` (a database of coverage.py, contexts are ids of tests)
and `tests.json` (seconds and outcome of every test). As a pytest plugin it names the contexts.
Child processes are measured too: they inherit COVERAGE_PROCESS_START, and PYTEST_CURRENT_TEST names theirs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import coverage

CONFIG = """\
[run]
source = {tree}/src/umwelten
parallel = true
data_file = {data}
context = ${{PYTEST_CURRENT_TEST-}}
disable_warnings =
    no-data-collected
    module-not-measured
    module-not-imported
    module-not-python
    already-imported
"""
# Where the plugin writes what the tests took.
TESTS = "MUTANTS_TESTS"


def collect(tree: Path, into: Path, processes: int) -> None:
    """Run the tests of `tree` once under coverage; they may fail, and are no killers then."""
    into.mkdir(parents=True, exist_ok=True)
    for old in into.glob("coverage*"):
        old.unlink()
    config = into / "coveragerc"
    config.write_text(CONFIG.format(tree=tree, data=into / "coverage"))
    plugin = Path(__file__)
    environment = {
        **os.environ,
        "COVERAGE_PROCESS_START": str(config),
        TESTS: str(into / "tests.json"),
        "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(plugin.parent)]),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin.stem]
    subprocess.run([*command, "-n", str(processes)], cwd=tree, env=environment, check=False)
    measured = coverage.Coverage(data_file=str(into / "coverage"), config_file=False)
    measured.combine([str(into)])
    measured.save()


# --- the plugin ------------------------------------------------------------------------------

_seconds: dict[str, float] = {}
_failed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count the lines that run from here on to this test."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if measured is not None:
            measured.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up set-up, call and tear-down."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what the tests took; not in a worker, which sees its own share alone."""
    if hasattr(session.config, "workerinput"):
        return
    told = {name: round(seconds, 3) for name, seconds in _seconds.items() if name not in _failed}
    Path(os.environ[TESTS]).write_text(json.dumps(told, indent=0, sort_keys=True))
