"""Pictures, PDF, audio and video: sent as they are where the model takes them, else converted or refused."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from umwelten.choices import PdfMode
from umwelten.file_types import PDF, FileType, type_by_name
from umwelten.inputs.content import Convert, Converted, UnsupportedInput, megabytes
from umwelten.inputs.convert.image_size import measure
from umwelten.phrases import Phrase
from umwelten.providers.capabilities import Capabilities, accepted_mime, pdf_bytes, picture_bytes
from umwelten.types import Media, Part


def picture(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> tuple[Part, ...] | Convert:
    """A picture, as it is or to be converted or scaled down. Errors: the model takes none."""
    if not capabilities.pictures:
        raise UnsupportedInput(
            f"{name} is {kind.word}, and this model takes no pictures. Use one that sees, or leave it out."
        )
    mime = accepted_mime(kind.mime, capabilities.pictures)
    if mime is not None and len(data) <= picture_bytes(capabilities):
        found = measure(data, kind.mime)
        # One that can't be measured is left to the provider to judge.
        if found is None or (found.plain and max(found.width, found.height) <= capabilities.picture_side):
            return (Media(mime=mime, data=data, name=name),)
    return partial(_converted_picture, data, kind, name, capabilities)


def recording(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> tuple[Part, ...]:
    """Audio or video as it is. Errors: the model does not take it, or not of that size."""
    taken = capabilities.audio if kind.family == "audio" else capabilities.video
    mime = accepted_mime(kind.mime, taken)
    if mime is None:
        raise UnsupportedInput(f"{name} is {kind.word}, and this model {_takes(kind, taken)}.")
    if not capabilities.upload:
        check_fits(len(data), name, capabilities)
    return (Media(mime=mime, data=data, name=name),)


def pdf(data: bytes, name: str, capabilities: Capabilities, mode: PdfMode) -> tuple[Part, ...] | Convert:
    """A PDF as it is, or to be turned into text or pictures. Errors: it must be one that is impossible."""
    whole = capabilities.pdf and len(data) <= pdf_bytes(capabilities)
    if mode == "native" and not whole:
        why = (
            f"larger than {megabytes(pdf_bytes(capabilities))}"
            if capabilities.pdf
            else "which this model does not take"
        )
        raise UnsupportedInput(
            Phrase(
                "{name} is a PDF of {size}, {why}. Use {option:pdf=text} or {option:pdf=images}.",
                name=name,
                size=megabytes(len(data)),
                why=why,
            )
        )
    if mode == "images" and not capabilities.pictures:
        raise UnsupportedInput(
            Phrase("{name} is a PDF, and this model takes no pictures. Use {option:pdf=text}.", name=name)
        )
    if whole and mode in ("auto", "native"):
        if _sound_pdf(data):
            return (Media(mime=PDF.mime, data=data, name=name),)
        return partial(_checked_pdf, data, name)
    return partial(_converted_pdf, data, name, capabilities, mode)


def check_fits(size: int, name: str, capabilities: Capabilities) -> None:
    """Errors: more than one request to this model may carry."""
    if size > capabilities.inline_bytes:
        raise UnsupportedInput(
            f"{name} is too large ({megabytes(size)}): a request to this model holds up to "
            f"{megabytes(capabilities.inline_bytes)}. Split it or make it smaller."
        )


def looks_sendable(name: str, capabilities: Capabilities) -> bool:
    """Return whether a file of that name can likely be sent to a model; its bytes settle it later."""
    kind = type_by_name(name)
    if kind.family == "picture":
        return bool(capabilities.pictures)
    if kind.family in ("audio", "video"):
        taken = capabilities.audio if kind.family == "audio" else capabilities.video
        return accepted_mime(kind.mime, taken) is not None
    return kind.family != "other"


def _takes(kind: FileType, taken: Collection[str]) -> str:
    if not taken:
        return f"takes no {kind.family}"
    return f"takes {kind.family} as {', '.join(sorted(mime.partition('/')[2] for mime in taken))} only"


def _sound_pdf(data: bytes) -> bool:
    """Whether nothing tells at first sight that a PDF is cut off or protected."""
    return b"startxref" in data[-2048:] and b"/Encrypt" not in data


def _converted_picture(data: bytes, kind: FileType, name: str, capabilities: Capabilities) -> Converted:
    # Pillow is imported when the first picture needs it, pdfium when the first PDF does.
    from umwelten.inputs.convert import images

    return images.convert(data, kind, name, capabilities)


def _checked_pdf(data: bytes, name: str) -> Converted:
    from umwelten.inputs.convert import pdf as pdf_files

    return pdf_files.checked(data, name)


def _converted_pdf(data: bytes, name: str, capabilities: Capabilities, mode: PdfMode) -> Converted:
    from umwelten.inputs.convert import pdf as pdf_files

    return pdf_files.convert(data, name, capabilities, mode)
