"""Office documents, HTML pages and EPUB books as text in markdown.

Everything here takes a while and is called in a thread, which can't be stopped: what a file unpacks to is
bounded, by its kind, so that a conversion ends within about a minute.
"""

from __future__ import annotations

import io
from collections.abc import Callable

from umwelten.file_types import DOCX, EPUB, HTML, ODS, PPTX, XLS, XLSB, XLSX, FileType
from umwelten.inputs.content import MAX_TEXT, Converted, UnsupportedInput, framed, megabytes
from umwelten.inputs.convert import epub, html, pptx, spreadsheets, xlsx, zip_container
from umwelten.types import Text

MAX_WORDS = 16_000_000
MAX_CELLS = 100_000_000
MAX_SLIDES = 32_000_000
"""Bytes of XML to which a Word document, a workbook and a presentation may unpack."""

MAX_PAGE = html.MAX_PAGE


def document(data: bytes, kind: FileType, name: str) -> Converted:
    """Return the text of a document other than an HTML page. Errors: `UnsupportedInput`."""
    try:
        text = _READERS[kind.mime](data, name)
    except ImportError:
        raise UnsupportedInput(
            f"{name} is {kind.word}, whose text has to be read out. Install what does that: "
            "pip install 'umwelten[documents]'"
        ) from None
    except UnsupportedInput:
        raise
    except RecursionError:
        raise UnsupportedInput(
            f"{name} is {kind.word} nested too deeply to be read. Save it as plain text."
        ) from None
    except Exception as error:
        # A damaged document makes its reader stumble anywhere, with any error; it fails this call alone.
        raise zip_container.damage_error(name, kind.word) from error
    return _converted(text, kind, name)


def page(text: str, name: str) -> Converted:
    """An HTML page as markdown, or as it is where the converter is missing."""
    try:
        return _converted(html.markdown(text, name), HTML, name)
    except ImportError:
        note = f"{name}: sent as HTML; with pip install 'umwelten[documents]' it is sent as text"
        return Converted(parts=(Text(text=framed(text, name)),), notes=(note,))


def _converted(text: str, kind: FileType, name: str) -> Converted:
    if not text.strip():
        raise UnsupportedInput(f"{name} is {kind.word} without any text: there is nothing to send.")
    if len(text) > MAX_TEXT:
        raise UnsupportedInput(
            f"{name} holds more text ({megabytes(len(text))}) than any model reads. Split it."
        )
    note = f"{name}: {kind.word.partition(' ')[2]} as text"
    return Converted(parts=(Text(text=framed(text, name)),), notes=(note,))


def _docx(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, DOCX.word, most=MAX_WORDS):
        import mammoth

        # Pictures in it would come as megabytes of base64.
        no_pictures = mammoth.images.img_element(lambda image: {"src": ""})
        page: str = mammoth.convert_to_html(io.BytesIO(data), convert_image=no_pictures).value
    return html.markdown(page, name)


def _xlsx(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, XLSX.word, most=MAX_CELLS) as archive:
        return xlsx.markdown(archive, name)


def _xls(data: bytes, name: str) -> str:
    return spreadsheets.markdown(data, name, XLS)


def _xlsb(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, XLSB.word, most=MAX_CELLS, endings=(".bin", ".xml", ".rels")):
        return spreadsheets.markdown(data, name, XLSB)


def _ods(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, ODS.word, most=MAX_CELLS):
        return spreadsheets.markdown(data, name, ODS)


def _pptx(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, PPTX.word, most=MAX_SLIDES) as archive:
        return pptx.markdown(archive, name)


def _epub(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, EPUB.word, most=MAX_PAGE) as archive:
        return epub.markdown(archive, name)


_READERS: dict[str, Callable[[bytes, str], str]] = {
    DOCX.mime: _docx,
    XLSX.mime: _xlsx,
    XLS.mime: _xls,
    XLSB.mime: _xlsb,
    ODS.mime: _ods,
    PPTX.mime: _pptx,
    EPUB.mime: _epub,
}
