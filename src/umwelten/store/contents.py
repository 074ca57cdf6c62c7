"""What was sent: the texts of questions, each kept once, and how a question is made of them.

A content is kept under the hash of its bytes. A question is a content too, as JSON: its parts are pieces, and
a piece is a short text, or the hash of another content. So a document is kept once however many prompts and
models there are, and a prompt once however many documents. `calls.sent` names the question of a call.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from umwelten.store.rows import Insert, Row

SHORT = 120
"""Characters of a text that is kept where it is used: another content would take about as much room."""

_COMPRESSED = 1024
"""Bytes from which a content is compressed: below that it takes longer than all else that keeping does."""

_LONG = 2048
"""Bytes from which a look-up whether a content is there takes less than compressing it once more."""

_KNOWN = "SELECT 1 FROM contents WHERE hash = ?"

_REMEMBERED = 20_000
"""Hashes of contents that were handed over in this run: models are rarely so many inputs apart."""

MOST_WAITING = 8_000_000
"""Bytes of contents that wait for the next group of rows; with more, it is written at once."""

Content = tuple[bytes, bytes]
"""The hash of a content, and its bytes."""

Piece = str | tuple[str]
"""A text, or the hash of a content in hex."""

_INTO, _ROW = "INSERT OR IGNORE INTO contents (hash, size, data)", "(?, ?, ?)"
_INSERT_SHORT, _INSERT_LONG = Insert(into=_INTO, row=_ROW), Insert(into=_INTO, row=_ROW, most=1)


class SentMedia(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture, recording or document that was sent as it is, or converted: `size` in bytes as sent.

    `source` is the hash of the bytes of the file at `path` in hex, from which it was made.
    """

    name: str
    mime: str
    size: int
    source: str = ""
    path: str = ""


NO_ROW = msgspec.Raw()


class KeptInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a question was about: the text of a file as it was converted, a row, an earlier answer or two.

    `row` is the row's JSON object, or `["…"]` with the hash of its text. Where `long` has a column, the row
    has null in its place, and the value is the text with that hash. `memory` is what was recalled.
    """

    text: Piece | None = None
    row: msgspec.Raw = NO_ROW
    long: dict[str, str] = {}
    answer: Piece | None = None
    memory: Piece | None = None
    first: Piece | None = None
    second: Piece | None = None


class KeptQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """The user's message of a call: its parts that are text, each in pieces, and its media."""

    parts: tuple[tuple[Piece, ...], ...]
    media: tuple[SentMedia, ...] = ()
    input: KeptInput | None = None


_encode = msgspec.json.Encoder().encode


def encode_question(question: KeptQuestion) -> bytes:
    """Return the bytes that are kept of it."""
    return _encode(question)


def text_bytes(text: str) -> bytes:
    """Return a text's bytes. Lone surrogates, which a JSON row may hold, are kept."""
    return text.encode("utf-8", "surrogatepass")


class ContentLog:
    """Contents on their way from the calls to the writer's thread, which puts them before the calls' rows.

    `keep` belongs to the calls' thread, `take` to the writer's. `wake` is called when many wait.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: deque[Content] = deque()
        self._bytes = 0

    def keep(self, contents: Iterable[Content]) -> None:
        """Hand over what is not known to be there."""
        for one in contents:
            if one[0] in self._known:
                self._known.move_to_end(one[0])
                continue
            self._known[one[0]] = None
            self._waiting.append(one)
            self._bytes += len(one[1])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if self._bytes > MOST_WAITING:
            self._bytes = 0
            self._wake()

    def take(self) -> list[Content]:
        """Return what waits, in order."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        self._bytes = 0
        return taken


def content_rows(
    connection: sqlite3.Connection, contents: Sequence[Content]
) -> tuple[tuple[Insert, list[Row]], ...]:
    """Return what inserts the contents, and the rows of it: without long ones that are there already."""
    short: list[Row] = []
    long: list[Row] = []
    for digest, data in contents:
        if len(data) < _LONG:
            short.append((digest, len(data), _packed(data)))
        elif connection.execute(_KNOWN, (digest,)).fetchone() is None:
            long.append((digest, len(data), _packed(data)))
    return ((_INSERT_SHORT, short), (_INSERT_LONG, long))


def _packed(data: bytes) -> bytes:
    """Compressed where that is shorter; then its length differs from the size beside it."""
    if len(data) < _COMPRESSED:
        return data
    packed = zlib.compress(data)
    return packed if len(packed) < len(data) else data
