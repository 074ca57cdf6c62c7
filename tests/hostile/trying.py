"""Conversion of hostile files in child processes, and what is demanded of each.

python tests/hostile/trying.py     is such a child: it reads files from stdin, and writes what came of them
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [path for path in (str(TESTS),) if path not in sys.path]

from hostile.making import Hostile, make  # noqa: E402
from umwelten.inputs.content import MAX_TEXT  # noqa: E402
from umwelten.types import FrozenStruct, Media, Text  # noqa: E402

MOST_S = 5.0
CRASH_S = 30.0
"""Of wall time: native code that runs into the end of its memory is ended no sooner than a worker is."""

MOST_RESIDENT = 300_000_000
ADDRESS_SPACE = 1 << 30
_GIVEN_UP_S = 180.0
"""Of wall time, where other processes have the processor."""
_ROWS = 40
_LENGTH = struct.Struct("<Q")


class Outcome(FrozenStruct):
    """What came of a file. `end`: "converted", "refused", "crashed", "wrong" or "late"; `said`: the error."""

    number: int
    kind: str
    way: str
    size: int
    end: str
    said: str
    took_s: float
    resident: int

    def offences(self, most_s: float = MOST_S) -> list[str]:
        """Return what was demanded and is not so."""
        found = []
        if self.end in ("wrong", "late"):
            found.append(self.end)
        if self.took_s > (CRASH_S if self.end == "crashed" else most_s):
            found.append(f"{self.took_s:.1f} s")
        if self.resident > MOST_RESIDENT:
            found.append(f"{self.resident / 1e6:.0f} MB")
        return found


class Child:
    """A process that converts one file after another, in an address space of 1 GB."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def convert(self, file: Hostile) -> Outcome:
        """Return what came of a file. After an offence the next one gets a new process."""
        process = self._process or self._start()
        began = time.monotonic()
        answer: tuple[str, str, float, int] | None = None
        end = "late"
        with contextlib.suppress(BrokenPipeError):
            _write(process.stdin, file)
        if select.select([process.stdout], [], [], _GIVEN_UP_S)[0]:
            answer = _read(process.stdout)
            end = "crashed"
        if answer is None:
            process.kill()
            status = process.wait()
            answer = (end, f"status {status}", time.monotonic() - began, 0)
        end, said, took_s, resident = answer
        outcome = Outcome(
            number=file.number,
            kind=file.kind,
            way=file.way,
            size=len(file.data),
            end=end,
            said=said,
            took_s=took_s,
            resident=resident,
        )
        if end in ("crashed", "late") or outcome.offences():
            self.close()
        return outcome

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    assert pipe is not None
                    pipe.close()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "MALLOC_ARENA_MAX": "1"},
        )
        _read(self._process.stdout)  # it is ready
        return self._process


def outcomes(numbers: Iterable[int], kind: str = "") -> Iterator[Outcome]:
    """Yield what comes of the files of these numbers."""
    child = Child()
    try:
        for number in numbers:
            yield child.convert(make(number, kind))
    finally:
        child.close()


def _write(pipe: IO[bytes] | None, value: object) -> None:
    assert pipe is not None
    data = pickle.dumps(value)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes] | None) -> Any:
    assert pipe is not None
    head = pipe.read(_LENGTH.size)
    return pickle.loads(pipe.read(_LENGTH.unpack(head)[0])) if len(head) == _LENGTH.size else None


# --- in the child -------------------------------------------------------------------------------


def main() -> None:
    """Convert what comes."""
    import resource

    from umwelten.inputs import reader
    from umwelten.inputs.convert import documents, images, pdf, steps  # noqa: F401 - not part of a file's time
    from umwelten.inputs.convert.html import markdown

    for module in ("mammoth", "pyarrow.parquet", "python_calamine", "pypdfium2", "charset_normalizer"):
        with contextlib.suppress(ImportError):
            __import__(module)
    steps.may_end_process()
    assert reader and markdown("<p>a", "a")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _write(replies, "ready")
    with tempfile.TemporaryDirectory() as folder:
        while (file := _read(sys.stdin.buffer)) is not None:
            path = Path(folder) / file.name
            path.write_bytes(file.data)
            Path("/proc/self/clear_refs").write_text("5")  # the highest resident size is that of this file
            began = time.process_time()  # of the processor: other processes may run at the same time
            end, said = _tried(file, path)
            took_s = time.process_time() - began
            _write(replies, (end, said, took_s, _peak()))
            path.unlink()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _tried(file: Hostile, path: Path) -> tuple[str, str]:
    from umwelten.errors import InputError

    try:
        problem = _read_table(path) if file.is_table else _read_file(file, path)
    except InputError as error:
        fine = error.message and len(error.message) < 2000 and "Traceback" not in error.message
        return ("refused" if fine else "wrong"), error.message[:300]
    except MemoryError:
        return "refused", "more than 1 GB"  # as a worker says it
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is no error of an input
        return "wrong", f"{type(error).__name__}: {error}"[:300]
    return ("wrong", problem) if problem else ("converted", "")


def _read_file(file: Hostile, path: Path) -> str:
    from umwelten.inputs import read
    from umwelten.inputs.convert.dispatch import convert
    from umwelten.providers.capabilities import Capabilities

    turn = file.number % 4
    capabilities = Capabilities(
        pictures=frozenset() if turn == 0 else frozenset(("image/jpeg", "image/png")),
        pdf=turn == 3 and file.number % 3 == 0,
        picture_side=1500,
    )
    mode = ("auto", "text", "images", "auto")[turn] if file.kind == "pdf" else "auto"
    content = read(path, name=file.name, capabilities=capabilities, pdf=mode)  # type: ignore[arg-type]
    parts = content.parts if content.convert is None else convert(content.convert).parts
    return _problem(parts)


def _read_table(path: Path) -> str:
    from umwelten.errors import InputError
    from umwelten.inputs.tables import rows

    found = list(islice(rows.rows(path), 3000))
    list(rows.notes(path))
    for row in (*found[:_ROWS], *found[-_ROWS:]):
        try:
            content = rows.read_row(path, name=row.name, part=row.part, stamp=row.stamp)
        except InputError as error:
            if not error.message:
                return "an error without words"
            continue
        problem = _problem(content.parts)
        if problem:
            return problem
    return ""


def _problem(parts: Iterable[Any]) -> str:
    for part in parts:
        if isinstance(part, Text):
            if len(part.text) > MAX_TEXT + 10_000:
                return f"a text of {len(part.text):,} characters"
            try:
                part.text.encode()
            except UnicodeEncodeError:
                return "a text with a lone surrogate"
        elif not isinstance(part, Media) or not part.data:
            return "nothing is sent"
    return ""


if __name__ == "__main__":
    main()
