"""Files named one by one, on `--files` and `--attach`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from umwelten.errors import InputError
from umwelten.inputs.files.glob import has_magic, split_list
from umwelten.inputs.files.scan import scan, scanned_file
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.phrases import Phrase
from umwelten.text.suggestions import did_you_mean, did_you_mean_clause
from umwelten.types import FoundInput

_SHOWN = 5


def expand(list_text: str, base: Path) -> list[Path]:
    """The files of a comma list of paths and globs, relative to `base`, in the order given, each once.

    A path that exists is meant as it is, whatever characters it holds. Errors: `InputError` for a path
    that is missing (with the nearest name) or no regular file, a glob without a match, an empty list.
    """
    whole = base / list_text.strip()
    items = [list_text.strip()] if list_text.strip() and _exists(whole) else split_list(list_text)
    if not items:
        raise InputError("the list of files is empty")
    paths = [path for item in items for path in _expand_item(item, base)]
    return list(dict.fromkeys(paths))


def _expand_item(item: str, base: Path) -> list[Path]:
    path = base / item
    if _exists(path):
        _check_file(path)
        return [path]
    if not has_magic(item):
        raise InputError(f"no such file: {path}", _meant(path))
    folder, pattern = _split_glob(item)
    return [Path(found.path) for found in scan(base / folder, pattern)]


def _meant(path: Path) -> str | None:
    """The nearest name, else what the folder holds; of a folder that is missing, its own nearest name."""
    if near := nearest_name(path):
        return did_you_mean(near)
    folder = path.parent
    try:
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError:
        return f"There is no folder {folder}{did_you_mean_clause(nearest_name(folder)) or '.'}"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{folder} holds {', '.join(names[:_SHOWN])}{more}." if names else None


def _split_glob(item: str) -> tuple[str, str]:
    """The plain folder in front of a glob, and the glob below it."""
    parts = item.split("/")
    first = next(at for at, part in enumerate(parts) if has_magic(part))
    return "/".join(parts[:first]) + ("/" if first else ""), "/".join(parts[first:])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # too long for a name, or a NUL in it


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", Phrase("Name a folder with {option:directory}."))
    if not path.is_file():
        raise InputError(f"{path} is not a regular file")


def scan_files(paths: Iterable[Path], base: Path | None = None) -> Iterator[FoundInput]:
    """The named files, in the order given. Names are relative to `base` (default: the working directory).

    A file elsewhere keeps its path as its name, without the root, and with `up` for each `..`; a name that
    is taken gets a number. Errors: `InputError` for a file that is missing or can't be read.
    """
    base = base or Path.cwd()
    taken: set[str] = set()
    for path in paths:
        name = _unique(_inert(path, base), taken)
        taken.add(name)
        yield scanned_file(str(path), name, _stat_file(path))


def _stat_file(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a regular file")
    return found


def _inert(path: Path, base: Path) -> str:
    """A relative name with `/` that leads nowhere else when it is joined to a folder."""
    inside = os.path.relpath(base / path, base)
    outside = inside.startswith("..") and path.is_absolute()
    parts = Path(os.path.normpath(path)).parts[1:] if outside else Path(inside).parts
    return "/".join("up" if part == ".." else part for part in parts)


def _unique(name: str, taken: set[str]) -> str:
    path, number = PurePosixPath(name), 2
    while name in taken:
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        number += 1
    return name
