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
_MOST = 64 << 20


def leaks(root: Path, keys: Mapping[str, str] = USED) -> list[tuple[Path, str]]:
    """Files below `root` that hold a key, with the name of the key."""
    wanted = [(name, form) for name, key in keys.items() for form in _forms(key)]
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if name.startswith(".env") or name.endswith(_GIVEN) or not path.is_file() or path.is_symlink():
                continue
            found += [(path, key) for key, form in wanted if form in _content(path)]
    return found


def _forms(key: str) -> list[bytes]:
    raw = key.encode()
    # In base64 the same bytes look different at each of three offsets; the middle is always the same.
    return [raw, *(b64encode(b"x" * shift + raw)[4:-4] for shift in range(3))]


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST)
    except OSError:
        return b""
