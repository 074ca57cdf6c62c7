"""Words of a command line as bash reads and writes them, and as fish reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_ESCAPES = {"a": 7, "b": 8, "e": 27, "E": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_CODE = re.compile(r"x([0-9A-Fa-f]{1,2})|([0-7]{1,3})", re.ASCII)
_FISH_CODE = re.compile(r"[xX]([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{1,4})|c([A-Za-z])", re.ASCII)
_PLAIN = frozenset("@%+:,./_=-")
_OWN_HOME = re.compile(r"~[\w.-]*/")


class Typed(NamedTuple):
    """A line up to the cursor.

    `words` are those in front of the last one, `last` is what stands of that. `before` is the part of `last`
    in front of the text that bash replaces, `quote` the quote that is open there: "", "'", '"' or "$'".
    """

    words: list[str]
    last: str
    before: str
    quote: str


_Step = Callable[[str, int, str], tuple[str, str, int]]


def split_fish_line(line: str) -> tuple[list[str], str]:
    """Return the words of a line of fish's in front of the last one, and what stands of that."""
    typed = split_line(line, len(line), _fish_step)
    return typed.words, typed.last


def split_line(line: str, replaced: int, step: _Step | None = None) -> Typed:
    """Return the words of `line`; from the offset `replaced` on, bash replaces it."""
    step = step or _step
    words: list[str] = []
    word: str | None = None
    quote, before, opened, is_past = "", "", "", False
    at = 0
    while at < len(line):
        if at >= replaced and not is_past:
            before, opened, is_past = word or "", quote, True
        char = line[at]
        if not quote and char in " \t\n":
            if word is not None:
                words.append(_decoded(word))
            word = None
            at += 1
        else:
            text, quote, at = step(line, at, quote)
            word = (word or "") + text
    if not is_past:
        before, opened = word or "", quote
    return Typed(words, _decoded(word or ""), _decoded(before), opened)


def _step(line: str, at: int, quote: str) -> tuple[str, str, int]:
    """Return the text that stands at `at`, the quote that is then open, and the next offset."""
    char, following = line[at], line[at + 1 : at + 2]
    if not quote and (char in "'\"" or line.startswith("$'", at)):
        opened = char if char != "$" else "$'"
        return "", opened, at + len(opened)
    if quote and char == quote[-1]:
        return "", "", at + 1
    if char != "\\" or quote == "'":
        return char, quote, at + 1
    if quote == "$'":
        code = _CODE.match(line, at + 1)
        if code:
            number = int(code[1], 16) if code[1] else int(code[2], 8) & 0xFF
            return _byte(number), quote, code.end()
        return chr(_ESCAPES.get(following, ord(following or "\\"))), quote, at + 2
    if quote and following not in ("$", "`", '"', "\\", "\n"):
        return char, quote, at + 1
    return following.replace("\n", ""), quote, at + 2


def _fish_step(line: str, at: int, quote: str) -> tuple[str, str, int]:
    """Do as `_step`, for fish: escapes count without quotes, and a backslash escapes within both kinds."""
    char, following = line[at], line[at + 1 : at + 2]
    if not quote and char in "'\"":
        return "", char, at + 1
    if char == quote:
        return "", "", at + 1
    if char != "\\" or (quote and following not in (quote, "\\", *("$\n" if quote == '"' else ""))):
        return char, quote, at + 1
    code = None if quote else _FISH_CODE.match(line, at + 1)
    if code is None:
        text = following if quote else chr(_ESCAPES.get(following, ord(following or "\\")))
        return ("" if following == "\n" else text), quote, at + 2
    if code[3] or code[4]:
        return chr(int(code[3], 16) if code[3] else ord(code[4]) & 31), quote, code.end()
    return _byte(int(code[1], 16) if code[1] else int(code[2], 8) & 0xFF), quote, code.end()


def _byte(number: int) -> str:
    """Return a byte as Python keeps those that are no text of their own."""
    return chr(number) if number < 0x80 else chr(0xDC00 + number)


def _decoded(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def quoted(text: str, before: str = "", quote: str = "") -> str:
    """Return `text` so that bash reads it as it is, behind `before` of its word and within an open quote."""
    last = before[-1:]
    pieces = []
    for char in text:
        pieces.append(_quoted_char(char, last, quote))
        last = char
    return "".join(pieces)


def is_plain(text: str) -> bool:
    """Return whether bash reads `text` as it is."""
    return quoted(text) == text


def _quoted_char(char: str, last: str, quote: str) -> str:
    if not char.isprintable() or (char == "!" and quote in ('"', "$'")):
        data = char.encode("utf-8", "surrogateescape")
        codes = "".join(f"\\{byte:03o}" for byte in data)
        return codes if quote == "$'" else f"{quote}$'{codes}'{quote}"
    if not quote:
        is_plain = (
            char.isalnum()
            or char in _PLAIN
            or ord(char) > 0x7F
            or (char == "~" and last not in ("", ":", "="))
        )
        return char if is_plain else f"\\{char}"
    if quote == "'":
        return char if char != "'" else "'\\''"
    return f"\\{char}" if char in {'"': '"$`\\', "$'": "'\\"}[quote] else char


def replacement(value: str, typed: Typed, replaced: str) -> str | None:
    """Return what bash shall put in place of `replaced`, so that the word becomes `value`.

    `None` if the word cannot become it. A `~name/` that was typed stays what bash expands.
    """
    if not value.startswith(typed.before):
        return None
    rest = value[len(typed.before) :]
    home = _OWN_HOME.match(replaced)
    if home and not typed.before and not typed.quote and rest.startswith(home[0]):
        return home[0] + quoted(rest[home.end() :], home[0])
    return quoted(rest, typed.before, typed.quote)
