"""Glob patterns over relative paths, matched step by step during a walk.

A pattern is `/`-separated components with `*`, `?`, `[abc]`, `[!abc]`; `**` alone between slashes stands
for any number of folders; `{jpg,png}` is a list of alternatives (they don't nest). With a `/` or `**` it
is matched against the whole relative path, else against the file's name. It is case-sensitive. A name that
starts with a dot is matched only by a component that starts with one, as `patterns.hidden_names` has it.
Names are given to it in the form of `patterns.composed`, which is also the pattern's.
"""

from __future__ import annotations

import re
from fnmatch import translate

from umwelten.errors import InputError
from umwelten.text.patterns import composed, expand_braces

_MAGIC = re.compile(r"[*?\[{]")
_NEVER = re.compile(r"(?!)")

State = frozenset[tuple[int, int]]
"""The positions of a walk in the pattern: (alternative, next component)."""


def has_magic(text: str) -> bool:
    """Return whether the text is a pattern rather than a plain path."""
    return _MAGIC.search(text) is not None


class Glob:
    """A compiled pattern. A walk begins with `start`, calls `enter` for folders and `matches` for files."""

    def __init__(self, pattern: str, *, recursive: bool = False) -> None:
        self.pattern = pattern
        self._parts = tuple(_components(p, pattern, recursive) for p in expand_braces(composed(pattern)))
        self._compiled: dict[str, re.Pattern[str]] = {}
        self._files: dict[State, re.Pattern[str]] = {}
        self._has_letters = pattern.lower() != pattern.upper()
        self.start = self._closure({(number, 0) for number in range(len(self._parts))})

    def enter(self, state: State, folder: str) -> State:
        """Return the state inside a folder; empty if nothing in it can match."""
        hidden = folder.startswith(".")
        states: set[tuple[int, int]] = set()
        for number, index in state:
            part, last = self._parts[number][index], index == len(self._parts[number]) - 1
            if part == "**":
                states |= set() if hidden else {(number, index)}
            elif not last and self._compile_component(part).match(folder) and (not hidden or part[:1] == "."):
                states.add((number, index + 1))
        return self._closure(states)

    def matches(self, state: State, name: str) -> bool:
        """Return whether the pattern matches a file of that name in the current folder."""
        return self.last(state).match(name) is not None

    def last(self, state: State) -> re.Pattern[str]:
        """Return the regular expression for the names of matching files in the current folder."""
        compiled = self._files.get(state)
        if compiled is None:
            compiled = self._files[state] = self._compile_last(state)
        return compiled

    def last_in_any_case(self, state: State) -> re.Pattern[str] | None:
        """Return the same without regard to case; `None` for a pattern without letters."""
        return re.compile(self.last(state).pattern, re.IGNORECASE) if self._has_letters else None

    def matches_path(self, path: str) -> bool:
        """Return whether the pattern matches a whole relative path."""
        *folders, name = composed(path).split("/")
        state = self.start
        for folder in folders:
            state = self.enter(state, folder)
        return self.matches(state, name)

    def _closure(self, state: set[tuple[int, int]]) -> State:
        """Return the state with `**` also matching no folder."""
        more = {(n, index + 1) for n, index in state if self._parts[n][index] == "**"}
        return frozenset(state) if more <= state else self._closure(state | more)

    def _compile_last(self, state: State) -> re.Pattern[str]:
        ends = sorted({self._parts[n][index] for n, index in state if index == len(self._parts[n]) - 1})
        return re.compile("|".join(_translate_hiding_dots(part) for part in ends)) if ends else _NEVER

    def _compile_component(self, part: str) -> re.Pattern[str]:
        compiled = self._compiled.get(part)
        if compiled is None:
            compiled = self._compiled[part] = re.compile(translate(part))
        return compiled


def _translate_hiding_dots(part: str) -> str:
    return translate(part) if part.startswith(".") else r"(?!\.)" + translate(part)


def _components(pattern: str, written: str, recursive: bool) -> tuple[str, ...]:
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    _check(pattern, written, parts)
    if "/" not in pattern and pattern != "**" and recursive:
        parts.insert(0, "**")
    if parts[-1] == "**":
        parts.append("*")
    # Two in a row mean the same as one, and would only take time.
    return tuple(
        part for index, part in enumerate(parts) if part != "**" or parts[index - 1 : index] != ["**"]
    )


def _check(pattern: str, written: str, parts: list[str]) -> None:
    if not parts or pattern.endswith("/"):
        raise InputError(f"the pattern {written!r} matches no file", "Write for example *.txt or **/*.txt.")
    if pattern.startswith("/"):
        raise InputError(f"the pattern {written!r} must be relative to the directory")
    if ".." in parts:
        raise InputError(f"the pattern {written!r} leaves the directory")
    if any("**" in part and part != "**" for part in parts):
        raise InputError(
            f"in the pattern {written!r}, ** must stand alone between slashes", "Write for example **/*.txt."
        )
