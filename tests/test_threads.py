from __future__ import annotations

import asyncio
import sys

import pytest

from umwelten.threads import new_event_loop


def test_the_loop_is_that_of_uvloop_where_it_is_installed():
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)


def test_without_uvloop_it_is_that_of_asyncio(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert type(runner.get_loop()).__module__.startswith("asyncio.")
        assert runner.run(asyncio.sleep(0, "done")) == "done"
