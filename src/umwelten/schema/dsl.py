"""The short form of a schema: `title, date date, tags array, confidence int: 1-10, email?`.

    fields      = field {"," field}
    field       = name ["?"] [type] [":" constraint] [description]
    type        = "string" | "int" | "float" | "bool" | "date" | "array" | "object"
    constraint  = "{" fields "}" | choices | range | type [":" constraint]
    choices     = choice "|" choice {"|" choice}          each a word, or anything in quotes
    range       = number ("-" | "..") number | (">=" | "<=" | ">" | "<") number
    description = '"' … '"' | "'" … "'" | "(" … ")"

A field without a type is a string; a range alone makes it a number, `{…}` alone an object. After `array`
the constraint applies to each element. Blanks and line breaks are allowed between all of these.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from umwelten.text.caret import fault
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import Schema

MAX_DEPTH = 8
"""Levels to which braces, or arrays of arrays, may be nested."""
TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
}
_ALIASES = {
    "str": "string",
    "text": "string",
    "integer": "int",
    "number": "float",
    "double": "float",
    "decimal": "float",
    "boolean": "bool",
    "datetime": "date",
    "list": "array",
    "dict": "object",
    "map": "object",
}
"""Names of types in other languages, for the suggestion in an error."""

_TYPE_LIST = f"Types: {', '.join(TYPES)}."
_NAME = re.compile(r"[^\W\d][\w\u0300-\u036f-]*")  # the range: combining accents
_WORD = re.compile(r"""[^\s,:|?{}()\[\]"']+""")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_NUM = re.compile(_NUMBER, re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})\s*(?:\.\.|[-–])\s*({_NUMBER})(?![\w.])", re.ASCII)
_OPEN = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})(?![\w.])", re.ASCII)
_BOUNDS = {">=": "minimum", "<=": "maximum", ">": "exclusiveMinimum", "<": "exclusiveMaximum"}
_CLOSERS = {'"': '"', "'": "'", "(": ")"}

_CONSTRAINT_HINT = "After ':' write a|b, a range like 1-10, a type, or {fields}."
_CHOICE_HINT = "Separate two or more choices with '|': draft|final. Quote a choice that contains blanks."
_RANGE_HINT = "Ranges: 1-10, 1..10, -1.5-2, >=0, <100. Choices: 1|2|3."
_COMMA_HINT = "Separate fields with commas. "
_FIELD_HINT = f'{_COMMA_HINT}A field is: name[?] [type] [: constraint] ["description"].'
_NAME_HINT = "A name consists of letters, digits, '_' and '-' and starts with a letter or '_': first_name."


def parse_dsl(text: str, *, origin: str = "schema") -> Schema:
    """Return the schema that the text describes.

    Raises `UsageError` that shows the line, a caret under the fault, and what is allowed there; `origin`
    names the text in it.
    """
    return Schema(json=_DslParser(text, origin).parse(), source=text.strip())


class _DslParser:
    """A recursive-descent parser; `offset` is the position of the next character."""

    def __init__(self, text: str, origin: str) -> None:
        self.text, self.origin, self.offset = text, origin, 0

    def parse(self) -> dict[str, Any]:
        self._skip_blanks()
        if self._at_end():
            self._fail(0, "no fields", "Name the fields: title, author, year int.")
        return self._fields(None, 0)

    # --- fields ----------------------------------------------------------------------------------

    def _fields(self, opened: int | None, depth: int) -> dict[str, Any]:
        """Parse fields up to the closing brace of the one at `opened`, or to the end if that is `None`."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        while True:
            name, optional, type_schema = self._field(properties, opened, depth)
            properties[name] = type_schema
            if not optional:
                required.append(name)
            if not self._more_fields(opened):
                break
        object_: dict[str, Any] = {"type": "object", "properties": properties}
        return object_ | {"required": required, "additionalProperties": False}

    def _field(
        self, earlier: dict[str, Any], opened: int | None, depth: int
    ) -> tuple[str, bool, dict[str, Any]]:
        name = self._name(earlier, opened)
        self._skip_blanks()
        optional = self._take("?")
        self._skip_blanks()
        type_schema = self._type_schema(depth)
        self._skip_blanks()
        if described := self._description():
            type_schema = type_schema | {"description": described}
        self._skip_blanks()
        return name, optional, type_schema

    def _name(self, earlier: dict[str, Any], opened: int | None) -> str:
        self._skip_blanks()
        match = _NAME.match(self.text, self.offset)
        if match is None:
            if self._at_end() and opened is not None:
                self._fail_unclosed(opened)
            self._fail(self.offset, f"a field's name is missing{self._before()}", _NAME_HINT)
        if match[0] in earlier:
            self._fail(self.offset, f"the field {match[0]!r} appears twice", "Give each field its own name.")
        self.offset = match.end()
        return match[0]

    def _more_fields(self, opened: int | None) -> bool:
        """Return whether a comma follows, so another field; else check that the fields end properly."""
        if self._take(","):
            return True
        if self._at_end():
            if opened is not None:
                self._fail_unclosed(opened)
            return False
        if self._peek() != "}":
            self._fail_stray()
        if opened is None:
            self._fail(self.offset, "this '}' has no matching '{'", "Remove it, or write '{' after a name.")
        return not self._take("}")

    def _fail_stray(self) -> NoReturn:
        """Raise the error for what cannot follow a complete field."""
        next_ = self._peek()
        hint = {
            "?": "The '?' of an optional field follows its name: email? string.",
            "[": "A list is written with 'array': tags array, scores array: int.",
            "|": _CHOICE_HINT,
            "{": "The fields of an object follow a ':': address: {street, zip}.",
            ":": "A field has one constraint, before its description: status: draft|final (the state).",
        }.get(next_, _FIELD_HINT)
        self._fail(self.offset, f"expected a comma, found {self._next_word()}", hint)

    def _fail_unclosed(self, opened: int) -> NoReturn:
        self._fail(opened, "this '{' is never closed", "Close it with '}' after its last field.")

    # --- types and constraints -------------------------------------------------------------------

    def _type_schema(self, depth: int) -> dict[str, Any]:
        """Parse `[type] [: constraint]`, either of which may be missing."""
        word = _WORD.match(self.text, self.offset)
        kind = self._type(word[0]) if word is not None and word[0][0].isalpha() else None
        self._skip_blanks()
        if self._take(":"):
            return self._constraint(kind, depth)
        return dict(TYPES[kind or "string"])

    def _type(self, word: str) -> str:
        if word not in TYPES:
            self._fail(
                self.offset, f"unknown type {word!r}", f"{_type_suggestion(word) or _COMMA_HINT}{_TYPE_LIST}"
            )
        self.offset += len(word)
        return word

    def _constraint(self, kind: str | None, depth: int) -> dict[str, Any]:
        self._skip_blanks()
        if self._at_end() or self._peek() in ",}":
            self._fail(
                self.offset, f"a constraint is missing after the ':'{self._before()}", _CONSTRAINT_HINT
            )
        if kind == "array":
            return {"type": "array", "items": self._array_items(depth)}
        if self._peek() == "{":
            return self._object_schema(kind, depth)
        if kind is None:
            return self._bare_constraint(depth)
        if kind in ("int", "float"):
            return self._number_schema(kind)
        if kind != "string":
            self._fail(self.offset, f"the type {kind!r} takes no such constraint", _constraint_hint(kind))
        return {"type": "string", "enum": self._choices()}

    def _object_schema(self, kind: str | None, depth: int) -> dict[str, Any]:
        if kind not in (None, "object"):
            self._fail(
                self.offset,
                f"the type {kind!r} has no fields",
                "Only object and array have fields: a object: {b, c}.",
            )
        if depth >= MAX_DEPTH:
            self._fail_too_deep()
        opened = self.offset
        self.offset += 1
        self._skip_blanks()
        if self._peek() == "}":
            self._fail(self.offset, "no fields between the braces", "Name them: address: {street, zip}.")
        return self._fields(opened, depth + 1)

    def _array_items(self, depth: int) -> dict[str, Any]:
        """Parse the description of an array's elements: a type, a constraint, or both."""
        word = _WORD.match(self.text, self.offset)
        if word is not None and word[0] == "array" and depth >= MAX_DEPTH:
            self._fail_too_deep()
        inner = depth + (word is not None and word[0] == "array")
        return self._constraint(None, inner)

    def _bare_constraint(self, depth: int) -> dict[str, Any]:
        """Parse a type, a range, or choices that follow a ':' without a type before it."""
        word = _WORD.match(self.text, self.offset)
        if word is not None and word[0] in TYPES and not self._follows(word.end(), "|"):
            return self._type_schema(depth)
        range_ = _SPAN.match(self.text, self.offset) or _OPEN.match(self.text, self.offset)
        if range_ is not None and not self._follows(range_.end(), "|"):
            whole = all(_is_whole(bound) for bound in _NUM.findall(range_[0].replace("..", " ")))
            return self._number_schema("int" if whole else "float")
        return {"type": "string", "enum": self._choices()}

    # --- ranges ----------------------------------------------------------------------------------

    def _number_schema(self, kind: str) -> dict[str, Any]:
        """Parse a range, or choices, of whole numbers (`int`) or of any (`float`)."""
        base = TYPES[kind]
        if match := _OPEN.match(self.text, self.offset):
            self.offset = match.end()
            return base | {_BOUNDS[match[1]]: self._number(kind, match[2], match.start(2))}
        if match := _SPAN.match(self.text, self.offset):
            low, high = (self._number(kind, match[n], match.start(n)) for n in (1, 2))
            if low > high:
                self._fail(self.offset, f"the range {match[0]} is reversed", f"Write {match[2]}-{match[1]}.")
            self.offset = match.end()
            return base | {"minimum": low, "maximum": high}
        return base | {"enum": self._numbers(kind)}

    def _numbers(self, kind: str) -> list[int | float]:
        numbers: list[int | float] = []
        start = self.offset
        while True:
            self._skip_blanks()
            match = _NUM.match(self.text, self.offset)
            if match is None:
                self._fail(self.offset, f"expected a number, found {self._next_word()}", _RANGE_HINT)
            number = self._number(kind, match[0], self.offset)
            if number in numbers:
                self._fail(self.offset, f"the choice {match[0]} appears twice", "Remove one of them.")
            numbers.append(number)
            self.offset = match.end()
            self._skip_blanks()
            if not self._take("|"):
                break
        if len(numbers) == 1:
            self._fail(
                start, f"{self.text[start:].split(None, 1)[0].rstrip(',}')!r} is not a range", _RANGE_HINT
            )
        return numbers

    def _number(self, kind: str, text: str, offset: int) -> int | float:
        if kind == "int" and not _is_whole(text):
            self._fail(
                offset,
                f"{text} is not a whole number",
                "Bounds of an int are whole numbers; else use float.",
            )
        if len(text) > 300 or abs(float(text)) == float("inf"):
            self._fail(offset, "this number is too large", _RANGE_HINT)
        return int(text) if _is_whole(text) else float(text)

    # --- choices and descriptions ----------------------------------------------------------------

    def _choices(self) -> list[str]:
        choices: list[str] = []
        start = self.offset
        quoted = self._peek() in "\"'"
        while True:
            self._skip_blanks()
            offset = self.offset
            choice = self._choice()
            if choice in choices:
                self._fail(offset, f"the choice {choice!r} appears twice", "Remove one of them.")
            choices.append(choice)
            self._skip_blanks()
            if not self._take("|"):
                break
        if len(choices) == 1:
            self._fail_lone_choice(start, choices[0], quoted)
        if self._peek().isalnum():
            self._fail(self.offset, f"expected '|' or a comma, found {self._next_word()}", _CHOICE_HINT)
        return choices

    def _choice(self) -> str:
        if self._at_end() or self._peek() in ",|}":
            self._fail(self.offset, f"a choice is empty{self._before()}", _CHOICE_HINT)
        if self._peek() in "\"'":
            start = self.offset
            return self._delimited_text() or self._fail(
                start, "a choice is empty, between quotes", _CHOICE_HINT
            )
        match = _WORD.match(self.text, self.offset)
        if match is None:
            self._fail(self.offset, f"expected a choice, found {self._next_word()}", _CHOICE_HINT)
        self.offset = match.end()
        return match[0]

    def _fail_lone_choice(self, start: int, choice: str, quoted: bool) -> NoReturn:
        """Raise the error for `status: draft`, `year: integer` and `title: "as printed"`."""
        if quoted:
            self._fail(
                start, f"only one choice: {choice!r}", f"A description has no ':' before it. {_CHOICE_HINT}"
            )
        if nearest := _type_suggestion(choice):
            self._fail(start, f"unknown type {choice!r}", f"{nearest}{_TYPE_LIST} {_CONSTRAINT_HINT}")
        self._fail(
            start,
            f"{choice!r} is neither a type nor a range, and only one choice",
            f"{_CONSTRAINT_HINT} {_TYPE_LIST}",
        )

    def _description(self) -> str:
        """Parse a description in quotes or parentheses; "" if there is none."""
        return " ".join(self._delimited_text().split()) if self._peek() in _CLOSERS else ""

    def _delimited_text(self) -> str:
        """Return the text between the quote or parenthesis here and the one that closes it."""
        opener = self.text[self.offset]
        end = self.text.find(_CLOSERS[opener], self.offset + 1)
        if end < 0:
            self._fail(self.offset, f"this {opener} is never closed", f"Close it with {_CLOSERS[opener]}.")
        inside = self.text[self.offset + 1 : end].strip()
        self.offset = end + 1
        return inside

    # --- characters ------------------------------------------------------------------------------

    def _skip_blanks(self) -> None:
        self.offset = self._after_blanks(self.offset)

    def _after_blanks(self, offset: int) -> int:
        while offset < len(self.text) and self.text[offset].isspace():
            offset += 1
        return offset

    def _at_end(self) -> bool:
        return self.offset >= len(self.text)

    def _peek(self) -> str:
        """Return the next character; a blank at the end."""
        return " " if self._at_end() else self.text[self.offset]

    def _take(self, character: str) -> bool:
        taken = self._peek() == character
        self.offset += taken
        return taken

    def _follows(self, offset: int, character: str) -> bool:
        return self.text.startswith(character, self._after_blanks(offset))

    def _next_word(self) -> str:
        """Return what comes next, for a message."""
        if self._at_end():
            return "the end"
        word = _WORD.match(self.text, self.offset)
        return repr(word[0] if word else self._peek())

    def _before(self) -> str:
        return "" if self._at_end() else f" before {self._next_word()}"

    def _fail_too_deep(self) -> NoReturn:
        self._fail(self.offset, f"nested deeper than {MAX_DEPTH} levels", "Flatten the schema, or split it.")

    def _fail(self, offset: int, what: str, allowed: str) -> NoReturn:
        raise fault(self.text, offset, what, allowed, origin=self.origin)


def _type_suggestion(word: str) -> str:
    """Return "Did you mean …? " with the closest type, or ""."""
    low = word.lower()
    name = low if low in TYPES else closest(low, [*TYPES, *_ALIASES])
    return f"{did_you_mean(name and _ALIASES.get(name, name))} ".lstrip()


def _constraint_hint(kind: str) -> str:
    return "An object has {fields}." if kind == "object" else f"Remove the ':'; a {kind} takes none."


def _is_whole(number: str) -> bool:
    return number.lstrip("-").isdigit()
