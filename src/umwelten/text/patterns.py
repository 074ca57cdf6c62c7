"""How patterns of files are written: brace lists, comma lists, and which of their parts name what is hidden.

The walk that matches them and the question whether a project's pattern is to be trusted read them alike.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product

from umwelten.errors import InputError

_MAX_ALTERNATIVES = 1000


def composed(name: str) -> str:
    """Return a name or pattern with each accent in one character with its letter.

    macOS, and archives made there, store `é` as two characters, keyboards type one.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def expand_braces(pattern: str) -> list[str]:
    """Return a pattern's alternatives: `a.{jpg,png}` gives `a.jpg`, `a.png`. Raises for nested lists."""
    choices: list[list[str]] = []
    for piece in _pieces(pattern):
        in_list = piece.startswith("{") and piece.endswith("}") and "," in piece
        choices.append(piece[1:-1].split(",") if in_list else [piece])
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MAX_ALTERNATIVES:
        raise InputError(f"the pattern {pattern!r} has more than {_MAX_ALTERNATIVES} alternatives")
    return list(dict.fromkeys("".join(combination) for combination in product(*choices)))


_PIECE = re.compile(r"\[!?\]?[^\]/]*\]|\{[^{}]*\}|.", re.DOTALL)


def _pieces(pattern: str) -> list[str]:
    """Return the pattern's character classes, brace lists and single characters."""
    pieces = _PIECE.findall(pattern)
    if "{" in pieces and any("," in piece for piece in pieces if piece.startswith("{") and piece != "{"):
        raise InputError(f"in the pattern {pattern!r}, brace lists must be closed and cannot be nested")
    return pieces


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated list, trimmed; commas in braces or brackets do not count."""
    items = [""]
    for piece in _PIECE.findall(text):
        if piece == ",":
            items.append("")
        else:
            items[-1] += piece
    return [item.strip() for item in items if item.strip()]


def hidden_names(pattern: str) -> list[str]:
    """Return those parts of a pattern that match hidden files or folders.

    A part does if it begins with a dot once brace lists are expanded; `[.]env`, `?env` and `*env` do not, as
    `inputs.files.glob` reads them. A pattern that cannot be read may mean any.
    """
    try:
        alternatives = expand_braces(composed(pattern))
    except InputError:
        return [".*"]
    parts = (part for one in alternatives for part in one.split("/"))
    return list(dict.fromkeys(part for part in parts if part.startswith(".") and part not in (".", "..")))
