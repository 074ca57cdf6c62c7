"""The process that runs llama.cpp: started by `process.py` as a script, never imported by umwelten.

It imports nothing of umwelten, so it starts fast. The first line on stdin is a JSON object (`model`, `alias`,
`key`, `slots`, `threads`, `context`, `parent`); the line it prints when it serves is
{"address": "http://127.0.0.1:…"}, or {"error": …, "kind": "missing" | "failed"}.

It ends with the process that started it. Only that process holds the other end of stdin, so the end of stdin
means that it is gone, whatever killed it. While the model loads, llama.cpp holds the interpreter, which then
reads nothing; on Linux the kernel kills this process when its parent ends.
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
    report = _redirect_stdout()
    settings: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    _set_signal_handlers()
    _exit_with_parent(settings["parent"])
    try:
        server = _start(settings)
    except ImportError as error:
        _exit_with_error(report, {"error": str(error), "kind": "missing"})
    except Exception as error:  # noqa: BLE001 - whatever llama.cpp raises is reported to the parent
        _exit_with_error(report, {"error": str(error), "kind": "failed"})
    _send(report, {"address": server.listening_address})
    _wait_for_end(settings["parent"])
    # Not `sys.exit`: llama.cpp's threads are still running and may crash during shutdown.
    os._exit(0)


def _redirect_stdout() -> BinaryIO:
    """Return the pipe to the parent, and point stdout at stderr, because llama.cpp prints there."""
    report = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return report


def _set_signal_handlers() -> None:
    # Ctrl-C reaches every process at the terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The default action also works while llama.cpp holds the interpreter.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit_with_parent(parent: int) -> None:
    """On Linux, have the kernel kill this process when the parent's thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if _is_orphan(parent):  # the parent ended before the request to the kernel
        os._exit(0)


def _is_orphan(parent: int) -> bool:
    return sys.platform != "win32" and os.getppid() != parent


def _start(settings: dict[str, Any]) -> Any:
    """Load the model and serve it on 127.0.0.1, at a port that the system chooses."""
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
    # Otherwise the prompts of finished calls are kept, up to 8 GiB.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    return xllamacpp.Server(params)


def _wait_for_end(parent: int) -> None:
    ended = threading.Event()
    threading.Thread(target=_watch_stdin, args=(ended,), daemon=True).start()
    while not ended.wait(_LOOK_FOR_PARENT_EVERY_S):
        if _is_orphan(parent):  # another process inherited the other end of stdin
            return


def _watch_stdin(ended: threading.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    ended.set()


def _send(report: BinaryIO, message: dict[str, str]) -> None:
    report.write(json.dumps(message).encode() + b"\n")


def _exit_with_error(report: BinaryIO, message: dict[str, str]) -> None:
    _send(report, message)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
