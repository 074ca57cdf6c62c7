"""How a run that was started in the background tells who started it where it can be reached."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from umwelten.private_files import write_private
from umwelten.types import FrozenStruct

VARIABLE = "_UMWELTEN_LAUNCH"
"""Names the file to write, in the environment of the child."""


class Launched(FrozenStruct):
    """What is written: `socket` is where the run listens, `None` where it ended before, or cannot listen."""

    id: str
    pid: int
    socket: str | None
    folder: str


class LaunchRecord:
    """The file that is waited for. Only what is written first counts."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, False

    def write(self, *, id: str, folder: Path, address: str | None) -> None:
        """Write it, unless that was done."""
        if self._written:
            return
        self._written = True
        facts = Launched(id=id, pid=os.getpid(), socket=address, folder=str(folder.absolute()))
        with suppress(OSError):
            write_private(self._path, msgspec.json.encode(facts))


def is_launched() -> bool:
    """Return whether this process was started in the background, by another of ours."""
    return VARIABLE in os.environ


def launch_record() -> LaunchRecord | None:
    """Return the record of this process, to the first who asks; children of it have none."""
    path = os.environ.pop(VARIABLE, None)
    return None if path is None else LaunchRecord(Path(path))
