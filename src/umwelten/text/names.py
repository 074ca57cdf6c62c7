"""Names that look the same, compared as one: letters in one or two code points, signs that nobody sees.

What a Mac writes has `ö` as two code points, what is typed has one; copied text brings byte order marks,
zero-width and no-break spaces, soft hyphens. Only comparisons see the one form: names are kept, sent and
shown as they were written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

_V = TypeVar("_V")

# Beside the format characters (Cf): what is drawn as nothing although it counts as a mark or a letter.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))


def folded(name: str) -> str:
    """Return the form in which names are compared: composed, without invisible signs, single blanks."""
    return " ".join(name.split()) if name.isascii() else _folded(name)


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    seen = "".join(char for char in name if unicodedata.category(char) != "Cf" and char not in _UNSEEN)
    return " ".join(unicodedata.normalize("NFC", seen).split())


def alike(name: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that look like this one: itself alone if it is there, else all that do."""
    found, wanted = [], folded(name)
    for other in names:
        if other == name:
            return [other]
        if folded(other) == wanted:
            found.append(other)
    return found


def value_of(name: str, values: Mapping[str, _V], missing: _V) -> _V:
    """Return the value under a name, or under the first one that looks the same."""
    value = values.get(name)
    if value is not None:
        return value
    found = alike(name, values)
    return values[found[0]] if found else missing


def look_alikes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of different names that look the same, each with the first of its kind."""
    first: dict[str, str] = {}
    pairs = ((first.setdefault(folded(name), name), name) for name in names)
    return [(one, other) for one, other in pairs if one != other]


def spelled_out(name: str) -> str:
    """Return the name in quotes with all but ASCII as escapes, for names that look the same."""
    return ascii(name)


def differing_signs(name: str, other: str) -> str:
    """Return which letter of `name` is drawn like another one of `other`, such as a Cyrillic а; "" for none.

    Names of one length that differ only in letters of another alphabet are taken for look-alikes.
    """
    name, other = folded(name), folded(other)
    pairs = [(a, b) for a, b in zip(name, other, strict=False) if a != b]
    if len(name) != len(other) or not pairs or not all(_is_of_other_alphabet(a, b) for a, b in pairs):
        return ""
    sign = next(one if not one.isascii() else two for one, two in pairs)
    return f"{sign!r} is U+{ord(sign):04X} {unicodedata.name(sign, '')}".rstrip()


def _is_of_other_alphabet(one: str, other: str) -> bool:
    alphabets = [unicodedata.name(sign, "").partition(" ")[0] for sign in (one, other)]
    return one.isalpha() and other.isalpha() and alphabets[0] != alphabets[1]
