"""What lanes learnt, kept between runs: `limits.json` in the state folder, by account and lane.

The file is a cache: whatever is wrong with it costs a cold start and nothing else. Entries are checked one by
one, the oldest are dropped, and what another version wrote later is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from umwelten.control.memory import LaneMemory
from umwelten.errors import ConfigError
from umwelten.private_files import locked, read_private, write_private
from umwelten.types import FrozenStruct

NAME = "limits.json"
_VERSION = 1
_MOST_BYTES = 4 << 20
_LONGEST_LANE = 600

MOST_ENTRIES = 500
"""Far more accounts and models than anybody uses; the file stays below 100 KB."""

MOST_AGE_S = 30 * 86_400.0
"""Plans change: what was learnt a month ago is no better than nothing."""


class LaterVersionError(ConfigError):
    """The file was written by a later version."""


class Key(NamedTuple):
    """What a limit is kept by: the account's id and the lane's name."""

    account: str
    lane: str


class Entry(FrozenStruct):
    """What a lane had learnt at that time, in seconds since 1970."""

    at: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    learnt: LaneMemory

    def belief(self, now: float) -> float:
        """Return how much of it is to be believed: 1 at first, 0 when it is dropped."""
        return max(0.0, 1.0 - max(0.0, now - self.at) / MOST_AGE_S)


class _Version(msgspec.Struct):
    version: int


class _Stored(msgspec.Struct):
    version: int
    accounts: dict[str, dict[str, msgspec.Raw]]


def read_limits(folder: Path, now: float) -> dict[Key, Entry]:
    """Return what is remembered and not too old, nothing where there is no file.

    Raises `ConfigError` for a file that cannot be read, is damaged or of a later version.
    """
    path = folder / NAME
    try:
        content = read_private(path, _MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        why = error.strerror or "others could have written it"
        raise ConfigError(f"cannot read {path}: {why}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path} is larger than any that was written: delete it to begin anew")
    try:
        if msgspec.json.decode(content, type=_Version).version > _VERSION:
            raise LaterVersionError(f"{path} was written by a later version of umwelten")
        stored = msgspec.json.decode(content, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{path} is damaged: delete it to begin anew") from None
    found: dict[Key, Entry] = {}
    for account, lanes in stored.accounts.items():
        for lane, raw in lanes.items():
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                entry = msgspec.json.decode(raw, type=Entry)
                # A time to come is that of a clock that was wrong.
                if entry.belief(now) > 0 and entry.at < now + 86_400 and len(lane) <= _LONGEST_LANE:
                    found[Key(account, lane)] = entry
    return found


def update_limits(
    folder: Path,
    learnt: Mapping[Key, LaneMemory],
    now: float,
    *,
    forgotten: Collection[Key] = (),
    accounts: Collection[str] = (),
) -> None:
    """Put that into the file, and take out what is forgotten and all of those `accounts`.

    What other processes put there stays. Raises `ConfigError` if it cannot be written, or is of a later
    version.
    """
    path = folder / NAME
    try:
        with locked(folder):
            entries = _kept(folder, now)
            gone = {*forgotten, *(key for key in entries if key.account in accounts)}
            entries = {key: entry for key, entry in entries.items() if key not in gone}
            entries |= {key: Entry(at=now, learnt=memory) for key, memory in learnt.items()}
            write_private(path, _encode(entries))
    except OSError as error:
        why = error.strerror or "it is in use, or others could have written it"
        raise ConfigError(f"cannot write {path}: {why}") from None


def _kept(folder: Path, now: float) -> dict[Key, Entry]:
    """Return what is there; of a file that is damaged, nothing."""
    try:
        return read_limits(folder, now)
    except LaterVersionError:
        raise
    except ConfigError:
        return {}


def _encode(entries: Mapping[Key, Entry]) -> bytes:
    fit = [item for item in entries.items() if len(item[0].lane) <= _LONGEST_LANE]
    latest = sorted(fit, key=lambda item: -item[1].at)[:MOST_ENTRIES]
    accounts: dict[str, dict[str, Entry]] = {}
    for key, entry in sorted(latest):
        accounts.setdefault(key.account, {})[key.lane] = entry
    stored = {"version": _VERSION, "accounts": accounts}
    return msgspec.json.format(msgspec.json.encode(stored)) + b"\n"
