"""What an earlier answer was asked, as values of placeholders; `inputs.reader` reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from umwelten.errors import InputError
from umwelten.inputs.content import Content, Conversion, Converted, Question, unframe_text
from umwelten.inputs.tables.rows import columns
from umwelten.prompts.messages import readable
from umwelten.prompts.template import INPUT, PROMPT, Template, content_text
from umwelten.store.database import has_database
from umwelten.store.inputs import original_path, path_text
from umwelten.store.stored_calls import first_input
from umwelten.types import Media, Part, Text

Convert = Callable[[Conversion], Awaitable[Converted]]

_DEEPEST = 32
"""Evaluations in a chain: longer ones are circles, such as copied folders make."""


async def converted(content: Content, convert: Convert) -> Content:
    """Return the content with what had to be converted as parts, of all questions in the chain."""
    question = content.question
    if question is not None and question.content is not None:
        inner = await converted(question.content, convert)
        if inner is not question.content:
            question = msgspec.structs.replace(question, content=inner)
            content = msgspec.structs.replace(content, question=question)
    if content.convert is not None:
        done = await convert(content.convert)
        content = msgspec.structs.replace(content, parts=done.parts, convert=None)
    return content


def question_values(content: Content) -> dict[str, str]:
    """Return the values of `prompt` and `input`, where they are wanted; all is converted by now.

    Raises `InputError` for a question that cannot be put together again.
    """
    question = content.question
    if question is None:
        return {}
    values = {}
    if INPUT in question.names:
        values[INPUT] = _words(question.content.parts) if question.content is not None else ""
    if PROMPT in question.names:
        values[PROMPT] = _prompt(question)
    return values


def question_media(content: Content) -> tuple[Media, ...]:
    """Return the media of the input that `{{input}}` stands for."""
    question = content.question
    if question is None or question.content is None or INPUT not in question.names:
        return ()
    return tuple(part for part in question.content.parts if isinstance(part, Media))


def _prompt(question: Question) -> str:
    """Return the prompt with its own placeholders filled in, as it was sent."""
    template, content = Template(question.prompt), question.content
    if not question.name:
        return readable(question.prompt) if template.names else template.render({})
    values = {"file.name": question.name, "file.path": path_text(question.path)}
    if content is not None:
        values |= {**content.values, **question_values(content), "content": _words(content.parts, bare=True)}
    try:
        return template.render(values)
    except KeyError as error:
        raise InputError(
            f"the question about {question.name} cannot be put together again: "
            f"its {{{{{error.args[0]}}}}} came from outside"
        ) from None


def _words(parts: tuple[Part, ...], *, bare: bool = False) -> str:
    texts = [unframe_text(part.text) if bare else part.text for part in parts if isinstance(part, Text)]
    return content_text(texts, (part.name for part in parts if isinstance(part, Media)))


def chained_columns(folder: Path) -> tuple[str, ...] | None:
    """Return the columns of the rows that the answers of an evaluation go back to, `None` if to none.

    Raises `InputError` if the table can't be read, `StoreError` if an evaluation can't.
    """
    for _ in range(_DEEPEST):
        found = first_input(folder) if has_database(folder) else None
        if found is None or not found.part:
            return None
        if found.part.startswith("row "):
            return columns(Path(original_path(found.path)), found.row_rule)
        folder = Path(original_path(found.path)).parent
    return None
