"""Small pictures of an evaluation's inputs, as `data:` addresses for an HTML report.

The store keeps names and paths of inputs, not their bytes: a picture is shown when the file is still
where it was and has the size it had. With Pillow installed it is made small; without, only pictures that
are small already are shown.
"""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from umwelten.store.reader import Reader

FILES = 200
WIDTH, HEIGHT = 320, 240
LARGEST = 30_000_000
PIXELS = 60_000_000
AS_IT_IS = 24_000
_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def thumbnails(reader: Reader) -> dict[str, str]:
    """Return pictures by the name of their input, for the first `FILES` inputs that have one."""
    pictures: dict[str, str] = {}
    rows = reader.connection.execute(
        """SELECT name, path, size FROM inputs WHERE active AND id > 0 AND part = '' AND (name LIKE '%.png'
        OR name LIKE '%.jp%g' OR name LIKE '%.gif' OR name LIKE '%.webp') ORDER BY id LIMIT ?""",
        (FILES,),
    )
    for name, path, size in rows:
        picture = _picture(Path(path), size)
        if picture is not None:
            pictures[name] = picture
    return pictures


def _picture(path: Path, size: int) -> str | None:
    try:
        if size > LARGEST or path.stat().st_size != size:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    mime = mime_of(data)
    if mime is None:
        return None
    small = _scale(data)
    if small is not None:
        return _address("image/jpeg", small)
    return _address(mime, data) if len(data) <= AS_IT_IS else None


def mime_of(data: bytes) -> str | None:
    """Return the type of a raster picture by its first bytes; `None` for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in _TYPES.items() if data.startswith(start)), None)


def _address(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _scale(data: bytes) -> bytes | None:
    """At most WIDTH × HEIGHT as JPEG; `None` without Pillow, or if it can't read the picture."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return None
    try:
        # Pillow warns of pictures that would fill the memory; PIXELS is stricter.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > PIXELS:
                    return None
                image.draft("RGB", (WIDTH * 2, HEIGHT * 2))
                small = ImageOps.exif_transpose(image)
                small.thumbnail((WIDTH, HEIGHT))
                return _jpeg(small)
    # What Pillow raises for files that are cut off or forged; it documents no common base.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _jpeg(image: object) -> bytes:
    from PIL import Image

    assert isinstance(image, Image.Image)
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", rgba.size, "white")
    flat.paste(rgba, mask=rgba.getchannel("A"))
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=72)
    return out.getvalue()
