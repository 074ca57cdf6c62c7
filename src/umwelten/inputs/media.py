"""Images, PDF, audio and video: sent as they are if the model accepts them, else converted or rejected."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec

from umwelten.choices import PdfMode
from umwelten.file_types import PDF, FileType, type_by_name
from umwelten.inputs.content import Conversion, UnsupportedInput, megabytes
from umwelten.inputs.convert.exif import UPRIGHT, orientation
from umwelten.inputs.convert.image_size import measure
from umwelten.phrases import Phrase
from umwelten.providers.capabilities import Capabilities, accepted_mime, pdf_bytes, picture_bytes
from umwelten.types import Media, Part


def picture(
    data: bytes, kind: FileType, name: str, capabilities: Capabilities
) -> tuple[Part, ...] | Conversion:
    """Return an image as it is, or its conversion. Raises if the model accepts no images."""
    if not capabilities.pictures:
        raise UnsupportedInput(
            f"{name} is {kind.word}, but this model accepts no images. Use a vision model, or leave it out."
        )
    mime = accepted_mime(kind.mime, capabilities.pictures)
    if mime is not None and len(data) <= picture_bytes(capabilities):
        measured = measure(data, kind.mime)
        # If the size is unknown, the provider decides.
        if measured is None or (
            measured.plain and max(measured.width, measured.height) <= capabilities.picture_side
        ):
            if orientation(data, kind.mime) == UPRIGHT:
                return (Media(mime=mime, data=data, name=name),)
            return Conversion(step="turn", mime=kind.mime, data=data, name=name, capabilities=capabilities)
    return Conversion(step="picture", mime=kind.mime, data=data, name=name, capabilities=capabilities)


def recording(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> tuple[Part, ...]:
    """Return audio or video as it is. Raises if the model does not accept it, or not of that size."""
    formats = capabilities.audio if kind.family == "audio" else capabilities.video
    mime = accepted_mime(kind.mime, formats)
    if mime is None:
        raise UnsupportedInput(f"{name} is {kind.word}, but this model {_accepted_formats(kind, formats)}.")
    if not capabilities.upload:
        check_fits(len(data), name, capabilities)
    return (Media(mime=mime, data=data, name=name),)


def pdf(data: bytes, name: str, capabilities: Capabilities, mode: PdfMode) -> tuple[Part, ...] | Conversion:
    """Return a PDF as it is, or its conversion to text or images. Raises if `mode` can't be."""
    fits = capabilities.pdf and len(data) <= pdf_bytes(capabilities)
    if mode == "native" and not fits:
        reason = (
            f"larger than {megabytes(pdf_bytes(capabilities))}"
            if capabilities.pdf
            else "which this model does not accept"
        )
        raise UnsupportedInput(
            Phrase(
                "{name} is a PDF of {size}, {why}. Use {option:pdf=text} or {option:pdf=images}.",
                name=name,
                size=megabytes(len(data)),
                why=reason,
            )
        )
    if mode == "images" and not capabilities.pictures:
        raise UnsupportedInput(
            Phrase("{name} is a PDF, but this model accepts no images. Use {option:pdf=text}.", name=name)
        )
    if fits and mode in ("auto", "native"):
        if _looks_intact(data):
            return (Media(mime=PDF.mime, data=data, name=name),)
        return Conversion(step="check", mime=PDF.mime, data=data, name=name, capabilities=capabilities)
    return Conversion(step="pdf", mime=PDF.mime, data=data, name=name, capabilities=capabilities, pdf=mode)


def check_fits(size: int, name: str, capabilities: Capabilities) -> None:
    """Raise `UnsupportedInput` if the size exceeds what a request to this model may hold."""
    if size > capabilities.inline_bytes:
        raise UnsupportedInput(
            f"{name} is too large ({megabytes(size)}): a request to this model may hold up to "
            f"{megabytes(capabilities.inline_bytes)}. Split it or make it smaller."
        )


def looks_sendable(name: str, capabilities: Capabilities, pdf: PdfMode = "auto") -> bool:
    """Return whether a file can likely be sent to a model, by its name alone.

    A PDF that the model does not take as it is has to be converted, for which an extra must be installed.
    """
    kind = type_by_name(name)
    if kind == PDF:
        if pdf == "native" or (pdf == "auto" and capabilities.pdf):
            return bool(capabilities.pdf)
        return find_spec("pypdfium2") is not None and (pdf != "images" or bool(capabilities.pictures))
    if kind.family == "picture":
        return bool(capabilities.pictures)
    if kind.family in ("audio", "video"):
        formats = capabilities.audio if kind.family == "audio" else capabilities.video
        return accepted_mime(kind.mime, formats) is not None
    return kind.family != "other"


def _accepted_formats(kind: FileType, formats: Collection[str]) -> str:
    if not formats:
        return f"accepts no {kind.family}"
    return f"accepts {kind.family} only as {', '.join(sorted(mime.partition('/')[2] for mime in formats))}"


def _looks_intact(data: bytes) -> bool:
    """Return whether a PDF shows no obvious sign of being cut off or protected."""
    return b"startxref" in data[-2048:] and b"/Encrypt" not in data
