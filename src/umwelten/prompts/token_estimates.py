"""Estimates and upper bounds of a file's tokens, from its name and size alone."""

from __future__ import annotations

from umwelten.file_types import type_by_name

MOST_MEDIA_TOKENS = 3_000
"""Tokens of one image: the most that a provider counts."""

_FRAME_TOKENS = 64
"""Tokens of role markers and the like, and of the frame around a file's text."""

_MOST_CONTEXT = 2_000_000
"""Tokens: no model has a larger context, whatever a file holds."""


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
