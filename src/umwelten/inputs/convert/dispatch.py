"""The converter of each file. Called in a worker: here a file may take any time and all memory there is."""

from __future__ import annotations

import contextlib
import importlib

from umwelten.file_types import ALL, DOCX, EPUB, HTML, ODS, XLS, XLSB, FileType
from umwelten.inputs.content import Conversion, Converted
from umwelten.inputs.convert import steps
from umwelten.inputs.file_detection import decode_text
from umwelten.providers.capabilities import accepted_mime

KINDS: dict[str, FileType] = {
    kind.mime: kind for kind in ALL if kind.family in ("document", "picture", "pdf")
}


_LIBRARIES = {
    HTML.mime: ("bs4", "markdownify"),
    EPUB.mime: ("bs4", "markdownify"),
    DOCX.mime: ("mammoth", "bs4", "markdownify"),
    XLS.mime: ("python_calamine",),
    XLSB.mime: ("python_calamine",),
    ODS.mime: ("python_calamine",),
}
"""What the readers of documents import when they are first used, which takes up to a quarter of a second."""


def load_converter(mime: str) -> None:
    """Import what a conversion from this MIME type needs, as far as it is installed."""
    from umwelten.inputs.convert import documents  # noqa: F401

    for library in _LIBRARIES.get(mime, ()):
        with contextlib.suppress(ImportError):
            importlib.import_module(library)


def convert(conversion: Conversion) -> Converted:
    """Return what is sent of a file, converted in this process. Raises `InputError`."""
    kind, data, name = KINDS[conversion.mime], conversion.data, conversion.name
    match conversion.step:
        case "document":
            from umwelten.inputs.convert import documents

            if kind is HTML:
                return documents.page(decode_text(data) or "", name)
            return documents.document(data, kind, name)
        case "picture" | "turn":
            from umwelten.inputs.convert import images

            with steps.limited(steps.STEP_S):
                if conversion.step == "picture":
                    return images.convert(data, kind, name, conversion.capabilities)
                mime = accepted_mime(kind.mime, conversion.capabilities.pictures) or kind.mime
                return images.turn(data, kind, mime, name, conversion.capabilities)
        case "pdf":
            from umwelten.inputs.convert import pdf

            pdf.load()  # what it maps is no part of what a file takes
            with steps.limited(steps.STEP_S, steps.PDF_BYTES):
                return pdf.convert(data, name, conversion.capabilities, conversion.pdf)
        case "check":
            from umwelten.inputs.convert import pdf

            pdf.load()
            with steps.limited(steps.STEP_S, steps.PDF_BYTES):
                return pdf.check(data, name)
