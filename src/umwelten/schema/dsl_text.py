"""A position in the text of a short schema, and the errors that point to it."""

from __future__ import annotations

import re
from typing import NoReturn

from umwelten.text.caret import fault

_WORD = re.compile(r"""[^\s,:|?{}()\[\]<>"'=]+""")
_CLOSERS = {'"': '"', "'": "'", "(": ")"}

COMMA_HINT = "Separate fields with commas. "
QUOTE_HINT = "A description goes in quotes or parentheses, without a ':' before it."


class Cursor:
    """Reads a text; `offset` is the position of the next character."""

    def __init__(self, text: str, origin: str) -> None:
        self.text, self.origin, self.offset = text, origin, 0

    def skip_blanks(self) -> bool:
        """Go to what follows the blanks; return whether it is on another line."""
        start = self.offset
        self.offset = self.after_blanks(start)
        return "\n" in self.text[start : self.offset]

    def after_blanks(self, offset: int) -> int:
        """Return the next position that isn't blank."""
        while offset < len(self.text) and self.text[offset].isspace():
            offset += 1
        return offset

    def at_end(self) -> bool:
        """Return whether nothing follows."""
        return self.offset >= len(self.text)

    def peek(self) -> str:
        """Return the next character; a blank at the end."""
        return " " if self.at_end() else self.text[self.offset]

    def take(self, token: str) -> bool:
        """Pass the token if it comes next; return whether it did."""
        taken = self.text.startswith(token, self.offset)
        self.offset += len(token) * taken
        return taken

    def take_after_blanks(self, token: str) -> bool:
        """Pass blanks and the token if it follows them; else stay."""
        offset = self.after_blanks(self.offset)
        if not self.text.startswith(token, offset):
            return False
        self.offset = offset + len(token)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return what the pattern matches here."""
        return pattern.match(self.text, self.offset)

    def follows(self, offset: int, character: str) -> bool:
        """Return whether the character follows, after blanks."""
        return self.text.startswith(character, self.after_blanks(offset))

    def next_word(self) -> str:
        """Return what comes next, for a message."""
        if self.at_end():
            return "the end"
        word = self.match(_WORD)
        return repr(word[0] if word else self.peek())

    def before(self) -> str:
        """Return " before …" with what comes next, for a message."""
        return "" if self.at_end() else f" before {self.next_word()}"

    def delimited_text(self) -> str:
        """Return the text between the quote or parenthesis here and the one that closes it."""
        opener = self.text[self.offset]
        end = self.text.find(_CLOSERS[opener], self.offset + 1)
        if end < 0:
            self.fail(self.offset, f"this {opener} is never closed", f"Close it with {_CLOSERS[opener]}.")
        inside = self.text[self.offset + 1 : end].strip()
        self.offset = end + 1
        return inside

    def description(self) -> str:
        """Return the description in quotes or parentheses that follows; "" if there is none."""
        offset = self.after_blanks(self.offset)
        if not self.text.startswith(tuple(_CLOSERS), offset):
            return ""
        self.offset = offset
        return " ".join(self.delimited_text().split())

    def fail(self, offset: int, what: str, allowed: str) -> NoReturn:
        """Raise `UsageError` with a caret under `offset`; `allowed` is what may stand there."""
        raise fault(self.text, offset, what, allowed, origin=self.origin)
