"""What calls asked, as it was sent: from what is kept in the store (`store.contents`).

Nothing here looks at the inputs themselves: a file may have changed since, or be gone.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.identity import content_hash
from umwelten.store.contents import KeptInput, KeptQuestion, Piece, SentMedia
from umwelten.store.database import EVALUATION
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

_MOST_BYTES = 200_000_000
"""No content is longer: the text of a file has 16 million characters at most."""

_MOST_TOGETHER = 2 * _MOST_BYTES
"""Of all contents of a question: a stranger's may name one a million times."""

_CACHED_BYTES = 16_000_000
"""Of contents that several questions have, such as a document that several models were asked about."""


class AskedSource(StrEnum):
    """Where it is known from what a call asked."""

    STORED = "stored"
    """It was kept when it was sent."""
    READ = "read"
    """It was put together again from the input, whose stamp or hash is as it was."""
    CHANGED = "changed since"
    """It was not kept, and the input is not what it was."""
    NOT_KEPT = "not kept"
    """It was not kept, or the call has not been answered."""


class Asked(FrozenStruct):
    """What a call asked. `source` tells where it is known from; without any, the rest is empty.

    `parts` are the texts of the user's message as sent, in order; media came before them. Where the prompt
    has several messages, the first part has all of them, each after its role. `input_text` is the
    text of the file that it was about, `row` the row, `answer` an earlier answer, `first` and `second` those
    of a pair, `memory` what was recalled: `None` where there was none. `note` says more of the source, for
    people.
    """

    source: AskedSource
    parts: tuple[str, ...] = ()
    input_text: str | None = None
    row: dict[str, Any] | None = None
    answer: str | None = None
    memory: str | None = None
    media: tuple[SentMedia, ...] = ()
    note: str = ""
    first: str | None = None
    second: str | None = None

    @property
    def text(self) -> str | None:
        """The parts of the message in one text, `None` where they are not known."""
        return "\n\n".join(self.parts) if self.parts else None


NOT_KEPT = Asked(source=AskedSource.NOT_KEPT)


def asked(reader: Reader, call: int) -> Asked:
    """Return what a call asked, as it was kept. Raises StoreError for a damaged database."""
    return AskedReader(reader).of(call)


class AskedReader:
    """Reads what many calls asked: what several of them have in common is read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._cursor = reader.connection.cursor()
        self._cursor.row_factory = None
        self._texts: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0
        self._left = _MOST_TOGETHER
        self._last: tuple[int, Asked] | None = None
        self._last_row: tuple[int, dict[str, Any] | None] | None = None

    def of(self, call: int) -> Asked:
        """Do as `asked` does."""
        return self._asked(self._question(_OF_CALL, call))

    def of_sent(self, sent: int | None) -> Asked:
        """Do as `of` does, by `calls.sent`: once for calls that asked the same, one after the other."""
        if sent is None:
            return NOT_KEPT
        if self._last is None or self._last[0] != sent:
            self._last = (sent, self._asked(self._question(_OF_ID, sent)))
        return self._last[1]

    def row_of_sent(self, sent: int | None) -> dict[str, Any] | None:
        """Return the row alone, as `of_sent` does."""
        if sent is None:
            return None
        if self._last_row is None or self._last_row[0] != sent:
            question = self._question(_OF_ID, sent)
            about = None if question is None else question.input
            self._last_row = (sent, None if about is None else self._row(about))
        return self._last_row[1]

    def _asked(self, question: KeptQuestion | None) -> Asked:
        if question is None:
            return NOT_KEPT
        parts = tuple("".join(map(self._text, part)) for part in question.parts)
        about = question.input or KeptInput()
        return Asked(
            source=AskedSource.STORED,
            parts=parts,
            input_text=self._optional(about.text),
            row=self._row(about),
            answer=self._optional(about.answer),
            memory=self._optional(about.memory),
            media=question.media,
            first=self._optional(about.first),
            second=self._optional(about.second),
        )

    def row(self, call: int) -> dict[str, Any] | None:
        """Return the row that a call was about, `None` if that is not kept or there was none."""
        question = self._question(_OF_CALL, call)
        return None if question is None or question.input is None else self._row(question.input)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that current calls were about, each once; texts that are kept apart are empty."""
        cursor = self._reader.connection.cursor()
        cursor.row_factory = None
        for (sent,) in cursor.execute(_QUESTIONS):
            question = self._question(_OF_ID, sent)
            if question is not None and question.input is not None and bytes(question.input.row):
                row = self._row_object(question.input.row)
                yield row | dict.fromkeys(question.input.long, "")

    def row_columns(self) -> tuple[str, ...]:
        """Return the columns of the rows of all current calls, in the order in which they come."""
        return tuple(dict.fromkeys(name for row in self.rows() for name in row))

    def _question(self, query: str, number: int) -> KeptQuestion | None:
        row = self._cursor.execute(query, (number,)).fetchone()
        self._left = _MOST_TOGETHER
        if row is None:
            return None
        try:
            return _questions.decode(self._checked(*row))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise self._damaged(f"a question cannot be read: {error}") from None

    def _optional(self, piece: Piece | None) -> str | None:
        return None if piece is None else self._text(piece)

    def _text(self, piece: Piece) -> str:
        return piece if isinstance(piece, str) else self._content(piece[0])

    def _content(self, name: str) -> str:
        text = self._known_content(name)
        self._left -= len(text)
        if self._left < 0:
            raise self._damaged(f"a question of more than {_MOST_TOGETHER:,} characters")
        return text

    def _known_content(self, name: str) -> str:
        try:
            digest = bytes.fromhex(name)
        except ValueError:
            raise self._damaged(f"{name[:60]!r} is not the hash of a content") from None
        found = self._texts.get(digest)
        if found is not None:
            self._texts.move_to_end(digest)
            return found
        row = self._cursor.execute(
            "SELECT hash, size, data FROM contents WHERE hash = ?", (digest,)
        ).fetchone()
        if row is None:
            raise self._damaged(f"the content {name} is missing")
        try:
            text = self._checked(*row).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self._damaged(f"the content {name} is not a text") from None
        self._texts[digest] = text
        self._bytes += len(text)
        while self._bytes > _CACHED_BYTES:
            _, dropped = self._texts.popitem(last=False)
            self._bytes -= len(dropped)
        return text

    def _row(self, about: KeptInput) -> dict[str, Any] | None:
        if not bytes(about.row):
            return None
        row = self._row_object(about.row)
        row.update((name, self._content(digest)) for name, digest in about.long.items())
        return row

    def _row_object(self, raw: msgspec.Raw) -> dict[str, Any]:
        data = bytes(raw)
        try:
            if data.startswith(b"["):
                data = self._content(msgspec.json.decode(data, type=tuple[str])[0]).encode()
            return {name: _value(bytes(value)) for name, value in _rows.decode(data).items()}
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise self._damaged(f"a row cannot be read: {error}") from None

    def _checked(self, digest: bytes, size: int, data: bytes) -> bytes:
        """Return the bytes of a content. The file may come from somebody else, or be damaged."""
        if len(data) != size:
            if not 0 <= size <= _MOST_BYTES:
                raise self._damaged(f"a content of {size:,} bytes")
            unpacking = zlib.decompressobj()
            try:
                data = unpacking.decompress(data, size + 1)
            except zlib.error as error:
                raise self._damaged(f"a content cannot be read: {error}") from None
        if content_hash(data) != digest:
            raise self._damaged(f"the content {digest.hex()} is not what was sent")
        return data

    def _damaged(self, why: str) -> StoreError:
        return StoreError(f"{self._reader.folder / EVALUATION.name} is damaged: {why}", EVALUATION.remade)


_OF_CALL = "SELECT t.hash, t.size, t.data FROM calls c JOIN contents t ON t.id = c.sent WHERE c.id = ?"
_OF_ID = "SELECT hash, size, data FROM contents WHERE id = ?"
_QUESTIONS = "SELECT DISTINCT sent FROM current_calls WHERE sent IS NOT NULL"
_questions = msgspec.json.Decoder(KeptQuestion)
_rows = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _value(data: bytes) -> Any:
    """Return the value that JSON holds; a number that no float holds as the text it is written as."""
    try:
        return msgspec.json.decode(data)
    except msgspec.ValidationError:
        return data.decode()
