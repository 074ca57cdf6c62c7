"""Names of files: in the form in which they are compared, and as text."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from umwelten.store.database import DATABASE, LOCK
from umwelten.store.text_file_names import TEMPORARY
from umwelten.text.patterns import composed

_OWN_PREFIXES = (DATABASE, TEMPORARY)
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNDECODABLE = re.compile(r"\\udc([89a-f][0-9a-f])")


def is_own(name: str) -> bool:
    """Return whether a file is one of umwelten's own, which are never inputs."""
    return name.startswith(_OWN_PREFIXES) or name == LOCK or name.endswith(".umwelten-tmp")


def is_text(name: str) -> bool:
    """Return whether a name can be encoded as UTF-8: undecodable bytes of names become lone surrogates."""
    return name.isascii() or _SURROGATE.search(name) is None


def escaped(name: str) -> str:
    r"""Return a name as text: bytes that are not UTF-8, which Python has as lone surrogates, as `\xe9`."""
    return name if name.isascii() else _SURROGATE.sub(_escape, name)


def quoted(name: str) -> str:
    """Return a name in quotes, for messages."""
    return _UNDECODABLE.sub(r"\\x\1", repr(name))


def _escape(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"


def numbered(name: str, number: int) -> str:
    """Return a relative path with a number before its ending: `a/b-2.txt`."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def existing(path: Path) -> Path:
    """Return the path of a file or folder, if need be with its accents in the form that is on disk.

    Where there is none, or more than one, the path is returned as it is.
    """
    if str(path).isascii() or _exists(path):
        return path
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        if part == ".." or _exists(found / part):
            found /= part
            continue
        alike = [name for name in _names(found) if composed(name) == composed(part)]
        if len(alike) != 1:
            return path
        found /= alike[0]
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # the name is too long or contains NUL


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError:
        return []
