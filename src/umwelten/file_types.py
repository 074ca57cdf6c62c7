"""File types: their names in messages, their extensions, and the tokens to expect from their size.

`inputs.file_detection` detects a file's type from its bytes. Before it is read, its extension has to do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct

Family = Literal["text", "picture", "pdf", "document", "audio", "video", "other"]


class FileType(FrozenStruct):
    """A file type. `word` names it in messages ("a TIFF image"), `advice` says what to send instead.

    `endings` are its extensions in lower case, with the dot. `bytes_per_token` is (typical, lowest); it means
    nothing for images, whose tokens follow from their width and height.
    """

    family: Family
    mime: str
    word: str
    endings: tuple[str, ...] = ()
    advice: Wording = ""
    bytes_per_token: tuple[float, float] = (4.0, 2.0)


def _image(mime: str, word: str, *endings: str) -> FileType:
    return FileType(family="picture", mime=f"image/{mime}", word=word, endings=endings)


# A second of audio takes 16 kB and 32 tokens, a second of video 250 kB and 300.


def _audio(mime: str, word: str, *endings: str) -> FileType:
    return FileType(
        family="audio",
        mime=f"audio/{mime}",
        word=f"{word} audio",
        endings=endings,
        bytes_per_token=(500.0, 50.0),
    )


def _video(mime: str, word: str, *endings: str) -> FileType:
    return FileType(
        family="video",
        mime=f"video/{mime}",
        word=f"{word} video",
        endings=endings,
        bytes_per_token=(800.0, 80.0),
    )


def _office(mime: str, word: str, *endings: str) -> FileType:
    """A document that is sent as text. It is compressed, so it may hold more text than its size suggests."""
    return FileType(
        family="document",
        mime=f"application/{mime}",
        word=word,
        endings=endings,
        bytes_per_token=(20.0, 0.2),
    )


def _other(mime: str, word: str, advice: Wording, *endings: str) -> FileType:
    return FileType(family="other", mime=f"application/{mime}", word=word, advice=advice, endings=endings)


_OOXML = "vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "vnd.oasis.opendocument."
_UNPACK = "Extract it first."
_AS_TEXT = "Export its contents as text, csv or jsonl."
_PROGRAM = Phrase("Exclude programs with {option:file_pattern}.")

# --- text and documents ----------------------------------------------------------------------

# English has 4 bytes per token, code 3, Chinese 2 to 3.
TEXT = FileType(family="text", mime="text/plain", word="text")
HTML = FileType(family="document", mime="text/html", word="an HTML page", endings=(".html", ".htm", ".xhtml"))
# A page of a PDF has about 60 kB and 1,200 tokens.
PDF = FileType(
    family="pdf", mime="application/pdf", word="a PDF", endings=(".pdf",), bytes_per_token=(50.0, 0.5)
)
DOCX = _office(f"{_OOXML}wordprocessingml.document", "a Word document", ".docx")
XLSX = _office(f"{_OOXML}spreadsheetml.sheet", "an Excel workbook", ".xlsx")
XLS = FileType(
    family="document",
    mime="application/vnd.ms-excel",
    word="an old Excel workbook (.xls)",
    endings=(".xls",),
    bytes_per_token=(8.0, 0.2),  # not compressed, but a text that several cells share is stored once
)
XLSB = _office("vnd.ms-excel.sheet.binary", "a binary Excel workbook (.xlsb)", ".xlsb")
ODS = _office(f"{_OPEN_DOCUMENT}spreadsheet", "an OpenDocument spreadsheet", ".ods")
PPTX = _office(f"{_OOXML}presentationml.presentation", "a PowerPoint presentation", ".pptx")
EPUB = _office("epub+zip", "an EPUB book", ".epub")

# --- images, audio and video -----------------------------------------------------------------

JPEG = _image("jpeg", "a JPEG image", ".jpg", ".jpeg")
PNG = _image("png", "a PNG image", ".png")
GIF = _image("gif", "a GIF image", ".gif")
WEBP = _image("webp", "a WebP image", ".webp")
TIFF = _image("tiff", "a TIFF image", ".tif", ".tiff")
BMP = _image("bmp", "a BMP image", ".bmp")
HEIC = _image("heic", "a HEIC image", ".heic", ".heif")
AVIF = _image("avif", "an AVIF image", ".avif")
ICO = _image("x-icon", "an icon", ".ico")
JP2 = _image("jp2", "a JPEG 2000 image", ".jp2")

WAV = _audio("wav", "WAV", ".wav")
MP3 = _audio("mpeg", "MP3", ".mp3")
AAC = _audio("aac", "AAC", ".aac")
FLAC = _audio("flac", "FLAC", ".flac")
OGG = _audio("ogg", "Ogg", ".ogg", ".oga")
AIFF = _audio("aiff", "AIFF", ".aiff", ".aif")
M4A = _audio("mp4", "MPEG-4", ".m4a")

MP4 = _video("mp4", "MP4", ".mp4", ".m4v")
QUICKTIME = _video("quicktime", "QuickTime", ".mov")
WEBM = _video("webm", "WebM", ".webm")
MPEG = _video("mpeg", "MPEG", ".mpeg", ".mpg")
AVI = _video("x-msvideo", "AVI", ".avi")
THREE_GPP = _video("3gpp", "3GPP", ".3gp")
WMV = _video("x-ms-wmv", "Windows Media", ".wmv")
FLASH = _video("x-flv", "Flash", ".flv")
MATROSKA = _video("x-matroska", "Matroska", ".mkv")

# --- files that cannot be sent ---------------------------------------------------------------

ODT = _other(f"{_OPEN_DOCUMENT}text", "an OpenDocument text document", "Save it as docx or PDF.", ".odt")
ODP = _other(
    f"{_OPEN_DOCUMENT}presentation", "an OpenDocument presentation", "Save it as pptx or PDF.", ".odp"
)
DOC = _other("msword", "an old Word document (.doc)", "Save it as docx or PDF.", ".doc")
PPT = _other("vnd.ms-powerpoint", "an old PowerPoint presentation (.ppt)", "Save it as pptx or PDF.", ".ppt")
OLE = _other("x-ole-storage", "a file in a legacy Office format", "Save it as docx, xlsx, pptx or PDF.")
LOCKED = _other("x-ole-storage", "a password-protected Office document", "Save it without the password.")
CUT_OFFICE = _other("zip", "a damaged or truncated Office document", "Save it again.")

ZIP = _other("zip", "a zip archive", _UNPACK, ".zip", ".jar", ".whl", ".pages", ".key", ".numbers")
GZIP = _other("gzip", "a gzip archive", _UNPACK, ".gz", ".tgz")
BZIP2 = _other("x-bzip2", "a bzip2 archive", _UNPACK, ".bz2")
XZ = _other("x-xz", "an xz archive", _UNPACK, ".xz")
ZSTD = _other("zstd", "a Zstandard archive", _UNPACK, ".zst")
SEVEN_ZIP = _other("x-7z-compressed", "a 7-Zip archive", _UNPACK, ".7z")
RAR = _other("vnd.rar", "a RAR archive", _UNPACK, ".rar")
JPEG_XL = FileType(
    family="other",
    mime="image/jxl",
    word="a JPEG XL image",
    advice="Export it as png or jpeg.",
    endings=(".jxl",),
)
PHOTOSHOP = _other("vnd.adobe.photoshop", "a Photoshop file", "Export it as png or jpeg.", ".psd")
SQLITE = _other("vnd.sqlite3", "a SQLite database", _AS_TEXT, ".db", ".sqlite")
PARQUET = _other(
    "vnd.apache.parquet", "a Parquet table", Phrase("Use {option:rows} to run over its rows."), ".parquet"
)
NUMPY = _other("x-npy", "a NumPy array", _AS_TEXT, ".npy")
ELF = _other("x-elf", "a program", _PROGRAM, ".so", ".o")
EXE = _other("vnd.microsoft.portable-executable", "a program", _PROGRAM, ".exe", ".dll")
MACH_O = _other("x-mach-binary", "a program", _PROGRAM)
WASM = _other("wasm", "a WebAssembly program", _PROGRAM, ".wasm")
JAVA_CLASS = _other("java-vm", "a Java class", _PROGRAM, ".class")
UNKNOWN = _other(
    "octet-stream",
    "neither text nor of a known type",
    "Convert it or leave it out.",
    *(".bin", ".pyc", ".tar"),
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, FileType))
"""All of the types above."""

_BY_ENDING = {ending: kind for kind in ALL for ending in kind.endings}


def type_by_name(name: str) -> FileType:
    """Return the likely type of a file by its extension, for estimates; text where that is unknown."""
    return _type_by_ending(name[name.rfind(".") :] if "." in name else "")


@lru_cache
def _type_by_ending(ending: str) -> FileType:
    return _BY_ENDING.get(ending.lower(), TEXT)
