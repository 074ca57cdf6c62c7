"""Trouble of this machine, really made: what it is taken for, and that no file gets the blame."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from rawserver import raw_server
from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.local_trouble import exhaustion, local_failure
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.target import Target
from umwelten.attempts.transport import Transport
from umwelten.engine.interfaces import AttemptResult
from umwelten.errors import InputError, MachineError, read_error
from umwelten.events import Event, Note
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.wires import WIRES
from umwelten.types import (
    EXHAUSTED_CODE,
    Call,
    Failure,
    FailureKind,
    Input,
    ModelRef,
    Prompt,
    Reply,
    RequestSettings,
)
from wirekit import place

resource = pytest.importorskip("resource")
BODY = b'{"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}'
BUILDER = RequestBuilder(RequestSettings(prompts=(Prompt(name="", text="Hello."),)))
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """Nothing can be opened meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def attempts(
    paths: list[str], *, broken: contextlib.AbstractContextManager[None]
) -> tuple[list[AttemptResult], list[Note]]:
    """Attempts about these files ("" for none), the last one after the trouble is over; and the warnings."""
    notes: list[Note] = []

    def observe(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()

    async def go() -> list[AttemptResult]:
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            target = Target(
                model=ModelRef("openai", "m"), endpoint=place("openai", f"{url}/v1"), wire=WIRES["openai"]
            )
            runner = HttpAttemptRunner(
                builder=BUILDER,
                targets={1: target},
                transport=transport,
                inputs=InputReader(BUILDER, ConversionPool(10), None, observe),
                price=lambda usage, model: None,
                stream=False,
                observer=observe,
                check=OutcomeCheck(),
            )
            calls = [
                Call(id=i, model=1, input=Input(id=i + 1, name="a.txt", path=path) if path else None)
                for i, path in enumerate(paths)
            ]
            with broken:
                results = [await runner(call, (), None) for call in calls[:-1]]
            return [*results, await runner(calls[-1], (), None)]

    return asyncio.run(asyncio.wait_for(go(), 30)), notes


def test_a_file_for_which_there_is_no_descriptor_is_read_later(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("words")
    (*crowded, last), notes = attempts([str(file)] * 3, broken=no_more_files())
    for result in crowded:
        assert isinstance(result.outcome, Failure)
        assert (result.outcome.kind, result.outcome.code) == (FailureKind.LOCAL, EXHAUSTED_CODE)
        assert (result.outcome.retry, result.cost_nusd) == (True, 0)
        assert "Too many open files" in result.outcome.message
    assert isinstance(last.outcome, Reply), last
    assert len(notes) == 1, "told once"
    assert "ulimit -n" in notes[0].text


def test_a_connection_for_which_there_is_no_descriptor_is_made_later() -> None:
    (crowded, last), _ = attempts(["", ""], broken=no_more_files())
    assert isinstance(crowded.outcome, Failure)
    assert (crowded.outcome.kind, crowded.outcome.code) == (FailureKind.LOCAL, EXHAUSTED_CODE)
    assert crowded.cost_nusd == 0
    assert isinstance(last.outcome, Reply), last


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_disk_that_fails_is_not_the_files_fault() -> None:
    (result, _), notes = attempts(["/proc/self/mem", ""], broken=contextlib.nullcontext())
    assert isinstance(result.outcome, Failure)
    assert (result.outcome.kind, result.outcome.code) == (FailureKind.LOCAL, "io")
    assert (result.outcome.retry, result.cost_nusd) == (True, 0)
    assert not notes


def test_a_file_that_is_gone_or_is_none_stays_that_calls_fault(tmp_path: Path) -> None:
    results, _ = attempts([str(tmp_path / "gone"), str(tmp_path), ""], broken=contextlib.nullcontext())
    for result in results[:-1]:
        assert isinstance(result.outcome, Failure)
        assert (result.outcome.kind, result.outcome.retry) == (FailureKind.BAD_REQUEST, False)


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"])
def test_want_of_room_is_exhaustion_wherever_it_is_met(name: str) -> None:
    error = OSError(getattr(errno, name), "no room")
    assert isinstance(read := read_error("a", error), MachineError)
    assert read.exhausted
    assert local_failure(error).code == local_failure(read).code == EXHAUSTED_CODE
    key = ConnectionKey("h", 80, False, True, None, None, None)
    for cause in (error, OSError(f"Multiple exceptions: [Errno {error.errno}] no room, [Errno 101] no way")):
        failure = exhaustion(aiohttp.ClientConnectorError(key, cause))
        assert failure is not None
        assert failure.code == EXHAUSTED_CODE


@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EINTR", "ETIMEDOUT", "ENOTCONN", "EREMOTEIO", "EBUSY"])
def test_what_says_nothing_about_the_file_is_the_machines(name: str) -> None:
    number = getattr(errno, name, None)
    if number is None:
        pytest.skip("unknown here")
    assert isinstance(error := read_error("a", OSError(number, "broken")), MachineError)
    assert local_failure(error).code == "io"


@pytest.mark.parametrize("name", ["ENOENT", "EACCES", "EISDIR", "ENAMETOOLONG", "ELOOP", "ENOTDIR"])
def test_what_is_about_the_file_is_no_trouble_of_the_machine(name: str) -> None:
    error = read_error("a", OSError(getattr(errno, name), "no"))
    assert isinstance(error, InputError)
    assert not isinstance(error, MachineError)


def test_a_refused_connection_is_no_exhaustion() -> None:
    key = ConnectionKey("h", 80, False, True, None, None, None)
    assert exhaustion(aiohttp.ClientConnectorError(key, OSError(errno.ECONNREFUSED, "refused"))) is None
    assert exhaustion(aiohttp.ServerDisconnectedError()) is None


def test_what_happened_on_this_machine_is_told_in_its_own_words() -> None:
    def told(error: OSError | MemoryError) -> tuple[str, str | None]:
        failure = local_failure(error)
        assert failure.kind is FailureKind.LOCAL
        return failure.message, failure.code

    assert told(MemoryError()) == ("out of memory", EXHAUSTED_CODE)
    assert told(OSError(errno.EMFILE, "Too many open files", "a.txt")) == (
        "a.txt: Too many open files",
        EXHAUSTED_CODE,
    )
    assert told(OSError(errno.EIO, "Input/output error", "a.txt")) == ("a.txt: Input/output error", "io")
    assert told(OSError(errno.EIO, "Input/output error")) == ("Input/output error", "io")
