"""How many tokens a file has: roughly, and at the most. Nothing is read for it."""

from __future__ import annotations

from functools import lru_cache

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".avif")


_MOST_MEDIA_TOKENS = 3_000


_LEAST_BYTES_PER_TOKEN = 2


_FRAME_TOKENS = 64
"""Role marks and the like, and the words around a file's text."""


_MOST_CONTEXT = 2_000_000
"""Tokens; no model takes more, whatever a file holds."""


# Bytes a token of files whose bytes are not words: roughly, and at the least. A page of a PDF has some 60 kB
# and 1,200 tokens; Office files are packed; a second of sound 16 kB and 32 tokens, of film 250 kB and 300.
_PACKED = {
    (".pdf",): (50.0, 0.5),
    (".docx", ".pptx", ".xlsx", ".epub"): (20.0, 0.2),
    (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aac"): (500.0, 50.0),
    (".mp4", ".mov", ".webm", ".avi", ".mkv", ".mpeg"): (800.0, 80.0),
}


def is_picture(name: str) -> bool:
    """Whether a file of that name is taken for a picture where it is not read."""
    return _by_ending(name[name.rfind(".") :])[0]


def _bytes_per_token(name: str) -> tuple[float, float]:
    """(Roughly, at the least) by the name's ending; English text has 4, code 3, Chinese 2 to 3."""
    return _by_ending(name[name.rfind(".") :])[1]


@lru_cache
def _by_ending(ending: str) -> tuple[bool, tuple[float, float]]:
    lower = ending.lower()
    packed = (both for endings, both in _PACKED.items() if lower in endings)
    return lower in _PICTURES, next(packed, (4.0, float(_LEAST_BYTES_PER_TOKEN)))


def most_tokens(file_bytes: int, name: str = "") -> int:
    """A bound of the tokens of a file."""
    if is_picture(name):
        return _MOST_MEDIA_TOKENS + _FRAME_TOKENS
    _, least = _bytes_per_token(name)
    return min(int(file_bytes / least) + 1, _MOST_CONTEXT) + _FRAME_TOKENS
