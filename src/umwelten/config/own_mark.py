"""The mark by which what this user stored is known again: it came from nobody else.

An evaluation may come from a stranger, and what it says of how it was run is then a stranger's command. The
mark is made with a key that only this user has on this machine.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from umwelten.private_files import locked, read_private, write_private
from umwelten.user_folders import state_folder

NAME = "own.key"
_BYTES = 32


def mark(content: bytes, folder: Path | None = None) -> str:
    """Return the mark of what this user stores, "" where no key can be kept.

    `folder` holds the key; `None`: the platform's own place.
    """
    folder = folder or state_folder()
    key = None if folder is None else _key(folder) or _made(folder)
    return "" if key is None else hmac.new(key, content, hashlib.sha256).hexdigest()


def is_own(content: bytes, marked: str, folder: Path | None = None) -> bool:
    """Return whether this user made that mark of it."""
    folder = folder or state_folder()
    key = None if folder is None else _key(folder)
    if key is None:
        return False
    made = hmac.new(key, content, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made.encode(), marked.encode())


def _key(folder: Path) -> bytes | None:
    try:
        key = bytes.fromhex(read_private(folder / NAME, 4 * _BYTES).decode().strip())
    except (OSError, ValueError):
        return None
    return key if len(key) == _BYTES else None


def _made(folder: Path) -> bytes | None:
    try:
        with locked(folder):
            if _key(folder) is None:
                write_private(folder / NAME, secrets.token_bytes(_BYTES).hex().encode() + b"\n")
    except (OSError, TimeoutError):
        return None
    return _key(folder)
