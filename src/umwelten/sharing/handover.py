"""What a lane has learnt, on its way to another run's lane of the same account.

All of a lane's state that is not about a run's own calls, whatever it consists of: data classes of the
package `control`, numbers, texts and collections of these. Both sides have the same version.
"""

from __future__ import annotations

import dataclasses
import sys
import zlib
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import msgspec

from umwelten.control.lane import Lane

OWN = frozenset(
    {"name", "group", "watch", "ordered", "in_flight", "others", "peak", "stopped", "current", "timesheet"}
    | {"patience_s", "last_failure", "_pass"}
)
"""Fields of a lane that are about its run."""

_OPTIONAL = ("knee", "recalled")

_LONGEST = 8 << 20
"""Bytes of a state that is unpacked; one of a long run has 100,000."""

_NO_STATE = (
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError),
    *(msgspec.MsgspecError, zlib.error),
)
_PLAIN = (bool, int, float, str, type(None))
_PACKAGES = ("umwelten.control.", "umwelten.types")


def learnt(lane: Lane) -> bytes:
    """Return what a lane has learnt."""
    values = _Writer().write([getattr(lane, name) for name in _names()])
    return zlib.compress(msgspec.msgpack.encode(values), 1)


def adopt(lane: Lane, state: bytes) -> None:
    """Have a lane go on from there. Raises `ValueError` for what is no such state; then nothing changed."""
    try:
        unpacked = zlib.decompressobj().decompress(state, _LONGEST)
        values = _Reader().read(msgspec.msgpack.decode(unpacked))
        pairs = list(zip(_names(), values, strict=True))
    except _NO_STATE as error:
        raise ValueError(f"no state of a lane: {error}") from None
    for name, value in pairs:
        old = getattr(lane, name)
        if dataclasses.is_dataclass(old) and name not in _OPTIONAL and type(value) is not type(old):
            raise ValueError(f"no state of a lane: {name} is {type(value).__name__}")
    known = lane.pacer.known
    for name, value in pairs:
        setattr(lane, name, value)
    lane.pacer.known = known  # what this run's user knows


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(Lane) if field.name not in OWN]


def _fields(kind: type) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, msgspec.Struct):
        return list(kind.__struct_fields__)
    raise TypeError(f"{kind} is no state of a lane")


class _Writer:
    """Turns values into lists that begin with a letter, and plain values. Each object is written once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def write(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, Enum):
            return ["e", _name(type(value)), value.value]
        if isinstance(value, list | tuple | set | frozenset):
            return [_LETTERS[type(value)], *map(self.write, value)]
        if isinstance(value, deque):
            return ["d", value.maxlen, *map(self.write, value)]
        if isinstance(value, dict):
            return ["m", *(self.write(part) for pair in value.items() for part in pair)]
        number = self._numbers.get(id(value))
        if number is not None:
            return ["r", number]
        self._numbers[id(value)] = len(self._numbers)
        kind = type(value)
        return ["o", _name(kind), *(self.write(getattr(value, name)) for name in _fields(kind))]


class _Reader:
    def __init__(self) -> None:
        self._objects: list[Any] = []

    def read(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        letter, *rest = value
        if letter in _COLLECTIONS:
            return _COLLECTIONS[letter](map(self.read, rest))
        if letter == "d":
            return deque(map(self.read, rest[1:]), rest[0])
        if letter == "m":
            parts = list(map(self.read, rest))
            return dict(zip(parts[::2], parts[1::2], strict=True))
        if letter == "r":
            return self._objects[rest[0]]
        kind = _class(rest[0])
        if letter == "e":
            return kind(rest[1])
        names = _fields(kind)
        if dataclasses.is_dataclass(kind):
            made = object.__new__(cast("type[Any]", kind))
            self._objects.append(made)
            for name, part in zip(names, rest[1:], strict=True):
                setattr(made, name, self.read(part))
            return made
        number = len(self._objects)
        self._objects.append(None)
        self._objects[number] = kind(**dict(zip(names, map(self.read, rest[1:]), strict=True)))
        return self._objects[number]


_LETTERS: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_COLLECTIONS: dict[str, Callable[[Any], Any]] = {letter: kind for kind, letter in _LETTERS.items()}


def _name(kind: type) -> str:
    if not kind.__module__.startswith(_PACKAGES):
        raise TypeError(f"{kind} is no state of a lane")
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not module.startswith(_PACKAGES):
        raise TypeError(f"{name} is no state of a lane")
    kind = getattr(sys.modules[module], attribute)
    if not isinstance(kind, type):
        raise TypeError(f"{name} is no class")
    return kind
