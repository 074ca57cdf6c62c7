"""A listener of a carrier of workers, and the processes of a cluster."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from umwelten.fleet.carrier import WorkerPlace


class RayCluster(NamedTuple):
    """A cluster of two nodes; `variables` are what a process needs in its environment to connect to it."""

    address: str
    raylets: list[int]
    variables: dict[str, str]


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.joined: dict[int, WorkerPlace] = {}
        self.left: dict[int, str] = {}
        self.frames: dict[int, list[bytes]] = {}

    def on_join(self, worker: int, place: WorkerPlace) -> None:
        self.joined[worker] = place

    def on_frame(self, worker: int, frame: bytes) -> None:
        self.frames.setdefault(worker, []).append(frame)

    def on_leave(self, worker: int, why: str) -> None:
        self.left[worker] = why

    def words(self, worker: int) -> list[bytes]:
        return b" ".join(frame for frame in self.frames.get(worker, []) if frame).split()

    def signs(self, worker: int) -> int:
        return len(self.frames.get(worker, []))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def of_session(session: int) -> list[int]:
    """Return the processes of a session that run."""
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
