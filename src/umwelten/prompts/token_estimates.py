"""Estimates and upper bounds of a file's tokens, from its name and size alone."""

from __future__ import annotations

from umwelten.file_types import type_by_name
from umwelten.types import FoundInput, FrozenStruct, Input

MOST_MEDIA_TOKENS = 3_000
"""Tokens of one image: the most that a provider counts."""

_FRAME_TOKENS = 64
"""Tokens of role markers and the like, and of the frame around a file's text."""

_MOST_CONTEXT = 2_000_000
"""Tokens: no model has a larger context, whatever a file holds."""


_WORDS_BEFORE_SIZE = {"answer": 2, "pair": 3}
"""Words of a part before the size of the file that is sent with it, by the first of them."""


class InputSize(FrozenStruct):
    """How much an input is: a file of so many bytes by its name, and bytes of text beside it."""

    file_bytes: int = 0
    name: str = ""
    text_bytes: int = 0


def input_size(source: FoundInput | Input | None) -> InputSize:
    """Return the size of an input. What a row or an answer is called says nothing about what is in it.

    The part of an answer that is sent with the file it is about is `answer CALL BYTES NAME`, that of a pair
    `pair CALL CALL BYTES NAME`.
    """
    if source is None:
        return InputSize()
    if not source.part:
        return InputSize(file_bytes=source.size, name=source.name)
    kind = source.part.partition(" ")[0]
    before = _WORDS_BEFORE_SIZE.get(kind)
    if before is not None and source.part.count(" ") > before:
        size, name = source.part.split(" ", before + 1)[before:]
        return InputSize(file_bytes=int(size), name=name, text_bytes=source.size - int(size))
    return InputSize(text_bytes=source.size)


def is_picture(name: str) -> bool:
    """Return whether a file is an image, by its name."""
    return type_by_name(name).family == "picture"


def text_tokens(file_bytes: int, name: str) -> int:
    """Return an estimate of the tokens of a file that is not an image."""
    roughly, _ = type_by_name(name).bytes_per_token
    return int(file_bytes / roughly)


def most_tokens(file_bytes: int, name: str = "") -> int:
    """Return an upper bound of a file's tokens."""
    if is_picture(name):
        return MOST_MEDIA_TOKENS + _FRAME_TOKENS
    _, least = type_by_name(name).bytes_per_token
    return min(int(file_bytes / least) + 1, _MOST_CONTEXT) + _FRAME_TOKENS
