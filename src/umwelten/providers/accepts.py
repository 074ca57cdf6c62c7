"""What a model takes beside words, and up to which size."""

from __future__ import annotations

from umwelten.types import Frozen

PICTURES = frozenset(("image/jpeg", "image/png", "image/webp", "image/gif"))


class Accepts(Frozen):
    """Media that can be sent to a model. Types are MIME types; sizes are bytes before base64.

    `pictures` is empty for a model that is known to see nothing. A picture above `picture_bytes`, or with a
    side above `picture_side` pixels, is scaled down first. `pdf`: whole PDF files, up to `pdf_bytes`.
    `inline_bytes`: what one request may carry; above it, `upload` says whether files may be uploaded first.
    """

    pictures: frozenset[str] = PICTURES
    picture_bytes: int = 20_000_000
    picture_side: int = 8_000
    pdf: bool = False
    pdf_bytes: int = 32_000_000
    audio: frozenset[str] = frozenset()
    video: frozenset[str] = frozenset()
    inline_bytes: int = 64 << 20
    upload: bool = False
