"""The short form of a schema: `title, date date, tags array, confidence int: 1-10, email?`.

    fields      = field {"," field}
    field       = name ["?"] [type] [":" constraint] [description]
    type        = "string" | "int" | "float" | "bool" | "date" | "array" | "object"
    constraint  = "{" fields "}" | choices | range | type [":" constraint]
    choices     = choice "|" choice {"|" choice}          a word, or anything in quotes
    range       = number ("-" | "..") number | (">=" | "<=" | ">" | "<") number
    description = '"' … '"' | "'" … "'" | "(" … ")"

No type is a string; a range alone is a number, `{…}` alone an object. After `array` the constraint is
that of one element. Blanks and line breaks between all of these are free. Pure: text in, `Schema` out.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from umwelten.text.caret import fault
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import Schema

MAX_DEPTH = 8
"""How many braces, or arrays of arrays, may stand inside each other."""
TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
}
_MEANT = {
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
"""Other languages' words for the types, for the error that names ours."""

_LISTED = f"Types: {', '.join(TYPES)}."
_NAME = re.compile(r"[^\W\d][\w\u0300-\u036f-]*")  # with accents that are characters of their own
_WORD = re.compile(r"""[^\s,:|?{}()\[\]"']+""")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_NUM = re.compile(_NUMBER, re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})\s*(?:\.\.|[-–])\s*({_NUMBER})(?![\w.])", re.ASCII)
_OPEN = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})(?![\w.])", re.ASCII)
_BOUNDS = {">=": "minimum", "<=": "maximum", ">": "exclusiveMinimum", "<": "exclusiveMaximum"}
_CLOSERS = {'"': '"', "'": "'", "(": ")"}

_CONSTRAINTS = "After ':' comes a|b, a range like 1-10, a type, or {fields}."
_CHOICES = "Separate at least two choices by '|': draft|final. Quotes go around one with blanks."
_RANGES = "Ranges: 1-10, 1..10, -1.5-2, >=0, <100. Choices: 1|2|3."
_COMMA = "A comma goes between two fields. "
_PLACE = f'{_COMMA}A field is: name[?] [type] [: constraint] ["description"].'
_NAMES = "Names have letters, digits, '_' and '-', and start with a letter or '_': first_name."


def parse_dsl(text: str, *, origin: str = "schema") -> Schema:
    """The schema that the text describes.

    Raises `UsageError` that shows the line, a caret under the fault, and what is allowed there; `origin`
    names the text in it.
    """
    return Schema(json=_DslParser(text, origin).whole(), source=text.strip())


class _DslParser:
    """Reads one text from left to right; `at` is the character that comes next."""

    def __init__(self, text: str, origin: str) -> None:
        self.text, self.origin, self.at = text, origin, 0

    def whole(self) -> dict[str, Any]:
        self._blanks()
        if self._ended():
            self._fail(0, "no fields", "Name the fields: title, author, year int.")
        return self._fields(None, 0)

    # --- fields ----------------------------------------------------------------------------------

    def _fields(self, opened: int | None, depth: int) -> dict[str, Any]:
        """The object whose fields come next, up to its brace (`opened` is where that began) or the end."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        while True:
            name, optional, shape = self._field(properties, opened, depth)
            properties[name] = shape
            if not optional:
                required.append(name)
            if not self._another(opened):
                break
        object_: dict[str, Any] = {"type": "object", "properties": properties}
        return object_ | {"required": required, "additionalProperties": False}

    def _field(
        self, taken: dict[str, Any], opened: int | None, depth: int
    ) -> tuple[str, bool, dict[str, Any]]:
        name = self._name(taken, opened)
        self._blanks()
        optional = self._take("?")
        self._blanks()
        shape = self._shape(depth)
        self._blanks()
        if described := self._description():
            shape = shape | {"description": described}
        self._blanks()
        return name, optional, shape

    def _name(self, taken: dict[str, Any], opened: int | None) -> str:
        self._blanks()
        found = _NAME.match(self.text, self.at)
        if found is None:
            if self._ended() and opened is not None:
                self._unclosed(opened)
            self._fail(self.at, f"a field's name is missing{self._instead()}", _NAMES)
        if found[0] in taken:
            self._fail(
                self.at, f"the field {found[0]!r} is there twice", "Give each field a name of its own."
            )
        self.at = found.end()
        return found[0]

    def _another(self, opened: int | None) -> bool:
        """Whether a comma says that another field comes; else the fields have ended as they should."""
        if self._take(","):
            return True
        if self._ended():
            if opened is not None:
                self._unclosed(opened)
            return False
        if self._peek() != "}":
            self._stray()
        if opened is None:
            self._fail(self.at, "this '}' closes nothing", "Take it away, or open it with '{' after a name.")
        return not self._take("}")

    def _stray(self) -> NoReturn:
        """The error for what can't stand behind a complete field."""
        next_ = self._peek()
        hint = {
            "?": "The '?' of an optional field stands right behind its name: email? string.",
            "[": "A list is written with 'array': tags array, scores array: int.",
            "|": _CHOICES,
            "{": "The fields of an object come after a ':': address: {street, zip}.",
            ":": "A constraint comes once, before the description: status: draft|final (the state).",
        }.get(next_, _PLACE)
        self._fail(self.at, f"expected a comma, found {self._found()}", hint)

    def _unclosed(self, opened: int) -> NoReturn:
        self._fail(opened, "this '{' is never closed", "Close it with '}' behind its last field.")

    # --- types and constraints -------------------------------------------------------------------

    def _shape(self, depth: int) -> dict[str, Any]:
        """`[type] [: constraint]`, either of which may be missing."""
        word = _WORD.match(self.text, self.at)
        kind = self._type(word[0]) if word is not None and word[0][0].isalpha() else None
        self._blanks()
        if self._take(":"):
            return self._constraint(kind, depth)
        return dict(TYPES[kind or "string"])

    def _type(self, word: str) -> str:
        if word not in TYPES:
            self._fail(self.at, f"unknown type {word!r}", f"{_nearest(word) or _COMMA}{_LISTED}")
        self.at += len(word)
        return word

    def _constraint(self, kind: str | None, depth: int) -> dict[str, Any]:
        self._blanks()
        if self._ended() or self._peek() in ",}":
            self._fail(self.at, f"nothing follows the ':'{self._instead()}", _CONSTRAINTS)
        if kind == "array":
            return {"type": "array", "items": self._element(depth)}
        if self._peek() == "{":
            return self._object(kind, depth)
        if kind is None:
            return self._untyped(depth)
        if kind in ("int", "float"):
            return self._numeric(kind)
        if kind != "string":
            self._fail(self.at, f"the type {kind!r} has no such constraint", _only(kind))
        return {"type": "string", "enum": self._choices()}

    def _object(self, kind: str | None, depth: int) -> dict[str, Any]:
        if kind not in (None, "object"):
            self._fail(
                self.at, f"the type {kind!r} has no fields", "Only object and array have: a object: {b, c}."
            )
        if depth >= MAX_DEPTH:
            self._too_deep()
        opened = self.at
        self.at += 1
        self._blanks()
        if self._peek() == "}":
            self._fail(self.at, "no fields between the braces", "Name them: address: {street, zip}.")
        return self._fields(opened, depth + 1)

    def _element(self, depth: int) -> dict[str, Any]:
        """One element of an array: a type with or without its constraint, or a constraint alone."""
        word = _WORD.match(self.text, self.at)
        if word is not None and word[0] == "array" and depth >= MAX_DEPTH:
            self._too_deep()
        inner = depth + (word is not None and word[0] == "array")
        return self._constraint(None, inner)

    def _untyped(self, depth: int) -> dict[str, Any]:
        """What stands alone behind a ':': a type, a range, or choices."""
        word = _WORD.match(self.text, self.at)
        if word is not None and word[0] in TYPES and not self._follows(word.end(), "|"):
            return self._shape(depth)
        range_ = _SPAN.match(self.text, self.at) or _OPEN.match(self.text, self.at)
        if range_ is not None and not self._follows(range_.end(), "|"):
            whole = all(_is_whole(bound) for bound in _NUM.findall(range_[0].replace("..", " ")))
            return self._numeric("int" if whole else "float")
        return {"type": "string", "enum": self._choices()}

    # --- ranges ----------------------------------------------------------------------------------

    def _numeric(self, kind: str) -> dict[str, Any]:
        """A range, or choices, of whole numbers (`int`) or of any (`float`)."""
        base = TYPES[kind]
        if found := _OPEN.match(self.text, self.at):
            self.at = found.end()
            return base | {_BOUNDS[found[1]]: self._number(kind, found[2], found.start(2))}
        if found := _SPAN.match(self.text, self.at):
            low, high = (self._number(kind, found[n], found.start(n)) for n in (1, 2))
            if low > high:
                self._fail(self.at, f"the range {found[0]} is reversed", f"Write {found[2]}-{found[1]}.")
            self.at = found.end()
            return base | {"minimum": low, "maximum": high}
        return base | {"enum": self._numbers(kind)}

    def _numbers(self, kind: str) -> list[int | float]:
        numbers: list[int | float] = []
        start = self.at
        while True:
            self._blanks()
            found = _NUM.match(self.text, self.at)
            if found is None:
                self._fail(self.at, f"expected a number, found {self._found()}", _RANGES)
            number = self._number(kind, found[0], self.at)
            if number in numbers:
                self._fail(self.at, f"the choice {found[0]} is there twice", "Leave one of them out.")
            numbers.append(number)
            self.at = found.end()
            self._blanks()
            if not self._take("|"):
                break
        if len(numbers) == 1:
            self._fail(start, f"{self.text[start:].split(None, 1)[0].rstrip(',}')!r} is no range", _RANGES)
        return numbers

    def _number(self, kind: str, text: str, at: int) -> int | float:
        if kind == "int" and not _is_whole(text):
            self._fail(at, f"{text} is not a whole number", "An int has whole bounds; float takes any.")
        if len(text) > 300 or abs(float(text)) == float("inf"):
            self._fail(at, "this number is too large", _RANGES)
        return int(text) if _is_whole(text) else float(text)

    # --- choices and descriptions ----------------------------------------------------------------

    def _choices(self) -> list[str]:
        choices: list[str] = []
        start = self.at
        quoted = self._peek() in "\"'"
        while True:
            self._blanks()
            at = self.at
            choice = self._choice()
            if choice in choices:
                self._fail(at, f"the choice {choice!r} is there twice", "Leave one of them out.")
            choices.append(choice)
            self._blanks()
            if not self._take("|"):
                break
        if len(choices) == 1:
            self._lone(start, choices[0], quoted)
        if self._peek().isalnum():
            self._fail(self.at, f"expected '|' or a comma, found {self._found()}", _CHOICES)
        return choices

    def _choice(self) -> str:
        if self._ended() or self._peek() in ",|}":
            self._fail(self.at, f"a choice is empty{self._instead()}", _CHOICES)
        if self._peek() in "\"'":
            start = self.at
            return self._enclosed() or self._fail(start, "a choice is empty, between quotes", _CHOICES)
        found = _WORD.match(self.text, self.at)
        if found is None:
            self._fail(self.at, f"expected a choice, found {self._found()}", _CHOICES)
        self.at = found.end()
        return found[0]

    def _lone(self, start: int, choice: str, quoted: bool) -> NoReturn:
        """The error for `status: draft`, `year: integer` and `title: "as printed"`."""
        if quoted:
            self._fail(
                start, f"one choice alone: {choice!r}", f"A description has no ':' before it. {_CHOICES}"
            )
        if nearest := _nearest(choice):
            self._fail(start, f"unknown type {choice!r}", f"{nearest}{_LISTED} {_CONSTRAINTS}")
        self._fail(
            start, f"{choice!r} is no type, no range and one choice alone", f"{_CONSTRAINTS} {_LISTED}"
        )

    def _description(self) -> str:
        """The words in quotes or parentheses that come next; "" where there are none."""
        return " ".join(self._enclosed().split()) if self._peek() in _CLOSERS else ""

    def _enclosed(self) -> str:
        """What stands between a quote or parenthesis here and the one that closes it."""
        opener = self.text[self.at]
        end = self.text.find(_CLOSERS[opener], self.at + 1)
        if end < 0:
            self._fail(self.at, f"this {opener} is never closed", f"Close it with {_CLOSERS[opener]}.")
        inside = self.text[self.at + 1 : end].strip()
        self.at = end + 1
        return inside

    # --- characters ------------------------------------------------------------------------------

    def _blanks(self) -> None:
        self.at = self._past_blanks(self.at)

    def _past_blanks(self, at: int) -> int:
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at

    def _ended(self) -> bool:
        return self.at >= len(self.text)

    def _peek(self) -> str:
        """The character that comes next; a blank at the end."""
        return " " if self._ended() else self.text[self.at]

    def _take(self, character: str) -> bool:
        taken = self._peek() == character
        self.at += taken
        return taken

    def _follows(self, at: int, character: str) -> bool:
        return self.text.startswith(character, self._past_blanks(at))

    def _found(self) -> str:
        """What comes next, for a message."""
        if self._ended():
            return "the end"
        word = _WORD.match(self.text, self.at)
        return repr(word[0] if word else self._peek())

    def _instead(self) -> str:
        return "" if self._ended() else f" before {self._found()}"

    def _too_deep(self) -> NoReturn:
        self._fail(self.at, f"deeper than {MAX_DEPTH} levels", "Flatten it, or ask for the parts one by one.")

    def _fail(self, at: int, what: str, allowed: str) -> NoReturn:
        raise fault(self.text, at, what, allowed, origin=self.origin)


def _nearest(word: str) -> str:
    """ "Did you mean …? " with the type that was likely meant; "" where none is near."""
    low = word.lower()
    name = low if low in TYPES else closest(low, [*TYPES, *_MEANT])
    return f"{did_you_mean(name and _MEANT.get(name, name))} ".lstrip()


def _only(kind: str) -> str:
    return "An object has {fields}." if kind == "object" else f"Leave the ':' out; a {kind} has none."


def _is_whole(number: str) -> bool:
    return number.lstrip("-").isdigit()
