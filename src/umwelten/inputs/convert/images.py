"""Pictures made into what a model takes: another format, smaller sides, one frame.

Everything here takes a while and is called in a thread. Pillow does the work; only the decoder that fits the
file's own first bytes is ever started.
"""

from __future__ import annotations

import io
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from umwelten.file_types import HEIC, FileType
from umwelten.inputs.content import Converted, UnsupportedInput, megabytes
from umwelten.providers.capabilities import Capabilities, accepted_mime, picture_bytes
from umwelten.types import FrozenStruct, Media, Part

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
"""Larger pictures are refused: unpacked they take 4 bytes a pixel."""

MAX_PAGES = 100
"""Of a TIFF file, whose pages are sent as one picture each."""

_QUALITIES = (90, 80, 70)
_SMALLER = 0.75
_DECODERS = {
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "image/x-icon": ("PIL.IcoImagePlugin", "IcoImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "image/heic": ("pillow_heif", "HeifImageFile"),
}
_PHOTOS = frozenset(("image/jpeg", "image/webp", "image/heic", "image/avif", "image/jp2"))

# Not state: so that large pictures take their memory one after the other.
_ONE_LARGE = threading.Lock()
_LARGE = 20_000_000


class _Encoded(FrozenStruct):
    """A picture as it is sent; `quality` is that of a JPEG."""

    data: bytes
    mime: str
    size: tuple[int, int]
    quality: int = 0


def convert(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> Converted:
    """The picture, or each page of a TIFF, as the model takes it, with a note of what was done.

    Errors: `UnsupportedInput` for a damaged picture, one of too many pixels, and where Pillow is missing.
    """
    image = _opened(data, kind, name)
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UnsupportedInput(
                f"{name} has too many pixels ({width}×{height}): up to {MAX_PIXELS // 1_000_000} million are "
                "read. Scale it down first."
            )
        if width * height <= _LARGE:
            return _converted(image, data, kind, name, capabilities)
        with _ONE_LARGE:
            return _converted(image, data, kind, name, capabilities)


def encode(image: Image, capabilities: Capabilities, *, photo: bool) -> _Encoded | None:
    """The picture within what the model takes; `None` if it can't be made small enough.

    A photo becomes JPEG, others PNG, unless that is too large; what is transparent stays PNG.
    """
    image = _fitted(_plain(image), capabilities.picture_side)
    transparent = image.mode == "RGBA"
    most = picture_bytes(capabilities)
    for _ in range(10):
        for mime, quality in _ways(capabilities, photo=photo, transparent=transparent):
            data = _written(image, mime, quality)
            if len(data) <= most:
                return _Encoded(data=data, mime=mime, size=image.size, quality=quality)
        image = _fitted(image, max(1, int(max(image.size) * _SMALLER)))
    return None


def _opened(data: bytes, kind: FileType, name: str) -> Image:
    module, decoder = _DECODERS[kind.mime]
    try:
        factory = getattr(import_module(module), decoder)
    except (ImportError, AttributeError):
        raise UnsupportedInput(
            f"{name} is {kind.word}, which has to be converted. {_missing(kind)}"
        ) from None
    try:
        opened: Image = factory(io.BytesIO(data))
    except Exception as error:
        raise _damaged(kind, name) from error
    return opened


def _missing(kind: FileType) -> str:
    if kind is HEIC:
        return "Install what reads it: pip install pillow-heif 'umwelten[images]'. Or export it as jpeg."
    return "Install what does that: pip install 'umwelten[images]'"


def _damaged(kind: FileType, name: str) -> UnsupportedInput:
    return UnsupportedInput(f"{name} is {kind.word} that can't be read: it is damaged or cut off.")


def _converted(image: Image, data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> Converted:
    pages = _frames(image, kind, name)
    sent = min(pages, MAX_PAGES) if kind.mime == "image/tiff" else 1
    parts: list[Part] = []
    done: dict[str, None] = {}
    for page in range(sent):
        before, encoded = _page(image, page, kind, name, capabilities)
        label = name if sent == 1 else f"{name} page {page + 1}"
        parts.append(Media(mime=encoded.mime, data=encoded.data, name=label))
        done |= dict.fromkeys(_done(before, len(data) // sent, kind, encoded, capabilities))
    if image.mode == "CMYK":
        done = {"print colours converted": None, **done}
    if pages > 1:
        done = {_taken(pages, sent, kind): None, **done}
    note = f"{name}: {', '.join(done)}" if done else ""
    return Converted(parts=tuple(parts), notes=(note,) if note else ())


def _frames(image: Image, kind: FileType, name: str) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:
        raise _damaged(kind, name) from error


def _taken(pages: int, sent: int, kind: FileType) -> str:
    if kind.mime != "image/tiff":
        return "first frame of several"
    return f"{pages} pages" if sent == pages else f"the first {sent} of {pages} pages"


def _page(
    image: Image, page: int, kind: FileType, name: str, capabilities: Capabilities
) -> tuple[tuple[int, int], _Encoded]:
    """One page's sides before, upright, and what is sent of it."""
    from PIL import ImageOps

    try:
        if page:
            image.seek(page)
        # A JPEG can be decoded at a half, a quarter or an eighth of its size, which is all that is needed.
        before = image.size
        if kind.mime == "image/jpeg":
            image.draft(None, (capabilities.picture_side, capabilities.picture_side))
        shrunk = image.size != before
        image.load()
        upright = ImageOps.exif_transpose(image)
        turned = upright.size != image.size
        encoded = encode(upright, capabilities, photo=kind.mime in _PHOTOS)
    except Exception as error:
        raise _damaged(kind, name) from error
    if encoded is None:
        raise UnsupportedInput(f"{name} can't be made smaller than {megabytes(picture_bytes(capabilities))}.")
    sides = before if shrunk else image.size
    return (sides[::-1] if turned else sides), encoded


def _done(
    before: tuple[int, int], size: int, kind: FileType, encoded: _Encoded, capabilities: Capabilities
) -> list[str]:
    """What had to be done to a picture, in words."""
    done: list[str] = []
    if accepted_mime(encoded.mime, (kind.mime,)) is None:
        done.append(f"converted to {encoded.mime.partition('/')[2]}")
    if encoded.size != before:
        done.append("scaled from {}×{} to {}×{}".format(*before, *encoded.size))
    elif not done and len(encoded.data) < size and size > picture_bytes(capabilities):
        done.append(f"compressed from {megabytes(size)} to {megabytes(len(encoded.data))}")
    return done


def _plain(image: Image) -> Image:
    """In grey, colour, or colour with transparency; 8 bits each."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image.convert("RGBA") if "transparency" in image.info else image
    if image.mode in ("LA", "La", "PA", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("I", "F"):
        return _stretched(image)
    return image.convert("RGB")


def _stretched(image: Image) -> Image:
    """Measurements as grey: from the least, black, to the greatest, white."""
    low, high = (float(end) for end in image.convert("F").getextrema())  # type: ignore[arg-type]
    factor = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * factor - low * factor).convert("L")


def _fitted(image: Image, side: int) -> Image:
    if max(image.size) <= side:
        return image
    from PIL.Image import Resampling

    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Resampling.LANCZOS, reducing_gap=3.0)


def _ways(capabilities: Capabilities, *, photo: bool, transparent: bool) -> list[tuple[str, int]]:
    """Formats to try, and the quality of each, in the order of what suits the picture."""
    png = [("image/png", 0)] if "image/png" in capabilities.pictures else []
    jpeg = (
        [("image/jpeg", quality) for quality in _QUALITIES] if "image/jpeg" in capabilities.pictures else []
    )
    webp = (
        [("image/webp", quality) for quality in _QUALITIES] if "image/webp" in capabilities.pictures else []
    )
    if transparent:
        return png or webp or jpeg
    return ([*jpeg, *png] if photo else [*png, *jpeg]) or webp


def _written(image: Image, mime: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    if mime == "image/png":
        image.save(buffer, "PNG")
    elif mime == "image/jpeg":
        (image.convert("RGB") if image.mode == "RGBA" else image).save(buffer, "JPEG", quality=quality)
    else:
        image.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()
