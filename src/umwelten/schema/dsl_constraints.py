"""Ranges and choices in a short schema."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from umwelten.schema.dsl_text import QUOTE_HINT, Cursor
from umwelten.schema.dsl_words import TYPE_LIST, TYPES, kind_of, type_suggestion

_CHOICE_WORD = r"""(?:[^\s,;:|?{}()\[\]"'=]|;(?=\S)|(?<=[^\s|])=)+"""
_CHOICE = re.compile(rf"{_CHOICE_WORD}(?:[ \t]+{_CHOICE_WORD})*")
CHOICE_AHEAD = re.compile(rf"""(?:{_CHOICE.pattern}|"[^"]*"|'[^']*')\s*\|""")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_NUM = re.compile(_NUMBER, re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})\s*(?:\.\.\.?|[-–]|to\b)\s*({_NUMBER})(?![\w.])", re.ASCII)
_OPEN = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})(?![\w.])", re.ASCII)
_BOUNDS = {">=": "minimum", "<=": "maximum", ">": "exclusiveMinimum", "<": "exclusiveMaximum"}

CONSTRAINT_HINT = "After ':' write a|b, a range like 1-10, a type, or {fields}."
CHOICE_HINT = "Separate two or more choices with '|': draft|final. Quote one that has a comma in it."
_RANGE_HINT = "Ranges: 1-10, 1..10, -1.5-2, >=0, <100. Choices: 1|2|3."


class ConstraintParser(Cursor):
    """Parses ranges and choices."""

    # --- ranges ----------------------------------------------------------------------------------

    def range_follows(self) -> bool:
        """Go to the range that follows, if one does."""
        offset = self.after_blanks(self.offset)
        range_ = _SPAN.match(self.text, offset) or _OPEN.match(self.text, offset)
        if range_ is None or self.follows(range_.end(), "|"):
            return False
        self.offset = offset
        return True

    def number_schema(self, kind: str) -> dict[str, Any]:
        """Parse a range, or choices, of whole numbers (`int`) or of any (`float`)."""
        base = TYPES[kind]
        if match := self.match(_OPEN):
            self.offset = match.end()
            return base | {_BOUNDS[match[1]]: self._number(kind, match[2], match.start(2))}
        if match := self.match(_SPAN):
            low, high = (self._number(kind, match[n], match.start(n)) for n in (1, 2))
            if low > high:
                self.fail(self.offset, f"the range {match[0]} is reversed", f"Write {match[2]}-{match[1]}.")
            self.offset = match.end()
            return base | {"minimum": low, "maximum": high}
        return base | {"enum": self._numbers(kind)}

    def _numbers(self, kind: str) -> list[int | float]:
        numbers: list[int | float] = []
        start = self.offset
        while True:
            self.skip_blanks()
            match = self.match(_NUM)
            if match is None:
                hint = f"{_RANGE_HINT} {QUOTE_HINT}" if self.peek().isalpha() else _RANGE_HINT
                self.fail(self.offset, f"expected a number, found {self.next_word()}", hint)
            number = self._number(kind, match[0], self.offset)
            if number in numbers:
                self.fail(self.offset, f"the choice {match[0]} appears twice", "Remove one of them.")
            numbers.append(number)
            self.offset = match.end()
            if not self.take_after_blanks("|"):
                break
        if len(numbers) == 1:
            self.fail(
                start, f"{self.text[start:].split(None, 1)[0].rstrip(',}')!r} is not a range", _RANGE_HINT
            )
        return numbers

    def _number(self, kind: str, text: str, offset: int) -> int | float:
        if kind == "int" and not _is_whole(text):
            hint = "Bounds of an int are whole numbers; else use float."
            self.fail(offset, f"{text} is not a whole number", hint)
        if len(text) > 300 or abs(float(text)) == float("inf"):
            self.fail(offset, "this number is too large", _RANGE_HINT)
        return int(text) if _is_whole(text) else float(text)

    # --- choices ---------------------------------------------------------------------------------

    def choices(self) -> list[str]:
        """Parse choices with `|` between them."""
        choices: list[str] = []
        start = self.offset
        quoted = self.peek() in "\"'"
        while True:
            self.skip_blanks()
            self._add_choice(choices)
            if not self.take_after_blanks("|"):
                break
        if len(choices) == 1:
            self._fail_lone_choice(start, choices[0], quoted)
        return choices

    def listed_choices(self) -> list[str]:
        """Parse the choices in `Literal["a", "b"]`."""
        choices: list[str] = []
        while True:
            self.skip_blanks()
            self._add_choice(choices)
            if not (self.take_after_blanks(",") or self.take_after_blanks("|")):
                return choices

    def _add_choice(self, choices: list[str]) -> None:
        offset = self.offset
        choice = self._choice()
        if choice in choices:
            self.fail(offset, f"the choice {choice!r} appears twice", "Remove one of them.")
        choices.append(choice)

    def _choice(self) -> str:
        if self.at_end() or self.peek() in ",|}":
            self.fail(self.offset, f"a choice is empty{self.before()}", CHOICE_HINT)
        if self.peek() in "\"'":
            start = self.offset
            return self.delimited_text() or self.fail(start, "a choice is empty, between quotes", CHOICE_HINT)
        match = self.match(_CHOICE)
        if match is None:
            self.fail(self.offset, f"expected a choice, found {self.next_word()}", CHOICE_HINT)
        first, *others = match[0].split()
        if others and kind_of(others[-1]) and not self.follows(match.end(), "|"):
            # The next field, without a comma before it.
            self.offset = self.after_blanks(self.offset + len(first))
            self.fail(self.offset, f"expected '|' or a comma, found {self.next_word()}", CHOICE_HINT)
        self.offset = match.end()
        return " ".join(match[0].split())

    def _fail_lone_choice(self, start: int, choice: str, quoted: bool) -> NoReturn:
        """Raise the error for `status: draft`, `year: itn` and `title: "as printed"`."""
        if quoted:
            self.fail(start, f"only one choice: {choice!r}", f"{QUOTE_HINT} {CHOICE_HINT}")
        if nearest := type_suggestion(choice):
            self.fail(start, f"unknown type {choice!r}", f"{nearest}{TYPE_LIST} {CONSTRAINT_HINT}")
        words = f"{QUOTE_HINT} " if " " in choice else ""
        self.fail(
            start,
            f"{choice!r} is neither a type nor a range, and only one choice",
            f"{words}{CONSTRAINT_HINT} {TYPE_LIST}",
        )

    def bare_range(self) -> dict[str, Any]:
        """Parse the range here, of whole numbers if its bounds are."""
        range_ = self.match(_SPAN) or self.match(_OPEN)
        bounds = _NUM.findall(range_[0].replace("..", " ")) if range_ else []
        return self.number_schema("int" if all(map(_is_whole, bounds)) else "float")


def _is_whole(number: str) -> bool:
    return number.lstrip("-").isdigit()
