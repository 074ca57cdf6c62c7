"""What a walk over a directory leaves out, and the notes that say so."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from umwelten.inputs.files.names import escaped, quoted
from umwelten.phrases import Phrase, Wording

Reason = Literal["outside", "folder", "broken", "loop", "own", "case", "unnamed"]

_LINKS: dict[Reason, tuple[str, str]] = {
    "outside": (
        "symbolic link that leads out of the directory",
        "symbolic links that lead out of the directory",
    ),
    "folder": ("symbolic link to a folder", "symbolic links to folders"),
    "broken": ("broken symbolic link", "broken symbolic links"),
    "loop": ("symbolic link that leads to itself", "symbolic links that lead to themselves"),
    "own": ("symbolic link to a file of umwelten", "symbolic links to files of umwelten"),
}


class LeftOut:
    """What a walk leaves out, or names otherwise than on disk: how many files by reason, and the first."""

    def __init__(self) -> None:
        self._counts = Counter[Reason]()
        self._firsts: dict[Reason, str] = {}
        self._target = ""

    def add(self, reason: Reason, name: str) -> None:
        """Count a file, by its relative path."""
        self._counts[reason] += 1
        self._firsts.setdefault(reason, name)

    def add_link(self, path: str, name: str, real_root: str, *, to_folder: bool = False) -> None:
        """Count a link that is not followed."""
        target = os.path.realpath(path)
        if not Path(target).is_relative_to(real_root):
            self._target = self._target or (target if to_folder else os.path.dirname(target))  # noqa: PTH120
        self.add("folder" if to_folder else _why_not(path, target, real_root), name)

    def links(self) -> str:
        """Return how many links of each kind there are, with the first; "" for none."""
        return ", ".join(
            f"{count:,} {_LINKS[reason][count > 1]} ({quoted(self._firsts[reason])}{', …' * (count > 1)})"
            for reason in _LINKS
            if (count := self._counts[reason])
        )

    def advice(self) -> Wording:
        """Return what to do about links, "" where there are none to follow."""
        if not self._target:
            return ""
        return Phrase(
            "Links are followed to files within the directory alone. Give the directory that they lead to "
            "({target}), name the links one by one in {option:files}, or copy the files with cp -rL.",
            target=escaped(self._target),
        )

    def notes(self, pattern: str) -> Iterator[Wording]:
        """Yield what to tell of a walk that found files."""
        if links := self.links():
            yield Phrase("left out: {links}. {advice}", links=links, advice=self.advice())
        if count := self._counts["case"]:
            files, are = ("files match", "are") if count > 1 else ("file matches", "is")
            yield (
                f"{count:,} {files} {quoted(pattern)} but for capital letters, and {are} left out, "
                f"such as {quoted(self._firsts['case'])}: patterns are case-sensitive"
            )
        if count := self._counts["unnamed"]:
            yield (
                f"{count:,} {'file names are' if count > 1 else 'file name is'} not UTF-8; the bytes are "
                f"written as in {quoted(self._firsts['unnamed'])}"
            )


def _why_not(path: str, target: str, real_root: str) -> Reason:
    try:
        os.stat(path)  # noqa: PTH116
    except OSError as error:
        return "loop" if error.errno == errno.ELOOP else "broken"
    return "own" if Path(target).is_relative_to(real_root) else "outside"
