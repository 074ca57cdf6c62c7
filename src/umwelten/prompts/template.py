r"""Prompts with placeholders: `{{content}}`, `{{file.name}}`, `{{row.title}}`.

A placeholder's name consists of letters, digits, `_`, `.` and `-` and starts with a letter or `_`; after
`row.` and `json.` it may hold anything but braces. Blanks and invisible signs around it are ignored. Anything
else in braces, such as `{x}`, `{{ 1 + 2 }}` or `{"a": {"b": 1}}`, is ordinary text. `\{{content}}` stands for
`{{content}}` itself. A column is found under a name that looks the same, see `text.names`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.prompts.messages import BETWEEN, label, messages_of
from umwelten.text.names import alike, differing_signs, folded, spelled_out, value_of
from umwelten.text.suggestions import closest
from umwelten.types import Role

ROW = "row."
JSON = "json."
ANSWER = "answer"
FIRST = "first"
SECOND = "second"
PROMPT = "prompt"
INPUT = "input"
EXPECTED = "expected"
MEMORY = "memory"

_TAKEN_FROM_INPUT = ("content", ANSWER, FIRST, SECOND, PROMPT, INPUT, EXPECTED)

# Blanks, and the invisible signs that copied text brings: soft hyphen, zero widths, joiners, byte order mark.
_BLANK = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]"
_PLACEHOLDER = re.compile(
    rf"(\\?)\{{\{{{_BLANK}*((?:row|json)\.[^{{}}]*[^{{}}\s]|[^\W\d][\w.-]*){_BLANK}*\}}\}}"
)
_MOST_LISTED = 40
_ESCAPE = "write \\{{…}} for the literal text."


class Template:
    """A prompt, split at its placeholders. `names` are theirs, each once; `places` with repetitions.

    Of several messages, they are those of all of them.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        # Text and names in turn, beginning and ending with text.
        self._messages = tuple((role, tuple(_pieces(words))) for role, words in messages_of(text))
        self._pieces = _in_one(self._messages)
        self.places = self._pieces[1::2]
        self.names = tuple(dict.fromkeys(self.places))

    def uses(self, prefix: str) -> bool:
        """Return whether a placeholder's name starts with `prefix`, such as `row.`."""
        return any(name.startswith(prefix) for name in self.names)

    @cached_property
    def places_input(self) -> bool:
        """Whether it says itself what of the input stands where: then the input does not follow it."""
        return any(name in _TAKEN_FROM_INPUT or name.startswith((ROW, JSON)) for name in self.names)

    @property
    def chained(self) -> tuple[str, ...]:
        """The placeholders that reach beyond an earlier answer's text: to its record and its question."""
        return tuple(name for name in self.names if name in (PROMPT, INPUT) or name.startswith((ROW, JSON)))

    @property
    def json_paths(self) -> tuple[str, ...]:
        """The paths in its placeholders of records, each once."""
        return tuple(name.removeprefix(JSON) for name in self.names if name.startswith(JSON))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in its placeholders, each once."""
        return tuple(name.removeprefix(ROW) for name in self.names if name.startswith(ROW))

    def check(
        self, known: Collection[str], columns: tuple[str, ...] | None, *, place: str = "the prompt"
    ) -> None:
        """Raise `UsageError` for a placeholder without a value.

        `known` are the names besides `row.…`; `columns` those of the rows, `None` if there are no rows.
        `place` is what the text is called.
        """
        every = [*known, *(ROW + column for column in columns or ())]
        for name in self.names:
            if name.startswith(JSON) and ANSWER in known:
                continue  # which paths there are, only the answers tell
            found = alike(name, every if name.startswith(ROW) else known)
            if not found:
                raise _unknown_placeholder(name, every, place, rows=columns is not None)
            if len(found) > 1:
                raise _ambiguous_placeholder(name, found, place)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the prompt with the values inserted; placeholders inside a value are not replaced.

        A column that a row lacks is empty. Any other missing name is a `KeyError`. Of several messages, each
        follows its role.
        """
        return "".join(self.filled(values)) if self.names else self._pieces[0]

    def filled(self, values: Mapping[str, str]) -> list[str]:
        """Return what `render` joins: the prompt's own text and the values in turn, the former first."""
        return _filled(self._pieces, values)

    def messages(self, values: Mapping[str, str]) -> tuple[tuple[Role, str], ...]:
        """Return the messages with the values inserted, as `render` does; the last one is the user's."""
        return tuple((role, "".join(_filled(pieces, values))) for role, pieces in self._messages)


def escaped(text: str) -> str:
    """Return a text that stands for itself in a prompt: what looks like a placeholder in it is none."""
    return _PLACEHOLDER.sub(lambda match: f"\\{match[0]}", text)


def content_text(texts: Iterable[str], media: Iterable[str]) -> str:
    """Return what stands for an input in a prompt: its texts, or without any the names of its media."""
    return "\n\n".join(texts) or " ".join(f"[{name}]" for name in media)


def _filled(pieces: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    filled = list(pieces)
    filled[1::2] = [
        value_of(name, values, "") if name.startswith(ROW) else values[name] for name in filled[1::2]
    ]
    return filled


def _in_one(messages: tuple[tuple[Role, tuple[str, ...]], ...]) -> tuple[str, ...]:
    """Return the pieces of all messages, each after its role where there are several."""
    if len(messages) == 1:
        return messages[0][1]
    joined = [""]
    for role, pieces in messages:
        joined[-1] += f"{BETWEEN if joined[-1] or len(joined) > 1 else ''}{label(role)}{pieces[0]}"
        joined += pieces[1:]
    return tuple(joined)


def _pieces(text: str) -> Iterator[str]:
    literal, start = "", 0
    for match in _PLACEHOLDER.finditer(text):
        literal += text[start : match.start()]
        start = match.end()
        if match[1]:
            literal += match[0][1:]
        else:
            yield literal
            yield match[2]
            literal = ""
    yield literal + text[start:]


def _unknown_placeholder(name: str, names: list[str], place: str, *, rows: bool) -> UsageError:
    if name == EXPECTED and (ANSWER in names or FIRST in names):
        return UsageError(
            f"{_in_braces(name)} in {place}: nothing says what is expected. Known: {_list_names(names)}",
            Phrase("Give {option:expected=WHERE}; {escape}", escape=_ESCAPE),
        )
    if name == MEMORY:
        return UsageError(
            f"{_in_braces(name)} in {place}: nothing is recalled. Known: {_list_names(names)}",
            Phrase("Give {option:recall=NAME}; {escape}", escape=_ESCAPE),
        )
    if FIRST in names and (name == ANSWER or name.startswith(JSON)):
        return UsageError(
            f"{_in_braces(name)} in {place}: there are two answers. Known: {_list_names(names)}",
            Phrase("Write {answers}; {escape}", answers="{{first}} and {{second}}", escape=_ESCAPE),
        )
    if ANSWER not in names and (name in (ANSWER, PROMPT, INPUT, EXPECTED) or name.startswith(JSON)):
        return UsageError(
            f"{_in_braces(name)} in {place}: no answers to fill it in from. Known: {_list_names(names)}",
            Phrase("Give an evaluation with {option:from_}; {escape}", escape=_ESCAPE),
        )
    if name.startswith(ROW) and not rows:
        return UsageError(
            f"{_in_braces(name)} in {place}: no rows to fill it in from. Known: {_list_names(names)}",
            Phrase("The answers of {option:from_} are not about rows; {escape}", escape=_ESCAPE)
            if ANSWER in names
            else Phrase("The answers are not about rows; {escape}", escape=_ESCAPE)
            if FIRST in names
            else Phrase("Give a table with {option:rows}; {escape}", escape=_ESCAPE),
        )
    nearest = _closest(name, names)
    suggestion = f"did you mean {_in_braces(nearest)}?" if nearest else "there is no such placeholder."
    signs = differing_signs(name, nearest or "")
    suggestion += f" They look alike: {signs}." * bool(signs)
    return UsageError(
        f"{_in_braces(name)} in {place}: {suggestion} Known: {_list_names(names)}",
        "Write \\{{…}} for the literal text.",
    )


def _ambiguous_placeholder(name: str, found: list[str], place: str) -> UsageError:
    return UsageError(
        f"{_in_braces(name)} in {place}: these columns look the same: "
        + ", ".join(spelled_out(other.removeprefix(ROW)) for other in found),
        "Rename one of them in the table.",
    )


def _closest(name: str, names: list[str]) -> str | None:
    """Return the closest name; a column written without its `row.` comes first."""
    wanted = folded(ROW + name).casefold()
    column = next((other for other in names if folded(other).casefold() == wanted), None)
    return column or closest(name, names, ignore_case=True)


def _list_names(names: list[str]) -> str:
    listed = ", ".join(map(_in_braces, names[:_MOST_LISTED])) or "none"
    return listed if len(names) <= _MOST_LISTED else f"{listed} and {len(names) - _MOST_LISTED} more"


def _in_braces(name: str) -> str:
    return "{{" + name + "}}"
