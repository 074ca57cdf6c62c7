"""Events of a run, read by a thread while a screen shows them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from umwelten.live.client import Run, RunError, RunGone

_KEPT = 5_000
"""Events that wait to be drawn: more than a screen draws between two looks."""

_AGAIN_S = 1.0
_LATEST = 10**17
"""A number that no event has: only what comes from now on is told."""


class Stream:
    """The events of a run as (name, facts), to be taken from time to time. `text`: with what models write.

    Without `text` the run pays nothing for it but the polls.
    """

    def __init__(self, run: Run, *, text: bool = False) -> None:
        self._run, self._text = run, text
        self._kept: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_KEPT)
        self._closed = threading.Event()
        threading.Thread(target=self._work, name="top-events", daemon=True).start()

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what came since the last time."""
        return [self._kept.popleft() for _ in range(len(self._kept))]

    def close(self) -> None:
        """Take no more; waits for nobody."""
        self._closed.set()

    def _work(self) -> None:
        last = _LATEST if self._text else 0
        while not self._closed.is_set():
            try:
                for number, name, facts in self._run.events(last, text=self._text):
                    if self._closed.is_set():
                        return
                    last = number or last
                    self._kept.append((name, facts))
            except RunGone:
                return
            except (RunError, ValueError):
                pass
            self._closed.wait(_AGAIN_S)
