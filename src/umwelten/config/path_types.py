"""How the values of options are read that are paths: of files, folders, globs. See `option_types`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from umwelten.config.option_types import OptionType, Reader
from umwelten.text.patterns import hidden_names, split_list
from umwelten.user_folders import expand_home

_SUFFIX = r".*\.\w{2,7}"


def _path(what: str) -> Reader:
    def read(given: Any) -> Path:
        if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
            raise ValueError(f"write the path of a {what}")
        return Path(given)

    return read


_folder, _file = _path("folder"), _path("file")


def _folders(given: Any) -> Path | tuple[Path, ...]:
    """One folder is no list of one: so it is shown as it was given."""
    folders = tuple(given) if isinstance(given, list | tuple) else (given,)
    try:
        first, *others = (Path(_folder(path)) for path in folders)
    except ValueError:
        raise ValueError("write the path of a folder, or a list of them") from None
    return (first, *others) if others else first


def _for_each(change: Callable[[Path], Path], paths: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
    return change(paths) if isinstance(paths, Path) else tuple(map(change, paths))


def _rebase_path(path: Path, base: Path) -> Path:
    return base / expand_home(path)


def _several(given: Any) -> tuple[Any, ...]:
    """One or several: a text or path alone is one."""
    return (given,) if isinstance(given, str | Path) else tuple(given)


def _files(given: Any) -> tuple[Path, ...]:
    paths = given if isinstance(given, list | tuple) else [given]
    try:
        files = tuple(_file(path) for path in paths)
    except ValueError:
        raise ValueError("write the path of a file, or a list of them") from None
    for file in files:
        parts = str(file).split(",")
        if len(parts) > 1 and all(re.fullmatch(_SUFFIX, part.strip()) for part in parts):
            raise ValueError(
                "give each file by itself: a comma is part of a name, and the option may be repeated"
            )
    return files


def _texts(given: Any) -> list[str]:
    texts = list(given) if isinstance(given, list | tuple) else [given]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("write a text in quotes or a list of such")
    return texts


def _rebase_globs(texts: list[str], base: Path) -> list[str]:
    return [",".join(str(base / expand_home(Path(piece))) for piece in _pieces(text, base)) for text in texts]


def _pieces(text: str, base: Path) -> list[str]:
    """Return the items of a list, which is one alone where a file is called so."""
    return [text.strip()] if os.path.lexists(base / text.strip()) else split_list(text)


def _glob_paths(texts: list[str]) -> Iterator[str]:
    """Yield the paths that a list may name, and the folders that its globs may begin in.

    A file may be called `a,b` or `{a,b}`, so that both ways to read the list count.
    """
    for text in texts:
        if os.path.lexists(text.strip()):
            yield text.strip()
        for piece in split_list(text):
            before = re.split(r"[*?\[{]", piece, maxsplit=1)
            if len(before) == 1 or os.path.lexists(piece):
                yield piece
            if len(before) > 1:
                folder = before[0].rpartition("/")[0] or ("/" if piece.startswith("/") else ".")
                yield folder
                yield from (f"{folder}/{name}" for name in hidden_names(piece))


def _prompts_argument(given: Any) -> Any:
    return given if isinstance(given, Mapping) else expand_home(_file(given))


def _rows_argument(given: Any) -> Any:
    # Rows that a program gives are read where inputs are.
    return expand_home(_file(given)) if isinstance(given, str | Path) else given


def _expand_home(read: Reader) -> Reader:
    return lambda given: expand_home(read(given))


FOLDER = OptionType(
    read=_folder,
    read_argument=_expand_home(_folder),
    rebase=_rebase_path,
    paths=_several,
    metavar="DIR",
    complete="folders",
)
FOLDERS = OptionType(
    read=_folders,
    read_argument=lambda given: _for_each(expand_home, _folders(_several(given))),
    rebase=lambda paths, base: _for_each(lambda path: _rebase_path(path, base), paths),
    paths=_several,
    metavar="DIR",
    repeatable=True,
    complete="folders",
)
FILE = OptionType(
    read=_file,
    read_argument=_expand_home(_file),
    rebase=_rebase_path,
    paths=_several,
    metavar="FILE",
    exists=True,
    complete="files",
)
ROWS = replace(FILE, read_argument=_rows_argument)
PROMPTS_FILE = OptionType(
    read=_file,
    read_argument=_prompts_argument,
    rebase=_rebase_path,
    paths=_several,
    metavar="FILE",
    exists=True,
    complete="files",
)
FILES = OptionType(
    read=_files,
    read_argument=lambda given: tuple(expand_home(path) for path in _files(_several(given))),
    rebase=lambda paths, base: tuple(_rebase_path(path, base) for path in paths),
    paths=_several,
    metavar="FILE",
    repeatable=True,
    complete="files",
)
GLOBS = OptionType(
    read=_texts,
    read_argument=_several,
    rebase=_rebase_globs,
    paths=_glob_paths,
    metavar="LIST",
    repeatable=True,
    complete="files",
)
