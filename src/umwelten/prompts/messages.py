r"""Prompts of several messages: an earlier conversation, or examples, before the message that is asked.

A prompt is a text wherever it is stored, hashed or compared. One of several messages is the texts of all of
them, each after a line `\x02ROLE`, which no message holds: so whatever is true of a prompt's text, such as
its placeholders and the identity of its calls, is true of all messages. A text without such lines is one
message of the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from umwelten.errors import UsageError
from umwelten.types import Role

MARK = "\x02"
"""Begins a message. It is no blank, which `strip` would take away, and no text has it."""

SYSTEM = "system"
_ROLES = (SYSTEM, *(str(role) for role in Role))
_FORM = re.compile(
    rf"(?:{MARK}system\n[^{MARK}]*)?"
    rf"(?:{MARK}user\n[^{MARK}]*{MARK}assistant\n[^{MARK}]*)*{MARK}user\n[^{MARK}]*"
)
BETWEEN = "\n\n"
_SHAPE = 'Write {"role": "user", "content": "…"}; the roles are system, user and assistant.'


def messages_of(text: str) -> tuple[tuple[Role, str], ...]:
    """Return the messages of a prompt without the system's; the last one is the user's."""
    return tuple((Role(role), words) for role, words in _split(text) if role != SYSTEM)


def question_of(text: str) -> str:
    """Return the last message, which is asked."""
    return _split(text)[-1][1]


def is_conversation(text: str) -> bool:
    """Return whether a prompt is one of several messages."""
    return text.startswith(MARK) and _FORM.fullmatch(text) is not None


def without_system(text: str) -> tuple[str | None, str]:
    """Return the text of the system message, `None` without one, and the prompt without it."""
    (role, words), *others = _split(text)
    return (words, _joined(others)) if role == SYSTEM else (None, text)


def changed(text: str, change: Callable[[str], str], *, only_question: bool = False) -> str:
    """Return the prompt with its messages changed, or the last one alone."""
    parts = _split(text)
    last = len(parts) - 1
    return _joined(
        (role, change(words).replace(MARK, "\ufffd" if len(parts) > 1 else MARK))
        if place == last or not only_question
        else (role, words)
        for place, (role, words) in enumerate(parts)
    )


def readable(text: str) -> str:
    """Return a prompt as people and models read it: one of several messages with their roles before them."""
    if not is_conversation(text):
        return text
    return in_one_text(_split(text))


def in_one_text(messages: Sequence[tuple[str, str]]) -> str:
    """Return messages as one text, each after its role where there are several."""
    if len(messages) == 1:
        return messages[0][1]
    return BETWEEN.join(label(role) + words for role, words in messages)


def label(role: str) -> str:
    """Return what stands before a message, where several are shown as one text."""
    return f"{role.capitalize()}: "


def as_messages(text: str) -> tuple[dict[str, str], ...] | None:
    """Return the messages of a prompt as they are given, `None` where it has one alone."""
    if not is_conversation(text):
        return None
    return tuple({"role": role, "content": words} for role, words in _split(text))


def conversation(given: Sequence[Any], place: str) -> str:
    """Return the text of a prompt of these messages. Messages of one role in a row become one.

    `place` is what they are called. Raises `UsageError` for what no provider would take.
    """
    parts: list[tuple[str, str]] = []
    for number, one in enumerate(given, 1):
        role, words = _read(one, f"{place}: message {number}")
        if role == SYSTEM and number > 1:
            raise UsageError(
                f"{place}: message {number} is a system message, and only the first can be one",
                "Put its words into the first message, or into the user's.",
            )
        if parts and parts[-1][0] == role:
            # Several APIs demand that roles alternate; it is the same to the others.
            parts[-1] = (role, parts[-1][1] + BETWEEN + words)
        else:
            parts.append((role, words))
    asked = [role for role, _ in parts if role != SYSTEM]
    if not asked:
        raise UsageError(f"{place}: there is no user message", _SHAPE)
    if asked[0] != Role.USER:
        raise UsageError(
            f"{place}: the first message is the assistant's",
            "Several APIs demand that the user speaks first: put a user message before it.",
        )
    if asked[-1] != Role.USER:
        raise UsageError(
            f"{place}: the last message is the assistant's, and the model would have to continue it",
            "Current models refuse that. End with a user message, such as one that says how to begin.",
        )
    return _joined(parts)


def _read(one: Any, place: str) -> tuple[str, str]:
    if not isinstance(one, Mapping) or set(one) != {"role", "content"}:
        shown = ", ".join(map(repr, one)) if isinstance(one, Mapping) else repr(one)[:60]
        raise UsageError(f"{place} must have a role and a content; it has {shown or 'nothing'}", _SHAPE)
    role, words = one["role"], one["content"]
    if role not in _ROLES:
        raise UsageError(f"{place}: there is no role {role!r}", _SHAPE)
    if not isinstance(words, str):
        raise UsageError(
            f"{place}: its content is not a text", "Pictures and documents are sent with the last message."
        )
    if not words.strip():
        raise UsageError(f"{place} is empty", "Most APIs refuse a message without text: leave it out.")
    if MARK in words:
        raise UsageError(f"{place} has the control character U+0002", "Remove it: no model reads it.")
    try:
        words.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{place} contains a lone surrogate", "Save it as UTF-8.") from None
    return str(role), words


def _split(text: str) -> list[tuple[str, str]]:
    if not is_conversation(text):
        return [(str(Role.USER), text)]
    pairs = (piece.partition("\n") for piece in text[1:].split(MARK))
    return [(role, words) for role, _, words in pairs]


def _joined(parts: Iterable[tuple[str, str]]) -> str:
    parts = list(parts)
    if [role for role, _ in parts] == [Role.USER]:
        return parts[0][1]
    return "".join(f"{MARK}{role}\n{words}" for role, words in parts)
