"""Pictures in every format that Pillow writes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

# The beginning of a HEIC file: its brand. Nothing here writes whole ones.
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)


def jpeg(size: tuple[int, int] = (64, 48)) -> bytes:
    """A small photo."""
    return _saved(drawn(size), "JPEG")


def drawn(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """A picture whose upper left quarter is red, the rest a gradient; the same every time."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.paste((200, 20, 20), (0, 0, size[0] // 2, size[1] // 2))
    return image if mode == "RGB" else image.convert(mode)


def noisy(size: tuple[int, int]) -> Image.Image:
    """A picture that no format makes small."""
    state, pixels = 12345, bytearray()
    for _ in range(size[0] * size[1] * 3):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        pixels.append(state >> 16 & 0xFF)
    return Image.frombytes("RGB", size, bytes(pixels))


def all() -> Iterator[tuple[str, str, str, bytes]]:
    """Name, kind, type and bytes."""
    for ending, form, mode in (
        *(("jpeg", "JPEG", "RGB"), ("png", "PNG", "RGB"), ("gif", "GIF", "P"), ("webp", "WEBP", "RGB")),
        *(("tiff", "TIFF", "RGB"), ("bmp", "BMP", "RGB"), ("ico", "ICO", "RGBA"), ("avif", "AVIF", "RGB")),
        ("jp2", "JPEG2000", "RGB"),
    ):
        mime = "image/x-icon" if ending == "ico" else f"image/{ending}"
        yield f"picture.{ending}", ending, mime, _saved(drawn(mode=mode), form)
    yield "clear.png", "png", "image/png", _saved(drawn(mode="RGBA"), "PNG")
    yield "cmyk.jpg", "cmyk", "image/jpeg", _saved(drawn(mode="CMYK"), "JPEG")
    yield "moving.gif", "moving", "image/gif", _moving("GIF")
    yield "moving.webp", "moving", "image/webp", _moving("WEBP")
    yield "pages.tif", "pages", "image/tiff", _pages()
    yield "deep.tif", "deep", "image/tiff", _saved(Image.new("I;16", (40, 30), 40_000), "TIFF")


def turned(size: tuple[int, int] = (60, 40)) -> bytes:
    """A photo whose EXIF says that it has to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(drawn(size), "JPEG", exif=exif)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """A picture's bytes in a format."""
    return _saved(image, form, **options)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _moving(form: str) -> bytes:
    frames = [drawn().rotate(90 * turn) for turn in range(3)]
    return _saved(frames[0], form, save_all=True, append_images=frames[1:], duration=50)


def _pages() -> bytes:
    pages = [drawn((50, 70)), drawn((70, 50))]
    return _saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
