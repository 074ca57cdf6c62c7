"""Conversion of PDF files to text or to images of their pages, by pdfium.

pdfium must not be called from two threads at a time, so there is one lock, held for a page at a time.
"""

from __future__ import annotations

import importlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from umwelten.choices import PdfMode
from umwelten.file_types import PDF
from umwelten.inputs.content import MAX_TEXT, Converted, UnsupportedInput, frame_text
from umwelten.inputs.convert import pdf_streams, steps
from umwelten.phrases import Phrase, Wording
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Media, Part, Text

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MAX_PAGE_IMAGES = 100
"""Pages of one file that are sent as images, at most."""

MAX_TEXT_PAGES = 5_000
"""Pages of one file whose text is read, at most."""

PAGE_SIDE = 1_500
"""Pixels of the longer side of a page's image: enough to read letters of 8 points."""

MAX_PAGE_SIDE = 1_000_000
"""Points: pdfium holds numbers for each point of a page's sides. Other programs take up to 14,400."""

MOST_S = 25.0
"""Seconds for one file, checked after each page: less than a conversion has."""

_LEAST_CHARACTERS = 20
"""A page with fewer characters is taken for a scan."""

# Not state: the lock must be shared by all threads.
_PDFIUM = threading.Lock()
_PASSWORD = 4


def check(data: bytes, name: str) -> Converted:
    """Open a PDF that looks cut off or protected, and return it whole, without its protection.

    Without pdfium it is sent as it is, and the provider decides. Raises `UnsupportedInput` if it is damaged.
    """
    try:
        with _open(data, name) as (document, _):
            return _remove_protection(document, data, name)
    except _NoPdfium:
        return _send_as_is(data, name)


def convert(data: bytes, name: str, capabilities: Capabilities, mode: PdfMode) -> Converted:
    """Return the text of a PDF, or its pages as images: by `mode`, in "auto" as images if it has no text.

    Raises `UnsupportedInput` for a file that is damaged, needs a password, has no pages or too many, has no
    text though the model accepts no images, or if pdfium is not installed.
    """
    with _open(data, name) as (document, pages):
        if mode == "images":
            return _page_images(document, pages, name, capabilities)
        texts = _page_texts(document, pages, name)
        textless = sum(len("".join(text.split())) < _LEAST_CHARACTERS for text in texts)
        if mode == "auto" and textless * 2 > pages and capabilities.pictures and pages <= MAX_PAGE_IMAGES:
            return _page_images(document, pages, name, capabilities, why="it contains almost no text")
    if not any(text.strip() for text in texts):
        raise UnsupportedInput(
            Phrase(
                "{name} is a PDF without text, such as a scan. {instead}",
                name=name,
                instead=_alternative(capabilities),
            )
        )
    blank = sum(not text.strip() for text in texts)
    note = f"{name}: text of {_count_pages(pages)}" + (f", {blank} of them without any" if blank else "")
    return Converted(parts=(Text(text=frame_text(_join_pages(texts), name)),), notes=(note,))


def load() -> None:
    """Import what this needs, as far as it is installed."""
    for library in ("pypdfium2", "PIL.Image"):
        with suppress(ImportError):
            importlib.import_module(library)


class _NoPdfium(UnsupportedInput):
    """pdfium is not installed."""


@contextmanager
def _open(data: bytes, name: str) -> Iterator[tuple[PdfDocument, int]]:
    """Yield the document and its number of pages; close it at the end."""
    try:
        with _PDFIUM:
            import pypdfium2
    except ImportError:
        raise _NoPdfium(
            f"{name} is a PDF, which has to be converted to text for this model. Install the converter: "
            "pip install 'umwelten[documents]'"
        ) from None
    pdf_streams.check(data, name)
    document = None
    try:
        with _PDFIUM:
            document = pypdfium2.PdfDocument(data)
            pages = len(document)
        if not pages:
            raise UnsupportedInput(f"{name} is a PDF without any readable page: it may be damaged.")
        yield document, pages
    except pypdfium2.PdfiumError as error:
        # If pdfium sets no code for this file, that of an earlier one remains.
        locked = getattr(error, "err_code", None) == _PASSWORD and b"/Encrypt" in data
        raise _unreadable(name, locked=locked) from error
    finally:
        if document is not None:
            with _PDFIUM:
                document.close()


def _unreadable(name: str, *, locked: bool) -> UnsupportedInput:
    if locked:
        return UnsupportedInput(f"{name} is a PDF that needs a password. Save a copy without one.")
    return UnsupportedInput(f"{name} is {PDF.word} that can't be read: it is damaged or cut off.")


def _remove_protection(document: PdfDocument, data: bytes, name: str) -> Converted:
    """Return the file, or a copy without its protection, because some providers reject protected files."""
    from pypdfium2 import raw

    with _PDFIUM:
        if raw.FPDF_GetSecurityHandlerRevision(document) < 0:
            return _send_as_is(data, name)
        buffer = io.BytesIO()
        document.save(buffer, flags=raw.FPDF_REMOVE_SECURITY)
    return Converted(
        parts=(Media(mime=PDF.mime, data=buffer.getvalue(), name=name),),
        notes=(f"{name}: sent without its protection",),
    )


def _send_as_is(data: bytes, name: str) -> Converted:
    return Converted(parts=(Media(mime=PDF.mime, data=data, name=name),))


# --- text -------------------------------------------------------------------------------------


def _page_texts(document: PdfDocument, pages: int, name: str) -> list[str]:
    if pages > MAX_TEXT_PAGES:
        raise UnsupportedInput(f"{name} has {pages} pages: up to {MAX_TEXT_PAGES} are read. Split it.")
    texts: list[str] = []
    size = 0
    for number in _pages_in_time(pages, name):
        texts.append(_page_text(document, number, name))
        size += len(texts[-1])
        if size > MAX_TEXT:
            raise UnsupportedInput(f"{name} holds more text than any model can read. Split it.")
    return texts


def _page_text(document: PdfDocument, number: int, name: str) -> str:
    import pypdfium2

    try:
        with _PDFIUM, closing(document[number]) as page:
            _check_side(page, number, name)
            with closing(page.get_textpage()) as textpage:
                text: str = textpage.get_text_bounded()
    except pypdfium2.PdfiumError:
        return ""  # a damaged page among good ones
    return text.replace("\r\n", "\n").replace("\ufffe", "").replace("\x00", "")


def _check_side(page: Any, number: int, name: str) -> None:
    if not max(page.get_size()) <= MAX_PAGE_SIDE:
        raise UnsupportedInput(f"{name} page {number + 1} is larger than any paper, so it is not read.")


def _join_pages(texts: list[str]) -> str:
    marked = (f"--- page {number} ---\n{text.strip()}\n" for number, text in enumerate(texts, 1))
    return "\n".join(marked)


# --- images -----------------------------------------------------------------------------------


def _page_images(
    document: PdfDocument, pages: int, name: str, capabilities: Capabilities, why: str = ""
) -> Converted:
    if pages > MAX_PAGE_IMAGES:
        raise UnsupportedInput(
            Phrase(
                "{name} has {pages} pages: up to {most} are sent as images. "
                "Split it, or use {option:pdf=text}.",
                name=name,
                pages=pages,
                most=MAX_PAGE_IMAGES,
            )
        )
    parts: list[Part] = []
    size = 0
    for number in _pages_in_time(pages, name):
        parts.append(_page_image(document, number, name, capabilities))
        size += len(parts[-1].data) if isinstance(parts[-1], Media) else 0
        if size > capabilities.inline_bytes:
            raise UnsupportedInput(f"{name} is too large as images of its {pages} pages. Split it.")
    note = f"{name}: {_count_pages(pages)} sent as images" + (f", because {why}" if why else "")
    return Converted(parts=tuple(parts), notes=(note,))


def _page_image(document: PdfDocument, number: int, name: str, capabilities: Capabilities) -> Media:
    try:
        from umwelten.inputs.convert.images import encode

        image = _render(document, number, name, min(PAGE_SIDE, capabilities.picture_side))
    except ImportError:
        raise UnsupportedInput(
            f"{name} is a PDF whose pages have to be sent as images. Install the converter: "
            "pip install 'umwelten[images]'"
        ) from None
    encoded = encode(image, capabilities, photo=True)
    if encoded is None:
        raise UnsupportedInput(f"{name} page {number + 1} can't be made small enough for this model.")
    return Media(mime=encoded.mime, data=encoded.data, name=f"{name} page {number + 1}")


def _render(document: PdfDocument, number: int, name: str, side: int) -> Any:
    """Return a page as a Pillow image."""
    with _PDFIUM, closing(document[number]) as page:
        _check_side(page, number, name)
        longest = max(page.get_size())
        with closing(page.render(scale=side / longest if longest > 0 else 1.0)) as bitmap:
            return bitmap.to_pil().copy()  # its memory belongs to the bitmap


# --- bounds -----------------------------------------------------------------------------------


def _pages_in_time(pages: int, name: str) -> Iterator[int]:
    """Yield the indices of the pages, each a step. Raises `UnsupportedInput` after `MOST_S` seconds."""
    end = time.monotonic() + MOST_S
    for number in range(pages):
        steps.begin(steps.PAGE_S)
        yield number
        if time.monotonic() > end:
            raise UnsupportedInput(f"{name} took longer than {MOST_S:g} s to read. Split it.")


def _count_pages(number: int) -> str:
    return "1 page" if number == 1 else f"{number} pages"


def _alternative(capabilities: Capabilities) -> Wording:
    if capabilities.pictures:
        return Phrase("Use {option:pdf=images} with up to {most} pages.", most=MAX_PAGE_IMAGES)
    return "Use a model that accepts PDF or images, or run OCR on it first."
