"""Looks for keys in files: bytes as they are, and as JSON, base64 and URLs would write them."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import wirekit
from provider import KEYS
from reliability import matrix

USED = {**KEYS, "wires": wirekit.KEY, "matrix": matrix.KEY}
# What tests write themselves: where keys are read from.
_GIVEN = (".env", ".toml")
# Larger files are reports and databases of answers that were made up.
_MOST = 8 << 20
_MARK = "test-key-"  # a suite leaves 140,000 files: one look for all keys
assert all(key.startswith(_MARK) for key in USED.values())


def leaks(root: Path, keys: Mapping[str, str] = USED) -> list[tuple[Path, str]]:
    """Files below `root` that hold a key, with the name of the key."""
    marks = _forms(_MARK) if keys is USED else [b""]
    wanted = [(name, form) for name, key in keys.items() for form in _forms(key)]
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if name.startswith(".env") or name.endswith(_GIVEN) or not path.is_file() or path.is_symlink():
                continue
            content = _content(path)
            if any(mark in content for mark in marks):
                found += [(path, key) for key, form in wanted if form in content]
    return found


def _forms(key: str) -> list[bytes]:
    raw = key.encode()
    # In base64 the same bytes look different at each of three offsets; the middle is always the same.
    return [raw, *(_middle(b64encode(b"x" * shift + raw), shift) for shift in range(3))]


def _middle(encoded: bytes, shift: int) -> bytes:
    return encoded[4 if shift else 0 : -4]


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST)
    except OSError:
        return b""
