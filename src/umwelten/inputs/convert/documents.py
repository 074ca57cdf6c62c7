"""Office documents, HTML pages and EPUB books as text in markdown.

What a file unpacks to is bounded by its type, and what is made of it by `bounds`, so that an ordinary
conversion takes seconds, and the longest about half a minute.
"""

from __future__ import annotations

from collections.abc import Callable

from umwelten.errors import InputError
from umwelten.file_types import DOCX, EPUB, HTML, ODS, PPTX, XLS, XLSB, XLSX, FileType
from umwelten.inputs.content import MAX_TEXT, Converted, UnsupportedInput, frame_text
from umwelten.inputs.convert import docx, epub, html, pptx, spreadsheets, xlsx, zip_container
from umwelten.inputs.convert.bounds import TooMuchText, too_deep
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
    except InputError:
        raise
    except Exception as error:
        raise _as_input_error(error, kind, name) from error
    text, warnings = (read, ()) if isinstance(read, str) else read
    return _text_result(text, kind, name, warnings)


def page(text: str, name: str) -> Converted:
    """Return an HTML page as markdown, or as it is if the converter is not installed."""
    try:
        return _text_result(html.markdown(text, name), HTML, name)
    except ImportError:
        note = f"{name}: sent as HTML; to send it as text: pip install 'umwelten[documents]'"
        return Converted(parts=(Text(text=frame_text(text, name)),), notes=(note,))
    except InputError:
        raise
    except Exception as error:
        raise _as_input_error(error, HTML, name) from error


def _text_result(text: str, kind: FileType, name: str, warnings: tuple[str, ...] = ()) -> Converted:
    if not text.strip():
        raise UnsupportedInput(f"{name} is {kind.word} without any text, so there is nothing to send.")
    if len(text) > MAX_TEXT:
        raise _too_much_text(name)
    note = f"{name}: {kind.word.partition(' ')[2]} sent as text"
    return Converted(parts=(Text(text=frame_text(text, name)),), notes=(note,), warnings=warnings)


def _as_input_error(error: Exception, kind: FileType, name: str) -> InputError:
    """Return what to say of another error: a damaged document can make its reader raise any."""
    if isinstance(error, RecursionError):
        return too_deep(name, kind.word)
    if isinstance(error, MemoryError):
        return UnsupportedInput(f"{name} is {kind.word} that takes too much memory to be read. Split it.")
    if isinstance(error, TooMuchText):
        return _too_much_text(name)
    return zip_container.damage_error(name, kind.word)


def _too_much_text(name: str) -> UnsupportedInput:
    return UnsupportedInput(f"{name} holds more text than any model can read. Split it.")


def _docx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, DOCX.word, most=MAX_WORDS) as archive:
        return docx.markdown(archive, name)


def _xlsx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, XLSX.word, most=MAX_CELLS) as archive:
        return xlsx.markdown(archive, name)


def _xls(data: bytes, name: str) -> _Read:
    return spreadsheets.markdown(data, name, XLS)


def _xlsb(data: bytes, name: str) -> _Read:
    endings = (".bin", ".xml", ".rels")
    with zip_container.open_archive(data, name, XLSB.word, most=MAX_CELLS, endings=endings) as archive:
        archive.unpack_all()
        return spreadsheets.markdown(data, name, XLSB)


def _ods(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, ODS.word, most=MAX_CELLS) as archive:
        archive.unpack_all()
        text, warnings = spreadsheets.markdown(data, name, ODS)
        content = archive.read("content.xml")
        return text, (*warnings, EMPTY_FORMULAS) if spreadsheets.lacks_results(content) else warnings


def _pptx(data: bytes, name: str) -> _Read:
    with zip_container.open_archive(data, name, PPTX.word, most=MAX_SLIDES) as archive:
        return pptx.markdown(archive)


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
