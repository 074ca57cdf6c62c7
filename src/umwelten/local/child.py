"""The process that runs llama.cpp: started by `server.py` as a script, never imported by umwelten.

It imports nothing of umwelten, so that it is up in a blink. The first line on stdin is a JSON object
(`model`, `alias`, `key`, `slots`, `threads`, `context`, `parent`); the line it prints once it serves is
{"address": "http://127.0.0.1:…"}, or {"error": …, "kind": "missing" | "failed"}.

It lives no longer than the process that started it. Only that process holds the other end of stdin, so
the end of stdin means that it is gone, whatever killed it. While the model loads, the interpreter is held
by llama.cpp and reads nothing; on Linux the kernel then ends this process with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1
_ERRORS_ONLY = 1
_LOOK_FOR_PARENT_EVERY_S = 1.0


def main() -> None:
    """Serve until stdin ends, the parent is gone or SIGTERM comes; leaves by `os._exit`."""
    report = _take_stdout()
    settings: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    _obey_signals()
    _die_with(settings["parent"])
    try:
        server = _start(settings)
    except ImportError as error:
        _leave(report, {"error": str(error), "kind": "missing"})
    except Exception as error:  # noqa: BLE001 - whatever llama.cpp raises is told to the parent, and is the end
        _leave(report, {"error": str(error), "kind": "failed"})
    _tell(report, {"address": server.listening_address})
    _wait_for_the_end(settings["parent"])
    # Not the interpreter's own way out: llama.cpp's threads are still at work and may crash in it.
    os._exit(0)


def _take_stdout() -> BinaryIO:
    """The pipe to the parent, put where llama.cpp's own prints can't reach it."""
    report = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return report


def _obey_signals() -> None:
    # Ctrl-C goes to everyone at the terminal; when this process ends is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The default action works at any moment, also while llama.cpp holds the interpreter.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _die_with(parent: int) -> None:
    """On Linux, have the kernel kill this process when the parent's thread that made it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if _orphaned(parent):  # it went before the kernel was asked
        os._exit(0)


def _orphaned(parent: int) -> bool:
    return sys.platform != "win32" and os.getppid() != parent


def _start(settings: dict[str, Any]) -> Any:
    """Load the model and serve it on 127.0.0.1, at a port that the system picks."""
    import xllamacpp  # here, because its absence is reported to the parent

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.verbosity = _ERRORS_ONLY
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    # Prompts of ended calls would be kept, up to 8 GiB of them.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    return xllamacpp.Server(params)


def _wait_for_the_end(parent: int) -> None:
    ended = threading.Event()
    threading.Thread(target=_watch_stdin, args=(ended,), daemon=True).start()
    while not ended.wait(_LOOK_FOR_PARENT_EVERY_S):
        if _orphaned(parent):  # another process inherited the other end of stdin
            return


def _watch_stdin(ended: threading.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    ended.set()


def _tell(report: BinaryIO, message: dict[str, str]) -> None:
    report.write(json.dumps(message).encode() + b"\n")


def _leave(report: BinaryIO, message: dict[str, str]) -> None:
    _tell(report, message)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
