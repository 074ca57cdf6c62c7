"""The pytest plugin in a run against a fault: the order of the tests, their time, and what became of them.

MUTANTS_ORDER names a file with `{"tests": […], "seconds": {…}, "until_s": 60}`; MUTANTS_LOG one that gets a
line for each test that starts (`> id`) and ends well (`+ id`) or badly (`- id`).
"""

from __future__ import annotations

import faulthandler
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ORDER, LOG = "MUTANTS_ORDER", "MUTANTS_LOG"
# A test hangs that takes so many times what it took, and some seconds for a busy machine; or so many seconds
# where nothing is known of it.
LONGER, BUSY_S, HUNG_S = 4.0, 5.0, 15.0


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch, if that is asked for."""
    if ORDER in os.environ:
        order = json.loads(Path(os.environ[ORDER]).read_text())
        config.pluginmanager.register(_Watch(order, Path(os.environ[LOG])))


class _Watch:
    def __init__(self, order: dict[str, Any], log: Path) -> None:
        self._place: dict[str, int] = {name: number for number, name in enumerate(order["tests"])}
        self._seconds: dict[str, float] = order["seconds"]
        self._end = time.monotonic() + order["until_s"]
        self._log = log

    def _say(self, line: str) -> None:
        with self._log.open("a") as out:
            out.write(line + "\n")

    def _rank(self, item: pytest.Item) -> int | None:
        """By its id, or that of its file."""
        return self._place.get(item.nodeid, self._place.get(item.nodeid.partition("::")[0]))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what is asked for, in its order."""
        ranks = [(rank, at) for at, item in enumerate(items) if (rank := self._rank(item)) is not None]
        items[:] = [items[at] for _, at in sorted(ranks)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """End the process if the test hangs; begin no other after the time."""
        if time.monotonic() > self._end:
            item.session.shouldstop = "the time is over"
        usual = self._seconds.get(item.nodeid)
        self._say(f"> {item.nodeid}")
        faulthandler.dump_traceback_later(HUNG_S if usual is None else BUSY_S + LONGER * usual, exit=True)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Whether the test is through."""
        if report.failed:
            self._say(f"- {report.nodeid}")
        elif report.when == "teardown":
            self._say(f"+ {report.nodeid}")
