"""Single keys of a terminal, as they are pressed."""

from __future__ import annotations

import os
import select
import sys
import time
from types import TracebackType
from typing import Any

_NAMES = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}
_MOST = 64
"""Bytes at a time; what was typed ahead comes the next time."""


class Keyboard:
    """Gives keys while the block lasts; nothing typed is echoed, and Ctrl-C interrupts as ever."""

    def __init__(self) -> None:
        self._before: Any = None

    def __enter__(self) -> Keyboard:
        if os.name == "posix":
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def read(self, wait_s: float) -> str:
        """Return a key: a character, "up" or "down"; "" if none came in that time. Raises EOFError."""
        if os.name != "posix":
            return _read_console(wait_s)
        if not select.select([sys.stdin], [], [], wait_s)[0]:
            return ""
        typed = os.read(sys.stdin.fileno(), _MOST)
        if not typed:
            raise EOFError  # the terminal is gone
        text = typed.decode("utf-8", "ignore")
        return _NAMES.get(text[:3], "" if text.startswith("\x1b") else text[:1])


def _read_console(wait_s: float) -> str:
    """Do as `Keyboard.read` where a terminal is no file."""
    import msvcrt

    console: Any = msvcrt
    until = time.monotonic() + wait_s
    while not console.kbhit():
        if time.monotonic() >= until:
            return ""
        time.sleep(0.02)
    key: str = console.getwch()
    if key in ("\x00", "\xe0"):
        return {"H": "up", "P": "down"}.get(console.getwch(), "")
    return key
