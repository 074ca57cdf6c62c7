"""A run that can be watched and changed, without one: its state in memory, its channel real."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from umwelten.errors import UsageError
from umwelten.evaluation.run_control import Author, Change, RunControl
from umwelten.evaluation.run_state import LaneState, ModelState, RunPhase, RunState
from umwelten.events import Event, RunFinished, RunStarted, RunStatus
from umwelten.live.client import Run, all_runs
from umwelten.live.server import ControlServer
from umwelten.version import __version__


def run_state(id: str = "tides", **fields: Any) -> RunState:
    """A run at work, unless the fields say otherwise."""
    lane = LaneState(
        name="openai",
        provider="openai",
        models=("openai:gpt-5.4-mini",),
        in_flight=3,
        limit=8,
        ceiling=10,
        ready=4,
        waiting=1,
        parked=0,
        calls_per_s=2.5,
        tokens_per_s=100.0,
        succeeded=9,
        failed=1,
        retries=2,
        cost_usd=0.25,
    )
    model = ModelState(model="openai:gpt-5.4-mini", total=20, done=9, failed=1, in_flight=3, cost_usd=0.25)
    state = RunState(
        id=id,
        folder=f"/home/ada/output/{id}",
        pid=1234,
        version=__version__,
        phase=RunPhase.RUNNING,
        started_at=1_700_000_000.0,
        elapsed_s=12.0,
        paused_s=0.0,
        quiet=False,
        total=20,
        complete=True,
        done=9,
        failed=1,
        in_flight=3,
        calls_per_s=2.5,
        tokens_per_s=100.0,
        left_s=4.0,
        cost_usd=0.25,
        input_tokens=100,
        output_tokens=200,
        settings={"max_concurrency": 10},
        lanes=(lane,),
        models=(model,),
    )
    return msgspec.structs.replace(state, **fields)


class RunControlInMemory(RunControl):
    """Does what it is told, to nothing. `now` is its state, `told` what it was asked, `slow_s` its pace."""

    def __init__(self, now: RunState | None = None, *, slow_s: float = 0.0) -> None:
        self.now = now or run_state()
        self.told: list[tuple[Any, ...]] = []
        self.slow_s = slow_s

    def state(self) -> RunState:
        return self.now

    def set(self, key: str, value: Any, by: Author, *, scope: str = "", dry_run: bool = False) -> Change:
        self._tell("set", key, value, scope, dry_run, by)
        if str(value) == "0":
            raise UsageError(f"{key} 0 is too low", "The least is 1.")
        old = self.now.settings.get(key)
        return Change(key=key, scope=scope, old=old, new=value, journalled=None if dry_run else True)

    def pause(self, by: Author, *, scope: str = "", for_s: float | None = None) -> Change:
        self._tell("pause", scope, for_s, by)
        return Change(key="pause", scope=scope, old=False, new=for_s or True, journalled=True)

    def resume(self, by: Author, *, scope: str = "") -> Change:
        self._tell("resume", scope, by)
        return Change(key="resume", scope=scope, old=True, new=False, journalled=True)

    def stop(self, by: Author, *, now: bool = False) -> Change:
        self._tell("stop", now, by)
        return Change(key="stop", scope="", old=None, new="now" if now else "soon", journalled=False)

    def tell_texts(self, wanted: bool) -> None:
        self._tell("tell_texts", wanted)

    def retry_failed(self, by: Author, *, kind: str = "", model: str = "", input: str = "") -> Change:
        self._tell("retry", kind, model, input, by)
        return Change(key="retry", scope=model, old=None, new=1, journalled=True)

    def cancel(self, by: Author, call: int) -> Change:
        self._tell("cancel", call, by)
        if call == 404:
            raise UsageError("call 404 is not under way")
        return Change(key="cancel", scope=str(call), old=None, new=None, journalled=True)

    def __call__(self, event: Event) -> None:
        pass

    def _tell(self, *words: Any) -> None:
        time.sleep(self.slow_s)
        self.told.append(words)


STARTED = RunStarted(id="tides", total=20, done=0, models=(), max_concurrency=10, at_unix=1.0)
FINISHED = RunFinished(status=RunStatus.COMPLETE, reason=None, wall_s=1.0, pending=0, peak_in_flight=3)


class Served:
    """A channel and the thread of its run. `tell` passes events to it, `notes` are what it had to say."""

    def __init__(self, server: ControlServer, run_control: RunControlInMemory, notes: list[Event]) -> None:
        self.server, self.run_control, self.notes = server, run_control, notes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def tell(self, *events: Event) -> None:
        """Tell the channel of events, in the run's loop."""
        for event in events:
            done = threading.Event()
            self._loop.call_soon_threadsafe(lambda event=event, done=done: (self.server(event), done.set()))
            assert done.wait(10)

    def run(self, id: str | None = None) -> Run:
        """The run as others find it, once it is there."""
        wanted = id or self.run_control.now.id
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [run for run in all_runs() if run.id == wanted]
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"no run {wanted}: {self.notes}")

    def close(self) -> None:
        self.server.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def served(
    folder: Path, run_control: RunControlInMemory | None = None, *, id: str = "tides"
) -> Iterator[Served]:
    """Serve a run of this id, whose evaluation is in the folder, while the block lasts."""
    run_control = run_control or RunControlInMemory(run_state(id))
    notes: list[Event] = []
    run = Served(ControlServer(id, folder, run_control, notes.append, short_s=0), run_control, notes)
    try:
        run.tell(STARTED)
        run.server._called.set()
        yield run
    finally:
        run.close()
