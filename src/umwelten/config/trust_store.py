"""What the user trusts, in `trust.json` of the configuration folder: hashes by the project's files.

A file that others could have written is none to read.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from umwelten.errors import ConfigError
from umwelten.types import FrozenStruct

NAME = "trust.json"
_VERSION = 1
_MOST_BYTES = 16 << 20
"""Far more than anybody grants."""

_HINT = "Remove or mend it: until then, nothing is trusted."


class Grant(FrozenStruct):
    """What was trusted, as it was shown, and the day."""

    text: str
    day: str


Grants = Mapping[str, Mapping[str, Grant]]
"""Grants by their hash, by the path of the project's file."""


class _Stored(FrozenStruct):
    version: int
    files: dict[str, dict[str, Grant]]


def read_grants(folder: Path) -> Grants:
    """Return what is trusted, nothing where there is no file.

    Raises `ConfigError` for one that cannot be read, is damaged, of another version, or may be another's.
    """
    path = folder / NAME
    try:
        stored = msgspec.json.decode(_read(path), type=_Stored)
    except FileNotFoundError:
        return {}
    except OSError as error:
        why = error.strerror or "others could have written it"
        raise ConfigError(f"cannot read {path}: {why}", _HINT) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigError(f"{path} is damaged", _HINT) from None
    if stored.version != _VERSION:
        raise ConfigError(f"{path} was written by another version of umwelten", _HINT)
    return stored.files


def _read(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  a path would be followed
        status = os.fstat(file.fileno())
        own = not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), 0)
        closed = os.name != "posix" or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(status.st_mode) or not own or not closed:
            raise PermissionError(path)
        return file.read(_MOST_BYTES)


def write_grants(folder: Path, grants: Grants) -> None:
    """Replace the file, for this user alone to read and write. Raises `ConfigError`."""
    stored = _Stored(version=_VERSION, files={path: dict(rows) for path, rows in grants.items() if rows})
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=folder)
        try:
            with open(number, "wb") as file:  # noqa: PTH123  it is open
                file.write(msgspec.json.format(msgspec.json.encode(stored)) + b"\n")
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
