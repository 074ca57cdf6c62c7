"""Patterns over relative paths, and how far a walk has got in them.

A pattern is `/`-separated components with `*`, `?`, `[abc]`, `[!abc]`; `**` alone between slashes stands
for any number of folders; `{jpg,png}` is a list of alternatives (they don't nest). With a `/` or `**` it
is anchored to the whole relative path, else it speaks of the file's name. Upper and lower case differ.
A name that starts with a dot is matched only by a component that starts with one.
"""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import product

from umwelten.errors import InputError

_MAGIC = re.compile(r"[*?\[{]")
_MAX_ALTERNATIVES = 1000
_NEVER = re.compile(r"(?!)")

State = frozenset[tuple[int, int]]
"""Where in which alternative a walk stands: (alternative, next component)."""


def has_magic(text: str) -> bool:
    """Whether the text is a pattern rather than a plain path."""
    return _MAGIC.search(text) is not None


class Glob:
    """A compiled pattern. A walk starts at `start`, goes through `enter`, and asks `matches`."""

    def __init__(self, pattern: str, *, recursive: bool = False) -> None:
        self.pattern = pattern
        self._parts = tuple(_components(p, pattern, recursive) for p in expand_braces(pattern))
        self._compiled: dict[str, re.Pattern[str]] = {}
        self._files: dict[State, re.Pattern[str]] = {}
        self.start = self._closure({(number, 0) for number in range(len(self._parts))})

    def enter(self, state: State, folder: str) -> State:
        """Where the walk stands inside a folder; empty when nothing in it can match."""
        hidden = folder.startswith(".")
        after: set[tuple[int, int]] = set()
        for number, at in state:
            part, last = self._parts[number][at], at == len(self._parts[number]) - 1
            if part == "**":
                after |= set() if hidden else {(number, at)}
            elif not last and self._component(part).match(folder) and (not hidden or part[:1] == "."):
                after.add((number, at + 1))
        return self._closure(after)

    def matches(self, state: State, name: str) -> bool:
        """Whether a file of that name, in the folder where the walk stands, is meant."""
        return self.last(state).match(name) is not None

    def last(self, state: State) -> re.Pattern[str]:
        """What matches the names of the files that are meant in the folder where the walk stands."""
        found = self._files.get(state)
        if found is None:
            found = self._files[state] = self._last(state)
        return found

    def matches_path(self, path: str) -> bool:
        """Whether a whole relative path is meant."""
        *folders, name = path.split("/")
        state = self.start
        for folder in folders:
            state = self.enter(state, folder)
        return self.matches(state, name)

    def _closure(self, state: set[tuple[int, int]]) -> State:
        """`**` stands for no folder as well."""
        more = {(n, at + 1) for n, at in state if self._parts[n][at] == "**"}
        return frozenset(state) if more <= state else self._closure(state | more)

    def _last(self, state: State) -> re.Pattern[str]:
        ends = sorted({self._parts[n][at] for n, at in state if at == len(self._parts[n]) - 1})
        return re.compile("|".join(_guarded(part) for part in ends)) if ends else _NEVER

    def _component(self, part: str) -> re.Pattern[str]:
        found = self._compiled.get(part)
        if found is None:
            found = self._compiled[part] = re.compile(translate(part))
        return found


def _guarded(part: str) -> str:
    return translate(part) if part.startswith(".") else r"(?!\.)" + translate(part)


def _components(pattern: str, written: str, recursive: bool) -> tuple[str, ...]:
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    _check(pattern, written, parts)
    if "/" not in pattern and pattern != "**" and recursive:
        parts.insert(0, "**")
    if parts[-1] == "**":
        parts.append("*")
    # Two in a row mean no more than one, and would only cost time.
    return tuple(part for at, part in enumerate(parts) if part != "**" or parts[at - 1 : at] != ["**"])


def _check(pattern: str, written: str, parts: list[str]) -> None:
    if not parts or pattern.endswith("/"):
        raise InputError(f"the pattern {written!r} names no file", "Write for example *.txt or **/*.txt.")
    if pattern.startswith("/"):
        raise InputError(f"the pattern {written!r} must be relative to the directory")
    if ".." in parts:
        raise InputError(f"the pattern {written!r} leads out of the directory")
    if any("**" in part and part != "**" for part in parts):
        raise InputError(
            f"in the pattern {written!r}, ** must stand alone between slashes", "Write for example **/*.txt."
        )


def expand_braces(pattern: str) -> list[str]:
    """All alternatives of a pattern: `a.{jpg,png}` gives `a.jpg` and `a.png`. Errors: nested lists."""
    choices: list[list[str]] = []
    for piece in _pieces(pattern):
        in_list = piece.startswith("{") and piece.endswith("}") and "," in piece
        choices.append(piece[1:-1].split(",") if in_list else [piece])
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MAX_ALTERNATIVES:
        raise InputError(f"the pattern {pattern!r} has more than {_MAX_ALTERNATIVES} alternatives")
    return list(dict.fromkeys("".join(chosen) for chosen in product(*choices)))


_PIECE = re.compile(r"\[!?\]?[^\]/]*\]|\{[^{}]*\}|.", re.DOTALL)


def _pieces(pattern: str) -> list[str]:
    """The pattern cut into character classes, brace lists and single characters."""
    pieces = _PIECE.findall(pattern)
    if "{" in pieces and any("," in piece for piece in pieces if piece.startswith("{") and piece != "{"):
        raise InputError(f"in the pattern {pattern!r}, brace lists must be closed and can't nest")
    return pieces


def split_list(text: str) -> list[str]:
    """The items of a comma list, trimmed; a comma inside braces or a character class does not split."""
    items = [""]
    for piece in _PIECE.findall(text):
        if piece == ",":
            items.append("")
        else:
            items[-1] += piece
    return [item.strip() for item in items if item.strip()]
