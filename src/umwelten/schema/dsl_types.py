"""Types and constraints in a short schema: what follows a field's name.

    spec        = [type] [":" constraint] | constraint
    type        = word | type "[]" | "[" type "]" | "list" "[" type "]" | "{" fields "}" | type "?"
    constraint  = choices | range | type [":" constraint]
    choices     = choice "|" choice {"|" choice}          words, or anything in quotes
    range       = number ("-" | ".." | "to") number | (">=" | "<=" | ">" | "<") number

Words of other languages are read as what they mean there: `str`, `number`, `string[]`, `list[int]`,
`Optional[str]`, `int | None`, `"a" | "b"`. What could mean two things is an error.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, NoReturn

from umwelten.schema.dsl_constraints import CHOICE_AHEAD, CONSTRAINT_HINT, ConstraintParser
from umwelten.schema.dsl_text import COMMA_HINT
from umwelten.schema.dsl_words import FORMATS, TYPE_LIST, TYPES, is_type_alone, kind_of, type_suggestion

MAX_DEPTH = 8
"""Levels to which braces, or arrays of arrays, may be nested."""

_NULLS = ("null", "None", "undefined")
_CHOICE_TYPES = ("Literal", "literal", "enum", "Enum")
_LISTS = "Lists: tags array, scores array: int, scores int[]"
_IN_PARENTHESES = re.compile(r"\(\s*(\w+)\s*\)")
_OF = re.compile(r"\s+of\s+")
_TYPE_WORD = re.compile(r"[^\W\d][\w-]*")
_PIECE = r"[A-Za-z][\w-]*(?:\[\])?"
_UNION = re.compile(rf"{_PIECE}(?:\s*\|\s*{_PIECE})+(?=\s*(?:[,;}})?='\"(]|\]|\Z|\n))")


class Spec(NamedTuple):
    """The schema of a field's value; `optional`: the field may be missing."""

    schema: dict[str, Any]
    optional: bool = False


class TypeParser(ConstraintParser):
    """Parses what follows a field's name."""

    def fields(self, opened: int | None, depth: int) -> dict[str, Any]:
        """Parse the fields of an object."""
        raise NotImplementedError

    def spec(self, depth: int) -> Spec:
        """Parse `[type] [":" constraint]` or a constraint alone; a string where there is neither."""
        start, new_line = self.offset, self.skip_blanks()
        if self.take(":"):
            return self._suffixed(self._constraint(None, depth), depth)
        if new_line:  # a type stands on the same line as its name
            self.offset = start
            return Spec(TYPES["string"])
        if self._at_value() or self.match(CHOICE_AHEAD) or self.match(_UNION):
            return self._suffixed(self._bare(depth), depth)
        if self.peek().isalpha():
            return self._suffixed(self._typed(depth), depth)
        return Spec(TYPES["string"])

    def _at_value(self) -> bool:
        """Return whether braces, brackets or a range come next."""
        return self.peek() in "{[" or self.range_follows()

    def _suffixed(self, spec: Spec, depth: int) -> Spec:
        """Parse `[]`, `?` and `= None`, in which a type may end."""
        schema, optional = spec
        while True:
            if self.take_after_blanks("[]"):
                items = self._element(Spec(schema, optional), self.offset - 2)
                schema = {"type": "array", "items": items}
            elif self.take_after_blanks("?"):
                optional = True
            elif self.follows(self.offset, "="):
                self.skip_blanks()
                return Spec(schema, self._default(optional))
            else:
                return Spec(schema, optional)

    def _default(self, optional: bool) -> bool:
        start = self.offset
        self.offset = self.after_blanks(start + 1)
        word = self.match(_TYPE_WORD)
        if word is None or word[0] not in _NULLS:
            hint = "A field that may be missing has a '?' after its name: age? int."
            self.fail(start, "a field has no default value", hint)
        self.offset = word.end()
        return True

    # --- types -----------------------------------------------------------------------------------

    def _typed(self, depth: int) -> Spec:
        """Parse a type that begins with a word, and its constraint."""
        start = self.offset
        word = self.match(_TYPE_WORD)
        assert word is not None
        kind = self._kind(word[0])
        if kind is None:
            return self._wrapped(word[0], depth)
        if kind == "array" and (items := self._items_in_brackets(depth)):
            return Spec({"type": "array", "items": items})
        if kind in ("int", "float") and self.range_follows():
            return Spec(self.number_schema(kind))
        if kind in ("object", "array") and self.follows(self.offset, "{"):
            self.skip_blanks()
            fields = self._object_schema(kind, depth)
            return Spec({"type": "array", "items": fields} if kind == "array" else fields)
        ended = self.text.startswith(("[", "?"), self.offset)
        if not ended and self.take_after_blanks(":"):
            return self._constraint(kind, depth)
        if kind == "object" and self.peek() in "[<":
            self.fail(start, f"{word[0]!r} has free names", "Name the fields: place: {street, zip}.")
        return Spec(dict(TYPES[kind]))

    def _kind(self, word: str) -> str | None:
        """Pass the word and return its type's name; `None` for one that wraps another."""
        is_wrapper = word in ("Optional", "optional", *_CHOICE_TYPES) and self.text.startswith(
            ("[", "(", "<"), self.offset + len(word)
        )
        if is_wrapper:
            self.offset += len(word)
            return None
        kind = kind_of(word)
        if kind is None:
            self.fail(
                self.offset, f"unknown type {word!r}", f"{type_suggestion(word) or COMMA_HINT}{TYPE_LIST}"
            )
        self.offset += len(word)
        return kind

    def _wrapped(self, word: str, depth: int) -> Spec:
        """Parse what is in the brackets of `Optional[…]`, `Literal[…]` and `enum(…)`."""
        opened, closer = self._open_bracket()
        if word.lower() == "optional":
            inner = self._inner(depth)
        else:
            inner = Spec({"type": "string", "enum": self.listed_choices()})
        self._close_bracket(opened, closer)
        return Spec(inner.schema, word.lower() == "optional" or inner.optional)

    def _items_in_brackets(self, depth: int) -> dict[str, Any] | None:
        """Parse the elements in `list[int]`, `Array<int>`, `array(int)` and `list of int`."""
        if self.text.startswith("[]", self.offset):
            return None
        if of := self.match(_OF):
            self.offset = of.end()
            start = self.offset
            return self._element(self._inner(depth + 1), start)
        if self.peek() not in "[<(" or self.at_end():
            return None
        if self.peek() == "(" and not ((word := self.match(_IN_PARENTHESES)) and kind_of(word[1])):
            return None  # a description
        opened, closer = self._open_bracket()
        items = self._inner(depth + 1)
        self._close_bracket(opened, closer)
        return self._element(items, opened)

    def _element(self, items: Spec, opened: int) -> dict[str, Any]:
        if items.optional:
            self.fail(opened, "the elements of a list cannot be missing", f"{_LISTS}.")
        return items.schema

    def _open_bracket(self) -> tuple[int, str]:
        opened = self.offset
        self.offset += 1
        return opened, {"[": "]", "<": ">", "(": ")"}[self.text[opened]]

    def _close_bracket(self, opened: int, closer: str) -> None:
        if not self.take_after_blanks(closer):
            if self.follows(self.offset, ","):
                self.fail(self.after_blanks(self.offset), "more than one type", "A field has one type.")
            what = f"this {self.text[opened]!r} is never closed"
            self.fail(opened, what, f"Close it with {closer!r}. {_LISTS}.")

    def _inner(self, depth: int) -> Spec:
        """Parse a type in brackets."""
        self.skip_blanks()
        if depth > MAX_DEPTH:
            self.fail_too_deep()
        if self.peek() in "{[" or self.match(_UNION) or self.match(CHOICE_AHEAD):
            return self._suffixed(self._bare(depth), depth)
        if not self.peek().isalpha():
            self.fail(self.offset, f"expected a type, found {self.next_word()}", TYPE_LIST)
        return self._suffixed(self._typed(depth), depth)

    def _union(self) -> Spec | None:
        """Parse `string | null`; `None` where the words are choices. Fails for two types."""
        union = self.match(_UNION)
        if union is None:
            return None
        words = [word.strip() for word in union[0].split("|")]
        kinds = [word for word in words if word not in _NULLS]
        if any(kind_of(word.removesuffix("[]")) is None for word in kinds):
            return None
        if len(kinds) == 1 and len(words) > 1:
            self.offset = union.end()
            schema = dict(TYPES[kind_of(kinds[0].removesuffix("[]")) or "string"])
            is_list = kinds[0].endswith("[]")
            return Spec({"type": "array", "items": schema} if is_list else schema, optional=True)
        if kinds and all(is_type_alone(word) for word in kinds):
            quoted = "|".join(f"'{word}'" for word in words)
            hint = f"A field has one type. If the words are meant, quote them: {quoted}."
            self.fail(self.offset, f"more than one type: {union[0]}", hint)
        return None

    # --- constraints -----------------------------------------------------------------------------

    def _constraint(self, kind: str | None, depth: int) -> Spec:
        self.skip_blanks()
        if self.at_end() or self.peek() in ",;}":
            self.fail(self.offset, f"a constraint is missing after the ':'{self.before()}", CONSTRAINT_HINT)
        if kind == "array":
            return Spec({"type": "array", "items": self._array_items(depth)})
        if self.peek() == "{":
            return Spec(self._object_schema(kind, depth))
        if kind is None:
            return self._bare(depth)
        if kind in ("int", "float"):
            return Spec(self.number_schema(kind))
        if kind != "string":
            self.fail(self.offset, f"the type {kind!r} takes no such constraint", _constraint_hint(kind))
        return Spec({"type": "string", "enum": self.choices()})

    def _object_schema(self, kind: str | None, depth: int) -> dict[str, Any]:
        if kind not in (None, "object", "array"):
            self.fail(
                self.offset,
                f"the type {kind!r} has no fields",
                "Only object and array have fields: a object: {b, c}.",
            )
        if depth >= MAX_DEPTH:
            self.fail_too_deep()
        opened = self.offset
        self.offset += 1
        self.skip_blanks()
        if self.peek() == "}":
            self.fail(self.offset, "no fields between the braces", "Name them: address: {street, zip}.")
        return self.fields(opened, depth + 1)

    def _array_items(self, depth: int) -> dict[str, Any]:
        """Parse the description of an array's elements: a type, a constraint, or both."""
        word = self.match(_TYPE_WORD)
        nested = word is not None and kind_of(word[0]) == "array"
        if nested and depth >= MAX_DEPTH:
            self.fail_too_deep()
        return self._constraint(None, depth + nested).schema

    def _bare(self, depth: int) -> Spec:
        """Parse a type, a range, choices or `[type]` without a type before it."""
        if self.peek() == "{":
            return Spec(self._object_schema(None, depth))
        if self.peek() == "[":
            return self._list(depth)
        if union := self._union():
            return union
        word = self.match(_TYPE_WORD)
        if word is not None and not self.match(CHOICE_AHEAD):
            bracket = self.text.startswith(("[", "(", "<"), word.end())
            if kind_of(word[0]) or bracket:
                return self._suffixed(self._typed(depth), depth)
            if word[0].lower() in FORMATS:
                self.offset = word.end()
                return Spec({"type": "string", "format": FORMATS[word[0].lower()]})
        if self.range_follows():
            return Spec(self.bare_range())
        return Spec({"type": "string", "enum": self.choices()})

    def _list(self, depth: int) -> Spec:
        """Parse `[type]`, and `[]`, a list of strings."""
        if self.take("[]"):
            return Spec(dict(TYPES["array"]))
        opened, closer = self._open_bracket()
        items = self._inner(depth + 1)
        self._close_bracket(opened, closer)
        return Spec({"type": "array", "items": self._element(items, opened)})

    def fail_too_deep(self) -> NoReturn:
        """Raise the error for what is nested too deeply."""
        self.fail(self.offset, f"nested deeper than {MAX_DEPTH} levels", "Flatten the schema, or split it.")


def _constraint_hint(kind: str) -> str:
    return "An object has {fields}." if kind == "object" else f"Remove the ':'; a {kind} takes none."
