"""Suggestions for names and patterns without a match."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from umwelten.errors import InputError
from umwelten.inputs.files.glob import Glob
from umwelten.phrases import Phrase, Wording
from umwelten.text.suggestions import closest, did_you_mean

_MOST_SAMPLED = 10_000
_SHOWN = 5
_SAME = ({".jpg", ".jpeg"}, {".tif", ".tiff"}, {".htm", ".html"}, {".yml", ".yaml"}, {".md", ".markdown"})


def nearest_name(path: Path) -> Path | None:
    """Return the existing sibling whose name is closest to a missing path's, if one is similar."""
    try:
        names = [sibling.name for sibling in path.parent.iterdir()]
    except OSError:
        return None
    name = closest(path.name, names, ignore_case=True)
    return None if name is None else path.with_name(name)


def no_match(root: Path, glob: Glob) -> InputError:
    """Return the error for a pattern without a match: the files there are, and a hint."""
    names = list(islice(_names(str(root), ""), _MOST_SAMPLED))
    return InputError(
        f"no file in {root} matches {glob.pattern!r}: {_summary(names)}", _hint(names, glob.pattern)
    )


def _names(folder: str, prefix: str) -> Iterator[str]:
    """Yield the relative paths of files that are not hidden, a folder's before its subfolders'."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted((e for e in scanned if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError:
        return
    yield from (prefix + entry.name for entry in entries if entry.is_file())
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _names(entry.path, f"{prefix}{entry.name}/")


def _summary(there: list[str]) -> str:
    if not there:
        return "it contains no files"
    kinds = Counter(PurePosixPath(name).suffix or "no ending" for name in there).most_common(_SHOWN)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds)
    names = ", ".join(repr(name) for name in there[:_SHOWN])
    return f"it contains {counts}, such as {names}"


def _hint(names: list[str], pattern: str) -> Wording | None:
    if "/" not in pattern:
        deep = Glob(pattern, recursive=True)
        if any("/" in name and deep.matches_path(name) for name in names):
            return Phrase("Files in subfolders match: add {option:recursive}.")
    suffix = PurePosixPath(pattern).suffix
    nearest = _nearest_suffix(suffix, {PurePosixPath(name).suffix for name in names})
    return did_you_mean(nearest and pattern.removesuffix(suffix) + nearest, "{!r}") or None


def _nearest_suffix(wanted: str, suffixes: set[str]) -> str | None:
    if not wanted or wanted in suffixes:
        return None
    for suffix in sorted(suffixes - {""}):
        if suffix.lower() == wanted.lower() or any({suffix.lower(), wanted.lower()} <= s for s in _SAME):
            return suffix
    return closest(wanted, suffixes - {""})
