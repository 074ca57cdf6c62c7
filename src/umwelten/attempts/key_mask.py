"""Keeps keys out of what a reply says: providers and proxies repeat the key that they were sent.

Whatever comes out of `transport` has passed a `KeyMask`: every text of an outcome, the pieces of a streamed
answer, the headers and bodies of plain requests. A key is found as it is, in base64, and where half of it is
left; in texts that are not an answer also in any spelling of URLs, JSON and HTML, in hexadecimal, in other
letters, with invisible characters between them (UTF-16 among them), and cut off at the end of a text.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from umwelten.phrases import Named, Phrase
from umwelten.providers.protocol import Head
from umwelten.types import FailureKind, FinishReason, Resource, Secret

T = TypeVar("T")

MASK = "***"

_SHORTEST_KEY = 6
"""Characters. A shorter key is a dummy for servers that want any key, and may be part of ordinary words."""

_SHORTEST_SECRET = 16
"""Characters. Vendors' keys have 32 and more; a shorter one ("123456", "sk-1234") may be in any answer.

Not below two of `_CUT`: half of a secret is looked for."""

_WORDS = re.compile(r"[A-Za-z]+(?:[-_][A-Za-z]+)*")
_LONGEST_WORDS = 23
"""Characters. A key of words that is no longer ("ollama", "not-needed") is a dummy: answers may hold it."""

_CUT = 8
"""Characters. So much of a key is masked where the text ends in the middle of it; half of it anywhere.

Not in answers: they may end with a vendor's public prefix, such as `sk-proj-`."""

_DOTS = 4
"""Characters, at most, with which a text says that it was cut: three dots, perhaps after a blank."""

_ANSWERS = frozenset(("text", "data", "reasoning", "partial", "id", "name", "arguments", "turn"))
"""Fields with a model's words; the last four are those of calls. They are long, so only the usual spellings
of a key are looked for."""

PLAIN = frozenset((bool, int, float, FailureKind, FinishReason, Resource))
"""Types without a text that came from outside."""

_SCANNED = 1 << 18
"""Characters from the start of a text in which other spellings are looked for: up to 0.5 µs for each."""

_ESCAPES = ("%", "\\", "&#")

_GAPS = bytes(set(range(128)) - set(range(0x21, 0x7F)))
_GAP = r"(?:[^!-~]|\\{1,4}(?:[nrt]|u00(?:00|a[0d])|u200[b-f]|u2060|ufeff)){0,4}"
"""What may stand between two letters: blanks and line breaks, the zeros of UTF-16, characters of no width."""


class _Key:
    """One key and its spellings."""

    def __init__(self, key: str) -> None:
        self.key, self.low = key, key.lower()
        self.is_words = len(key) <= _LONGEST_WORDS and _WORDS.fullmatch(key) is not None
        self.is_dummy = self.is_words or len(key) < _SHORTEST_SECRET
        self.forms = (key,) if self.is_words else _forms(key)
        self.half = max(_CUT, len(key) // 2)
        self.start = key if self.is_dummy else key[:_CUT]
        self.end = key if self.is_dummy else key[-self.half :]
        self.in_hex = key.encode().hex()
        self.is_ascii = key.isascii()
        self.marks = ((self.low if self.is_ascii else self.in_hex).encode(), self.in_hex.encode())
        # Where the start is not, neither are the forms that begin with it.
        self.others = tuple(form for form in self.forms if not form.startswith(self.start))

    @cached_property
    def spelling(self) -> re.Pattern[str]:
        """Every way to write it, letter by letter, in URLs, JSON and HTML, or as numbers."""
        letters = _GAP.join(map(_spellings, self.key))
        return re.compile(f"{letters}|{self.in_hex}", re.IGNORECASE)

    def is_in(self, answers: str, words: str) -> bool:
        """Return whether the texts may hold it. Called for every reply: nothing here is slow."""
        if self.is_words:
            return self.key in words
        # One look for each form, which has no line break in it.
        both = words if self.is_dummy else f"{answers}\n{words}"
        if self.start in both or self.end in both:
            return True
        for form in self.others:
            if form in both:
                return True
        if self._is_spread_over(words):
            return True
        is_escaped = any(mark in words for mark in _ESCAPES)
        return is_escaped and self.spelling.search(words, 0, _SCANNED) is not None

    def _is_spread_over(self, words: str) -> bool:
        """Return whether it is there with anything invisible between its letters, or in hexadecimal."""
        letters = words.encode("ascii", "ignore").translate(None, _GAPS).lower()
        in_letters, in_hex = self.marks
        return in_letters in letters or in_hex in letters or (not self.is_ascii and self.low in words.lower())

    def hide(self, text: str, *, answer: bool) -> str:
        """Return the text without it, in all that is looked for there."""
        text = self.hide_forms(text)
        if self.is_words:
            return text
        if not answer:
            text = self.spelling.sub(MASK, text[:_SCANNED]) + text[_SCANNED:]
        return self.hide_halves(text, answer=answer)

    def hide_forms(self, text: str) -> str:
        """Mask what is whole, in its usual spellings."""
        for form in self.forms:
            text = text.replace(form, MASK)
        return text

    def hide_halves(self, text: str, *, answer: bool) -> str:
        """Mask half of it or more, from its beginning or to its end, and what the end of a text cut off."""
        if self.start in text:
            text = self._hide_beginnings(text, answer=answer)
        return self._hide_ends(text) if self.end in text else text

    def _hide_beginnings(self, text: str, *, answer: bool) -> str:
        kept: list[str] = []
        done, at = 0, text.find(self.start)
        while at >= 0:
            end, last = at + len(self.start), min(at + len(self.key), len(text))
            while end < last and text[end] == self.key[end - at]:
                end += 1
            is_cut = not answer and len(text) - end <= _DOTS and not text[end:].strip(" .…")
            if is_cut or end - at >= self.half:
                kept += text[done:at], MASK
                done = end
            at = text.find(self.start, end)
        return "".join((*kept, text[done:]))

    def _hide_ends(self, text: str) -> str:
        kept: list[str] = []
        done, at = 0, text.find(self.end)
        while at >= 0:
            start, letter = at, len(self.key) - len(self.end)
            while start > done and letter and text[start - 1] == self.key[letter - 1]:
                start, letter = start - 1, letter - 1
            kept += text[done:start], MASK
            done = at + len(self.end)
            at = text.find(self.end, done)
        return "".join((*kept, text[done:]))


class KeyMask:
    """Masks these secrets; those that are too short to be one are left out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: another may be its beginning.
        found = sorted(dict.fromkeys(secrets), key=len, reverse=True)
        self._keys = [_Key(text) for text in found if len(text) >= _SHORTEST_KEY]

    def outcome(self, outcome: T) -> T:
        """Return a reply or failure without a key in any of its texts."""
        if not self._keys:
            return outcome
        answers: list[str] = []
        words: list[str] = []
        _collect(outcome, answers, words)
        if not self._is_in("\n".join(answers), "\n".join(words)):
            return outcome
        hidden: T = self._hide(outcome, "")
        return hidden

    def head(self, head: Head) -> Head:
        """Return a reply's head without a key in its headers."""
        if not self._is_in("", "\n".join(head.headers.values())):
            return head
        return msgspec.structs.replace(head, headers=self._hide(dict(head.headers), ""))

    def body(self, body: bytes) -> bytes:
        """Return a body without a key. It stays JSON if it was."""
        text = body.decode("latin-1")
        return self._hide(text, "").encode("latin-1") if self._is_in("", text) else body

    def text(self, text: str) -> str:
        """Return what a tool gave without a key. It is like an answer: dummies stay in it."""
        return self._hide(text, "text") if self._is_in(text, "") else text

    def words(self, text: str) -> str:
        """Return what is no answer, such as a traceback, without a key, however short that is."""
        return self._hide(text, "") if self._is_in("", text) else text

    def pieces(self, on_text: Callable[[str], None]) -> Pieces:
        """Return what passes on the pieces of an answer without a key, wherever it is split."""
        return Pieces(self._beginnings, on_text)

    @cached_property
    def _beginnings(self) -> _Beginnings:
        return _Beginnings([key for key in self._keys if not key.is_dummy])

    def _is_in(self, answers: str, words: str) -> bool:
        return any(key.is_in(answers, words) for key in self._keys)

    def _hide(self, value: Any, name: str) -> Any:
        if type(value) is str:
            answer = name in _ANSWERS
            # Of a dummy, answers may speak.
            hidden = [key for key in self._keys if not (answer and key.is_dummy)]
            for key in hidden:  # all that is whole first: half of one may be half of another
                value = key.hide_forms(value)
            for key in hidden:
                value = key.hide(value, answer=answer)
            return value
        if type(value) is bytes:
            text = value.decode("utf-8", "surrogateescape")
            return self._hide(text, name).encode("utf-8", "surrogateescape")
        if isinstance(value, msgspec.Struct):
            fields = {each: self._hide(getattr(value, each), each) for each in value.__struct_fields__}
            return msgspec.structs.replace(value, **fields)
        if type(value) is tuple:
            return tuple(self._hide(item, name) for item in value)
        if type(value) is dict:
            return {self._hide(key, name): self._hide(item, name) for key, item in value.items()}
        if type(value) is Named:
            return value._replace(value=self._hide(value.value, name))
        if type(value) is Phrase:
            return Phrase.of(self._hide_in_phrase(value, name))
        return value

    def _hide_in_phrase(self, phrase: Phrase, name: str) -> Iterator[str | Named]:
        """Yield its pieces without a key. Texts side by side are one: a key may begin in the first."""
        for is_option, run in groupby(phrase.pieces, lambda piece: isinstance(piece, Named)):
            if is_option:
                yield from (self._hide(piece, name) for piece in run)
            else:
                yield self._hide("".join(map(str, run)), name)


class _Beginnings:
    """What the end of a piece must be to be held back: the beginning of any usual spelling of these keys."""

    def __init__(self, keys: list[_Key]) -> None:
        forms = [form for key in keys for form in key.forms]
        self.keys = keys
        # Most pieces are a word, and so shorter than half of any key.
        self.shortest = min((key.half for key in keys), default=0)
        self.longest = max(map(len, forms), default=1)
        letters = "".join({form[0] for form in forms})
        self.search = re.compile(f"[{re.escape(letters)}]" if letters else "(?!)").search
        self._all = frozenset(form[:end] for form in forms for end in range(1, len(form)))

    def start(self, text: str, found: re.Match[str] | None) -> int:
        """Return where the end of a text is such a beginning, the longest one; its length if nowhere.

        `found`: the first of its last letters with which a spelling begins.
        """
        while found is not None:
            at = found.start()
            if text[at:] in self._all:
                return at
            found = self.search(text, at + 1)
        return len(text)


class Pieces:
    """A function for the pieces of a streamed answer. `end` passes on what was held back.

    A key is found wherever the pieces are split, in each of its usual spellings, and so is half of it from
    its beginning. Half without the beginning is found inside a piece only: any letter may be part of that.
    """

    def __init__(self, beginnings: _Beginnings, on_text: Callable[[str], None]) -> None:
        self._beginnings, self._on_text = beginnings, on_text
        self._keys, self._shortest = beginnings.keys, beginnings.shortest
        self._search, self._longest = beginnings.search, beginnings.longest
        self._held = ""

    def __call__(self, text: str) -> None:
        """Pass on a piece, but for an end that may become a key."""
        if self._held:
            text, self._held = self._held + text, ""
        if len(text) >= self._shortest:
            for key in self._keys:
                text = key.hide_forms(text)
        # Before halves are masked: the rest of one may follow.
        found = self._search(text, len(text) - self._longest)
        if found is not None:
            at = self._beginnings.start(text, found)
            text, self._held = text[:at], text[at:]
        if len(text) >= self._shortest:
            for key in self._keys:
                text = key.hide_halves(text, answer=True)
        if text:
            self._on_text(text)

    def end(self) -> None:
        """Pass on the rest: no more follows."""
        held, self._held = self._held, ""
        for key in self._keys:
            held = key.hide(held, answer=True)
        if held:
            self._on_text(held)


def secrets_of(key: Secret | None, authorization: Secret | None) -> Iterable[str]:
    """Yield what must not be told: the provider's key, and a proxy's password, also as it is sent."""
    if key is not None:
        yield key.reveal()
    if authorization is not None:
        sent = authorization.reveal().partition(" ")[2]
        yield sent
        yield b64decode(sent).decode("utf-8", "replace").partition(":")[2]


def _collect(value: Any, answers: list[str], words: list[str]) -> None:
    """Add the texts in a reply or failure to the two lists."""
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if not item:
            continue
        kind = type(item)
        if kind is str:
            (answers if name in _ANSWERS else words).append(item)
        elif kind is bytes:
            answers.append(item.decode("utf-8", "replace"))
        elif kind in PLAIN:
            continue
        elif isinstance(item, msgspec.Struct):
            _collect(item, answers, words)
        elif kind is tuple or kind is dict:
            for each in item if kind is tuple else (*item, *item.values()):
                if isinstance(each, msgspec.Struct):
                    _collect(each, answers, words)
                else:
                    words.append(str(each))
        elif kind is Phrase:
            words.append(str(item))


def _forms(key: str) -> tuple[str, ...]:
    """Return the usual spellings of a key."""
    raw = key.encode()
    forms = [key, quote(key, safe=""), key.replace("/", "\\/")]
    for shift in range(3):
        # In base64 the same bytes look different at each of three offsets. What lies beside them changes
        # the first and the last characters.
        first, last = (0, 2, 3)[shift], (len(raw) + shift) // 3 * 4
        coded = b64encode(bytes(shift) + raw).decode()[first:last]
        forms += [coded, coded.replace("+", "-").replace("/", "_")]
    return tuple(dict.fromkeys(form for form in forms if len(form) >= _SHORTEST_KEY))


def _spellings(letter: str) -> str:
    """Return a pattern for the ways to write a letter."""
    number = ord(letter)
    ways = [
        re.escape(letter),
        rf"%(?:25){{0,3}}{number:02x}",
        rf"\\{{1,8}}(?:(?:u00|x){number:02x}|u\{{0{{0,4}}{number:x}\}}|0?{number:o}(?![0-7]))",
        rf"&#(?:0{{0,6}}{number}|x0{{0,6}}{number:x});",
    ]
    if not letter.isalnum():
        ways.append(rf"\\{{1,8}}{re.escape(letter)}")
    return f"(?:{'|'.join(ways)})"
