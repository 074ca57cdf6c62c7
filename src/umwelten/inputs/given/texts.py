"""Texts, bytes and files that a program gives, as inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any

from umwelten.errors import InputError, StoreError, UsageError
from umwelten.inputs.file_detection import detect
from umwelten.inputs.files.scan import scanned_file
from umwelten.inputs.given.walk import GivenData
from umwelten.inputs.tables.row_names import Labels
from umwelten.phrases import Phrase
from umwelten.store.kept_inputs import INPUTS, make_room
from umwelten.types import FoundInput
from umwelten.user_folders import expand_home

_HASH_BYTES = 16
_HINT = "Each is a text, bytes or a pathlib.Path, or a pair of a name and one of these."


class GivenTexts:
    """The inputs. Raises `UsageError` for what is none of them, and where there are none.

    A text is what it says, never a path. `(name, value)` and the keys of a dict name inputs; a file is called
    as on disk, others `text-3` or `file-3.png` by their number.
    """

    def __init__(self, given: GivenData, *, most: int | None) -> None:
        # What is in memory anyway is looked at once: a number among the texts is told before anything starts.
        if isinstance(given.data, list | tuple | Mapping):
            for number, item in enumerate(islice(given.items(), most), 1):
                _pair(item, number)
        items = islice(given.items(), most)
        first = list(islice(items, 1))
        for item in first:
            _pair(item, 1)
        if not first:
            raise UsageError(
                Phrase("{option:inputs} is empty"), "An iterator can be used only once.", argument="inputs"
            )
        self._items = chain(first, items)

    def keep(self, folder: Path) -> Iterator[FoundInput]:
        """Yield the inputs; texts and bytes are in the evaluation's folder before they are yielded. Once."""
        labels, folder = Labels(), folder.absolute()
        for number, item in enumerate(self._items, 1):
            name, value = _pair(item, number)
            if isinstance(value, Path):
                path, own = expand_home(value), value.name
            elif isinstance(value, str):
                path, own = _keep(folder, _encoded(value, number), ".txt"), f"text-{number}"
            else:
                data = bytes(value)
                ending = _ending(data)
                path, own = _keep(folder, data, ending), f"file-{number}{ending}"
            unique = labels.unique(own if name is None else name, number)
            yield scanned_file(str(path), unique, _status(path, number))


def _pair(item: Any, number: int) -> tuple[str | None, str | bytes | bytearray | memoryview | Path]:
    name, value = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
    if not (name is None or (isinstance(name, str) and name.strip())):
        raise UsageError(
            Phrase("{option:inputs}: the name of number {number} is {name!r}", number=number, name=name),
            "Give each a name that is a text.",
            argument="inputs",
        )
    if not isinstance(value, str | bytes | bytearray | memoryview | Path):
        which = f"number {number}" if name is None else repr(name)
        kind = type(value).__name__
        rows = isinstance(value, Mapping)
        raise UsageError(
            Phrase("{option:inputs}: {which} is a value of type {kind}", which=which, kind=kind),
            Phrase("Give rows of values as {option:rows}.") if rows else _HINT,
            argument="inputs",
        )
    return name, value


def _encoded(text: str, number: int) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            Phrase("{option:inputs}: text {number} contains a lone surrogate", number=number),
            argument="inputs",
        ) from None


def _ending(data: bytes) -> str:
    kind, _ = detect(data)
    return kind.endings[0] if kind.endings else ""


def _status(path: Path, number: int) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(
            Phrase(
                "{option:inputs}: cannot read number {number}, {path}: {why}",
                number=number,
                path=path,
                why=error.strerror,
            )
        ) from error
    if not path.is_file():
        raise InputError(
            Phrase("{option:inputs}: number {number}, {path}, is not a file", number=number, path=path),
            Phrase("Use {option:directory} for a folder."),
        )
    return status


def _keep(folder: Path, data: bytes, ending: str) -> Path:
    """Return the file with these bytes, called by their hash: the same bytes are kept once."""
    name = blake2b(data, digest_size=_HASH_BYTES).hexdigest()
    path = folder / INPUTS / name[:2] / (name[2:] + ending)
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        make_room(path, folder)
        # One that a kill left half written has another size.
        if path.is_file() and not path.is_symlink() and path.stat().st_size == len(data):
            return path
        with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
            file.write(data)
            file.truncate()
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return path
