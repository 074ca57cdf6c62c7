"""The command line in a child that has its modules already.

Most of what a short command takes is the start of Python and its imports, 0.2 to 0.5 s of CPU. `Forks` does
that once, in a process that does nothing else, and every command is a fork of it: a process of its own, with
the arguments, environment, working directory and standard streams that it would have been started with.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provider import Ran, clean_environment, run_python

_MESSAGE = 1 << 20
# What the interpreter reads when it starts, and what coverage is told about a child by.
_READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "COVERAGE_", "MALLOC_")
LOADED = (
    *("aiohttp", "encodings.ascii", "encodings.idna", "filelock", "jsonschema", "platformdirs", "resource"),
    *("rich.console", "rich.live", "sqlite3", "stringprep", "termios", "uvloop", "zoneinfo"),
    *("umwelten.cli.app", "umwelten.cli.compare", "umwelten.cli.config", "umwelten.cli.dry_run"),
    *("umwelten.cli.eval", "umwelten.cli.evaluate", "umwelten.cli.judging", "umwelten.cli.report"),
    *("umwelten.cli.memory.facts", "umwelten.cli.memory.learn", "umwelten.report.progress.board"),
    *("umwelten.cli.progress.plain", "umwelten.cli.progress.verbose", "umwelten.cli.runner"),
    *("umwelten.cli.score", "umwelten.cli.table_layout", "umwelten.cli.tools"),
    *("umwelten.evaluation.evaluation", "umwelten.evaluation.memory.learning"),
    *("umwelten.report.render.csv", "umwelten.report.render.html", "umwelten.tools.built_in.calculator"),
)
"""What commands import, most of them late: without a name of these, only time is lost."""


class Forks:
    """A process that forks. It starts with the first command, and ends with this one."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._socket: socket.socket | None = None
        self._environment = _at_start(clean_environment())

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout_s: float = 60.0,
    ) -> Ran:
        """Run `umwelten` and wait for its end, as `run_python` does, which also does what no fork can."""
        wanted = clean_environment(env)
        plain = sys.platform == "linux" and _at_start(wanted) == self._environment
        if not plain or "COVERAGE_PROCESS_START" in wanted or not self._busy.acquire(blocking=False):
            command = ["-m", "umwelten", *arguments]
            return run_python(command, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s)
        try:
            return self._run(list(arguments), cwd, wanted, stdin, timeout_s)
        finally:
            self._busy.release()

    def _run(self, arguments: list[str], cwd: Path, env: dict[str, str], stdin: str, timeout_s: float) -> Ran:
        server = self._socket = self._socket or self._start()
        made = tempfile.TemporaryFile
        with made() as given, made() as out, made() as err:
            given.write(stdin.encode())
            given.seek(0)
            message = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env}).encode()
            assert len(message) < _MESSAGE
            socket.send_fds(server, [message], [given.fileno(), out.fileno(), err.fileno()])
            pid = int(server.recv(64))
            server.settimeout(timeout_s)
            try:
                code = int(server.recv(64))
            except TimeoutError:
                os.kill(pid, 9)
                server.settimeout(None)
                server.recv(64)
                raise subprocess.TimeoutExpired(arguments, timeout_s) from None
            out.seek(0)
            err.seek(0)
            return Ran(code, _text(out.read()), _text(err.read()))

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=clean_environment({"PYTHONPATH": os.pathsep.join(map(str, sys.path))}),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return ours

    def close(self) -> None:
        """End the process that forks."""
        if self._socket is not None:
            self._socket.close()
            self._process.wait(30)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


def _text(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n")


def _serve(server: socket.socket) -> dict[str, Any] | None:
    """Fork a child for each message; returns what is asked for in the child, and nothing at the end."""
    while True:
        data, streams, _, _ = socket.recv_fds(server, _MESSAGE, 3)
        if not data:
            return None
        pid = os.fork()
        if pid == 0:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            os.closerange(3, max(*streams, server.fileno()) + 1)
            asked: dict[str, Any] = json.loads(data)
            return asked
        for stream in streams:
            os.close(stream)
        server.send(str(pid).encode())
        server.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(asked: dict[str, Any]) -> None:
    """Be `python -m umwelten` with these arguments."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["umwelten", *asked["arguments"]]
    code = 0
    try:
        runpy.run_module("umwelten", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python itself would show
        traceback.print_exc()
        code = 1
    # What Python does at its end, but for taking apart every module, which would copy all of their memory.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, which a command is not started from
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # else the collector writes to, and so copies, all that a child shares with this process
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        _become(request)
