r"""Prompts with places to fill in: `{{content}}`, `{{file.name}}`, `{{row.title}}`.

Between the braces stands a name: letters, digits, `_`, `.` and `-`, starting with a letter or `_`; after
`row.` anything but braces. Blanks around it don't matter. Whatever else has braces, such as `{x}`,
`{{ 1 + 2 }}` or `{"a": {"b": 1}}`, is ordinary text. `\{{content}}` stands for `{{content}}` itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.text.suggestions import closest

ROW = "row."
ANSWER = "answer"
_JSON = "json."

_PLACE = re.compile(r"(\\?)\{\{\s*(row\.[^{}]*[^{}\s]|[^\W\d][\w.-]*)\s*\}\}")
_SHOWN = 40
_ESCAPE = "write \\{{…}} for the words themselves."


class Template:
    """A prompt cut at its placeholders. `names` are those, each once; `places` as often as they stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Words and names in turn, beginning and ending with words.
        self._pieces = tuple(_pieces(text))
        self.places = self._pieces[1::2]
        self.names = tuple(dict.fromkeys(self.places))

    def uses(self, prefix: str) -> bool:
        """Whether a placeholder's name starts like this, say `row.`, or is this."""
        return any(name.startswith(prefix) for name in self.names)

    def check(self, known: Collection[str], columns: tuple[str, ...] | None) -> None:
        """Raise `UsageError` for a placeholder that can't be filled in.

        `known` are the names besides `row.…`; `columns` those of the rows, `None` where there are none.
        """
        every = [*known, *(ROW + column for column in columns or ())]
        for name in self.names:
            if name not in every:
                raise _unknown(name, every, rows=columns is not None)

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt with the values in it, as they are: placeholders inside a value are just text.

        A row need not have every column: what it lacks is empty. Any other missing name is a `KeyError`.
        """
        if not self.names:
            return self._pieces[0]
        filled = list(self._pieces)
        filled[1::2] = [
            values.get(name, "") if name.startswith(ROW) else values[name] for name in filled[1::2]
        ]
        return "".join(filled)


def _pieces(text: str) -> Iterator[str]:
    words, start = "", 0
    for found in _PLACE.finditer(text):
        words += text[start : found.start()]
        start = found.end()
        if found[1]:
            words += found[0][1:]
        else:
            yield words
            yield found[2]
            words = ""
    yield words + text[start:]


def _unknown(name: str, known: list[str], *, rows: bool) -> UsageError:
    if name == ANSWER and ANSWER not in known:
        return UsageError(
            f"{_braced(name)} in the prompt: there are no answers to take it from. Known: {_listed(known)}",
            Phrase("Give an evaluation with {option:from_}; {escape}", escape=_ESCAPE),
        )
    if name.startswith(_JSON) and ANSWER in known:
        return UsageError(
            f"{_braced(name)} in the prompt: of an answer {_braced(ANSWER)} is what there is, whole. "
            f"Known: {_listed(known)}",
            Phrase("{option:where} can look inside its record; {escape}", escape=_ESCAPE),
        )
    if name.startswith(ROW) and not rows:
        return UsageError(
            f"{_braced(name)} in the prompt: there are no rows to take it from. Known: {_listed(known)}",
            Phrase("Give a table with {option:rows}; {escape}", escape=_ESCAPE),
        )
    near = _closest(name, known)
    suggestion = f"did you mean {_braced(near)}?" if near else "nothing has that name."
    return UsageError(
        f"{_braced(name)} in the prompt: {suggestion} Known: {_listed(known)}",
        "Write \\{{…}} for the words themselves.",
    )


def _closest(name: str, known: list[str]) -> str | None:
    """The column of that name, written without `row.`, is nearer than any other."""
    column = next((other for other in known if other.casefold() == (ROW + name).casefold()), None)
    return column or closest(name, known, ignore_case=True)


def _listed(known: list[str]) -> str:
    shown = ", ".join(map(_braced, known[:_SHOWN])) or "none"
    return shown if len(known) <= _SHOWN else f"{shown} and {len(known) - _SHOWN} more"


def _braced(name: str) -> str:
    return "{{" + name + "}}"
