"""The short form of a schema: `title, date date, tags array, confidence int: 1-10, email?`.

    fields      = field {separator field}
    separator   = "," | ";" | a line break
    field       = name ["?"] [spec] [description]
    description = '"' … '"' | "'" … "'" | "(" … ")"

`dsl_types` parses a `spec`. A field without one is a string; a range alone makes it a number, `{…}` alone an
object. After `array` the constraint applies to each element.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from umwelten.schema.dsl_constraints import CHOICE_HINT
from umwelten.schema.dsl_text import COMMA_HINT, QUOTE_HINT
from umwelten.schema.dsl_types import Spec, TypeParser
from umwelten.types import Schema

_NAME = re.compile(r"[^\W\d][\w\u0300-\u036f-]*")  # the range: combining accents
_QUOTED_NAME = re.compile(r"""(["'])([^\W\d][\w\u0300-\u036f-]*)\1""")
_FIELD_HINT = f'{COMMA_HINT}A field is: name[?] [type] [: constraint] ["description"].'
_NAME_HINT = "A name consists of letters, digits, '_' and '-' and starts with a letter or '_': first_name."


def parse_dsl(text: str, *, origin: str = "schema") -> Schema:
    """Return the schema that the text describes.

    Raises `UsageError` that shows the line, a caret under the fault, and what is allowed there; `origin`
    names the text in it.
    """
    return Schema(json=_DslParser(text, origin).parse(), source=text.strip())


class _DslParser(TypeParser):
    """A recursive-descent parser."""

    def parse(self) -> dict[str, Any]:
        """Parse the whole text, with or without braces around it."""
        self.skip_blanks()
        if self.at_end():
            self.fail(0, "no fields", "Name the fields: title, author, year int.")
        opened = self.offset
        if not self.take("{"):
            return self.fields(None, 0)
        schema = self.fields(opened, 0)
        self.skip_blanks()
        if self.take("[]"):
            hint = "An answer is one record; a list is one of its fields: items array: {name}."
            self.fail(self.offset - 2, "a list of records", hint)
        if not self.at_end():
            self.fail(self.offset, f"expected the end, found {self.next_word()}", _FIELD_HINT)
        return schema

    def fields(self, opened: int | None, depth: int) -> dict[str, Any]:
        """Parse fields up to the closing brace of the one at `opened`, or to the end if that is `None`."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        while True:
            name, field = self._field(properties, opened, depth)
            properties[name] = field.schema
            if not field.optional:
                required.append(name)
            if not self._more_fields(opened):
                break
        object_: dict[str, Any] = {"type": "object", "properties": properties}
        return object_ | {"required": required, "additionalProperties": False}

    def _field(self, earlier: dict[str, Any], opened: int | None, depth: int) -> tuple[str, Spec]:
        name = self._name(earlier, opened)
        optional = self.take_after_blanks("?")
        spec = self.spec(depth)
        schema = spec.schema
        if described := self.description():
            schema = schema | {"description": described}
        return name, Spec(schema, optional or spec.optional)

    def _name(self, earlier: dict[str, Any], opened: int | None) -> str:
        self.skip_blanks()
        quoted = self.match(_QUOTED_NAME)
        match = quoted or self.match(_NAME)
        if match is None:
            if self.at_end() and opened is not None:
                self._fail_unclosed(opened)
            self.fail(self.offset, f"a field's name is missing{self.before()}", _NAME_HINT)
        name = quoted[2] if quoted else match[0]
        if name in earlier:
            self.fail(self.offset, f"the field {name!r} appears twice", "Give each field its own name.")
        self.offset = match.end()
        return name

    def _more_fields(self, opened: int | None) -> bool:
        """Return whether another field follows; else check that the fields end properly."""
        new_line = self.skip_blanks()
        separated = self.take(",") or self.take(";")
        if separated:
            self.skip_blanks()
        if self.at_end():
            if opened is not None:
                self._fail_unclosed(opened)
            return False
        if self.peek() == "}":
            if opened is None:
                self.fail(
                    self.offset, "this '}' has no matching '{'", "Remove it, or write '{' after a name."
                )
            return not self.take("}")
        if separated or (new_line and self.match(_NAME)):
            return True
        return self._fail_stray()

    def _fail_stray(self) -> NoReturn:
        """Raise the error for what cannot follow a complete field."""
        hint = {
            "[": "Lists: tags array, scores array: int, scores int[].",
            "|": CHOICE_HINT,
            ":": f"A field has one constraint. {QUOTE_HINT}",
            "=": "A type follows the name after a blank or a ':': year int.",
        }.get(self.peek(), _FIELD_HINT)
        self.fail(self.offset, f"expected a comma, found {self.next_word()}", hint)

    def _fail_unclosed(self, opened: int) -> NoReturn:
        self.fail(opened, "this '{' is never closed", "Close it with '}' after its last field.")
