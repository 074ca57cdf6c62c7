"""Scopes: whom or what the facts of a memory store are about, as a template of an input's values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from umwelten.errors import InputError, UsageError
from umwelten.inputs.content import Content
from umwelten.phrases import Phrase
from umwelten.prompts.template import JSON, ROW, Template
from umwelten.store.memory.facts import MAX_SCOPE, scope_form

FILE_NAMES = ("file.name", "file.path", "file.stem")


class Scope:
    """A template such as `{{row.user}}`. Errors: `UsageError` for one that is empty."""

    def __init__(self, template: str) -> None:
        if not template.strip():
            raise UsageError(Phrase("{option:scope} is empty"), _HOW, argument="scope")
        self.template, self._parsed = template, Template(template)

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders, each once."""
        return self._parsed.names

    @property
    def chained(self) -> tuple[str, ...]:
        """Those that reach beyond an earlier answer's text."""
        return self._parsed.chained

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same for all inputs."""
        return not self.names

    def check(self, columns: tuple[str, ...] | None, *, answers: bool) -> None:
        """Raise `UsageError` for a placeholder that no input has. `answers`: inputs are earlier answers."""
        known = (*FILE_NAMES, "answer") if answers else FILE_NAMES
        try:
            self._parsed.check(known, columns, place="the scope")
        except UsageError as error:
            raise UsageError(error.wording, error.hint_wording, argument="scope") from None

    def of(self, content: Content) -> str:
        """Return the scope of an input, without blanks around it. Raises `InputError` where it is empty."""
        return self.of_values(content.values)

    def of_values(self, values: Mapping[str, str]) -> str:
        """Return the scope of an input with these values, which have `file.name` and `file.path`."""
        name = values.get("file.name", "")
        stem = PurePosixPath(name).stem
        text = scope_form(self._parsed.render({"file.stem": stem, **values}))
        if not text:
            raise InputError(
                Phrase(
                    "the scope {scope} of {name} is empty: nothing says whose facts these are",
                    scope=self.template,
                    name=name or "the prompt",
                )
            )
        if len(text) > MAX_SCOPE:
            raise InputError(
                Phrase(
                    "the scope of {name} has {length:,} characters, and at most {most} are a name: {start}…",
                    name=name or "the prompt",
                    length=len(text),
                    most=MAX_SCOPE,
                    start=repr(text[:40]),
                )
            )
        return text


_HOW = Phrase(
    "Say whose facts these are: {row}, {file}, or a word where all inputs share them.",
    row=Phrase("{option:scope={{{{row.user}}}}}"),
    file=Phrase("{option:scope={{{{file.name}}}}}"),
)


def no_scope() -> UsageError:
    """Return the error that nothing says whose facts are meant."""
    return UsageError(Phrase("memory needs {option:scope}"), _HOW, argument="scope")


def is_of_answers(names: Collection[str]) -> bool:
    """Return whether these placeholders are filled in from an earlier answer itself."""
    return any(name == "answer" or name.startswith(JSON) for name in names)


def reaches_rows(names: Collection[str]) -> bool:
    """Return whether these placeholders name columns of a table."""
    return any(name.startswith(ROW) for name in names)
