"""What the user trusts, in `trust.json` of the configuration folder: hashes by the project's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from umwelten.errors import ConfigError
from umwelten.private_files import read_private, write_private
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
        stored = msgspec.json.decode(read_private(path, _MOST_BYTES), type=_Stored)
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


def write_grants(folder: Path, grants: Grants) -> None:
    """Replace the file, for this user alone to read and write. Raises `ConfigError`."""
    stored = _Stored(version=_VERSION, files={path: dict(rows) for path, rows in grants.items() if rows})
    path = folder / NAME
    try:
        write_private(path, msgspec.json.format(msgspec.json.encode(stored)) + b"\n")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
