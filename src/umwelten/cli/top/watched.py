"""Runs that are watched: each asked by a thread of its own, so that one that is silent holds up no other."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from umwelten.errors import UmweltenError
from umwelten.evaluation.run_state import RunState
from umwelten.live.client import Key, Run, RunError, RunGone, all_runs
from umwelten.report.models import Overview
from umwelten.report.queries import overviews
from umwelten.store.reader import Reader

POLL_S = 0.25
"""Between questions to the run that is looked at: nobody reads faster, and the run pays nothing for it."""

_LIST_S = 1.0
"""Between questions to the others, and between looks for new ones."""

_CLOSING_S = 0.5
"""A run that ends takes its files away one after the other."""

_OUTCOME_S = 30.0
"""After its end, a run may still have to store what it came to."""


class Seen(NamedTuple):
    """A run as it was when last seen. `age_s` is how long ago that was.

    `trouble` says why it does not answer, "" if it does. `end` is how it ended, "" while it goes on.
    """

    run: Run
    state: RunState | None
    age_s: float
    trouble: str
    end: str
    is_dead: bool

    @property
    def key(self) -> Key:
        """Return what tells it from others."""
        return self.run.key

    @property
    def goes_on(self) -> bool:
        """Return whether it has not ended, as far as is known."""
        return not self.end


class RunWatcher:
    """Watches one run, or all of this machine, from threads. `start` and `stop` it.

    `looked_at` is the run that is asked most often.
    """

    def __init__(self, chosen: Run | None = None) -> None:
        self._chosen = chosen
        self._watched: dict[Key, _Watched] = {}
        self._stopped = threading.Event()
        self.looked_at: Key | None = None if chosen is None else chosen.key

    def start(self) -> None:
        """Begin. What is there already is known when this returns, though not how it is."""
        self._find()
        if self._chosen is None:
            threading.Thread(target=self._find_more, name="top-runs", daemon=True).start()

    @property
    def is_of_one(self) -> bool:
        """Return whether it is of one run, and no other is looked for."""
        return self._chosen is not None

    def stop(self) -> None:
        """Ask no more; waits for nobody."""
        self._stopped.set()

    def look(self) -> list[Seen]:
        """Return the runs as they are known: those that go on first, then the oldest."""
        return sorted(
            (watched.seen() for watched in tuple(self._watched.values())), key=lambda seen: bool(seen.end)
        )

    def _find_more(self) -> None:
        while not self._stopped.wait(_LIST_S):
            self._find()

    def _find(self) -> None:
        for run in all_runs() if self._chosen is None else [self._chosen]:
            key = run.key
            if key not in self._watched:
                self._watched[key] = _Watched(run, self, self._stopped)

    def every_s(self, key: Key) -> float:
        """Return how long a run is left alone between questions."""
        return POLL_S if key == self.looked_at or len(self._watched) == 1 else _LIST_S


class _Watched:
    """One run, and the thread that asks it."""

    def __init__(self, run: Run, watcher: RunWatcher, stopped: threading.Event) -> None:
        self._run, self._watcher, self._stopped = run, watcher, stopped
        self._state: RunState | None = None
        self._at = time.monotonic()
        self._trouble, self._end, self._is_dead = "", "", False
        threading.Thread(target=self._work, name="top-run", daemon=True).start()

    def seen(self) -> Seen:
        age_s = time.monotonic() - self._at
        return Seen(self._run, self._state, age_s, self._trouble, self._end, self._is_dead)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                state = self._run.state()
            except RunGone:
                self._has_ended()
                return
            except RunError as error:
                self._trouble = str(error)
            else:
                self._state, self._at, self._trouble = state, time.monotonic(), ""
            self._stopped.wait(self._watcher.every_s(self._run.key))

    def _has_ended(self) -> None:
        """Find out how: a run that was killed leaves its files, one that ends says in its store how."""
        self._stopped.wait(_CLOSING_S)
        if self._run.key in (run.key for run in all_runs()):
            self._is_dead, self._end = True, f"dead: process {self._run.file.pid} ended without a word"
            return
        self._end = "ended"
        until = time.monotonic() + _OUTCOME_S
        while time.monotonic() < until and not self._stopped.is_set():
            found = _outcome(self._run, self._state)
            if found is not None:
                self._end, self._state = found
                return
            self._stopped.wait(_LIST_S)


def _outcome(run: Run, state: RunState | None) -> tuple[str, RunState | None] | None:
    """Return what a run came to, as it is stored, and its last figures; `None` while that is not."""
    try:
        with Reader.open(Path(run.file.folder)) as reader:
            found = [each for each in overviews.runs(reader) if each.pid == run.file.pid]
            if not found or found[-1].status is None:
                return None
            last = None if state is None else _last_state(state, overviews.overview(reader))
    except (UmweltenError, OSError):
        return None
    return found[-1].status + (f": {found[-1].reason}" if found[-1].reason else ""), last


def _last_state(state: RunState, stored: Overview) -> RunState:
    """Return the state with the counts that are stored: the last calls end after the last question."""
    models = []
    for model in state.models:
        figures = [row.figures for row in stored.models if row.model == model.model]
        done, failed = sum(each.succeeded for each in figures), sum(each.failed for each in figures)
        models.append(msgspec.structs.replace(model, done=done, failed=failed, in_flight=0))
    return msgspec.structs.replace(
        state,
        done=stored.summary.succeeded,
        failed=stored.summary.failed,
        in_flight=0,
        models=tuple(models),
        lanes=tuple(msgspec.structs.replace(lane, in_flight=0, wait=None) for lane in state.lanes),
    )
