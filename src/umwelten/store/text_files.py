"""The answers as plain files: each appears whole or not at all. A record in one is a file beside its text."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from umwelten.store.text_file_names import TEMPORARY, flat_name, json_name


def write_text(folder: str, output: str, text: str, data: str | None = None) -> str:
    """Write `folder/output`, over what is there, and return the name it got.

    That is another one when a file stands where a directory is needed or the other way round. `data`, a
    record as JSON, goes beside it. Only one thread may write in a folder at a time. Raises OSError; then
    there is no new file, or a text whose record is missing.
    """
    try:
        name = _write(folder, output, text)
        return name if data is None else _write_beside(folder, output, name, data)
    except OSError:
        Path(folder, TEMPORARY).unlink(missing_ok=True)
        raise


def remove_text(folder: str, output: str, *, data: bool = False) -> None:
    """Remove a text file, with `data` the record beside it too; that there is none is fine."""
    for name in (output, json_name(output)) if data else (output,):
        try:
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
        except (FileNotFoundError, NotADirectoryError):
            continue


def is_missing(folder: str, output: str, expected: bool, data: bool = False) -> bool:
    """Return whether the file has to be written again; also an empty one, when `expected` says it has a text.

    After a power cut a file may have its name and no content yet. `data`: a record belongs beside it.
    """
    return _is_gone(folder, output, expected) or (data and _is_gone(folder, json_name(output), True))


def _is_gone(folder: str, name: str, expected: bool) -> bool:
    try:
        return os.stat(f"{folder}/{name}").st_size == 0 and expected  # noqa: PTH116
    except OSError:
        return True


def _write_beside(folder: str, output: str, name: str, data: str) -> str:
    """The record's file, and the name that both have: where its own is blocked, the text moves as well."""
    pretty = msgspec.json.format(data, indent=2) + "\n"
    wanted = json_name(name)
    if _write(folder, wanted, pretty) == wanted:
        return name
    other = flat_name(output)
    os.replace(f"{folder}/{name}", f"{folder}/{other}")  # noqa: PTH105
    return other


def _write(folder: str, output: str, text: str) -> str:
    # One fixed name for all, so that a kill leaves at most one, which the next write replaces.
    temporary = os.path.join(folder, TEMPORARY)  # noqa: PTH118 - Path costs as much as the write
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        left = memoryview(text.encode())
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)
    return _place(folder, temporary, output)


def _place(folder: str, temporary: str, output: str) -> str:
    target = f"{folder}/{output}"
    try:
        os.replace(temporary, target)  # noqa: PTH105
    except FileNotFoundError:
        return _place_deep(folder, temporary, output)
    except OSError:
        return _place_flat(folder, temporary, output)
    return output


def _place_deep(folder: str, temporary: str, output: str) -> str:
    target = Path(folder, output)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, target)  # noqa: PTH105
    except OSError:
        return _place_flat(folder, temporary, output)
    return output


def _place_flat(folder: str, temporary: str, output: str) -> str:
    name = flat_name(output)
    os.replace(temporary, f"{folder}/{name}")  # noqa: PTH105
    return name
