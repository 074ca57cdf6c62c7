"""The command line, and programs that use the library, in a child that has their modules already.

Most of what a short command takes is the start of Python and its imports, 0.2 to 0.5 s of CPU. `Forks` does
that once, in a process that does nothing else, and every command is a fork of it: a process of its own, with
the arguments, environment, working directory and standard streams that it would have been started with.
What is tested about the start itself (imports, memory, signals meanwhile) needs a real one: `run_python`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Self

from provider import Ran, clean_environment, run_python

_MESSAGE = 1 << 20
_MOST_FILES = 1 << 16  # far more than this process has open
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
    *("umwelten.api.functions", "umwelten.evaluation.evaluation", "umwelten.evaluation.memory.learning"),
    *("umwelten.evaluation.remote_attempts", "umwelten.fleet.worker_runner"),
    *("umwelten.report.render.csv", "umwelten.report.render.html", "umwelten.tools.built_in.calculator"),
)
"""What commands import, most of them late: without a name of these, only time is lost."""


class Forked:
    """A command that is a fork. It says what `subprocess.Popen` says of a child, as far as tests ask."""

    def __init__(self, pid: int, told: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._told = told
        self._read: dict[IO[str], bytearray] = {
            stream: bytearray() for stream in (stdout, stderr) if stream is not None
        }

    def poll(self) -> int | None:
        """The exit status, or nothing while it runs."""
        return self._status(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status, or minus the signal that ended it."""
        code = self._status(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0.0)
        return code

    def _status(self, timeout_s: float | None) -> int | None:
        if self.returncode is None:
            self._told.settimeout(timeout_s)
            try:
                self.returncode = int(self._told.recv(64))
            except (TimeoutError, BlockingIOError):
                return None
            self._told.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str | None, str | None]:
        """Read both streams to their ends and wait; what was read before a time-out is not lost."""
        end = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as waiting:
            for stream in self._read:
                if not stream.closed:
                    waiting.register(stream, selectors.EVENT_READ, stream)
            while waiting.get_map():
                ready = waiting.select(None if end is None else max(0.0, end - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0.0)
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    self._read[key.data] += data
                    if not data:
                        waiting.unregister(key.fileobj)
                        key.data.close()
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        out, err = (
            None if stream is None else _text(bytes(self._read[stream]))
            for stream in (self.stdout, self.stderr)
        )
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._read:
            stream.close()
        self.wait()


class Forks:
    """A process that forks. It starts with the first command, and ends with this one."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._socket: socket.socket | None = None

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout_s: float = 60.0,
    ) -> Ran:
        """Run Python with `arguments` and wait for its end, as `run_python` does for what no fork can."""
        wanted = clean_environment(env)
        if not self._can(arguments, wanted):
            return run_python(arguments, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s)
        made = tempfile.TemporaryFile
        with made() as given, made() as out, made() as err:
            given.write(stdin.encode())
            given.seek(0)
            pid, told = self._fork(arguments, cwd, wanted, [given.fileno(), out.fileno(), err.fileno()])
            with Forked(pid, told, None, None) as process:
                try:
                    code = process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None
            out.seek(0)
            err.seek(0)
            return Ran(code, _text(out.read()), _text(err.read()))

    def start(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Forked | subprocess.Popen[str]:
        """Start Python with `arguments` in this environment; nothing comes from its standard input.

        The streams are `PIPE`, `DEVNULL` or a file's number.
        """
        if not self._can(arguments, env):
            command = [sys.executable, *arguments]
            return subprocess.Popen(command, cwd=cwd, env=env, stdout=stdout, stderr=stderr, text=True)
        with ExitStack() as theirs:
            nothing = os.open(os.devnull, os.O_RDWR)
            theirs.callback(os.close, nothing)
            ends, ours = [nothing], []
            for asked in (stdout, stderr):
                reading = None
                if asked == subprocess.PIPE:
                    reader, asked = os.pipe()
                    theirs.callback(os.close, asked)
                    reading = os.fdopen(reader, encoding="utf-8")
                ours.append(reading)
                ends.append(nothing if asked == subprocess.DEVNULL else asked)
            return Forked(*self._fork(arguments, cwd, env, ends), *ours)

    def _can(self, arguments: Sequence[str], env: Mapping[str, str]) -> bool:
        """Whether a fork is what a new process would be."""
        known = arguments[0] in ("-m", "-c") or not arguments[0].startswith("-")
        same = _at_start(env) == _at_start(clean_environment())
        able = sys.platform == "linux" and hasattr(os, "pidfd_open")
        return able and known and same and "COVERAGE_PROCESS_START" not in env

    def _fork(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: list[int]
    ) -> tuple[int, socket.socket]:
        """Returns the pid of the fork, and where its exit status will come from."""
        message = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        assert len(message) < _MESSAGE
        with self._starting:
            server = self._socket = self._socket or self._start()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(server, [message], [*streams, theirs.fileno()])
        return int(ours.recv(64)), ours

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
            self._socket = None
            self._process.wait(30)


FORKS = Forks()
"""The one of this process; conftest ends it."""


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    read = {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}
    return read if read.get("LANG", "C.UTF-8") != "C.UTF-8" else {**read, "LANG": "C.UTF-8"}  # PEP 538


def _text(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n")


def _serve(server: socket.socket) -> dict[str, Any] | None:
    """Fork a child for each message; returns what is asked for in the child, and nothing at the end."""
    running: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor that says that it has ended
    waiting = select.poll()
    waiting.register(server, select.POLLIN)
    while True:
        for ready, _ in waiting.poll():
            if ready in running:
                waiting.unregister(ready)
                pid, told = running.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with told, suppress(OSError):  # nobody may wait for it
                    told.send(str(code).encode())
                continue
            data, streams, _, _ = socket.recv_fds(server, _MESSAGE, 4)
            if not data:
                return None
            told = socket.socket(fileno=streams.pop())
            pid = os.fork()
            if pid == 0:
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                os.closerange(3, _MOST_FILES)
                asked: dict[str, Any] = json.loads(data)
                return asked
            for stream in streams:
                os.close(stream)
            told.send(str(pid).encode())
            ended = os.pidfd_open(pid)
            running[ended] = (pid, told)
            waiting.register(ended, select.POLLIN)


def _become(asked: dict[str, Any]) -> None:
    """Be Python with these arguments."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    first, *rest = asked["arguments"]
    code = 0
    try:
        if first == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            sys.argv = ["-c", *rest[1:]]
            sys.path.insert(0, "")
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), main.__dict__)
        else:
            sys.argv = [first, *rest]
            sys.path.insert(0, str(Path(first).resolve().parent))
            main = sys.modules["__main__"] = ModuleType("__main__")
            main.__file__ = first
            exec(compile(Path(first).read_bytes(), first, "exec"), main.__dict__)
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
