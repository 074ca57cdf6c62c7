"""One worker process as its parent sees it: started, asked, ended. Blocking; nothing of it needs a loop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from umwelten import child_processes
from umwelten.errors import EXHAUSTED, InputError, MachineError
from umwelten.file_types import ODS, PDF, XLS, XLSB
from umwelten.inputs.content import Conversion, Converted, UnsupportedInput, megabytes
from umwelten.inputs.convert import steps
from umwelten.inputs.convert.dispatch import KINDS
from umwelten.inputs.workers import protocol
from umwelten.inputs.workers.interpreter import bare_environment, find_interpreter, import_path
from umwelten.inputs.workers.protocol import READY, Broken, Gone, Problem, Question
from umwelten.phrases import Phrase

MEMORY_BYTES = 1 << 30
"""Address space of a worker (Linux). A page of 16 MB takes 0.65 GB, an image of 100 million
pixels 0.98 GB."""

TIME_S = 30.0
"""Seconds for one conversion, of wall time: the longest lawful one, a page of 16 MB, takes half of that."""

MOST_CONVERSIONS = 500
"""After so many a worker is replaced, which costs 0.2 ms for each: what a library leaks is bounded."""

_START_S = 30.0
"""Seconds until a worker is ready. It takes 0.1; a machine that swaps takes a hundred times as long."""

_FILE_BYTES = 80 << 20
"""Of each file that a worker writes: a copy of a spreadsheet of 64 MB, and Python's own cache."""

_END_S = 5.0
"""Seconds for a process whose pipe is closed to be gone."""

_NET_S = 2 * TIME_S
_SCRIPT = Path(__file__).with_name("child.py")
_KILL = -getattr(signal, "SIGKILL", 0) or None
_NEEDS_A_FILE = frozenset((XLS.mime, XLSB.mime, ODS.mime))


class Killed(UnsupportedInput):
    """Somebody else ended the worker at once, as the kernel does where the machine has no memory left.

    It may be the file's fault or not, so that the file is worth another try.
    """


class Worker:
    """A process that converts one file at a time. Raises `MachineError` where it can't be started.

    `load`: MIME types whose converters it loads before it is asked.
    """

    def __init__(self, load: tuple[str, ...] = ()) -> None:
        self._asked = 0
        self._is_ready = self._is_spent = self._is_late = self._is_killed = False
        try:
            self._process = subprocess.Popen(
                [
                    find_interpreter("files can't be converted"),
                    "-I",
                    str(_SCRIPT),
                    json.dumps(_settings() | {"load": load}),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # An arena for each thread would reserve 64 MB of the limit.
                env=bare_environment() | {"MALLOC_ARENA_MAX": "1"},
                cwd=Path(sys.executable).anchor or os.sep,
                start_new_session=True,  # Ctrl-C at the terminal must reach the parent alone
            )
        except OSError as error:
            raise MachineError(
                f"the process that converts files cannot be started: {error.strerror}",
                exhausted=error.errno in EXHAUSTED,
            ) from error
        child_processes.remember(self._process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked again."""
        return not self._is_killed and not self._is_spent and self._process.poll() is None

    def convert(self, conversion: Conversion, time_s: float) -> Converted:
        """Return what is sent of a file. Raises `InputError`, and `Killed`; it is then usable or not.

        Not to be called twice at a time. `kill` from another thread ends it.
        """
        limit_s = min(time_s, TIME_S)
        try:
            self._await_start()
            with _folder(conversion) as folder, self._time_limit(limit_s):
                return self._ask(conversion, folder)
        except (Broken, BrokenPipeError, msgspec.DecodeError) as error:
            status, was_killed = self._end(is_gone=isinstance(error, (Gone, BrokenPipeError)))
            if self._is_late:
                raise _lateness(conversion, limit_s, is_users=time_s < TIME_S) from error
            if was_killed:
                raise _killed(conversion) from error
            raise _crash(conversion, status) from error
        finally:
            if not self.is_usable:
                self.close()

    def kill(self) -> None:
        """End it at once, whatever it does; whoever waits for it gets an error."""
        self._is_killed = True
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End it, and leave nothing of it."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _end(self, *, is_gone: bool) -> tuple[int, bool]:
        """End it, and return its status, and whether somebody else killed it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if is_gone and not self._is_killed:
                status = self._process.wait(_END_S)
                return status, status == _KILL and not self._is_killed
        self.kill()
        return self._process.wait(), False

    def _await_start(self) -> None:
        if self._is_ready:
            return
        assert self._process.stdout and self._process.stderr
        try:
            with self._time_limit(_START_S):
                self._is_ready = protocol.read_frame(self._process.stdout, len(READY)) == READY
        except Broken as error:
            status, was_killed = self._end(is_gone=isinstance(error, Gone))
            said = self._process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise MachineError(
                f"the process that converts files ended during its start (status {status}): {said}",
                exhausted=was_killed,
            ) from error
        self._process.stderr.close()

    def _ask(self, conversion: Conversion, folder: str) -> Converted:
        assert self._process.stdin and self._process.stdout
        self._asked += 1
        question = Question(id=self._asked, conversion=conversion, folder=folder)
        data = protocol.encode(question)
        self._is_spent = True  # until the reply is whole: what is left of it in the pipe is no other file's
        protocol.write_frame(self._process.stdin, data)
        del data
        answer = protocol.answer_decoder.decode(protocol.read_frame(self._process.stdout, protocol.MAX_REPLY))
        self._is_spent = answer.is_spent or self._asked >= MOST_CONVERSIONS
        if answer.id != self._asked:
            raise Broken("the answer to another question")
        if answer.result is not None:
            return protocol.unpack_result(answer.result)
        raise _error(answer.problem or Problem(kind="internal"), conversion)

    @contextmanager
    def _time_limit(self, time_s: float) -> Iterator[None]:
        """Kill the process after so many seconds."""
        timer = threading.Timer(time_s, self._expire)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError as error:  # the interpreter ends, or the machine has no room for a thread
            raise MachineError(f"a file cannot be converted: {error}", exhausted=True) from error
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._is_late = True
        self.kill()


def convert_now(conversion: Conversion, time_s: float) -> Converted:
    """Return what is sent of a file, from a worker that is started for it. Raises `InputError`."""
    try:
        return _convert_once(conversion, time_s)
    except Killed:
        return _convert_once(conversion, time_s)


def _convert_once(conversion: Conversion, time_s: float) -> Converted:
    worker = Worker()
    try:
        return worker.convert(conversion, time_s)
    finally:
        worker.close()


def _settings() -> dict[str, object]:
    return {
        "path": import_path(),
        "parent": os.getpid(),
        "memory_bytes": MEMORY_BYTES,
        "file_bytes": _FILE_BYTES,
        "net_s": _NET_S,
    }


@contextmanager
def _folder(conversion: Conversion) -> Iterator[str]:
    """Yield a folder for temporary files: this process removes it, also if the worker dies."""
    if conversion.mime not in _NEEDS_A_FILE:
        yield os.sep
        return
    try:
        made = TemporaryDirectory(prefix="umwelten-", ignore_cleanup_errors=True)
    except OSError as error:
        message = f"{conversion.name} needs a temporary file to be converted: {error.strerror}"
        raise MachineError(message, exhausted=error.errno in EXHAUSTED) from error
    with made as folder:
        yield folder


def _error(problem: Problem, conversion: Conversion) -> Exception:
    if problem.kind == "memory":
        return UnsupportedInput(
            f"{_subject(conversion)} can't be converted: it needs more than {_memory(conversion)} of memory. "
            f"{_ADVICE}"
        )
    if problem.kind == "internal":
        return RuntimeError(str(protocol.unpack_words(problem.words)))
    return protocol.unpack_error(problem)


def _lateness(conversion: Conversion, limit_s: float, *, is_users: bool) -> InputError:
    subject = _subject(conversion)
    if not is_users:
        return UnsupportedInput(f"{subject} can't be converted: it took longer than {limit_s:g} s. {_ADVICE}")
    return UnsupportedInput(
        Phrase(
            "{subject} can't be converted: it took longer than {option:timeout_s} allows ({limit} s). "
            "{advice}",
            subject=subject,
            limit=f"{limit_s:g}",
            advice=_ADVICE,
        )
    )


def _crash(conversion: Conversion, status: int) -> InputError:
    if steps.ENDED_BY is not None and status == -steps.ENDED_BY:
        took = "a page of it took" if conversion.mime == PDF.mime else "it took"
        return UnsupportedInput(f"{_subject(conversion)} can't be converted: {took} too long. {_ADVICE}")
    try:
        how = signal.Signals(-status).name
    except ValueError:
        how = f"status {status}"
    return UnsupportedInput(
        f"{_subject(conversion)} can't be converted: the converter crashed ({how}), so the file is damaged "
        f"or needs more than {_memory(conversion)} of memory. {_ADVICE}"
    )


def _killed(conversion: Conversion) -> Killed:
    return Killed(
        f"{_subject(conversion)} can't be converted: the converter crashed twice, killed from outside "
        "(SIGKILL), so this machine has no memory left, or the file is damaged. Free memory and try again, "
        "or split it, or save it in another format."
    )


def _subject(conversion: Conversion) -> str:
    return f"{conversion.name} is {KINDS[conversion.mime].word} that"


def _memory(conversion: Conversion) -> str:
    return megabytes(steps.PDF_BYTES) if conversion.mime == PDF.mime else "1 GB"


_ADVICE = "Split it, or save it in another format."
