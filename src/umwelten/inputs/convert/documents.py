"""Office documents, HTML pages and EPUB books as text in markdown.

Conversions are slow and run in a thread, which can't be stopped: what a file unpacks to is bounded, by its
type, so that a conversion ends within about a minute.
"""

from __future__ import annotations

from collections.abc import Callable

from umwelten.file_types import DOCX, EPUB, HTML, ODS, PPTX, XLS, XLSB, XLSX, FileType
from umwelten.inputs.content import MAX_TEXT, Converted, UnsupportedInput, frame_text, megabytes
from umwelten.inputs.convert import docx, epub, html, pptx, spreadsheets, xlsx, zip_container
from umwelten.inputs.convert.markdown_table import EMPTY_FORMULAS
from umwelten.types import Text

MAX_WORDS = 16_000_000
MAX_CELLS = 100_000_000
MAX_SLIDES = 32_000_000
"""Bytes of XML to which a Word document, a workbook and a presentation may unpack."""

_Read = str | tuple[str, tuple[str, ...]]
"""A document's text, or its text and warnings."""

MAX_PAGE = html.MAX_PAGE


def document(data: bytes, kind: FileType, name: str) -> Converted:
    """Return the text of a document other than an HTML page. Raises `UnsupportedInput`."""
    try:
        read = _READERS[kind.mime](data, name)
    except ImportError:
        raise UnsupportedInput(
            f"{name} is {kind.word}, which has to be converted to text. Install the converter: "
            "pip install 'umwelten[documents]'"
        ) from None
    except UnsupportedInput:
        raise
    except RecursionError:
        raise UnsupportedInput(
            f"{name} is {kind.word} nested too deeply to be read. Save it as plain text."
        ) from None
    except Exception as error:
        # A damaged document can make its reader raise any error, which must fail this call alone.
        raise zip_container.damage_error(name, kind.word) from error
    text, warnings = (read, ()) if isinstance(read, str) else read
    return _text_result(text, kind, name, warnings)


def page(text: str, name: str) -> Converted:
    """Return an HTML page as markdown, or as it is if the converter is not installed."""
    try:
        return _text_result(html.markdown(text, name), HTML, name)
    except ImportError:
        note = f"{name}: sent as HTML; to send it as text: pip install 'umwelten[documents]'"
        return Converted(parts=(Text(text=frame_text(text, name)),), notes=(note,))


def _text_result(text: str, kind: FileType, name: str, warnings: tuple[str, ...] = ()) -> Converted:
    if not text.strip():
        raise UnsupportedInput(f"{name} is {kind.word} without any text, so there is nothing to send.")
    if len(text) > MAX_TEXT:
        raise UnsupportedInput(
            f"{name} holds more text ({megabytes(len(text))}) than any model can read. Split it."
        )
    note = f"{name}: {kind.word.partition(' ')[2]} sent as text"
    return Converted(parts=(Text(text=frame_text(text, name)),), notes=(note,), warnings=warnings)


def _docx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, DOCX.word, most=MAX_WORDS) as archive:
        return docx.markdown(archive, name)


def _xlsx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, XLSX.word, most=MAX_CELLS) as archive:
        return xlsx.markdown(archive, name)


def _xls(data: bytes, name: str) -> _Read:
    return spreadsheets.markdown(data, name, XLS)


def _xlsb(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, XLSB.word, most=MAX_CELLS, endings=(".bin", ".xml", ".rels")):
        return spreadsheets.markdown(data, name, XLSB)


def _ods(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, ODS.word, most=MAX_CELLS) as archive:
        text, warnings = spreadsheets.markdown(data, name, ODS)
        content = zip_container.read(archive, "content.xml", name, ODS.word)
        return text, (*warnings, EMPTY_FORMULAS) if spreadsheets.lacks_results(content) else warnings


def _pptx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, PPTX.word, most=MAX_SLIDES) as archive:
        return pptx.markdown(archive, name)


def _epub(data: bytes, name: str) -> str:
    with zip_container.open_archive(data, name, EPUB.word, most=MAX_PAGE) as archive:
        return epub.markdown(archive, name)


_READERS: dict[str, Callable[[bytes, str], _Read]] = {
    DOCX.mime: _docx,
    XLSX.mime: _xlsx,
    XLS.mime: _xls,
    XLSB.mime: _xlsb,
    ODS.mime: _ods,
    PPTX.mime: _pptx,
    EPUB.mime: _epub,
}
