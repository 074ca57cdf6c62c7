"""What is sent of a file: its type is read from its bytes, never from its name.

Text goes as words, in this form, and so does the text of documents:

    File: NAME
    <content>
    TEXT
    </content>

TEXT is the file's text as it is. Where it holds the words `</content>` itself, the tag is `content-1` (or
-2 and so on), so that the end is always the first closing tag.

Pictures, PDF, audio and video go as bytes where the model takes them as they are. What it does not take is
converted, which is left to `Content.convert`, or refused with words that say what to do.
"""

from __future__ import annotations

import os
import stat
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path

from umwelten.choices import PdfMode
from umwelten.errors import InputError
from umwelten.file_types import HTML, UNKNOWN, FileType
from umwelten.identity import content_hash
from umwelten.inputs import media
from umwelten.inputs.content import Content, Convert, Converted, UnsupportedInput, framed, megabytes
from umwelten.inputs.file_detection import detect, type_by_signature
from umwelten.inputs.files.scan import stamp as stamp_of
from umwelten.phrases import Phrase
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Part, Text

__all__ = ["Content", "Converted", "UnsupportedInput", "file_hash", "framed", "read"]

MAX_BYTES = 64 * 1024 * 1024
"""Files above this are not read, unless they go to the provider as they are."""

MAX_UPLOAD = 2_000_000_000
"""The same for files that may be uploaded first. Each is in memory as a whole while its call prepares."""

_HEAD = 64 * 1024
_ANYTHING = Capabilities()

# Non-blocking, so that a FIFO put in the file's place can't hang the run.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read(
    path: str | os.PathLike[str],
    *,
    name: str,
    stamp: str = "",
    part: str = "",
    capabilities: Capabilities = _ANYTHING,
    pdf: PdfMode = "auto",
) -> Content:
    """Read an input to be sent. `name` is shown to the model; `stamp` is the scan's, empty to not compare.

    `part` is that of `FoundInput`; `capabilities` says what the model takes; `pdf` is how PDF files are sent.
    Errors: `InputError` when it can't be read, `UnsupportedInput` when it can't be sent; the message then
    says what to do instead.
    """
    if part:
        return _part(Path(path), name, stamp, part)
    data, found = _bytes(path, name, capabilities)
    changed = stamp not in ("", stamp_of(found))
    made = _made(data, name, capabilities, pdf)
    if isinstance(made, tuple):
        return Content(digest=content_hash(data), parts=made, changed=changed)
    return Content(digest=content_hash(data), parts=(), changed=changed, convert=made)


def file_hash(path: str | os.PathLike[str]) -> bytes:
    """`identity.content_hash` of a file's bytes, in constant memory. Errors: `InputError`."""
    size = len(content_hash(b""))
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=size)).digest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _part(path: Path, name: str, stamp: str, part: str) -> Content:
    # Tables and evaluations need parquet and SQLite, which files do not.
    if part.startswith("row "):
        from umwelten.inputs.tables.rows import read_row

        return read_row(path, name=name, part=part, stamp=stamp)
    from umwelten.inputs.earlier_answers import read_answer

    return read_answer(path, name=name, part=part, stamp=stamp)


# --- reading ----------------------------------------------------------------------------------


def _bytes(
    path: str | os.PathLike[str], name: str, capabilities: Capabilities
) -> tuple[bytes, os.stat_result]:
    try:
        handle = os.open(path, _READ)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{name} is not a regular file")
            size = found.st_size
            most = MAX_BYTES if size <= MAX_BYTES else _most(handle, size, name, capabilities)
            # A read of n bytes sets n aside first: asking for the size found, not for the most allowed,
            # keeps small files cheap.
            pieces = [os.read(handle, size + 1)]
            got = len(pieces[0])
            # That was all, unless the file has changed or its file system gives it in pieces.
            while pieces[-1] and got != size and got <= most:
                pieces.append(os.read(handle, (size if got < size else most) + 1 - got))
                got += len(pieces[-1])
            return b"".join(pieces), os.fstat(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _most(handle: int, size: int, name: str, capabilities: Capabilities) -> int:
    """How much may be read of a large file: more than usual only of media that go as they are."""
    kind = type_by_signature(os.read(handle, _HEAD))
    os.lseek(handle, 0, os.SEEK_SET)
    whole = kind is not None and kind.family in ("picture", "pdf", "audio", "video")
    most = MAX_UPLOAD if capabilities.upload else capabilities.inline_bytes
    most = max(most, MAX_BYTES) if whole else MAX_BYTES
    if size > most:
        raise UnsupportedInput(
            f"{name} is too large ({megabytes(size)}): files up to {megabytes(most)} can be sent. "
            "Split it or make it smaller."
        )
    return most


# --- sending ----------------------------------------------------------------------------------


def _made(data: bytes, name: str, capabilities: Capabilities, pdf: PdfMode) -> tuple[Part, ...] | Convert:
    kind, text = detect(data)
    match kind.family:
        case "text":
            return _text(text or "", len(data), name, capabilities)
        case "picture":
            return media.picture(data, kind, name, capabilities)
        case "audio" | "video":
            return media.recording(data, kind, name, capabilities)
        case "pdf":
            return media.pdf(data, name, capabilities, pdf)
        case "document":
            return partial(_document, data, text, kind, name)
    raise UnsupportedInput(_refusal(kind, name))


def _text(text: str, size: int, name: str, capabilities: Capabilities) -> tuple[Part, ...]:
    if not text or text.isspace():
        raise UnsupportedInput(f"{name} is empty: there is nothing to send. Leave it out.")
    media.check_fits(size, name, capabilities)
    return (Text(text=framed(text, name)),)


def _document(data: bytes, text: str | None, kind: FileType, name: str) -> Converted:
    # Converters are imported when the first document is met.
    from umwelten.inputs.convert import documents

    if kind is HTML and text is not None:
        return documents.page(text, name)
    return documents.document(data, kind, name)


def _refusal(kind: FileType, name: str) -> Phrase:
    what = f"{kind.word} and" if kind is UNKNOWN else f"{kind.word}, which"
    return Phrase("{name} is {what} can't be sent. {advice}", name=name, what=what, advice=kind.advice)
