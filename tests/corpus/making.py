"""A file of every type, made by code, the same every time: `make(folder)`.

Of each type there is a sound one and, where that means anything, one that was cut in half. Texts all hold
`PHRASE` in some language; documents and PDF hold `SAID`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corpus import media, office, pdfs, pictures, spreadsheets, texts

PHRASE = texts.ENGLISH
SAID = office.SAID


@dataclass(frozen=True)
class Sample:
    """A file. `kind` is what it is ("docx", "text"), `mime` its type, `says` a phrase that its text holds.

    `damaged`: cut off in the middle. `trouble`: why even a sound one can't be sent: "empty", "locked",
    "archive", "program", "unknown", "huge", "bomb"; empty for one that can.
    """

    name: str
    path: Path
    kind: str
    mime: str
    says: str = ""
    damaged: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class _Made:
    name: str
    data: bytes
    kind: str
    mime: str
    says: str = ""
    trouble: str = ""
    cut: bool = False


def make(folder: Path, *, huge: bool = True) -> list[Sample]:
    """Write the corpus into a folder. `huge`: with two files that are mostly holes and take no room."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = [_write(folder, made) for made in _all()]
    if huge:
        samples.append(_hole(folder, "huge.txt", b"text", 3_000_000_000, "text", "text/plain"))
        samples.append(_hole(folder, "huge.mp4", media.MP4[:32], 3_000_000_000, "mp4", "video/mp4"))
    return samples


def _write(folder: Path, made: _Made) -> Sample:
    path = folder / made.name
    path.write_bytes(made.data)
    return Sample(made.name, path, made.kind, made.mime, made.says, made.cut, made.trouble)


def _hole(folder: Path, name: str, head: bytes, size: int, kind: str, mime: str) -> Sample:
    path = folder / name
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return Sample(name, path, kind, mime, trouble="huge")


def _all() -> Iterator[_Made]:
    for made in (*_texts(), *_pictures(), *_documents(), *_media(), *_others()):
        yield made
        if made.kind in _CUT and not made.trouble:
            half = made.data[: len(made.data) // 2]
            yield _Made(f"cut-{made.name}", half, made.kind, made.mime, cut=True)


_CUT = frozenset(
    (
        *("jpeg", "png", "gif", "webp", "tiff", "bmp", "ico", "avif", "jp2", "pdf"),
        *("docx", "xlsx", "xls", "xlsb", "ods", "pptx", "epub"),
    )
)


def _texts() -> Iterator[_Made]:
    for name, data, says in texts.all():
        yield _Made(name, data, "text", "text/plain", says)
    yield _Made("page.html", texts.PAGE.encode(), "html", "text/html", texts.GERMAN)
    yield _Made("page-latin-1.txt", texts.PAGE_LATIN, "html", "text/html", texts.GERMAN)
    yield _Made("empty.txt", b"", "text", "text/plain", trouble="empty")
    yield _Made("blank.txt", b" \r\n\t\n", "text", "text/plain", trouble="empty")
    yield _Made("mark-only.txt", b"\xef\xbb\xbf", "text", "text/plain", trouble="empty")


def _pictures() -> Iterator[_Made]:
    for name, kind, mime, data in pictures.all():
        yield _Made(name, data, kind, mime)
    yield _Made("photo.heic", pictures.HEIC, "heic", "image/heic")


def _documents() -> Iterator[_Made]:
    pdf = "application/pdf"
    yield _Made("letter.pdf", pdfs.text([SAID, "Second page."]), "pdf", pdf, SAID)
    yield _Made("scan.pdf", pdfs.scan(pictures.jpeg(), pages=2), "scan", pdf)
    yield _Made("protected.pdf", pdfs.text([SAID], owner="owner"), "protected", pdf, SAID)
    yield _Made("locked.pdf", pdfs.text([SAID], user="secret", owner="o"), "pdf", pdf, trouble="locked")
    yield _Made("no-pages.pdf", pdfs.text([]), "pdf", pdf, trouble="empty")
    yield _Made("late.pdf", b"made by a printer\n" + pdfs.text([SAID]), "late", pdf, SAID)
    yield _Made("report.docx", office.docx(), "docx", office.DOCX, SAID)
    yield _Made("table.xlsx", office.xlsx(), "xlsx", office.XLSX, SAID)
    yield _Made("table.xls", spreadsheets.xls(), "xls", spreadsheets.XLS, SAID)
    yield _Made("table.xlsb", spreadsheets.xlsb(), "xlsb", spreadsheets.XLSB, SAID)
    yield _Made("table.ods", spreadsheets.ods(), "ods", spreadsheets.ODS, SAID)
    yield _Made("talk.pptx", office.pptx(), "pptx", office.PPTX, SAID)
    yield _Made("book.epub", office.epub(), "epub", "application/epub+zip", SAID)
    yield _Made("named-wrong.jpg", office.docx(), "docx", office.DOCX, SAID)
    yield _Made("locked.docx", office.LOCKED, "ole", "application/x-ole-storage", trouble="locked")
    yield _Made("old.doc", office.OLD, "ole", "application/msword", trouble="unknown")
    yield _Made(
        "letter.odt", office.odt(), "odt", "application/vnd.oasis.opendocument.text", trouble="unknown"
    )
    yield _Made("bomb.docx", office.bomb(), "docx", office.DOCX, trouble="bomb")


def _media() -> Iterator[_Made]:
    for name, kind, mime, data in media.all():
        yield _Made(name, data, kind, mime)


def _others() -> Iterator[_Made]:
    for name, data, mime, trouble in media.others():
        yield _Made(name, data, "other", mime, trouble=trouble)
