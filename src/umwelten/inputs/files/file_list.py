"""Lists of files, for `--files` and `--attach`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from umwelten.errors import InputError
from umwelten.inputs.files.glob import has_magic
from umwelten.inputs.files.names import escaped, existing, numbered
from umwelten.inputs.files.scan import scan, scanned_file
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.phrases import Phrase, Wording
from umwelten.text.patterns import split_list
from umwelten.text.suggestions import did_you_mean, did_you_mean_clause
from umwelten.types import FoundInput

_SHOWN = 5


def expand(list_text: str, base: Path, on_note: Callable[[Wording], None] | None = None) -> list[Path]:
    """Return the files of a comma-separated list of paths and globs, relative to `base`, in order, each once.

    A path that exists is taken literally, whatever characters it contains; links are followed. `on_note`
    is called with what globs leave out. Raises `InputError` for a path
    that is missing (with the closest name) or not a regular file, a glob without a match, an empty list.
    """
    whole = existing(base / list_text.strip())
    items = [list_text.strip()] if list_text.strip() and _exists(whole) else split_list(list_text)
    if not items:
        raise InputError("the list of files is empty")
    paths = [path for item in items for path in _expand_item(item, base, on_note)]
    return list(dict.fromkeys(paths))


def _expand_item(item: str, base: Path, on_note: Callable[[Wording], None] | None) -> list[Path]:
    path = existing(base / item)
    if _exists(path):
        _check_file(path)
        return [path]
    if not has_magic(item):
        raise InputError(f"no such file: {escaped(str(path))}", _missing_file_hint(path))
    folder, pattern = _split_glob(item)
    return [Path(file.path) for file in scan(base / folder, pattern, on_note=on_note)]


def _missing_file_hint(path: Path) -> str | None:
    """Return a hint: the closest name, else the names in the folder, or that the folder is missing."""
    if nearest := nearest_name(path):
        return did_you_mean(nearest)
    folder = path.parent
    try:
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError:
        return f"There is no folder {folder}{did_you_mean_clause(nearest_name(folder)) or '.'}"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{folder} contains {', '.join(names[:_SHOWN])}{more}." if names else None


def _split_glob(item: str) -> tuple[str, str]:
    """Return the folder before a glob, and the glob relative to it."""
    parts = item.split("/")
    first = next(index for index, part in enumerate(parts) if has_magic(part))
    return "/".join(parts[:first]) + ("/" if first else ""), "/".join(parts[first:])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # the name is too long or contains NUL


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", Phrase("Use {option:directory} for a folder."))
    if not path.is_file():
        raise InputError(f"{path} is not a regular file")


def scan_files(paths: Iterable[Path], base: Path | None = None) -> Iterator[FoundInput]:
    """Yield the files in the order given. Names are relative to `base` (default: the working directory).

    The name of a file elsewhere is its path, without the root, and with `up` for each `..`; a duplicate name
    gets a number. Raises `InputError` for a file that is missing or can't be read.
    """
    base = base or Path.cwd()
    taken: set[str] = set()
    for path in paths:
        name = _unique_name(escaped(_relative_name(path, base)), taken)
        taken.add(name)
        yield scanned_file(str(path), name, _file_status(path))


def folder_names(folders: Sequence[Path], base: Path | None = None) -> list[str]:
    """Return a name for each folder: its own, or for all the path where two are called the same."""
    base = base or Path.cwd()
    names = [escaped(Path(os.path.normpath(base / folder)).name) for folder in folders]
    if len(set(names)) == len(names) and all(names):
        return names
    return [escaped(_relative_name(folder, base)) for folder in folders]


def _file_status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"cannot read {escaped(str(path))}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a regular file")
    return status


def _relative_name(path: Path, base: Path) -> str:
    """Return a relative name that stays inside any folder that it is joined to."""
    inside = os.path.relpath(base / path, base)
    outside = inside.startswith("..") and path.is_absolute()
    parts = Path(os.path.normpath(path)).parts[1:] if outside else Path(inside).parts
    return "/".join("up" if part == ".." else part for part in parts)


def _unique_name(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique in taken:
        unique, number = numbered(name, number), number + 1
    return unique
