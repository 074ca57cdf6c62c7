"""Detection of a file's type from its bytes, never from its name."""

from __future__ import annotations

import re

from umwelten import file_types
from umwelten.file_types import FileType
from umwelten.inputs.encodings import decode

# Signatures and types. `_BY_FIRST_BYTE` indexes them, so that text costs one look-up.
_MAGIC: tuple[tuple[bytes, FileType], ...] = (
    (b"\xff\xd8\xff", file_types.JPEG),
    (b"\x89PNG\r\n\x1a\n", file_types.PNG),
    (b"GIF87a", file_types.GIF),
    (b"GIF89a", file_types.GIF),
    (b"%PDF-", file_types.PDF),
    (b"II*\x00", file_types.TIFF),
    (b"MM\x00*", file_types.TIFF),
    (b"II+\x00", file_types.TIFF),
    (b"MM\x00+", file_types.TIFF),
    (b"\x00\x00\x01\x00", file_types.ICO),
    (b"8BPS\x00", file_types.PHOTOSHOP),
    (b"\x00\x00\x00\x0cjP  ", file_types.JP2),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", file_types.JPEG_XL),
    (b"\xff\x4f\xff\x51", file_types.JP2),
    *((b"ID3" + bytes((version,)), file_types.MP3) for version in (2, 3, 4)),
    (b"OggS\x00", file_types.OGG),
    (b"fLaC\x00", file_types.FLAC),
    (b"\x00\x00\x01\xba", file_types.MPEG),
    (b"\x00\x00\x01\xb3", file_types.MPEG),
    (b"FLV\x01", file_types.FLASH),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", file_types.WMV),
    (b"\x1f\x8b", file_types.GZIP),
    *((b"BZh%d1AY&SY" % level, file_types.BZIP2) for level in range(1, 10)),
    (b"\xfd7zXZ\x00", file_types.XZ),
    (b"\x28\xb5\x2f\xfd", file_types.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", file_types.SEVEN_ZIP),
    (b"Rar!\x1a\x07", file_types.RAR),
    (b"PK\x05\x06", file_types.ZIP),
    (b"SQLite format 3\x00", file_types.SQLITE),
    (b"\x7fELF", file_types.ELF),
    (b"MZ\x90", file_types.EXE),
    (b"\x00asm", file_types.WASM),
    (b"\xca\xfe\xba\xbe", file_types.JAVA_CLASS),
    (b"\xcf\xfa\xed\xfe", file_types.MACH_O),
    (b"\x93NUMPY", file_types.NUMPY),
)
_RIFF = {
    b"WEBP": file_types.WEBP,
    b"WAVE": file_types.WAV,
    b"AVI ": file_types.AVI,
}
_FORM = {b"AIFF": file_types.AIFF, b"AIFC": file_types.AIFF}
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), file_types.HEIC),
    **dict.fromkeys((b"avif", b"avis"), file_types.AVIF),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), file_types.M4A),
    b"qt  ": file_types.QUICKTIME,
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3g2a"), file_types.THREE_GPP),
}
_OLE = {
    "WordDocument": file_types.DOC,
    "Workbook": file_types.XLS,
    "Book": file_types.XLS,
    "PowerPoint Document": file_types.PPT,
}
_ZIPPED = (
    ("word/document.xml", file_types.DOCX),
    ("xl/workbook.xml", file_types.XLSX),
    ("xl/workbook.bin", file_types.XLSB),
    ("ppt/presentation.xml", file_types.PPTX),
)
_BY_MIMETYPE = {
    "application/epub+zip": file_types.EPUB,
    **{kind.mime: kind for kind in (file_types.ODT, file_types.ODS, file_types.ODP)},
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
_ENTRY = b"PK\x01\x02"

MAX_MEMBERS = 20_000
"""Files in the container of a document, at most; books with an image for each page reach 2,000."""


def detect(data: bytes) -> tuple[FileType, str | None]:
    """Return the type of a file, with its text if it is text or an HTML page."""
    kind = type_by_signature(data)
    if kind is not None:
        return kind, None
    # Some programs write a line of their own before the PDF.
    if data.rfind(b"%%EOF", -64) >= 0 and data.find(b"\n%PDF-", 0, 1024) >= 0:
        return file_types.PDF, None
    text = decode_text(data)
    if text is None:
        return file_types.UNKNOWN, None
    return (file_types.HTML if is_html(text) else file_types.TEXT), text


def type_by_signature(data: bytes) -> FileType | None:
    """Return the type that the first bytes identify; `None` for text and unknown types."""
    candidates = _BY_FIRST_BYTE.get(data[:1])
    if candidates is None:
        return None
    for magic, kind in candidates:
        if data.startswith(magic):
            return kind
    return _container_type(data)


def has_too_many_members(data: bytes) -> bool:
    """Return whether a zip's directory would take seconds and hundreds of megabytes to read."""
    return data.count(_ENTRY) > MAX_MEMBERS


def decode_text(data: bytes) -> str | None:
    """Return the text in the bytes, in the encoding that an HTML or XML file declares if that fits."""
    if data[:1] != b"<":
        return decode(data)
    declared = _DECLARED.search(data, 0, _HEAD)
    return decode(data, declared.group(1).decode("ascii") if declared else None)


def is_html(text: str) -> bool:
    """Return whether a text begins like an HTML page."""
    return text[:1] in _BEFORE_HTML and _HTML.match(text, 0, 2 * _HEAD) is not None


def _container_type(data: bytes) -> FileType | None:
    """Return the type of formats that are identified by later bytes."""
    if data[4:8] == b"ftyp":
        return _iso_media_type(data)
    match data[:4]:
        case b"RIFF":
            return _RIFF.get(data[8:12])
        case b"FORM":
            return _FORM.get(data[8:12])
        case b"PK\x03\x04":
            return _zip_type(data)
        case b"\xd0\xcf\x11\xe0":
            return _ole_type(data)
        case b"\x1a\x45\xdf\xa3":
            return file_types.WEBM if b"webm" in data[:64] else file_types.MATROSKA
    if data[:4] == b"PAR1" == data[-4:]:
        return file_types.PARQUET
    if data[:2] == b"\xff\x0a" and b"\0" in data[:256]:
        return file_types.JPEG_XL
    if data[:1] == b"\xff":
        return _audio_type(data)
    # Text may begin with a bitmap's first two letters; the four bytes after its size are always zero.
    return file_types.BMP if data[:2] == b"BM" and data[6:10] == bytes(4) else None


def _audio_type(data: bytes) -> FileType | None:
    """Detect MP3 or AAC by two successive frames: Russian text may begin with the first one's two bytes."""
    if len(data) < 8 or data[1] & 0xE0 != 0xE0:
        return None
    aac = data[1] & 0xF6 == 0xF0
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5 if aac else _mp3_frame(data)
    follows = data[size : size + 2]
    if size < 7 or follows != data[:2]:
        return None
    return file_types.AAC if aac else file_types.MP3


def _mp3_frame(data: bytes) -> int:
    """Return the length of the layer III frame at the beginning of the data; 0 if there is none."""
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    rate, frequency, padding = data[2] >> 4, data[2] >> 2 & 3, data[2] >> 1 & 1
    if layer != 1 or version == 1 or rate in (0, 15) or frequency == 3:
        return 0
    whole = version == 3
    kbits = (_RATES if whole else _HALF_RATES)[rate - 1]
    hertz = (44_100, 48_000, 32_000)[frequency] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if whole else 72) * kbits * 1000 // hertz + padding


def _iso_media_type(data: bytes) -> FileType:
    """Return the type of an ISO media file, by its major brand or its compatible ones."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[offset : offset + 4] for offset in range(16, size, 4))]
    if brands[0] in (b"mif1", b"msf1") and {b"avif", b"avis"} & set(brands):
        return file_types.AVIF
    return _BRANDS.get(brands[0], file_types.MP4)


def _zip_type(data: bytes) -> FileType:
    """Return the type of a zip file by its names; EPUB and OpenDocument name theirs in the first entry."""
    if data[30:38] == b"mimetype":
        for mime, kind in _BY_MIMETYPE.items():
            if data.startswith(mime.encode(), 38):
                return kind
    names = _zip_names(data)
    office = next((kind for name, kind in _ZIPPED if name in names), None)
    if office is None and not names and data.startswith(b"[Content_Types].xml", 30):
        return file_types.CUT_OFFICE
    return office or (file_types.EPUB if "META-INF/container.xml" in names else file_types.ZIP)


def _zip_names(data: bytes) -> frozenset[str]:
    """Return the names in a zip's directory; of a damaged one, the known names among its bytes."""
    import io
    import zipfile

    try:
        if has_too_many_members(data):
            raise ValueError("too many members")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, OverflowError):
        return frozenset(name for name, _ in _ZIPPED if name.encode() in data)


def _ole_type(data: bytes) -> FileType:
    """Return the type of an OLE container by the names of its streams."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return file_types.LOCKED
    return next(
        (kind for name, kind in _OLE.items() if f"{name}\0".encode("utf-16-le") in data), file_types.OLE
    )


def _by_first_byte() -> dict[bytes, tuple[tuple[bytes, FileType], ...]]:
    boxed = (b"\x00", b"R", b"F", b"P", b"\xd0", b"\x1a", b"B", b"\xff")
    table: dict[bytes, list[tuple[bytes, FileType]]] = {first: [] for first in boxed}
    for magic, kind in _MAGIC:
        table.setdefault(magic[:1], []).append((magic, kind))
    return {first: tuple(rows) for first, rows in table.items()}


_BY_FIRST_BYTE = _by_first_byte()
_BEFORE_HTML = frozenset("<\ufeff \t\r\n")
