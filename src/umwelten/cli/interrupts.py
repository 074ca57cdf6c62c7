"""Ctrl-C and its kin, in one place: the first asks, the second ends the process, whatever runs.

Python runs its own handlers in the main thread alone, between two steps: not while that waits for a thread, a
lock, a hung file or a database. So a thread of its own is told of signals, by the descriptor to which
Python's handler in C writes their numbers.

Outside a run, the first Ctrl-C is Python's `KeyboardInterrupt`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from umwelten import child_processes

if TYPE_CHECKING:
    import asyncio

INTERRUPTED = 130
"""The exit status."""

FLUSH_S = 0.6
"""From the second signal of a run to the end of the process: in that time, answers that came are committed,
and the run is closed."""

_LAST_WORDS_S = 0.2
_SHOW_CURSOR = b"\x1b[?25h\n"
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

React = Callable[[str], None]
"""Called in the loop's thread with the name of a signal."""


class Interrupts:
    """The signals that ask this process to end. One for each process, made by `interrupts`."""

    def __init__(self) -> None:
        self._read, self._descriptor = _channel()
        self._lock = threading.Lock()
        self._count = 0
        self._run: tuple[asyncio.AbstractEventLoop, React] | None = None
        self._is_ending = False
        self._last = ""
        self._terminal = _terminal_settings()
        self._numbers = {int(getattr(signal, name)): name for name in _NAMES if hasattr(signal, name)}
        self.listen()
        threading.Thread(target=self._watch, name="interrupts", daemon=True).start()

    def listen(self) -> None:
        """Be told of signals from now on; loops take that for themselves when they start."""
        signal.set_wakeup_fd(self._descriptor, warn_on_full_buffer=False)

    @contextlib.contextmanager
    def are_taken(self) -> Iterator[None]:
        """Have no signal raise or end anything meanwhile, but those that the caller had ignored (`nohup`)."""
        before: dict[int, Any] = {}
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _nothing)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def go_to(self, react: React, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Call this for each signal, in the loop, which is running and was made within `are_taken`."""
        self.listen()
        with self._lock:
            self._run = loop, react
            came = self._last
        if came:  # while the loop was made
            react(came)
        try:
            yield
        finally:
            with self._lock:
                self._run = None

    def leave(self) -> None:
        """End the process now. What is shown or flushed may wait for others, so that has little time."""
        try:
            child_processes.end_all()
            last = threading.Thread(target=self._say_last_words, daemon=True)
            last.start()
            last.join(_LAST_WORDS_S)
        finally:
            os._exit(INTERRUPTED)

    def _watch(self) -> None:
        while numbers := self._read(64):
            for number in numbers:
                if number in self._numbers:
                    self._came(self._numbers[number])

    def _came(self, name: str) -> None:
        with self._lock:
            self._count += 1
            self._last, run = name, self._run
        if run is not None:
            loop, react = run
            with contextlib.suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(react, name)
        if self._count == 1:
            return
        if run is None or self._is_ending:
            self.leave()
        else:
            self._is_ending = True
            timer = threading.Timer(FLUSH_S, self.leave)
            timer.daemon = True
            timer.start()

    def _say_last_words(self) -> None:
        if self._terminal is not None:
            import termios

            # From the background, setting a terminal would stop this process.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._terminal)
        if os.isatty(2):
            with contextlib.suppress(OSError):
                os.write(2, _SHOW_CURSOR)
        with contextlib.suppress(Exception):
            sys.stdout.flush()


def _channel() -> tuple[Callable[[int], bytes], int]:
    """Return what reads, waiting for it, what is written to the descriptor."""
    if os.name == "nt":  # where Python writes to sockets only
        import socket

        reader, writer = socket.socketpair()
        writer.setblocking(False)
        return reader.recv, writer.detach()
    source, descriptor = os.pipe()
    os.set_blocking(descriptor, False)
    return functools.partial(os.read, source), descriptor


def _nothing(number: int, frame: object) -> None:
    """Handle a signal of which the watching thread is told."""


def _terminal_settings() -> Any:
    """Return the settings of the terminal that is stdin; `None` if it is none."""
    try:
        import termios

        return termios.tcgetattr(0)
    except Exception:  # noqa: BLE001 - `termios.error` has no name where there is no `termios`
        return None


@functools.cache
def interrupts() -> Interrupts:
    """Return those of this process, which are watched from now on. To be called in the main thread first."""
    return Interrupts()
