"""What a worker does once it has started: it reads questions, converts, and answers."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from umwelten.errors import InputError
from umwelten.inputs.convert import steps
from umwelten.inputs.convert.dispatch import convert, load_converter
from umwelten.inputs.workers import protocol
from umwelten.inputs.workers.protocol import READY, Answer, Broken, Problem, Question

RESIDENT_BYTES = 300_000_000
"""A worker that holds more after a conversion answers no other: native code leaks, and heaps fragment."""

_MAX_QUESTION = 1 << 31
_M_MMAP_THRESHOLD = -3


def serve(requests: BinaryIO, replies: BinaryIO, *, net_s: float, load: Iterable[str] = ()) -> None:
    """Answer until the parent closes its pipe. A conversion of more than `net_s` seconds ends the process.

    `load`: MIME types whose converters are imported first.
    """
    _return_memory()
    steps.may_end_process()
    for mime in load:
        load_converter(mime)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 2)  # up to here, the parent shows what was said
    os.close(nothing)
    with contextlib.suppress(Broken, BrokenPipeError):
        protocol.write_frame(replies, READY)
        while True:
            data = protocol.read_frame(requests, _MAX_QUESTION)
            # Its thread is none of Python's: it ends the process also if a library holds the interpreter.
            faulthandler.dump_traceback_later(net_s, exit=True)
            answer = _answer(protocol.question_decoder.decode(data))
            del data
            protocol.write_frame(replies, _encode(answer))
            faulthandler.cancel_dump_traceback_later()


def _answer(question: Question) -> Answer:
    tempfile.tempdir = question.folder
    try:
        result = protocol.pack_result(convert(question.conversion))
        return Answer(id=question.id, result=result, is_spent=_resident_bytes() > RESIDENT_BYTES)
    except Exception as error:  # noqa: BLE001 - whatever a converter raises is told to the parent
        if _is_of_memory(error):
            return Answer(id=question.id, problem=Problem(kind="memory"), is_spent=True)
        if isinstance(error, InputError):
            return Answer(id=question.id, problem=protocol.pack_error(error))
        problem = Problem(kind="internal", words=protocol.pack_words(repr(error)))
        return Answer(id=question.id, problem=problem, is_spent=True)


def _encode(answer: Answer) -> bytes:
    try:
        data = protocol.encode(answer)
    except MemoryError:
        return protocol.encode(Answer(id=answer.id, problem=Problem(kind="memory"), is_spent=True))
    except Exception as error:  # noqa: BLE001 - such as a text that is not Unicode
        problem = Problem(kind="internal", words=protocol.pack_words(ascii(error)))
        return protocol.encode(Answer(id=answer.id, problem=problem, is_spent=True))
    if len(data) > protocol.MAX_REPLY:
        return protocol.encode(Answer(id=answer.id, problem=Problem(kind="memory"), is_spent=True))
    return data


def _is_of_memory(error: BaseException | None) -> bool:
    """Return whether an error came of a `MemoryError`: converters take most errors for damage."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # one may be its own cause
        if isinstance(error, MemoryError):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False


def _resident_bytes() -> int:
    """Return what this process holds now; 0 where that can't be known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _return_memory() -> None:
    """Let large blocks go back at once: glibc keeps those that it has seen often, and they add up."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)
