"""What users are told of workers that fall silent, answer again, die and follow, and how many calls fit."""

from __future__ import annotations

import asyncio

from benchmarks.fleet_control import VirtualWorkerRunner

from umwelten.events import Event, WorkerChanged
from umwelten.fleet.interfaces import WorkerHost
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.virtual import VirtualCarrier
from umwelten.simulate.clock import run_virtual


async def build(payload: bytes, host: WorkerHost) -> VirtualWorkerRunner:
    return VirtualWorkerRunner(None)  # type: ignore[arg-type]


def test_each_change_of_a_worker_is_told_once_and_its_room_goes_and_comes_with_it():
    events: list[Event] = []
    rooms: list[int] = []

    async def main() -> None:
        carrier = VirtualCarrier(build, workers=3)
        remote = RemoteRunner(
            carrier, setup=b"", observer=events.append, on_room=lambda: rooms.append(remote.room)
        )
        await remote.open()
        carrier.cut(1, for_s=6.0)
        carrier.cut(2, for_s=30.0)
        await asyncio.sleep(40.0)
        carrier.kill(3, why="it was killed")
        await asyncio.sleep(10.0)
        await remote.close()

    run_virtual(main())
    told = {
        number: [
            each.state.value for each in events if isinstance(each, WorkerChanged) and each.number == number
        ]
        for number in range(1, 5)
    }
    assert told == {
        1: ["joined", "suspect", "back", "left"],
        2: ["joined", "suspect", "lost", "back", "left"],
        3: ["joined", "lost"],
        4: ["joined", "left"],
    }
    whys = [each.why for each in events if isinstance(each, WorkerChanged) and each.why]
    assert whys == ["was silent for 16 s", "it was killed"]
    room = VirtualWorkerRunner.room
    assert [each // room for each in rooms] == [1, 2, 3, 2, 1, 2, 3, 2, 3]
