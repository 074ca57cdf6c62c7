"""A thread that walks over an iterator, a step at a time, for whoever takes what it finds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from umwelten.errors import InputError, UmweltenError

STEP, LONGEST_STEP_S = 1000, 0.05
"""A step: so many items, or those that were found in that time."""

_END_S = 0.2
T = TypeVar("T")


class BackgroundIterator(Generic[T]):
    """Begins at once and holds at most one step. An iterator that is slow, or stuck, holds up nobody else.

    What was found before an error is given first, and no item waits for a slow one after it.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._steps: SimpleQueue[tuple[list[T], bool] | UmweltenError] = SimpleQueue()
        self._room = threading.Semaphore(1)
        self._taken = self._ended = False
        self._found: list[T] = []
        self._found_at = 0.0
        self._lock = threading.Lock()
        self._error: UmweltenError | None = None
        self._thread = threading.Thread(target=self._work, name="umwelten-inputs", daemon=True)
        self._thread.start()

    def take(self, wait_s: float) -> tuple[list[T], bool] | None:
        """Return the next step and whether it is the last; `None` if there is none after that time.

        Raises UmweltenError if there will be no further ones because the iterator raised; once.
        """
        if self._taken:
            # Not sooner: while one step is put to use, looking for the next would only slow it down.
            self._taken = False
            self._room.release()
        try:
            step = self._steps.get(timeout=wait_s) if wait_s > 0 else self._steps.get_nowait()
        except Empty:
            with self._lock:
                if not self._found or time.monotonic() < self._found_at + LONGEST_STEP_S:
                    return None
                found, self._found = self._found, []
            return found, False
        if isinstance(step, UmweltenError):
            raise step
        self._taken = True
        return step

    def stop(self) -> None:
        """End the thread, or leave it to its end where the iterator is stuck."""
        self._ended = True
        self._room.release()
        self._thread.join(_END_S)

    def _work(self) -> None:
        going_on = True
        while going_on:
            self._room.acquire()
            step = self._find()
            self._steps.put(step)
            going_on = not (self._ended or isinstance(step, UmweltenError) or step[1])

    def _find(self) -> tuple[list[T], bool] | UmweltenError:
        if self._error is not None:
            return self._error
        last = False
        try:
            last = self._pull()
        except UmweltenError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whoever finds the items; what they are needed for must not die
            self._error = InputError(f"no further inputs can be found: {error!r}")
        with self._lock:
            found, self._found = self._found, []
        return self._error if self._error is not None and not found else (found, last)

    def _pull(self) -> bool:
        """Add a step to what is found; returns whether that is all."""
        until = time.monotonic() + LONGEST_STEP_S
        for _ in range(STEP):
            now = time.monotonic()
            if now >= until or self._ended:
                return False
            try:
                item = next(self._items)
            except StopIteration:
                return True
            with self._lock:
                if not self._found:
                    self._found_at = now
                self._found.append(item)
        return False
