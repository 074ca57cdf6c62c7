"""Conversions in processes of their own: what a file does to its converter, it does to itself alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from corpus import office, pdfs, pictures
from provider import clean_environment
from umwelten.errors import MachineError
from umwelten.file_types import DOCX, EPUB, HTML, PPTX, XLSX, FileType
from umwelten.inputs import UnsupportedInput, read
from umwelten.inputs.content import Conversion
from umwelten.inputs.workers import pool, protocol, worker
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.inputs.workers.worker import convert_now
from umwelten.phrases import by_name
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Text

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and limits memory")
SLOW = b"<html><body>" + b"<p>Hello <b>World</b> and <i>so on</i></p>" * 48_000


def file(folder: Path, data: bytes, name: str = "f", capabilities: Capabilities | None = None) -> Conversion:
    """The conversion that a file needs."""
    (folder / name).write_bytes(data)
    content = read(folder / name, name=name, capabilities=capabilities or Capabilities())
    assert content.convert is not None
    return content.convert


def nested_pdf(layers: int, size: int) -> bytes:
    """A page whose content unpacks, layer by layer, to so many bytes, which only pdfium finds."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = size % 65521 << 16 | 1
    data = b"\x78\x9c" + megabyte * (size >> 20) + b"\x03\x00" + checksum.to_bytes(4, "big")
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)
    head = b"<</Length %d/Filter 5 0 R>>stream\n" % len(data)
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>",
        head + data + b"\nendstream",
        b"[%s]" % (b"/FlateDecode " * layers),
    )
    out, offsets = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return "\nState:\tZ" not in status or "\nThreads:\t1\n" not in status
    except OSError:
        return False


def wait_until_gone(*pids: int, within_s: float = 2.0) -> None:
    end = time.monotonic() + within_s
    while any(map(alive, pids)):
        assert time.monotonic() < end, "a worker is left"
        time.sleep(0.005)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def children() -> set[int]:
    """The processes of this one, those that only wait to be waited for among them; none but on Linux."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            if int(status.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(status.parent.name))
    return found


@pytest.fixture
def no_child_is_left() -> Iterator[None]:
    # Servers of other tests may run beside.
    others, before = children(), descriptors()
    yield
    assert children() <= others
    assert descriptors() <= before


pytestmark = pytest.mark.usefixtures("no_child_is_left")


@ON_LINUX
def test_a_file_that_takes_all_memory_fails_alone(tmp_path: Path) -> None:
    poison = file(tmp_path, nested_pdf(3, 2 << 30), "poison.pdf")
    assert len(poison.data) < 1000
    good = [
        file(tmp_path, office.docx(), "a.docx"),
        file(tmp_path, pdfs.text(["The harvest of 1912."]), "a.pdf"),
        file(tmp_path, b"<html><body><p>The harvest</p>", "a.html"),
        file(tmp_path, pictures.jpeg((200, 100)), "a.jpg", Capabilities(picture_side=50)),
    ] * 3

    async def go() -> list[object]:
        converting = ConversionPool(120)
        try:
            return await asyncio.gather(
                *(converting.convert(each) for each in [poison, *good, poison]), return_exceptions=True
            )
        finally:
            await converting.close()

    first, *others, last = asyncio.run(go())
    for error in (first, last):
        assert isinstance(error, UnsupportedInput)
        assert error.message.startswith("poison.pdf is a PDF that can't be converted: the converter crashed")
        assert "more than 300 MB of memory" in error.message
    assert not [other for other in others if isinstance(other, Exception)]


def test_an_error_arrives_as_it_was_raised(tmp_path: Path) -> None:
    scan = file(tmp_path, pdfs.scan(pictures.jpeg(), pages=1), "s.pdf", Capabilities(pictures=frozenset()))
    with pytest.raises(UnsupportedInput) as raised:
        convert_now(scan, 30)
    assert raised.value.message.startswith("s.pdf is a PDF without text")
    seen = file(tmp_path, pdfs.scan(pictures.jpeg(), pages=101), "s.pdf")
    with pytest.raises(UnsupportedInput) as raised:
        convert_now(seen, 30)
    assert raised.value.spell(lambda name, value: f"--{name} {value}").message.endswith(
        "Use --pdf images with up to 100 pages."
    )
    assert raised.value.spell(by_name).message.endswith("Use pdf='images' with up to 100 pages.")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (DOCX, office.docx("<br/>" * 100_000)),
        (HTML, b"<html>" + b"<br>" * 160_000),
        *((XLSX, office.xlsx()[:-60]), (PPTX, office.pptx()[:-60]), (EPUB, office.epub()[:-60])),
    ],
    ids=lambda value: value.endings[0] if isinstance(value, FileType) else "",
)
def test_a_document_that_is_refused_is_refused_at_once_and_its_worker_goes_on(
    tmp_path: Path, kind: FileType, data: bytes
) -> None:
    refused = Conversion(step="document", mime=kind.mime, data=data, name="f", capabilities=Capabilities())

    async def go() -> None:
        converting = ConversionPool(5)
        with pytest.raises(UnsupportedInput, match=r"too many elements|damaged or cut off"):
            await converting.convert(refused)
        (pid,) = converting.pids
        await converting.convert(file(tmp_path, office.docx(), "a.docx"))
        assert converting.pids == [pid]
        await converting.close()

    asyncio.run(go())


def test_one_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = file(tmp_path, SLOW, "slow.html")
    with pytest.raises(UnsupportedInput, match=r"took longer than timeout_s allows \(0\.2 s\)"):
        convert_now(slow, 0.2)
    monkeypatch.setattr(worker, "TIME_S", 0.1)
    with pytest.raises(UnsupportedInput, match=r"slow\.html is an HTML page that .* longer than 0\.1 s\."):
        convert_now(slow, 0.2)


@ON_LINUX
def test_the_wait_for_a_worker_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST", 1)
    slow, good = file(tmp_path, SLOW, "slow.html"), file(tmp_path, office.docx(), "a.docx")

    async def go() -> None:
        converting = ConversionPool(1.5)
        first = asyncio.create_task(converting.convert(slow))
        others = [asyncio.create_task(converting.convert(good)) for _ in range(3)]
        with pytest.raises(UnsupportedInput, match="took longer"):
            await first
        await asyncio.gather(*others)
        await converting.close()

    asyncio.run(go())


@ON_LINUX
def test_a_cancelled_call_ends_its_worker_and_no_other(tmp_path: Path) -> None:
    slow, good = file(tmp_path, SLOW, "slow.html"), file(tmp_path, office.docx(), "a.docx")

    async def go() -> None:
        converting = ConversionPool(120)
        await converting.convert(good)
        kept = converting.pids
        one, two = (asyncio.create_task(converting.convert(slow)) for _ in range(2))
        while len(converting.pids) < 2:
            await asyncio.sleep(0.005)
        ended = [pid for pid in converting.pids if pid not in kept]
        two.cancel()
        await asyncio.wait({two})
        assert alive(kept[0]) and not one.done()  # the same conversion, begun before it, still takes seconds
        wait_until_gone(*ended)
        assert alive(kept[0])
        await converting.convert(good)  # another worker takes its place
        one.cancel()
        await asyncio.wait({one})
        await converting.close()
        wait_until_gone(*kept)

    asyncio.run(go())


@ON_LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_worker_that_dies_or_stands_still_fails_its_own_file(tmp_path: Path, number: int) -> None:
    slow, good = file(tmp_path, SLOW, "slow.html"), file(tmp_path, office.docx(), "a.docx")

    async def go() -> None:
        converting = ConversionPool(1.0)
        await converting.convert(good)
        (pid,) = converting.pids
        converted = asyncio.create_task(converting.convert(slow))
        await asyncio.sleep(0.1)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            os.kill(await another(converting, pid), number)
        said = {signal.SIGSTOP: "took longer", signal.SIGKILL: "crashed twice.* no memory left, or the file"}
        with pytest.raises(UnsupportedInput, match=said.get(number, "crashed")):
            await converted
        await converting.convert(good)
        for idle in converting.pids:
            os.kill(idle, signal.SIGKILL)
            wait_until_gone(idle)
        await converting.convert(good)  # one that died while it waited is nobody's fault
        await converting.close()

    asyncio.run(go())


async def another(converting: ConversionPool, pid: int) -> int:
    """Return the process that takes the place of the only one, when it converts."""
    while converting.pids in ([], [pid]):
        await asyncio.sleep(0.005)
    (other,) = converting.pids
    await until_it_converts(other)
    return other


async def until_it_converts(pid: int) -> None:
    """Wait until a process has loaded the parser of the page that it was given."""
    while "lxml" not in Path(f"/proc/{pid}/maps").read_text():
        await asyncio.sleep(0.005)


@ON_LINUX
def test_a_file_whose_worker_is_killed_from_outside_is_tried_once_more(tmp_path: Path) -> None:
    files = [file(tmp_path, SLOW[: len(SLOW) // 8], f"{number}.html") for number in range(2)]

    async def go() -> None:
        converting = ConversionPool(120)
        converted = [asyncio.create_task(converting.convert(each)) for each in files]
        while len(converting.pids) < 2:
            await asyncio.sleep(0.005)
        killed = converting.pids
        for pid in killed:
            await until_it_converts(pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        for each in await asyncio.gather(*converted):
            assert isinstance(each.parts[0], Text) and "Hello **World**" in each.parts[0].text
        assert not set(killed) & set(converting.pids)
        await converting.close()

    asyncio.run(go())


@ON_LINUX
def test_half_a_reply_that_is_not_read_is_no_other_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = file(tmp_path, office.docx(), "a.docx")
    read_frame = protocol.read_frame

    def without_memory(stream: IO[bytes], most: int) -> bytes:
        if most == protocol.MAX_REPLY:
            stream.read(8)
            raise MemoryError
        return read_frame(stream, most)

    async def go() -> None:
        converting = ConversionPool(120)
        first = await converting.convert(good)
        with monkeypatch.context() as patched, pytest.raises(MemoryError):
            patched.setattr(protocol, "read_frame", without_memory)
            await converting.convert(good)
        assert converting.pids == []
        assert await converting.convert(good) == first
        await converting.close()

    asyncio.run(go())


@ON_LINUX
def test_a_worker_is_reused_and_replaced_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_CONVERSIONS", 3)
    good = file(tmp_path, office.docx(), "a.docx")

    async def go() -> list[int]:
        converting = ConversionPool(120)
        pids = []
        for _ in range(5):
            await converting.convert(good)
            pids += converting.pids
        await converting.close()
        return pids

    pids = asyncio.run(go())
    assert pids == [pids[0]] * 2 + [pids[2]] * 2 and pids[0] != pids[2]


@ON_LINUX
def test_workers_for_the_first_documents_are_started_ahead_with_their_converters(tmp_path: Path) -> None:
    good = file(tmp_path, office.docx(), "a.docx")

    async def go() -> None:
        converting = ConversionPool(120, ahead={good.mime: 1})
        (ahead,) = converting.pids
        deadline = time.monotonic() + 20
        # lxml's library is mapped once the converter is loaded, before there is anything to convert.
        while "lxml" not in Path(f"/proc/{ahead}/maps").read_text():
            assert time.monotonic() < deadline, "the converter is not loaded"
            await asyncio.sleep(0.02)
        await converting.convert(good)
        assert converting.pids == [ahead]
        await converting.close()

    asyncio.run(go())


@ON_LINUX
def test_a_worker_has_no_key_and_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("LD_PRELOAD_KEY", "sk-secret")

    async def go() -> None:
        converting = ConversionPool(120)
        await converting.convert(file(tmp_path, office.docx(), "a.docx"))
        (pid,) = converting.pids
        assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert f"Max address space         {1 << 30}" in limits
        assert "Max core file size        0 " in limits
        assert os.getsid(pid) == pid  # Ctrl-C at the terminal does not reach it
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        await converting.close()

    asyncio.run(go())


_PARENT = """
import asyncio, sys
from umwelten.inputs import read
from umwelten.inputs.workers.pool import ConversionPool
async def main():
    pool = ConversionPool(120)
    task = asyncio.create_task(pool.convert(read(sys.argv[1], name="f").convert))
    while not pool.pids:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    print(*pool.pids, flush=True)
    await task
asyncio.run(main())
"""


@ON_LINUX
def test_a_parent_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    (tmp_path / "slow.html").write_bytes(SLOW)
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, "slow.html"],  # no guard: the library is used from plain scripts
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids and all(map(alive, pids))
        parent.kill()
    wait_until_gone(*pids)


@ON_LINUX
def test_without_room_for_a_process_the_machine_is_to_blame(tmp_path: Path) -> None:
    import resource

    good = file(tmp_path, office.docx(), "a.docx")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)  # the lowest that is free, whatever other tests hold
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with pytest.raises(MachineError, match="cannot be started: Too many open files") as raised:
            convert_now(good, 30)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.exhausted


@pytest.mark.parametrize("program", ["/usr/bin/true", "", "/opt/app/server"])
def test_a_program_that_is_no_python_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    with pytest.raises(MachineError, match="needs a Python interpreter"):
        convert_now(file(tmp_path, office.docx(), "a.docx"), 30)


def test_an_interpreter_that_cannot_import_us_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SCRIPT", tmp_path / "gone.py")
    with pytest.raises(MachineError, match=r"ended during its start .*gone\.py"):
        convert_now(file(tmp_path, office.docx(), "a.docx"), 30)


def test_names_of_any_kind_arrive(tmp_path: Path) -> None:
    for name in ("é東🐝.docx", "a b'\"{x}.docx"):
        (part,) = convert_now(file(tmp_path, office.docx(), name), 30).parts
        assert isinstance(part, Text) and part.text.startswith(f"File: {name}\n")


def test_a_run_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    convert_now(file(tmp_path, office.docx(), "a.docx"), 30)
    for thread in set(threading.enumerate()) - before:
        thread.join(5.0)  # a timer that was cancelled takes a moment to end
    assert set(threading.enumerate()) <= before
