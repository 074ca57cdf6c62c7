"""What a file is, by its bytes and never by its name."""

from __future__ import annotations

import re
from typing import Literal

from umwelten.inputs.encodings import decode
from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct

Family = Literal["text", "picture", "pdf", "document", "audio", "video", "other"]


class FileType(FrozenStruct):
    """A type of file. `word` names it in messages ("a TIFF picture"), `advice` says what else to send."""

    family: Family
    mime: str
    word: str
    advice: Wording = ""


def _picture(mime: str, word: str) -> FileType:
    return FileType(family="picture", mime=f"image/{mime}", word=f"a {word} picture")


def _sound(mime: str, word: str) -> FileType:
    return FileType(family="audio", mime=f"audio/{mime}", word=f"{word} audio")


def _film(mime: str, word: str) -> FileType:
    return FileType(family="video", mime=f"video/{mime}", word=f"{word} video")


def _office(mime: str, word: str) -> FileType:
    return FileType(family="document", mime=mime, word=word)


def _other(mime: str, word: str, advice: Wording) -> FileType:
    return FileType(family="other", mime=f"application/{mime}", word=word, advice=advice)


_OOXML = "application/vnd.openxmlformats-officedocument."
_UNPACK = "Unpack it first."
_AS_TEXT = "Export its contents as text, csv or jsonl."
_PROGRAM = Phrase("Leave programs out with {option:file_pattern}.")

TEXT = FileType(family="text", mime="text/plain", word="text")
HTML = _office("text/html", "an HTML page")
PDF = FileType(family="pdf", mime="application/pdf", word="a PDF")
DOCX = _office(f"{_OOXML}wordprocessingml.document", "a Word document")
XLSX = _office(f"{_OOXML}spreadsheetml.sheet", "an Excel workbook")
PPTX = _office(f"{_OOXML}presentationml.presentation", "a PowerPoint presentation")
EPUB = _office("application/epub+zip", "an EPUB book")
JPEG, PNG, GIF = _picture("jpeg", "JPEG"), _picture("png", "PNG"), _picture("gif", "GIF")
WEBP, TIFF, BMP = _picture("webp", "WebP"), _picture("tiff", "TIFF"), _picture("bmp", "BMP")
HEIC, AVIF = _picture("heic", "HEIC"), FileType(family="picture", mime="image/avif", word="an AVIF picture")
ICO = FileType(family="picture", mime="image/x-icon", word="an icon")
ZIP = _other("zip", "a zip archive", _UNPACK)
UNKNOWN = _other("octet-stream", "neither text nor of a known type", "Convert it or leave it out.")

_ODT = _other("vnd.oasis.opendocument.text", "an OpenDocument text", "Save it as docx or PDF.")
_ODS = _other("vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet", "Save it as xlsx or csv.")
_ODP = _other(
    "vnd.oasis.opendocument.presentation", "an OpenDocument presentation", "Save it as pptx or PDF."
)
_OLD_DOC = _other("msword", "an old Word document (.doc)", "Save it as docx or PDF.")
_OLD_XLS = _other("vnd.ms-excel", "an old Excel workbook (.xls)", "Save it as xlsx or csv.")
_OLD_PPT = _other("vnd.ms-powerpoint", "an old PowerPoint presentation (.ppt)", "Save it as pptx or PDF.")
_OLD_ANY = _other("x-ole-storage", "a file of an old Office program", "Save it as docx, xlsx, pptx or PDF.")
_LOCKED = _other("x-ole-storage", "an Office document that needs a password", "Save it without the password.")
_XLSB = _other("vnd.ms-excel.sheet.binary", "a binary Excel workbook (.xlsb)", "Save it as xlsx or csv.")
_CUT_OFFICE = _other("zip", "an Office document that is damaged or cut off", "Save it anew.")
_SQLITE = _other("vnd.sqlite3", "a SQLite database", _AS_TEXT)
_BZIP2 = _other("x-bzip2", "a bzip2 archive", _UNPACK)
_PARQUET = _other("vnd.apache.parquet", "a Parquet table", Phrase("Use {option:rows} to run over its rows."))
_AAC, _MP3 = _sound("aac", "AAC"), _sound("mpeg", "MP3")

# By the first byte, so that text costs one look-up: (all the first bytes, what it is).
_MAGIC: tuple[tuple[bytes, FileType], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"%PDF-", PDF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"\x00\x00\x01\x00", ICO),
    (b"8BPS\x00", _other("vnd.adobe.photoshop", "a Photoshop file", "Export it as png or jpeg.")),
    (b"\x00\x00\x00\x0cjP  ", _picture("jp2", "JPEG 2000")),
    (b"\xff\x4f\xff\x51", _picture("jp2", "JPEG 2000")),
    *((b"ID3" + bytes((version,)), _MP3) for version in (2, 3, 4)),
    (b"OggS\x00", _sound("ogg", "Ogg")),
    (b"fLaC\x00", _sound("flac", "FLAC")),
    (b"\x00\x00\x01\xba", _film("mpeg", "MPEG")),
    (b"\x00\x00\x01\xb3", _film("mpeg", "MPEG")),
    (b"FLV\x01", _film("x-flv", "Flash")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _film("x-ms-wmv", "Windows Media")),
    (b"\x1f\x8b", _other("gzip", "a gzip archive", _UNPACK)),
    *((b"BZh%d1AY&SY" % level, _BZIP2) for level in range(1, 10)),
    (b"\xfd7zXZ\x00", _other("x-xz", "an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", _other("zstd", "a Zstandard archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", _other("x-7z-compressed", "a 7-Zip archive", _UNPACK)),
    (b"Rar!\x1a\x07", _other("vnd.rar", "a RAR archive", _UNPACK)),
    (b"PK\x05\x06", ZIP),
    (b"SQLite format 3\x00", _SQLITE),
    (b"\x7fELF", _other("x-elf", "a program", _PROGRAM)),
    (b"MZ\x90", _other("vnd.microsoft.portable-executable", "a program", _PROGRAM)),
    (b"\x00asm", _other("wasm", "a WebAssembly program", _PROGRAM)),
    (b"\xca\xfe\xba\xbe", _other("java-vm", "a Java class", _PROGRAM)),
    (b"\xcf\xfa\xed\xfe", _other("x-mach-binary", "a program", _PROGRAM)),
    (b"\x93NUMPY", _other("x-npy", "a NumPy array", _AS_TEXT)),
)
_RIFF = {
    b"WEBP": WEBP,
    b"WAVE": _sound("wav", "WAV"),
    b"AVI ": _film("x-msvideo", "AVI"),
}
_FORM = {b"AIFF": _sound("aiff", "AIFF"), b"AIFC": _sound("aiff", "AIFF")}
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), _sound("mp4", "MPEG-4")),
    b"qt  ": _film("quicktime", "QuickTime"),
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3g2a"), _film("3gpp", "3GPP")),
}
_MP4 = _film("mp4", "MP4")
_MKV, _WEBM = _film("x-matroska", "Matroska"), _film("webm", "WebM")
_OLE = {"WordDocument": _OLD_DOC, "Workbook": _OLD_XLS, "Book": _OLD_XLS, "PowerPoint Document": _OLD_PPT}
_ZIPPED = (
    ("word/document.xml", DOCX),
    ("xl/workbook.xml", XLSX),
    ("xl/workbook.bin", _XLSB),
    ("ppt/presentation.xml", PPTX),
)
_NAMED = {
    "application/epub+zip": EPUB,
    **{kind.mime: kind for kind in (_ODT, _ODS, _ODP)},
}
_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_HALF_RATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HTML = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_DECLARED = re.compile(
    rb"""(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE
)
_HEAD = 2048


def kind_of(data: bytes) -> FileType:
    """The type of a file by its bytes; text is told from the rest by reading it."""
    return look(data)[0]


def look(data: bytes) -> tuple[FileType, str | None]:
    """The type of a file, with its text where it is text or an HTML page."""
    kind = marked(data)
    if kind is not None:
        return kind, None
    # Some programs write a line of their own before the PDF.
    if data.rfind(b"%%EOF", -64) >= 0 and data.find(b"\n%PDF-", 0, 1024) >= 0:
        return PDF, None
    text = text_of(data)
    if text is None:
        return UNKNOWN, None
    return (HTML if is_html(text) else TEXT), text


def marked(data: bytes) -> FileType | None:
    """The type that the first bytes show, `None` where they show none: text, or something unknown."""
    candidates = _BY_FIRST_BYTE.get(data[:1])
    if candidates is None:
        return None
    for magic, kind in candidates:
        if data.startswith(magic):
            return kind
    return _boxed(data)


def text_of(data: bytes) -> str | None:
    """The text in the bytes, in the encoding that an HTML or XML file says it has where that fits."""
    if data[:1] != b"<":
        return decode(data)
    declared = _DECLARED.search(data, 0, _HEAD)
    return decode(data, declared.group(1).decode("ascii") if declared else None)


def is_html(text: str) -> bool:
    """Whether a text begins as an HTML page does."""
    return text[:1] in _BEFORE_HTML and _HTML.match(text, 0, 2 * _HEAD) is not None


def _boxed(data: bytes) -> FileType | None:
    """Formats whose type stands further in."""
    if data[4:8] == b"ftyp":
        return _brand(data)
    match data[:4]:
        case b"RIFF":
            return _RIFF.get(data[8:12])
        case b"FORM":
            return _FORM.get(data[8:12])
        case b"PK\x03\x04":
            return _zipped(data)
        case b"\xd0\xcf\x11\xe0":
            return _ole(data)
        case b"\x1a\x45\xdf\xa3":
            return _WEBM if b"webm" in data[:64] else _MKV
    if data[:4] == b"PAR1" == data[-4:]:
        return _PARQUET
    if data[:1] == b"\xff":
        return _framed(data)
    # A bitmap's first two letters alone may begin a text; the four after its size are always zero.
    return BMP if data[:2] == b"BM" and data[6:10] == bytes(4) else None


def _framed(data: bytes) -> FileType | None:
    """MP3 or AAC: two frames, one after the other. Russian words may begin with the first's two bytes."""
    if len(data) < 8 or data[1] & 0xE0 != 0xE0:
        return None
    aac = data[1] & 0xF6 == 0xF0
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5 if aac else _mp3_frame(data)
    follows = data[size : size + 2]
    if size < 7 or follows != data[:2]:
        return None
    return _AAC if aac else _MP3


def _mp3_frame(data: bytes) -> int:
    """The length of the layer III frame that the data begins with; 0 where it begins with none."""
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    rate, frequency, padding = data[2] >> 4, data[2] >> 2 & 3, data[2] >> 1 & 1
    if layer != 1 or version == 1 or rate in (0, 15) or frequency == 3:
        return 0
    whole = version == 3
    kbits = (_RATES if whole else _HALF_RATES)[rate - 1]
    hertz = (44_100, 48_000, 32_000)[frequency] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if whole else 72) * kbits * 1000 // hertz + padding


def _brand(data: bytes) -> FileType:
    """The brand says what an ISO media file is: the major one, or those it is compatible with."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, size, 4))]
    if brands[0] in (b"mif1", b"msf1") and {b"avif", b"avis"} & set(brands):
        return AVIF
    return _BRANDS.get(brands[0], _MP4)


def _zipped(data: bytes) -> FileType:
    """What a zip holds, by the names in it; EPUB and OpenDocument say it in their first entry."""
    if data[30:38] == b"mimetype":
        for mime, kind in _NAMED.items():
            if data.startswith(mime.encode(), 38):
                return kind
    names = _names(data)
    found = next((kind for name, kind in _ZIPPED if name in names), None)
    if found is None and not names and data.startswith(b"[Content_Types].xml", 30):
        return _CUT_OFFICE
    return found or (EPUB if "META-INF/container.xml" in names else ZIP)


def _names(data: bytes) -> frozenset[str]:
    """The names in a zip's directory; of a damaged one, those that stand in what is left of it."""
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, OverflowError):
        return frozenset(name for name, _ in _ZIPPED if name.encode() in data)


def _ole(data: bytes) -> FileType:
    """What an OLE container holds, by the names of its streams."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return _LOCKED
    return next((kind for name, kind in _OLE.items() if f"{name}\0".encode("utf-16-le") in data), _OLD_ANY)


def _by_first_byte() -> dict[bytes, tuple[tuple[bytes, FileType], ...]]:
    boxed = (b"\x00", b"R", b"F", b"P", b"\xd0", b"\x1a", b"B", b"\xff")
    table: dict[bytes, list[tuple[bytes, FileType]]] = {first: [] for first in boxed}
    for magic, kind in _MAGIC:
        table.setdefault(magic[:1], []).append((magic, kind))
    return {first: tuple(rows) for first, rows in table.items()}


_BY_FIRST_BYTE = _by_first_byte()
_BEFORE_HTML = frozenset("<\ufeff \t\r\n")
