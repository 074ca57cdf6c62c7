"""Parse the bodies of replies, whatever they contain: JSON of any shape, HTML, plain text, nothing.

These functions never raise, whatever the bytes.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from umwelten.providers.common.sse import SseSplitter
from umwelten.types import FrozenStruct

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_LONGEST = 2000
_SCANNED = 200_000
_TITLE = re.compile(r"<(title|h1)[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,500}>")
_REPR_LOC = re.compile(r"'loc': ?[(\[]'body', '(\w{1,60})'")


class ErrorBody(FrozenStruct):
    """The contents of an error body. Absent texts are "".

    `number` is an integer `code` or `status` in the body, `names` the request fields that it blames
    (top-level names, in order), `fields` the error object itself, for what only one vendor sends.
    """

    message: str = ""
    type: str = ""
    code: str = ""
    number: int | None = None
    names: tuple[str, ...] = ()
    fields: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def words(self) -> str:
        """Message, code and type in lower case, for searching."""
        return f"{self.message} {self.code} {self.type}".lower()


def load(body: bytes, expected: type[T]) -> T | None:
    """Return the JSON body as a value of this type, or `None` where it is not one.

    Bytes that are not UTF-8 and lone surrogates become U+FFFD, so that the reply is not lost.
    """
    body = body.removeprefix(_BOM)
    decode: Callable[[bytes], T] = _decoder(expected).decode  # type: ignore[arg-type]  # types can be hashed
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repaired = _repair(body)
    if repaired is None:
        return None
    try:
        return decode(repaired)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@cache
def _decoder(expected: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(expected)


def _repair(body: bytes) -> bytes | None:
    """Return the same JSON in valid UTF-8, or `None` where the encoding was not the problem."""
    text = body.decode("utf-8", "replace")
    if text.isascii() and "\\u" not in text:
        return None
    try:
        clean = json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def read(body: bytes) -> ErrorBody:
    """Return the error in the body of a refusal."""
    text = body.removeprefix(_BOM).strip()
    if text.startswith((b"data:", b"event:")):
        splitter = SseSplitter()
        events = splitter.feed(text) + splitter.flush()
        text = events[0][1] if events else b""
    if text[:1] in (b"{", b"[", b'"'):
        value = load(text, object)
        if value is not None:
            return read_value(value)
    return ErrorBody(message=_plain_text(text[:_SCANNED].decode("utf-8", "replace")))


def read_value(value: object) -> ErrorBody:
    """Return the error in a decoded JSON value: an object of any vendor, a list of one, a string."""
    if isinstance(value, list):
        return read_value(value[0]) if value and not _is_loc(value[0]) else _from_detail({}, value)
    if not isinstance(value, dict):
        return ErrorBody(message=_text(value))
    inner = value.get("error") or value.get("errors")
    if isinstance(inner, list) and inner and not _is_loc(inner[0]):
        inner = inner[0]
    if isinstance(inner, dict):
        return _from_object(inner)
    if isinstance(inner, list):
        return _from_detail(value, inner)
    flat = _from_object(value)
    if not inner:
        return flat
    return msgspec.structs.replace(flat, message=_join(_text(inner), _text(value.get("message"))))


def _from_object(fields: dict[str, Any]) -> ErrorBody:
    message = fields.get("message")
    if isinstance(message, dict):
        message = message.get("detail") or message.get("message") or message
    detail = next((d for d in (message, fields.get("detail")) if isinstance(d, list)), None)
    if detail is not None:
        return _from_detail(fields, detail)
    message_text = _text(message) or _text(fields.get("detail")) or _text(fields.get("title"))
    return _error_body(
        fields,
        message_text or _fallback_message(fields),
        (root_field(_text(fields.get("param"))), *_repr_names(message_text)),
    )


def _from_detail(fields: dict[str, Any], detail: list[Any]) -> ErrorBody:
    """Return the error in FastAPI's format: `[{"loc": ["body", "seed"], "msg": …, "type": …}]`."""
    items = [item for item in detail[:50] if isinstance(item, dict)]
    names = [_loc_root(item.get("loc")) for item in items]
    message_text = "; ".join(_detail_line(item) for item in detail[:5])
    kinds = " ".join(_text(item.get("type")) for item in items[:5])
    body = _error_body(fields, message_text, tuple(names))
    return body if body.code else msgspec.structs.replace(body, code=kinds[:100])


def _error_body(fields: dict[str, Any], message: str, names: tuple[str, ...]) -> ErrorBody:
    code = fields.get("code")
    number = next((n for n in (code, fields.get("status")) if _is_int(n)), None)
    if number is None and isinstance(code, str) and code.isascii() and code.isdigit():
        number, code = int(code[:18]), ""
    return ErrorBody(
        message=_join(message),
        type=_text(fields.get("type"))[:100],
        code=code[:200] if isinstance(code, str) else "",
        number=number,
        names=tuple(dict.fromkeys(name for name in names if name)),
        fields=fields,
    )


def root_field(path: str) -> str:
    """Return the top-level field of a path: "messages" for "messages[0].content"."""
    return re.split(r"[.\[]", path, maxsplit=1)[0].strip("`'\" ")


def _repr_names(message: str) -> tuple[str, ...]:
    return tuple(_REPR_LOC.findall(message))


def _loc_root(loc: object) -> str:
    words = [part for part in loc if isinstance(part, str)] if isinstance(loc, list) else []
    return next((word for word in words if word != "body"), "")


def _is_loc(item: object) -> bool:
    return isinstance(item, dict) and "loc" in item


def _detail_line(item: object) -> str:
    if not isinstance(item, dict):
        return _text(item)
    loc = item.get("loc")
    where = ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else ""
    message_text = _text(item.get("msg")) or _text(item.get("message")) or _text(item)
    return f"{where}: {message_text}" if where else message_text


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fallback_message(fields: dict[str, Any]) -> str:
    # Type or code if there is one, else the whole object, so that nothing is hidden.
    return _text(fields.get("type")) or _text(fields.get("code")) or (_text(fields) if fields else "")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()[:_LONGEST]
    except RecursionError:
        return ""


def _join(*pieces: str) -> str:
    return ": ".join(piece.strip()[:_LONGEST] for piece in pieces if piece.strip())


def _plain_text(text: str) -> str:
    """Return the text of an HTML page (its title if it has one) or plain text in one short line."""
    if "<" not in text:
        return " ".join(text[:_LONGEST].split())
    title = _TITLE.search(text)
    words = title[2] if title else _TAG.sub(" ", text)
    return " ".join(html.unescape(words).split())[:300]
