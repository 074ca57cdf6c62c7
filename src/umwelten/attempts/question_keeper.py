"""Hands what is sent to the store: each question in pieces, so that none of its texts is kept twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from umwelten.attempts.input_reader import ReadInput
from umwelten.attempts.target import Target
from umwelten.identity import content_hash, input_part
from umwelten.inputs.content import framed_pieces, unframe_text
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.prompts.template import ANSWER, MEMORY, ROW, content_text
from umwelten.store.contents import (
    SHORT,
    Content,
    KeptInput,
    KeptQuestion,
    Piece,
    SentMedia,
    encode_question,
    text_bytes,
)
from umwelten.store.inputs import storable_path
from umwelten.store.stored_pairs import PAIR_PART
from umwelten.types import Input, Media, Part, Text

_SHORT_ROW = 512
"""Characters of a row that is kept within its question, and of its values: a content more takes longer.
Longer rows mostly have a long text in a column."""

_MOST_FIXED = 1_000
"""Texts whose hashes are kept at hand: those of prompts and attachments, the same in many questions."""

_LINE = "row.line"

Keep = Callable[[Iterable[Content]], None]


class QuestionKeeper:
    """Keeps questions as `store.contents` has them.

    `keep` takes the contents; `paths` are those of the attachments, by name.
    """

    def __init__(self, builder: RequestBuilder, keep: Keep, paths: Mapping[str, str]) -> None:
        self._builder, self._keep, self._paths = builder, keep, paths
        self._sources = dict(builder.settings.attachments)
        self._fixed: dict[str, tuple[Piece, Content]] = {}
        self._latest: tuple[str, Content] | None = None

    def keep(
        self, source: Input | None, target: Target, given: ReadInput, digest: bytes, attached: Sequence[Part]
    ) -> bytes:
        """Keep what is sent of an input, before anything of it was uploaded; returns the question's hash.

        `digest` is that of the input's content.
        """
        kept: list[Content] = []
        prompt, texts = self._builder.pieces(
            given.parts, prompt=target.prompt, values=given.values, attached=tuple(attached)
        )
        is_row = source is not None and source.part.startswith("row ")
        parts = [self._part(prompt, kept, _SHORT_ROW if is_row else SHORT)]
        bare = self._builder.bare(target.prompt)
        parts += (self._part(["", text] if bare else framed_pieces(text), kept) for text in texts)
        parts += (self._part([part.text], kept) for part in attached if isinstance(part, Text))
        question = encode_question(
            KeptQuestion(
                parts=tuple(parts),
                media=self._media(source, given, digest, attached),
                input=None if source is None else self._input(source, target, given, kept, bare=bare),
            )
        )
        name = content_hash(question)
        kept.append((name, question))
        self._keep(kept)
        return name

    def _part(self, texts: Sequence[str], kept: list[Content], short: int = SHORT) -> tuple[Piece, ...]:
        """Every second text is of the input, the others are the same in many questions."""
        pieces: list[Piece] = []
        for place, text in enumerate(texts):
            if text:
                is_own = place % 2
                pieces.append(self._piece(text, kept, short) if is_own else self._fixed_piece(text, kept))
        return tuple(pieces)

    def _fixed_piece(self, text: str, kept: list[Content]) -> Piece:
        if len(text) <= SHORT:
            return self._piece(text, kept)
        known = self._fixed.get(text)
        if known is None:
            if len(self._fixed) >= _MOST_FIXED:
                self._fixed.clear()
            piece = self._piece(text, kept)
            known = self._fixed[text] = (piece, kept[-1])
        else:
            kept.append(known[1])
        return known[0]

    def _media(
        self, source: Input | None, given: ReadInput, digest: bytes, attached: Sequence[Part]
    ) -> tuple[SentMedia, ...]:
        if not any(isinstance(part, Media) for part in (*given.parts, *attached)):
            return ()  # as nearly always
        origin = given.origin or ("" if source is None else storable_path(source.path), input_part(digest))
        own = (_medium(part, origin[1], origin[0]) for part in given.parts if isinstance(part, Media))
        beside = (
            _medium(part, self._sources.get(part.name, b""), self._paths.get(part.name, ""))
            for part in attached
            if isinstance(part, Media)
        )
        return (*own, *beside)

    def _input(
        self, source: Input, target: Target, given: ReadInput, kept: list[Content], *, bare: bool
    ) -> KeptInput:
        values = given.values or {}
        texts = [
            part.text if bare else unframe_text(part.text) for part in given.parts if isinstance(part, Text)
        ]
        memory = self._piece(values[MEMORY], kept) if values.get(MEMORY) else None
        if source.part.startswith("row "):
            whole = self._builder.row_use(target.prompt).columns is None
            row, long = self._row(texts[0], values, kept, whole=whole)
            return KeptInput(row=row, long=long, memory=memory)
        if source.part.startswith(PAIR_PART):
            first, second = (self._piece(text, kept) for text in texts)
            return KeptInput(first=first, second=second, memory=memory)
        if source.part:
            return KeptInput(answer=self._piece(values.get(ANSWER, ""), kept), memory=memory)
        return KeptInput(text=self._piece(content_text(texts, ()), kept) if texts else None, memory=memory)

    def _row(
        self, text: str, values: Mapping[str, str], kept: list[Content], *, whole: bool
    ) -> tuple[msgspec.Raw, dict[str, str]]:
        """Return a row as `KeptInput` has it, from its JSON or its line; `whole`: that is sent as it is."""
        if values.get(_LINE) == text:  # no JSON is its own value
            text, whole = msgspec.json.encode({"line": text}).decode(), False
        if len(text) <= _SHORT_ROW:
            return msgspec.Raw(text.encode()), {}
        if whole:
            return _reference(text, kept), {}
        columns = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        long = {}
        for name, value in columns.items():
            words = values.get(ROW + name, "")
            if len(words) > _SHORT_ROW and bytes(value).startswith(b'"'):
                long[name], columns[name] = str(self._piece(words, kept)[0]), msgspec.Raw(b"null")
        rest = msgspec.json.encode(columns)
        return (msgspec.Raw(rest) if len(rest) <= _SHORT_ROW else _reference(rest.decode(), kept)), long

    def _piece(self, text: str, kept: list[Content], short: int = SHORT) -> Piece:
        """Return the text, or if it is long its hash, with its bytes among those that are to be kept."""
        if len(text) <= short and (text.isascii() or _is_utf8(text)):
            return text
        latest = self._latest
        if latest is None or latest[0] != text:  # an input's text is in its question, and for each model
            data = text_bytes(text)
            latest = self._latest = (text, (content_hash(data), data))
        kept.append(latest[1])
        return (latest[1][0].hex(),)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reference(text: str, kept: list[Content]) -> msgspec.Raw:
    data = text_bytes(text)
    digest = content_hash(data)
    kept.append((digest, data))
    return msgspec.Raw(msgspec.json.encode([digest.hex()]))


def _medium(part: Media, source: bytes, path: str) -> SentMedia:
    return SentMedia(name=part.name, mime=part.mime, size=len(part.data), source=source.hex(), path=path)
