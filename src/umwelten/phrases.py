"""Text that names options, which each front end spells in its own way: a flag, an argument, a key."""

from __future__ import annotations

from collections.abc import Callable

Spelling = Callable[[str, str | None], str]
"""Spells an option, given its name as in `config.options` and, or `None`, a value for it."""


def by_name(name: str, value: str | None = None) -> str:
    """Return the option's plain name, as no front end spells it: `max_cost`, `pdf='text'`."""
    return name if value is None else f"{name}={value!r}"


class Phrase:
    """A text that names options, as `{option:NAME}` or `{option:NAME=VALUE}` in its template.

    The template's other fields are those of `str.format`, filled from `values`; a value may be a phrase
    itself. Values are never parsed as templates, so braces in paths and patterns are safe. The template is
    a literal, never an f-string.

    >>> print(Phrase("no file in {folder}: add {option:recursive}", folder="run--{id}"))
    no file in run--{id}: add recursive
    """

    __slots__ = ("template", "values")

    def __init__(self, template: str, **values: object) -> None:
        self.template, self.values = template, values

    def spell(self, spelling: Spelling) -> str:
        """Return the text with its options as `spelling` writes them."""
        values = {
            name: value.spell(spelling) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return self.template.format(option=_Options(spelling), **values)

    def __str__(self) -> str:
        return self.spell(by_name)

    def __repr__(self) -> str:
        return f"Phrase({str(self)!r})"


Wording = str | Phrase
"""A finished text, or one whose options are spelled where it is shown."""


def spell(text: Wording, spelling: Spelling) -> str:
    """Return the text as a front end shows it."""
    return text.spell(spelling) if isinstance(text, Phrase) else text


class _Options:
    """The field `option` of a template; its format spec is an option's name, perhaps with a value."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def __format__(self, option: str) -> str:
        name, equals, value = option.partition("=")
        return self._spelling(name, value if equals else None)
