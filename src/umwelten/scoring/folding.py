"""Folding: what two texts may differ in and still be equal."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Literal

Fold = Literal["none", "case", "words"]

FOLDS: tuple[Fold, ...] = ("none", "case", "words")
"""As it is; NFKC with outer blanks and case off; also punctuation and a, an and the, as SQuAD does it."""

_MOST_MARKS = 30
"""Combining marks in a row, as in Unicode's stream-safe format (UAX #15): no language needs more. Normalizing
sorts them by insertion, so that a megabyte of marks would take minutes."""
_COMBINING = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
_MARKS = re.compile(f"[{_COMBINING}]{{{_MOST_MARKS}}}")
_PERHAPS_MARKS = re.compile(
    f"[{''.join(mark for mark in _COMBINING if mark < chr(0x10000))}\U00010000-\U0010ffff]{{{_MOST_MARKS}}}"
)
"""Ten times as fast, since characters beyond U+FFFF are looked up one by one in a set."""
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_EDGES = "\ufeff\u200b\u2060"
"""Marks without width, which count as blanks at the ends: pasted texts begin and end with them."""


class _NoPunctuation(dict[int, int | None]):
    """A table for `str.translate`, which is filled as characters occur."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        is_mark = character in string.punctuation or unicodedata.category(character).startswith("P")
        self[code] = None if is_mark else code
        return self[code]


_no_punctuation = _NoPunctuation()


def normalize(text: str) -> str:
    """Return the text in NFKC, in time that grows with its length alone."""
    if text.isascii():
        return text
    if not _PERHAPS_MARKS.search(text):
        return unicodedata.normalize("NFKC", text)
    pieces = []
    start = 0
    for match in _MARKS.finditer(text):
        pieces.append(unicodedata.normalize("NFKC", text[start : match.end()]))
        start = match.end()
    pieces.append(unicodedata.normalize("NFKC", text[start:]))
    return "".join(pieces)


def fold(text: str, how: Fold = "case") -> str:
    """Return the text as it is compared."""
    if how == "none":
        return text
    folded = normalize(text).casefold()
    if not folded.isascii():
        folded = normalize(folded)  # taking case off can part what belongs together
    if how == "case":
        return strip_blanks(folded)
    return " ".join(_ARTICLES.sub(" ", folded.translate(_no_punctuation)).split())


def strip_blanks(text: str) -> str:
    """Return the text without blanks at its ends, those without width included."""
    stripped = text.strip()
    while stripped and (stripped[0] in _EDGES or stripped[-1] in _EDGES):
        stripped = stripped.strip(_EDGES).strip()
    return stripped
