"""The process that scores: started by `child.py` as a script, never imported before it has forked.

stdin begins with the length of a JSON object (8 bytes, little-endian) and the object; what follows are lines
for the scorer, and stdout has its replies. File descriptor `lifetime` is a pipe that only the process that
started this one holds open, so that its end means that that process is gone, whatever ended it.

There are two processes. The first waits and does nothing else, so it can always end the second, whatever
that does. The second is in a process group of its own, and becomes the program, or runs a function or rule.
The first ends with the second, and leaves no process of it: on Linux also none in another group or session.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 1_000
"""Milliseconds, about, for processes that were killed to be gone."""


def main() -> NoReturn:
    """Start the scorer, wait until it or the parent ends, and end with its status."""
    settings: dict[str, Any] = json.loads(_read(int.from_bytes(_read(8), "little")))
    _adopt_orphans()
    own = os.getpid()
    scorer = os.fork()
    if scorer == 0:
        os.setpgid(0, 0)
        os.close(settings["lifetime"])
        _become(settings, own)
    with contextlib.suppress(OSError):
        os.setpgid(scorer, scorer)  # whichever is first: the group exists before it is needed
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    threading.Thread(target=_end_with_parent, args=(settings["lifetime"], scorer), daemon=True).start()
    _, status = os.waitpid(scorer, 0)
    _end_group(scorer)
    _end_descendants()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _read(count: int) -> bytes:
    """Return so many bytes of stdin, and take no more from it."""
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            os._exit(0)  # the parent is gone
        data += piece
    return data


def _adopt_orphans() -> None:
    """On Linux, become the parent of every process below that loses its own."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _become(settings: dict[str, Any], parent: int) -> NoReturn:
    words: list[str] = settings["words"]
    if words:
        # Python ignores it, and a program would inherit that.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            os.execvp(words[0], words)
        except OSError as error:
            os.write(2, f"{words[0]}: {error.strerror}\n".encode())
        os._exit(127)
    sys.path[:] = settings["path"]
    try:
        from umwelten.evaluation.scoring.child_loop import serve

        serve(settings, parent)
    except BaseException as error:  # noqa: BLE001 - no traceback: it would name paths and values
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        os._exit(1)
    os._exit(0)


def _end_with_parent(lifetime: int, scorer: int) -> None:
    with contextlib.suppress(OSError):
        os.read(lifetime, 1)
    _end_group(scorer)


def _end_group(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _end_descendants() -> None:
    """Kill what is left, until nothing is: orphans of orphans come here one after another."""
    for _ in range(_ROUNDS):
        for task in Path("/proc/self/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for pid in task.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
        except ChildProcessError:
            return


if __name__ == "__main__":
    main()
