"""What is sent of a file: its type is read from its first bytes, never from its name.

Pictures (jpeg, png, webp, gif) go as bytes. Text goes as words, in this form:

    File: NAME
    <content>
    TEXT
    </content>

TEXT is the file's text as it is. Where it holds the words `</content>` itself, the tag is `content-1` (or
-2 and so on), so that the end is always the first closing tag.
"""

from __future__ import annotations

import os
import stat
from hashlib import blake2b, file_digest
from pathlib import Path

from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs.scan import stamp as stamp_of
from umwelten.types import Frozen, Media, Part, Text

MAX_BYTES = 64 * 1024 * 1024
"""Files above this are not sent: no provider takes that much inline, and it has to fit in memory."""

_PICTURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_OTHERS = (
    (b"%PDF-", "a PDF", "Extract its text (for example with pdftotext) or turn its pages into pictures."),
    (b"PK\x03\x04", "a zip archive or an Office document", "Save it as plain text or unpack it."),
    (b"\xd0\xcf\x11\xe0", "an Office document", "Save it as plain text."),
    (b"II*\x00", "a TIFF picture", "Convert it to jpeg or png."),
    (b"MM\x00*", "a TIFF picture", "Convert it to jpeg or png."),
    (b"BM", "a BMP picture", "Convert it to jpeg or png."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it."),
)
_ADVICE = "Text, jpeg, png, webp and gif files can be sent; convert it or leave it out with --file-pattern."
# Control characters that text does not hold; tab, newline, form feed, return, backspace, escape may occur.
_CONTROLS = bytes(set(range(32)) - {8, 9, 10, 12, 13, 27})

# Non-blocking, so that a FIFO put in the file's place can't hang the run.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class UnsupportedInput(InputError):
    """A file that can be read but not sent: a PDF, an archive, a program, one that is too large."""


class Content(Frozen):
    """What is sent of a file. `digest` is its `identity.content_hash`; `changed`: not what the scan saw."""

    digest: bytes
    parts: tuple[Part, ...]
    changed: bool = False


def read(path: str | os.PathLike[str], *, name: str, stamp: str = "") -> Content:
    """Read a file to be sent. `name` is shown to the model; `stamp` is the scan's, empty to not compare.

    Errors: `InputError` when it can't be read, `UnsupportedInput` when it can't be sent; the message then
    says what to do instead.
    """
    data, found = _bytes(path, name)
    changed = stamp not in ("", stamp_of(found))
    return Content(digest=content_hash(data), parts=(part_of(data, name),), changed=changed)


def file_hash(path: str | os.PathLike[str]) -> bytes:
    """`identity.content_hash` of a file's bytes, in constant memory. Errors: `InputError`."""
    size = len(content_hash(b""))
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=size)).digest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _bytes(path: str | os.PathLike[str], name: str) -> tuple[bytes, os.stat_result]:
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            found = os.fstat(file.fileno())
            _check(found, name)
            # A read of n bytes sets n aside first: asking for the size found, not for the most allowed,
            # keeps small files cheap. One that grew meanwhile goes on to its end.
            data = file.read(found.st_size + 1)
            if len(data) > found.st_size:
                data += file.read(MAX_BYTES + 1 - len(data))
            return data, os.fstat(file.fileno())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _check(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{name} is not a regular file")
    if found.st_size > MAX_BYTES:
        raise UnsupportedInput(
            f"{name} is too large ({found.st_size / 1e6:.0f} MB): files up to {MAX_BYTES / 1e6:.0f} MB "
            "can be sent. Split it or make it smaller."
        )


def part_of(data: bytes, name: str) -> Part:
    """The part of a message that a file's bytes become. Errors: `UnsupportedInput`."""
    mime = _picture(data)
    if mime is not None:
        return Media(mime=mime, data=data, name=name)
    text = _decode(data)
    if text is None:
        what, advice = _describe(data)
        raise UnsupportedInput(f"{name} is {what}, which can't be sent. {advice}")
    return Text(text=_delimited(text, name))


def _picture(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _PICTURES if data.startswith(magic)), None)


def _decode(data: bytes) -> str | None:
    """The text in the bytes, or `None` when they look like something else."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            text = _strictly(data, encoding)
            return None if text is None or "\x00" in text else text
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if b"\x00" in data or controls > len(data) // 10 or any(data.startswith(o[0]) for o in _OTHERS[:3]):
        return None
    text = _strictly(data, "utf-8")
    # Any bytes make some cp1252 text, so that guess needs more of a likeness.
    return text if text is not None or controls > len(data) // 100 else _strictly(data, "cp1252")


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _describe(data: bytes) -> tuple[str, str]:
    for magic, what, advice in _OTHERS:
        if data.startswith(magic):
            return what, advice
    if data[4:8] == b"ftyp":
        return "a HEIC picture or a video", "Convert it to jpeg or png."
    return "not text and no picture that models take", _ADVICE


def _delimited(text: str, name: str) -> str:
    tag, number = "content", 0
    while f"</{tag}>" in text:
        number += 1
        tag = f"content-{number}"
    heading = "".join(char if char.isprintable() else " " for char in name)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"File: {heading}\n<{tag}>\n{text}{end}</{tag}>"
