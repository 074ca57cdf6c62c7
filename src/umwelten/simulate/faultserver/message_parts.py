"""The parts of a message in any wire's format, and the files among them."""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import blake2b

import msgspec

from umwelten.types import FrozenStruct

MARK = re.compile(r"mark:[\w./-]+")
"""A word such as `mark:page-7`, by which a prompt is told from others."""


def content_mark(data: bytes) -> str:
    """16 hex digits that stand for a file's bytes."""
    return blake2b(data, digest_size=8, person=b"file").hexdigest()


class FileMark(FrozenStruct):
    """A file that came with a request: `mark` is its `content_mark`, "" for a file named by URL alone."""

    mime: str
    size: int
    mark: str
    name: str | None = None


class BadAsk(Exception):
    """A request that no provider would accept; the text says why, `status` how it is refused."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Url(msgspec.Struct):
    url: str


class _File(msgspec.Struct):
    filename: str | None = None
    file_data: str | None = None


class _Audio(msgspec.Struct):
    data: str
    format: str = ""


class _Source(msgspec.Struct):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""


class _Blob(msgspec.Struct):
    mime: str = msgspec.field(name="mimeType", default="")
    data: str = ""
    uri: str = msgspec.field(name="fileUri", default="")


class Part(msgspec.Struct):
    """A part of a message: the fields of all wires together."""

    text: str | None = None
    image_url: _Url | str | None = None
    video_url: _Url | None = None
    file: _File | None = None
    file_data: str | None = None
    filename: str | None = None
    input_audio: _Audio | None = None
    source: _Source | None = None
    title: str | None = None
    inline: _Blob | None = msgspec.field(name="inlineData", default=None)
    linked: _Blob | None = msgspec.field(name="fileData", default=None)


def file_of(part: Part) -> FileMark | None:
    """The file in a part; `BadAsk` for one that cannot be read."""
    if part.image_url is not None:
        return _from_url(part.image_url if isinstance(part.image_url, str) else part.image_url.url)
    if part.file is not None:
        return _from_url(part.file.file_data or "", part.file.filename)
    if part.file_data is not None:
        return _from_url(part.file_data, part.filename)
    if part.inline is not None:
        return from_base64(part.inline.mime, part.inline.data)
    if part.linked is not None:
        # An uploaded file goes by its mark (`uploads`).
        uri = part.linked.uri
        return FileMark(mime=part.linked.mime, size=0, mark=uri.rpartition("/files/")[2], name=uri)
    if part.source is not None:
        return _from_source(part.source, part.title)
    if part.input_audio is not None:
        return from_base64(f"audio/{part.input_audio.format}", part.input_audio.data)
    return _from_url(part.video_url.url) if part.video_url is not None else None


def _from_source(source: _Source, name: str | None) -> FileMark:
    if source.type == "base64":
        return from_base64(source.media_type, source.data, name)
    if source.type == "text":
        data = source.data.encode()
        return FileMark(mime=source.media_type, size=len(data), mark=content_mark(data), name=name)
    return FileMark(mime=source.media_type, size=0, mark="", name=source.url or name)


def _from_url(url: str, name: str | None = None) -> FileMark:
    if not url.startswith("data:"):
        return FileMark(mime="", size=0, mark="", name=name or url)
    head, _, data = url[5:].partition(",")
    if not head.endswith(";base64"):
        raise BadAsk("a data URL is base64 or it is nothing")
    return from_base64(head.removesuffix(";base64"), data, name)


def from_base64(mime: str, text: str, name: str | None = None) -> FileMark:
    """The file that these letters stand for; `BadAsk` if they do not."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAsk(f"invalid base64 data: {error}") from error
    return FileMark(mime=mime or sniff(data), size=len(data), mark=content_mark(data), name=name)


def sniff(data: bytes) -> str:
    """The type of an image that came without one (Ollama), by its first bytes."""
    for start, mime in ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif")):
        if data.startswith(start):
            return mime
    return "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream"
