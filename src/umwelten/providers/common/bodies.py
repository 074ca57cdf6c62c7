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

from umwelten.providers.common import loose_fields
from umwelten.providers.common.sse import BOM, SseSplitter
from umwelten.types import FrozenStruct

T = TypeVar("T")

_MOST_VALUES = 500_000
"""Commas and brackets. Values in Python take a hundred bytes each, and a reply may have 64 MB of `[],`."""

_LONGEST = 2000
_SCANNED = 200_000
"""Characters of an error that are searched: more than any message has, and 20 ms for the worst of them."""
_TITLE = re.compile(r"<(title|h1)[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,500}>")
# The fields that are blamed in Python's or JSON's notation inside a text.
_WRITTEN_NAMES = re.compile(
    r"['\"]loc['\"]: ?[(\[]['\"]body['\"], ?['\"](\w{1,60})['\"]"
    r"|['\"]param['\"]: ?['\"]([A-Za-z_][\w.\[\]]{0,60})['\"]"
)
_PAGE = re.compile(r"\s{0,100}<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_OBJECTS = ("error", "errors", "message", "detail", "msg")
"""Fields that make an object inside a text an error."""
_DEEPEST = 4
"""Gateways in a row, each of which puts the error it got into a text."""
_WORD = re.compile(r"[\w.:/-]{1,100}", re.ASCII)
_ANY_JSON = json.JSONDecoder(strict=False)
_UNNAMED = frozenset(("", "none", "null", "<nil>", "nil", "undefined"))
"""What gateways write where they have no type or code."""
_CONTAINERS = frozenset(
    (
        "body",
        "extra_body",
        "generation_config",
        "generationconfig",
        "inferenceconfig",
        "options",
        "parameter",
        "parameters",
        "request",
        "sampling_params",
    )
)
"""Objects of request fields, which vendors name before the field."""


class ErrorBody(FrozenStruct):
    """The contents of an error body. Absent texts are "".

    `number` is an integer `code` or `status` in the body, `names` the request fields that it blames
    (top-level names, in order), `fields` the error object itself, for what only one vendor sends.
    `page` True: it is a web page, so it is the word of something in between and not of the API.
    """

    message: str = ""
    type: str = ""
    code: str = ""
    number: int | None = None
    names: tuple[str, ...] = ()
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    page: bool = False

    @property
    def words(self) -> str:
        """Message, code and type in lower case, for searching."""
        return f"{self.message} {self.code} {self.type}".lower()


def load(body: bytes, expected: type[T]) -> T | None:
    """Return the JSON body as a value of this type, or `None` where it is not one.

    Bytes that are not UTF-8 and lone surrogates become U+FFFD, loose fields of another type are left out,
    and numbers that no machine can hold are none, so that the reply is not lost.
    """
    body = body.removeprefix(BOM)
    decode: Callable[[bytes], T] = _decoder(expected).decode  # type: ignore[arg-type]  # types can be hashed
    try:
        return decode(body)
    except msgspec.ValidationError:
        repaired = _repair(body, expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repaired = _repair(body, expected) if _is_repairable(body) else None
    if repaired is None:
        return None
    try:
        return decode(repaired)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@cache
def _decoder(expected: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(expected)


def _is_repairable(body: bytes) -> bool:
    """Return whether the JSON may be valid but for its encoding, or numbers in Python's notation."""
    return not body.isascii() or b"\\u" in body or b"NaN" in body or b"Infinity" in body


def _has_too_many_values(body: bytes) -> bool:
    return sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES


def _repair(body: bytes, expected: Any) -> bytes | None:
    """Return the same JSON in valid UTF-8 without loose fields that do not fit; `None` if it is none."""
    if _has_too_many_values(body):
        return None
    try:
        clean = loose_fields.reread(body.decode("utf-8", "replace"), expected)
    except (ValueError, RecursionError):
        return None
    return clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def read(body: bytes) -> ErrorBody:
    """Return the error in the body of a refusal."""
    text = body.removeprefix(BOM).strip()
    if text.startswith((b"data:", b"event:")):
        splitter = SseSplitter()
        events = splitter.feed(text) + splitter.flush()
        text = events[0][1] if events else b""
    if text[:1] in (b"{", b"[", b'"') and not _has_too_many_values(text):
        value = load(text, object)
        if value is not None:
            return read_value(value)
    words = text[:_SCANNED].decode("utf-8", "replace")
    if _PAGE.match(words):
        return ErrorBody(message=_plain_text(words), page=True)
    return _error_body({}, _plain_text(words), (), 0)


def read_value(value: object, depth: int = 0) -> ErrorBody:
    """Return the error in a decoded JSON value: an object of any vendor, a list of one, a string.

    `depth`: how many texts it was found in, one in the other.
    """
    if isinstance(value, list):
        return read_value(value[0], depth) if value and not _is_loc(value[0]) else _from_detail({}, value)
    if not isinstance(value, dict):
        return _error_body({}, _text(value), (), depth)
    inner = value.get("error") or value.get("errors")
    if isinstance(inner, list) and inner and not _is_loc(inner[0]):
        inner = inner[0]
    if isinstance(inner, dict):
        return _from_object(inner, depth)
    if isinstance(inner, list):
        return _from_detail(value, inner)
    return _from_object(value, depth, _text(inner) if inner else "")


def _from_object(fields: dict[str, Any], depth: int, headline: str = "") -> ErrorBody:
    """Return the error in its object; `headline` is a text that came under another name than `message`."""
    message = fields.get("message")
    if isinstance(message, dict):
        message = message.get("detail") or message.get("message") or message
    detail = next((d for d in (message, fields.get("detail")) if isinstance(d, list)), None)
    if detail is not None:
        return _from_detail(fields, detail)
    text = _text(message) or _text(fields.get("detail")) or _text(fields.get("title"))
    text = _join(headline, _text(message)) if headline else text or _fallback_message(fields)
    return _error_body(fields, text, (root_field(_text(fields.get("param"))),), depth)


def _from_detail(fields: dict[str, Any], detail: list[Any]) -> ErrorBody:
    """Return the error in FastAPI's format: `[{"loc": ["body", "seed"], "msg": …, "type": …}]`."""
    items = [item for item in detail[:50] if isinstance(item, dict)]
    names = [_loc_root(item.get("loc")) for item in items]
    message_text = "; ".join(_detail_line(item) for item in detail[:5])
    kinds = " ".join(_text(item.get("type")) for item in items[:5])
    body = _error_body(fields, message_text, tuple(names), _DEEPEST)
    return body if body.code else msgspec.structs.replace(body, code=kinds[:100])


def _error_body(fields: dict[str, Any], message: str, names: tuple[str, ...], depth: int) -> ErrorBody:
    """Return the error; what a gateway put into the message as JSON is read as well."""
    code, number = _code(fields)
    kind = next((t for name in ("type", "__type", "error_type") if (t := _named(fields.get(name)))), "")
    names = (*names, *_written_names(message))
    cause = fields.get("cause")
    found = _error_in_text(message, depth)
    if found is None and isinstance(cause, str):
        found = _error_in_text(_join(message, cause), depth)
    if found is not None:
        inner, message = found
        code, kind, number = code or inner.code, kind or inner.type, number or inner.number
        names = (*names, *inner.names)
    return ErrorBody(
        message=_join(message),
        type=kind[:100],
        code=code[:200],
        number=number,
        names=tuple(dict.fromkeys(name for name in names if name)),
        fields=fields,
    )


def _code(fields: dict[str, Any]) -> tuple[str, int | None]:
    """Return the code, and the number in it or in `status`. A number that is an HTTP status is no code."""
    written = [fields.get(name) for name in ("code", "error_code")]
    numbers = [n for value in (*written, fields.get("status")) if (n := _number(value)) is not None]
    words = [word for value in written if _number(value) is None and (word := _named(value))]
    own = [str(n) for value in written if (n := _number(value)) is not None and not 100 <= n <= 599]
    reason = _named(fields.get("reason"))
    words += own or ([reason] if _WORD.fullmatch(reason) else [])
    return next(iter(words), ""), next(iter(numbers), None)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**18:
        return None
    return value


def _named(value: object) -> str:
    """Return a type or code, "" where it is none or only says that there is none."""
    return "" if not isinstance(value, str) or value.lower() in _UNNAMED else value


def _error_in_text(text: str, depth: int) -> tuple[ErrorBody, str] | None:
    """Return the error that a text holds as JSON, and the text with its message in place of the JSON."""
    if depth >= _DEEPEST:
        return None
    start = text.find("{", 0, _SCANNED)
    if start < 0:
        return None
    try:
        value, end = _ANY_JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if not any(value.get(name) for name in _OBJECTS):
        return None
    inner = read_value(value, depth + 1)
    return inner, f"{text[:start]}{inner.message}{text[end:]}"


def root_field(path: str) -> str:
    """Return the top-level field of a path: "messages" for "messages[0].content"."""
    steps = [step.strip("`'\" ") for step in re.split(r"[.\[]", path, maxsplit=2)]
    return steps[1] if steps[0].lower() in _CONTAINERS and len(steps) > 1 else steps[0]


def _written_names(message: str) -> tuple[str, ...]:
    return tuple(root_field(loc or param) for loc, param in _WRITTEN_NAMES.findall(message[:_SCANNED]))


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
        return " ".join(text.split())
    title = _TITLE.search(text)
    words = title[2] if title else _TAG.sub(" ", text)
    return " ".join(html.unescape(words).split())[:300]
