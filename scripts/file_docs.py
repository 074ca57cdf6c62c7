"""Make the tables in docs/files.md: what is sent of each type of file to each provider, and the limits.

python scripts/file_docs.py            write the table into the page
python scripts/file_docs.py --check    exit 1 if it is not what would be written; writes nothing
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from umwelten import file_types
from umwelten.inputs.content import MAX_TEXT
from umwelten.inputs.convert import bounds, documents, images, pdf, pdf_streams, steps
from umwelten.inputs.file_detection import MAX_MEMBERS
from umwelten.inputs.reader import MAX_BYTES
from umwelten.inputs.workers.worker import TIME_S
from umwelten.providers.capabilities import Capabilities, accepted_mime, pdf_bytes, picture_bytes
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import capabilities_of
from umwelten.types import ModelRef

PAGE = Path(__file__).parent.parent / "docs" / "files.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
BEGIN_LIMITS, END_LIMITS = "<!-- limits -->\n", "<!-- end of limits -->\n"
PROVIDERS = (
    "google",
    "anthropic",
    "openai",
    "openrouter",
    "ollama",
    "lmstudio",
    "local",
    "groq",
    "mistral",
    "xai",
)
_ENDLESS = 1 << 30


def table() -> str:
    """The table in markdown: a row for each type of file, a column for each provider."""
    taken = {name: _of(name) for name in PROVIDERS}
    lines = [f"| | {' | '.join(PROVIDERS)} |", f"| --- |{' --- |' * len(PROVIDERS)}"]
    lines += [f"| {title} | {' | '.join(map(cell, taken.values()))} |" for title, cell in _rows()]
    return "\n".join(lines) + "\n"


def _of(provider: str) -> Capabilities:
    vendor = VENDORS[provider]
    return capabilities_of(
        Endpoint(vendor=vendor, base_url=vendor.base_url), ModelRef(provider, "a-new-model")
    )


def _rows() -> Iterator[tuple[str, Callable[[Capabilities], str]]]:
    yield "text, code", lambda capabilities: "text"
    yield "html, docx, pptx, epub, xlsx, xls, xlsb, ods", lambda capabilities: "text"
    yield "jpeg, png", lambda capabilities: _picture(capabilities, "image/jpeg")
    for name in ("webp", "gif", "heic"):
        yield name, lambda capabilities, name=name: _picture(capabilities, f"image/{name}")  # type: ignore[misc]
    yield "tiff, bmp, avif, ico, jp2", lambda capabilities: _picture(capabilities, "")
    yield (
        "maximum image size",
        lambda capabilities: _size(picture_bytes(capabilities)) if capabilities.pictures else "–",
    )
    yield "maximum image side", _side
    yield (
        "PDF",
        lambda capabilities: f"as is, up to {_size(pdf_bytes(capabilities))}" if capabilities.pdf else "text",
    )
    yield (
        "PDF with scanned pages",
        lambda capabilities: "as is" if capabilities.pdf else "images" if capabilities.pictures else "–",
    )
    yield "audio", lambda capabilities: _sorts("audio", capabilities.audio)
    yield "video", lambda capabilities: _sorts("video", capabilities.video)
    yield "maximum request size", lambda capabilities: _size(capabilities.inline_bytes)
    yield "larger files", lambda capabilities: "uploaded, up to 2 GB" if capabilities.upload else "–"


def _picture(capabilities: Capabilities, mime: str) -> str:
    if not capabilities.pictures:
        return "–"
    return "as is" if mime and accepted_mime(mime, capabilities.pictures) else "converted"


def _side(capabilities: Capabilities) -> str:
    if not capabilities.pictures:
        return "–"
    return "no limit" if capabilities.picture_side >= _ENDLESS else f"{capabilities.picture_side:,} px"


def _sorts(family: str, taken: frozenset[str]) -> str:
    kinds = [kind for kind in file_types.ALL if kind.family == family and accepted_mime(kind.mime, taken)]
    names = [kind.endings[0].removeprefix(".") for kind in kinds]
    return ", ".join(names) or "–"


def _size(size: int) -> str:
    return f"{size / 1e6:.3g} MB"


def limits() -> str:
    """The table of limits in markdown."""
    mb = 1_000_000
    rows = {
        "any file": f"{MAX_BYTES / mb:.0f} MB; images, PDF, audio and video sent as is: the size that a "
        "request to the model allows",
        "uploaded files (Gemini)": "2 GB; each is in memory while it is sent",
        "an image to be converted": f"{images.MAX_PIXELS // mb} million pixels, of a TIFF on each page; a "
        f"JPEG in {images.MAX_SCANS} scans",
        "PDF": f"{pdf.MAX_TEXT_PAGES:,} pages as text, {pdf.MAX_PAGE_IMAGES} as images; {pdf.MOST_S:.0f} s, "
        f"of processor time {steps.PAGE_S:.0f} s a page; on Linux {steps.PDF_BYTES // mb} MB beside it; "
        f"the contents of a page, a font and the like {pdf_streams.MAX_STREAM // mb} MB when unpacked",
        "docx, html, epub": f"{documents.MAX_WORDS // mb} MB of XML or HTML when unpacked",
        "pptx, xlsx, ods": f"{documents.MAX_SLIDES // mb} MB, {documents.MAX_CELLS // mb} MB, "
        f"{documents.MAX_CELLS // mb} MB of XML when unpacked",
        "elements of the sheets and shared texts of an xlsx": f"{bounds.MAX_READ:,}: a row has one, a "
        f"cell with a value two, a shared text two, so {bounds.MAX_READ // 7 // 1000 * 1000:,} rows "
        "of three numbers",
        "elements of an HTML page": f"{bounds.MAX_PAGE_ELEMENTS:,}",
        "elements of all XML of a docx, pptx or epub": f"{bounds.MAX_ELEMENTS:,}, "
        f"{bounds.MAX_DEPTH} of XML within each other; {bounds.SMALL_ELEMENTS:,} in a file of up to "
        f"{bounds.SMALL_ELEMENTS // bounds.ELEMENTS_A_BYTE // 1000} kB",
        "a picture; a sheet of an xls, xlsb or ods": f"{steps.STEP_S:.0f} s of processor time",
        "any conversion": f"{TIME_S:.0f} s (or `--timeout`, if that is less; the wait for the model's "
        "answer is counted apart) and, on Linux, 1 GB of memory. An xls, xlsb or ods takes as much as the "
        "rectangle that contains all cells of a sheet",
        "text of a document": f"{MAX_TEXT // mb} million characters",
        "unpacked size of a document": f"{bounds.MAX_RATIO} times its own size, {MAX_MEMBERS:,} parts; "
        "every part counts that is read, whatever its name and each time it is",
    }
    return "| what | limit |\n| --- | --- |\n" + "".join(
        f"| {what} | {most} |\n" for what, most in rows.items()
    )


def page() -> str:
    """The page with the tables as they should be."""
    text = PAGE.read_text(encoding="utf-8")
    for begin, end, wanted in ((BEGIN, END, table()), (BEGIN_LIMITS, END_LIMITS, limits())):
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{wanted}{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write("docs/files.md is not up to date: run python scripts/file_docs.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
