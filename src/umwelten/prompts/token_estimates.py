"""How many tokens a file has: roughly, and at the most. Nothing is read for it."""

from __future__ import annotations

from umwelten.file_types import type_by_name

MOST_MEDIA_TOKENS = 3_000
"""Of one picture: the most that a provider counts."""

_FRAME_TOKENS = 64
"""Role marks and the like, and the words around a file's text."""

_MOST_CONTEXT = 2_000_000
"""Tokens; no model takes more, whatever a file holds."""


def is_picture(name: str) -> bool:
    """Return whether a file of that name is taken for a picture where it is not read."""
    return type_by_name(name).family == "picture"


def text_tokens(file_bytes: int, name: str) -> int:
    """Return a rough count of the tokens of a file that is no picture."""
    roughly, _ = type_by_name(name).bytes_per_token
    return int(file_bytes / roughly)


def most_tokens(file_bytes: int, name: str = "") -> int:
    """Return a bound of the tokens of a file."""
    if is_picture(name):
        return MOST_MEDIA_TOKENS + _FRAME_TOKENS
    _, least = type_by_name(name).bytes_per_token
    return min(int(file_bytes / least) + 1, _MOST_CONTEXT) + _FRAME_TOKENS
