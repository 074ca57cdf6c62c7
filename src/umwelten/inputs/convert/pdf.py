"""PDF files as text or as pictures of their pages, by pdfium.

Everything here takes a while and is called in a thread. pdfium must not be called from two threads at a
time, so there is one lock, held for a page at a time.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from umwelten.choices import PdfMode
from umwelten.file_types import PDF
from umwelten.inputs.content import MAX_TEXT, Converted, UnsupportedInput, framed
from umwelten.phrases import Phrase, Wording
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Media, Part, Text

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MAX_PICTURED = 100
"""Pages of one file that are sent as pictures."""

MAX_READ = 5_000
"""Pages of one file whose text is read."""

PAGE_SIDE = 1_500
"""Pixels of the longer side of a page as a picture: letters of 8 points stay readable."""

MOST_S = 120.0
"""Seconds for one file, looked at after each page."""

_LITTLE = 20
"""A page with fewer characters is taken for a picture."""

# Not state: the one thing that all threads have to agree on.
_PDFIUM = threading.Lock()
_PASSWORD = 4


def checked(data: bytes, name: str) -> Converted:
    """A PDF to be sent whole that looks cut off or protected: whether it opens, freed of its protection.

    Without pdfium it goes as it is, and the provider judges.
    """
    try:
        with _opened(data, name) as (document, _):
            return _freed(document, data, name)
    except _NoPdfium:
        return _whole(data, name)


def convert(data: bytes, name: str, capabilities: Capabilities, mode: PdfMode) -> Converted:
    """The text of a PDF, or its pages as pictures: by `mode`, in "auto" as pictures where it has no text.

    Errors: `UnsupportedInput` for one that is damaged, needs a password, has no pages or too many, has
    neither text nor a model that sees, or where pdfium is missing.
    """
    with _opened(data, name) as (document, pages):
        if mode == "images":
            return _pictures(document, pages, name, capabilities)
        texts = _texts(document, pages, name)
        pictured = sum(len("".join(text.split())) < _LITTLE for text in texts)
        if mode == "auto" and pictured * 2 > pages and capabilities.pictures and pages <= MAX_PICTURED:
            return _pictures(document, pages, name, capabilities, why="it holds next to no text")
    if not any(text.strip() for text in texts):
        raise UnsupportedInput(
            Phrase(
                "{name} is a PDF that holds no text, such as a scan. {instead}",
                name=name,
                instead=_instead(capabilities),
            )
        )
    blank = sum(not text.strip() for text in texts)
    note = f"{name}: text of {_pages(pages)}" + (f", {blank} of them without any" if blank else "")
    return Converted(parts=(Text(text=framed(_joined(texts), name)),), notes=(note,))


class _NoPdfium(UnsupportedInput):
    """pdfium is not installed."""


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[tuple[PdfDocument, int]]:
    """The document and its number of pages, closed at the end."""
    try:
        with _PDFIUM:
            import pypdfium2
    except ImportError:
        raise _NoPdfium(
            f"{name} is a PDF, whose text has to be read out for this model. Install what does that: "
            "pip install 'umwelten[documents]'"
        ) from None
    document = None
    try:
        with _PDFIUM:
            document = pypdfium2.PdfDocument(data)
            pages = len(document)
        if not pages:
            raise UnsupportedInput(f"{name} is a PDF without a page that can be read: it may be damaged.")
        yield document, pages
    except pypdfium2.PdfiumError as error:
        # pdfium's code may be of an earlier file, where it has none for this one.
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


def _freed(document: PdfDocument, data: bytes, name: str) -> Converted:
    """The file as it is, or a copy without protection if it has one: some providers refuse those."""
    from pypdfium2 import raw

    with _PDFIUM:
        if raw.FPDF_GetSecurityHandlerRevision(document) < 0:
            return _whole(data, name)
        buffer = io.BytesIO()
        document.save(buffer, flags=raw.FPDF_REMOVE_SECURITY)
    return Converted(
        parts=(Media(mime=PDF.mime, data=buffer.getvalue(), name=name),),
        notes=(f"{name}: sent without its protection",),
    )


def _whole(data: bytes, name: str) -> Converted:
    return Converted(parts=(Media(mime=PDF.mime, data=data, name=name),))


# --- text -------------------------------------------------------------------------------------


def _texts(document: PdfDocument, pages: int, name: str) -> list[str]:
    if pages > MAX_READ:
        raise UnsupportedInput(f"{name} has {pages} pages: up to {MAX_READ} are read. Split it.")
    texts: list[str] = []
    size = 0
    for number in _timely(pages, name):
        texts.append(_page_text(document, number))
        size += len(texts[-1])
        if size > MAX_TEXT:
            raise UnsupportedInput(f"{name} holds more text than any model reads. Split it.")
    return texts


def _page_text(document: PdfDocument, number: int) -> str:
    import pypdfium2

    try:
        with _PDFIUM, closing(document[number]) as page, closing(page.get_textpage()) as words:
            text: str = words.get_text_bounded()
    except pypdfium2.PdfiumError:
        return ""  # a damaged page among good ones
    return text.replace("\r\n", "\n").replace("\ufffe", "").replace("\x00", "")


def _joined(texts: list[str]) -> str:
    marked = (f"--- page {number} ---\n{text.strip()}\n" for number, text in enumerate(texts, 1))
    return "\n".join(marked)


# --- pictures ---------------------------------------------------------------------------------


def _pictures(
    document: PdfDocument, pages: int, name: str, capabilities: Capabilities, why: str = ""
) -> Converted:
    if pages > MAX_PICTURED:
        raise UnsupportedInput(
            Phrase(
                "{name} has {pages} pages: up to {most} are sent as pictures. "
                "Split it, or use {option:pdf=text}.",
                name=name,
                pages=pages,
                most=MAX_PICTURED,
            )
        )
    parts: list[Part] = []
    size = 0
    for number in _timely(pages, name):
        parts.append(_page_picture(document, number, name, capabilities))
        size += len(parts[-1].data) if isinstance(parts[-1], Media) else 0
        if size > capabilities.inline_bytes:
            raise UnsupportedInput(f"{name} is too large as pictures of its {pages} pages. Split it.")
    note = f"{name}: {_pages(pages)} as pictures" + (f", because {why}" if why else "")
    return Converted(parts=tuple(parts), notes=(note,))


def _page_picture(document: PdfDocument, number: int, name: str, capabilities: Capabilities) -> Media:
    try:
        from umwelten.inputs.convert.images import encode

        image = _rendered(document, number, min(PAGE_SIDE, capabilities.picture_side))
    except ImportError:
        raise UnsupportedInput(
            f"{name} is a PDF whose pages have to be sent as pictures. Install what makes them: "
            "pip install 'umwelten[images]'"
        ) from None
    encoded = encode(image, capabilities, photo=True)
    if encoded is None:
        raise UnsupportedInput(f"{name} page {number + 1} can't be made small enough for this model.")
    return Media(mime=encoded.mime, data=encoded.data, name=f"{name} page {number + 1}")


def _rendered(document: PdfDocument, number: int, side: int) -> Any:
    """A Pillow image of a page."""
    with _PDFIUM, closing(document[number]) as page:
        longest = max(page.get_size())
        with closing(page.render(scale=side / longest if longest > 0 else 1.0)) as bitmap:
            return bitmap.to_pil().copy()  # the memory it shows belongs to the bitmap


# --- bounds -----------------------------------------------------------------------------------


def _timely(pages: int, name: str) -> Iterator[int]:
    """The numbers of the pages, as long as there is time."""
    end = time.monotonic() + MOST_S
    for number in range(pages):
        yield number
        if time.monotonic() > end:
            raise UnsupportedInput(f"{name} took longer than {MOST_S:g} s to read. Split it.")


def _pages(number: int) -> str:
    return "1 page" if number == 1 else f"{number} pages"


def _instead(capabilities: Capabilities) -> Wording:
    if capabilities.pictures:
        return Phrase("Use {option:pdf=images} with up to {most} pages.", most=MAX_PICTURED)
    return "Use a model that takes PDF or pictures, or put it through OCR first."
