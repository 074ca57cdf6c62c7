"""Text that names options, which each front end spells in its own way: a flag, an argument, a key."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

Spelling = Callable[[str, str | None], str]
"""Spells an option, given its name as in `config.options` and, or `None`, a value for it."""


def by_name(name: str, value: str | None = None) -> str:
    """Return the option's plain name, as no front end spells it: `max_cost`, `pdf='text'`."""
    return name if value is None else f"{name}={value!r}"


class Named(NamedTuple):
    """An option in a text: its name as in `config.options`, perhaps with a value."""

    option: str
    value: str | None = None


class Phrase:
    """A text that names options, as `{option:NAME}` or `{option:NAME=VALUE}` in its template.

    The template's other fields are those of `str.format`, filled from `values`; a value may be a phrase
    itself. Values are never parsed as templates, so braces in paths and patterns are safe. The template is
    a literal, never an f-string.

    >>> print(Phrase("no file in {folder}: add {option:recursive}", folder="run--{id}"))
    no file in run--{id}: add recursive
    """

    __slots__ = ("pieces",)

    def __init__(self, template: str, **values: object) -> None:
        self.pieces = tuple(_pieces(template, values))

    @classmethod
    def of(cls, pieces: Iterable[str | Named]) -> Self:
        """Return a phrase of finished pieces, such as another process sent: nothing in them is parsed."""
        phrase = cls("")
        phrase.pieces = tuple(pieces)
        return phrase

    def spell(self, spelling: Spelling) -> str:
        """Return the text with its options as `spelling` writes them."""
        return "".join(spelling(*piece) if isinstance(piece, Named) else piece for piece in self.pieces)

    def __str__(self) -> str:
        return self.spell(by_name)

    def __repr__(self) -> str:
        return f"Phrase({str(self)!r})"


Wording = str | Phrase
"""A finished text, or one whose options are spelled where it is shown."""


def spell(text: Wording, spelling: Spelling) -> str:
    """Return the text as a front end shows it."""
    return text.spell(spelling) if isinstance(text, Phrase) else text


def _pieces(template: str, values: Mapping[str, object]) -> Iterator[str | Named]:
    for text, field, spec, conversion in string.Formatter().parse(template):
        if text:
            yield text
        if field == "option":
            name, equals, value = (spec or "").format(**values).partition("=")
            yield Named(name, value if equals else None)
        elif field is not None and isinstance(phrase := values.get(field), Phrase):
            yield from phrase.pieces
        elif field is not None:
            how = f"!{conversion}" if conversion else ""
            yield f"{{{field}{how}:{spec}}}".format(**values)
