"""Text for people that names options, which each front end spells in its own way."""

from __future__ import annotations

from collections.abc import Callable

Spelling = Callable[[str, str | None], str]
"""Spells an option, given its name as in `config.options` and, or `None`, a value for it."""


def by_name(name: str, value: str | None = None) -> str:
    """The spelling of no front end: `max_cost`, `pdf='text'`."""
    return name if value is None else f"{name}={value!r}"


class Phrase:
    """A text with options in it: `{option:NAME}` or `{option:NAME=VALUE}` in the template.

    The other fields of the template are those of `str.format`, filled in from `values`; a value may be a
    phrase itself. What a value holds is never read as a template, so no path or pattern is rewritten. The
    template is a literal, never an f-string.

    >>> print(Phrase("no file in {folder}: add {option:recursive}", folder="run--{id}"))
    no file in run--{id}: add recursive
    """

    __slots__ = ("template", "values")

    def __init__(self, template: str, **values: object) -> None:
        self.template, self.values = template, values

    def spelled(self, spelling: Spelling) -> str:
        """The text, with its options as `spelling` writes them."""
        values = {
            name: value.spelled(spelling) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return self.template.format(option=_Options(spelling), **values)

    def __str__(self) -> str:
        return self.spelled(by_name)

    def __repr__(self) -> str:
        return f"Phrase({str(self)!r})"


Wording = str | Phrase
"""A text as it is, or one that is spelled where it is shown."""


def spelled(text: Wording, spelling: Spelling) -> str:
    """The text as a front end shows it."""
    return text.spelled(spelling) if isinstance(text, Phrase) else text


class _Options:
    """The field `option` of a template: what follows the colon is an option, perhaps with its value."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def __format__(self, option: str) -> str:
        name, equals, value = option.partition("=")
        return self._spelling(name, value if equals else None)
