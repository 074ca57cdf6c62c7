"""Conversion of images into what a model accepts: another format, smaller sides, one frame.

Pillow does the work; only the decoder for the detected type is ever used.
"""

from __future__ import annotations

import io
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from umwelten.file_types import HEIC, FileType
from umwelten.inputs.content import Converted, UnsupportedInput, megabytes
from umwelten.inputs.convert.exif import UPRIGHT, orientation
from umwelten.inputs.convert.image_size import count_scans
from umwelten.providers.capabilities import Capabilities, accepted_mime, picture_bytes
from umwelten.types import FrozenStruct, Media, Part

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
"""Larger images are rejected: decoded they take 4 bytes a pixel."""

MAX_PAGES = 100
"""Pages of a TIFF file that are sent, each as an image."""

MAX_SCANS = 50
"""Passes over the pixels of a JPEG, each of which takes as long as a whole one; cameras write up to 10."""

_MOST_PIXELS_A_BYTE = {"image/jpeg": 600, "image/png": 8300}
"""What their compression comes to at the very most: 64 pixels in a bit, 1,032 bytes of 8 pixels in a byte."""

_MOST_METADATA = 16_000_000
"""Bytes of a PNG's text or colour profile when unpacked. Pillow takes 1 MB; the history that Photoshop keeps
has more, and so have the workflows of programs that make pictures."""

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

_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""For each EXIF orientation the `PIL.Image.Transpose` that turns the image upright."""

_SUBFILE_TYPE = 254
_COLOURS_OF_THEIR_OWN = ("CMYK", "LAB")
_INSTALL = "pip install 'umwelten[images]'"

# Not state: large images are converted one at a time, to bound memory.
_ONE_LARGE = threading.Lock()
_LARGE = 20_000_000


class _NoDecoder(UnsupportedInput):
    """The library that reads the image is not installed."""


class _Encoded(FrozenStruct):
    """An image as it is sent; `quality` is that of a JPEG or WebP."""

    data: bytes
    mime: str
    size: tuple[int, int]
    quality: int = 0


def convert(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> Converted:
    """Return the image, or each page of a TIFF, as the model accepts it, with a note of the changes.

    Raises `UnsupportedInput` for a damaged image, one with too many pixels, or if Pillow is not installed.
    """
    image = _open(data, kind, name)
    with image:
        width, height = image.size
        if _is_preview(image):
            raise UnsupportedInput(
                f"{name} is a camera's raw file, of which only a preview can be read. Export it as JPEG."
            )
        _check_size(image, data, kind, name)
        if width * height <= _LARGE:
            return _convert_pages(image, data, kind, name, capabilities)
        with _ONE_LARGE:
            return _convert_pages(image, data, kind, name, capabilities)


def _check_size(image: Image, data: bytes, kind: FileType, name: str) -> None:
    """Raise `UnsupportedInput` before memory is taken for pixels: too many of them, or not in the file."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnsupportedInput(
            f"{name} has too many pixels ({width}×{height}): up to {MAX_PIXELS // 1_000_000} million are "
            "read. Scale it down first."
        )
    most = _MOST_PIXELS_A_BYTE.get(kind.mime)
    if most is not None and width * height > most * len(data):
        raise _damage_error(kind, name)
    if kind.mime == "image/jpeg" and count_scans(data, MAX_SCANS) > MAX_SCANS:
        raise UnsupportedInput(
            f"{name} is {kind.word} in more than {MAX_SCANS} scans, as no program writes it. Save it again."
        )


def turn(data: bytes, kind: FileType, mime: str, name: str, capabilities: Capabilities) -> Converted:
    """Return an image that the model accepts, turned upright as its EXIF says; as it is if that fails."""
    try:
        return convert(data, kind, name, capabilities)
    except _NoDecoder:
        warning = f"sent as it is, though its EXIF says to turn it. To turn such images: {_INSTALL}"
    except UnsupportedInput:
        warning = "sent as it is, though its EXIF says to turn it: it is damaged or too large to be decoded"
    return Converted(parts=(Media(mime=mime, data=data, name=name),), warnings=(warning,))


def encode(image: Image, capabilities: Capabilities, *, photo: bool) -> _Encoded | None:
    """Return the image within the model's limits; `None` if it can't be made small enough.

    A photo becomes JPEG, others PNG, unless that is too large; an image with transparency stays PNG.
    """
    # The profile describes the colours as they were; the other metadata is not the model's business.
    kept = ("transparency",) if image.mode in _COLOURS_OF_THEIR_OWN else ("transparency", "icc_profile")
    image.info = {key: value for key, value in image.info.items() if key in kept}
    image = _fit(_simplify_mode(image), capabilities.picture_side)
    transparent = image.mode == "RGBA"
    most = picture_bytes(capabilities)
    for _ in range(10):
        for mime, quality in _format_choices(capabilities, photo=photo, transparent=transparent):
            data = _save(image, mime, quality)
            if len(data) <= most:
                return _Encoded(data=data, mime=mime, size=image.size, quality=quality)
        image = _fit(image, max(1, int(max(image.size) * _SMALLER)))
    return None


def _open(data: bytes, kind: FileType, name: str) -> Image:
    module, decoder = _DECODERS[kind.mime]
    try:
        library = import_module(module)
        factory = getattr(library, decoder)
    except (ImportError, AttributeError):
        raise _NoDecoder(f"{name} is {kind.word}, which has to be converted. {_install_hint(kind)}") from None
    if kind.mime == "image/png":
        library.MAX_TEXT_CHUNK = _MOST_METADATA  # type: ignore[attr-defined]  # Pillow's way to set it
    try:
        image: Image = factory(io.BytesIO(data))
    except Exception as error:
        raise _damage_error(kind, name) from error
    return image


def _install_hint(kind: FileType) -> str:
    if kind is HEIC:
        return "Install the decoder: pip install pillow-heif 'umwelten[images]'. Or export it as JPEG."
    return f"Install the converter: {_INSTALL}"


def _damage_error(kind: FileType, name: str) -> UnsupportedInput:
    return UnsupportedInput(f"{name} is {kind.word} that can't be read: it is damaged or cut off.")


def _convert_pages(
    image: Image, data: bytes, kind: FileType, name: str, capabilities: Capabilities
) -> Converted:
    pages = _frames(image, kind, name)
    page_count = min(pages, MAX_PAGES) if kind.mime == "image/tiff" else 1
    parts: list[Part] = []
    changes: dict[str, None] = {}
    for page in range(page_count):
        original, is_turned, encoded = _page(image, page, data, kind, name, capabilities)
        label = name if page_count == 1 else f"{name} page {page + 1}"
        parts.append(Media(mime=encoded.mime, data=encoded.data, name=label))
        if is_turned:
            changes["turned upright"] = None
        changes |= dict.fromkeys(
            _change_notes(original, len(data) // page_count, kind, encoded, capabilities)
        )
    if image.mode == "CMYK":
        changes = {"CMYK converted to RGB": None, **changes}
    if pages > 1:
        changes = {_page_note(pages, page_count, kind): None, **changes}
    note = f"{name}: {', '.join(changes)}" if changes else ""
    return Converted(parts=tuple(parts), notes=(note,) if note else ())


def _is_preview(image: Image) -> bool:
    """Return whether a TIFF's first image is a reduced one, as in the raw files of cameras."""
    tags = getattr(image, "tag_v2", {})
    return bool(int(tags.get(_SUBFILE_TYPE, 0)) & 1)


def _frames(image: Image, kind: FileType, name: str) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:
        raise _damage_error(kind, name) from error


def _page_note(pages: int, page_count: int, kind: FileType) -> str:
    if kind.mime != "image/tiff":
        return "first frame only"
    return f"{pages} pages" if page_count == pages else f"the first {page_count} of {pages} pages"


def _page(
    image: Image, page: int, data: bytes, kind: FileType, name: str, capabilities: Capabilities
) -> tuple[tuple[int, int], bool, _Encoded]:
    """Return a page's original size, upright, whether it was turned, and the page as it is sent."""
    try:
        if page:
            image.seek(page)
            _check_size(image, data, kind, name)
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which saves time and memory.
        original = image.size
        if kind.mime == "image/jpeg":
            image.draft(None, (capabilities.picture_side, capabilities.picture_side))
        is_shrunk = image.size != original
        image.load()
        upright = _upright(image, data, kind)
        encoded = encode(upright, capabilities, photo=kind.mime in _PHOTOS)
    except UnsupportedInput:
        raise
    except Exception as error:
        raise _damage_error(kind, name) from error
    if encoded is None:
        raise UnsupportedInput(f"{name} can't be made smaller than {megabytes(picture_bytes(capabilities))}.")
    sides = original if is_shrunk else image.size
    return (sides[::-1] if upright.size != image.size else sides), upright is not image, encoded


def _upright(image: Image, data: bytes, kind: FileType) -> Image:
    """Return a decoded image turned as its metadata says; the same one if that is not at all."""
    found = orientation(data, kind.mime)
    if kind.mime not in ("image/jpeg", "image/png", "image/webp"):
        # TIFF has a tag for each page, and of HEIC and AVIF Pillow knows what is left to turn.
        try:
            found = int(image.getexif().get(0x0112, UPRIGHT))
        except Exception:  # noqa: BLE001 - metadata may be damaged in any way
            found = UPRIGHT
    if found not in _TURNS:
        return image
    from PIL.Image import Transpose

    return image.transpose(Transpose(_TURNS[found]))


def _change_notes(
    before: tuple[int, int], size: int, kind: FileType, encoded: _Encoded, capabilities: Capabilities
) -> list[str]:
    """Return the changes to an image, as text for a note."""
    changes: list[str] = []
    if accepted_mime(encoded.mime, (kind.mime,)) is None:
        changes.append(f"converted to {encoded.mime.partition('/')[2]}")
    if encoded.size != before:
        changes.append("scaled from {}×{} to {}×{}".format(*before, *encoded.size))
    elif not changes and len(encoded.data) < size and size > picture_bytes(capabilities):
        changes.append(f"compressed from {megabytes(size)} to {megabytes(len(encoded.data))}")
    return changes


def _simplify_mode(image: Image) -> Image:
    """Return the image in mode L, RGB or RGBA: 8 bits a channel."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image.convert("RGBA") if "transparency" in image.info else image
    if image.mode in ("LA", "La", "PA", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("I", "F"):
        return _stretch(image)
    return image.convert("RGB")


def _stretch(image: Image) -> Image:
    """Return measurements as grey: the least black, the greatest white."""
    low, high = (float(end) for end in image.convert("F").getextrema())  # type: ignore[arg-type]
    factor = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * factor - low * factor).convert("L")


def _fit(image: Image, side: int) -> Image:
    if max(image.size) <= side:
        return image
    from PIL.Image import Resampling

    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Resampling.LANCZOS, reducing_gap=3.0)


def _format_choices(capabilities: Capabilities, *, photo: bool, transparent: bool) -> list[tuple[str, int]]:
    """Return the formats to try, with a quality each, the most suitable first."""
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


def _save(image: Image, mime: str, quality: int) -> bytes:
    buffer, profile = io.BytesIO(), image.info.get("icc_profile")
    if mime == "image/png":
        image.save(buffer, "PNG")
    elif mime == "image/jpeg":
        opaque = image.convert("RGB") if image.mode == "RGBA" else image
        opaque.save(buffer, "JPEG", quality=quality, icc_profile=profile)
    else:
        image.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()
