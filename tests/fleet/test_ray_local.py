"""A Ray cluster of one run: frames there and back, a worker that dies, and nothing left at the end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.ray_carrier import RayCarrier

pytest.importorskip("ray")


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.joined: dict[int, WorkerPlace] = {}
        self.left: dict[int, str] = {}
        self.frames: dict[int, list[bytes]] = {}
        self.signs = 0

    def on_join(self, worker: int, place: WorkerPlace) -> None:
        self.joined[worker] = place

    def on_frame(self, worker: int, frame: bytes) -> None:
        self.signs += 1
        self.frames.setdefault(worker, []).append(frame)

    def on_leave(self, worker: int, why: str) -> None:
        self.left[worker] = why

    def words(self, worker: int) -> list[bytes]:
        return b" ".join(frame for frame in self.frames.get(worker, []) if frame).split()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def of_session(session: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


async def run(capfd: pytest.CaptureFixture[str]) -> None:
    heard = Heard()
    carrier = RayCarrier(None, 2, maker="ray_echo:Echo", hidden=("A_KEY",))
    await carrier.open(heard)
    sessions = {os.getsid(place.pid) for place in heard.joined.values()}
    try:
        assert sorted(heard.joined) == [1, 2]
        numbers = [str(number).encode() for number in range(500)]
        for number in numbers:
            carrier.send(1, number)
        await until(lambda: len(heard.words(1)) == 500)
        assert heard.words(1) == numbers

        large = b"x" * 3_000_000
        carrier.ship(1, "a", large)
        carrier.ship(2, "a", large)
        await until(lambda: heard.words(1)[-1:] == [large] == heard.words(2)[-1:])

        carrier.send(2, b"env A_KEY")
        carrier.send(2, b"env RAY_AUTH_MODE")
        await until(lambda: heard.words(2)[-1:] == [b"token"])
        assert heard.words(2)[-3:] == [b"not", b"set", b"token"]

        os.kill(heard.joined[1].pid, signal.SIGKILL)
        await until(lambda: 1 in heard.left)
        carrier.send(1, b"to nobody")
        await until(lambda: 3 in heard.joined)
        carrier.send(3, b"new")
        await until(lambda: heard.words(3) == [b"new"])
        assert list(heard.left) == [1]

        signs = heard.signs
        await until(lambda: heard.signs > signs + 1)
        for worker in (2, 3):
            carrier.send(worker, b"leave")
    finally:
        await carrier.close(60.0)
    for session in sessions:
        await until(lambda session=session: of_session(session) == [])
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_frames_workers_that_die_and_the_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    )
    monkeypatch.setenv("A_KEY", "secret")
    folders = set(Path("/tmp").glob("umw-*"))
    handler = signal.getsignal(signal.SIGTERM)
    asyncio.run(run(capfd))
    assert signal.getsignal(signal.SIGTERM) == handler
    assert set(Path("/tmp").glob("umw-*")) <= folders
