"""Make the table in docs/files.md of what is sent of each type of file to each provider.

python scripts/file_docs.py            write the table into the page
python scripts/file_docs.py --check    exit 1 if it is not what would be written; writes nothing
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from umwelten.providers.capabilities import Accepts, accepted, accepts_of, pdf_bytes, picture_bytes
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.types import ModelRef

PAGE = Path(__file__).parent.parent / "docs" / "files.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
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
AUDIO = ("wav", "mpeg", "aac", "flac", "ogg", "aiff", "mp4")
VIDEO = ("mp4", "quicktime", "webm", "mpeg", "x-msvideo", "3gpp", "x-ms-wmv", "x-flv", "x-matroska")
SHORT = {"mpeg": "mp3", "mp4": "m4a"}
SHORT_VIDEO = {"quicktime": "mov", "x-msvideo": "avi", "x-ms-wmv": "wmv", "x-flv": "flv", "x-matroska": "mkv"}
_ENDLESS = 1 << 30


def table() -> str:
    """The table in markdown: a row for each type of file, a column for each provider."""
    taken = {name: _of(name) for name in PROVIDERS}
    lines = [f"| | {' | '.join(PROVIDERS)} |", f"| --- |{' --- |' * len(PROVIDERS)}"]
    lines += [f"| {title} | {' | '.join(map(cell, taken.values()))} |" for title, cell in _rows()]
    return "\n".join(lines) + "\n"


def _of(provider: str) -> Accepts:
    vendor = VENDORS[provider]
    return accepts_of(Endpoint(vendor=vendor, base_url=vendor.base_url), ModelRef(provider, "a-new-model"))


def _rows() -> Iterator[tuple[str, Callable[[Accepts], str]]]:
    yield "text, code", lambda accepts: "words"
    yield "html, docx, xlsx, pptx, epub", lambda accepts: "words"
    yield "jpeg, png", lambda accepts: _picture(accepts, "image/jpeg")
    for name in ("webp", "gif", "heic"):
        yield name, lambda accepts, name=name: _picture(accepts, f"image/{name}")  # type: ignore[misc]
    yield "tiff, bmp, avif, ico, jp2", lambda accepts: _picture(accepts, "")
    yield "a picture up to", lambda accepts: _size(picture_bytes(accepts)) if accepts.pictures else "–"
    yield "each side up to", _side
    yield "PDF", lambda accepts: f"whole, up to {_size(pdf_bytes(accepts))}" if accepts.pdf else "words"
    yield "PDF of scans", lambda accepts: "whole" if accepts.pdf else "pictures" if accepts.pictures else "–"
    yield "audio", lambda accepts: _sorts("audio", AUDIO, SHORT, accepts.audio)
    yield "video", lambda accepts: _sorts("video", VIDEO, SHORT_VIDEO, accepts.video)
    yield "one request", lambda accepts: _size(accepts.inline_bytes)
    yield "larger files", lambda accepts: "uploaded, up to 2 GB" if accepts.upload else "–"


def _picture(accepts: Accepts, mime: str) -> str:
    if not accepts.pictures:
        return "–"
    return "as it is" if mime and accepted(mime, accepts.pictures) else "converted"


def _side(accepts: Accepts) -> str:
    if not accepts.pictures:
        return "–"
    return "any" if accepts.picture_side >= _ENDLESS else f"{accepts.picture_side:,} px"


def _sorts(family: str, known: tuple[str, ...], short: dict[str, str], taken: frozenset[str]) -> str:
    names = [short.get(name, name) for name in known if accepted(f"{family}/{name}", taken)]
    return ", ".join(names) or "–"


def _size(size: int) -> str:
    return f"{size / 1e6:.3g} MB"


def page() -> str:
    """The page with the table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


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
