"""Suggestions for names and patterns without a match."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from umwelten.errors import InputError
from umwelten.inputs.files.glob import Glob
from umwelten.inputs.files.left_out import LeftOut
from umwelten.inputs.files.names import escaped, is_own, quoted
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


def no_match(
    root: Path, glob: Glob, left_out: LeftOut, is_excluded: Callable[[os.DirEntry[str]], bool]
) -> InputError:
    """Return the error for a pattern without a match: the files there are, and a hint."""
    there = _There(is_excluded)
    there.look(str(root), "")
    links = left_out.links() or there.links
    return InputError(
        f"no file in {escaped(str(root))} matches {quoted(glob.pattern)}: {there.summary(links)}",
        _hint(there.names, glob.pattern) or left_out.advice() or there.hint(),
    )


class _There:
    """What a directory contains. `names` are the relative paths of its files, a folder's first."""

    def __init__(self, is_excluded: Callable[[os.DirEntry[str]], bool]) -> None:
        self.names: list[str] = []
        self._is_excluded = is_excluded
        self._hidden: list[str] = []
        self._links: list[str] = []
        self._special: list[str] = []

    def look(self, folder: str, prefix: str) -> None:
        """Take in a folder, and those in it, up to `_MOST_SAMPLED` files."""
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError:
            return
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            if len(self.names) >= _MOST_SAMPLED:
                return
            if not entry.is_dir(follow_symlinks=False) and not is_own(entry.name):
                self._add(entry, prefix + entry.name)
        for entry in folders:
            if not entry.name.startswith(".") and not self._is_excluded(entry):
                self.look(entry.path, f"{prefix}{entry.name}/")

    def _add(self, entry: os.DirEntry[str], name: str) -> None:
        if entry.is_symlink():
            self._links.append(name)
        elif not entry.is_file():
            self._special.append(name)
        else:
            (self._hidden if entry.name.startswith(".") else self.names).append(name)

    @property
    def links(self) -> str:
        """The number of links, as text."""
        return _counted(self._links, "symbolic link", "symbolic links")

    def summary(self, links: str) -> str:
        """Return what the directory contains, as a clause."""
        if self.names:
            kinds = Counter(PurePosixPath(name).suffix or "no ending" for name in self.names)
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_SHOWN))
            files = f"{counts}, such as {', '.join(map(quoted, self.names[:_SHOWN]))}"
            return f"it contains {files}; also {links}" if links else f"it contains {files}"
        hidden = _counted(self._hidden, "hidden file", "hidden files")
        special = _counted(self._special, "that is no regular file", "that are no regular files")
        others = ", ".join(text for text in (links, hidden, special) if text)
        return f"it contains no files but {others}" if others else "it contains no files"

    def hint(self) -> Wording | None:
        """Return what to do if only hidden files are there."""
        if self.names or not self._hidden:
            return None
        return "A pattern that starts with a dot matches hidden files."


def _counted(names: list[str], one: str, many: str) -> str:
    if not names:
        return ""
    return f"{len(names):,} {one if len(names) == 1 else many}, such as {quoted(names[0])}"


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
