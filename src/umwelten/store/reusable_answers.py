"""Answers of other evaluations that may be taken over: found by the identity of their calls.

A call's identity (`identity.call_key`) covers all that is sent, so whatever has the same is an answer to the
same question. Each answer is given away once: two calls with one identity are two samples. One that was
itself taken over is known by the moment at which it was asked for, and is no other sample than its original.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from hashlib import blake2b
from pathlib import Path
from typing import Self

import msgspec

from umwelten.store.database import store_errors
from umwelten.store.inputs import original_path, prompts_by_variant
from umwelten.store.reader import Reader
from umwelten.store.settings import active_models
from umwelten.store.tables import SUCCEEDED
from umwelten.types import FinishReason, FrozenStruct, ModelRef, Reply, RequestSettings, Usage

_FOUND = "SELECT id, started_at, key, content, model_id, path, part, input_stamp FROM current_answers"
_NOT_COERCED = " WHERE ',' || coalesce(marks, '') || ',' NOT LIKE '%,coerced,%'"
_ANSWER = """SELECT c.finish_reason, c.served_model, a.text, a.reasoning, a.data, a.marks
    FROM calls c JOIN answers a ON a.call_id = c.id WHERE c.id = ?"""
REUSED = "reused from "
"""Begins the mark of an answer that was taken over, before the id of the evaluation that has it."""


class Found(FrozenStruct):
    """A stored answer: its evaluation, by number, its call, and when it was asked for, in Unix seconds."""

    source: int
    call: int
    started_at: float


class ReusedAnswer(FrozenStruct):
    """An answer as it was given there, at `started_at` Unix seconds, with the mark that says where."""

    reply: Reply
    started_at: float


class ReusableAnswers:
    """The good answers of other evaluations, in the order in which these were given.

    `content` gives the hash of what was sent of an input, where it has not changed since: without it every
    file would have to be read. Holds about 200 bytes an answer. Close it.
    """

    def __init__(self, readers: Sequence[Reader], resources: ExitStack) -> None:
        """Takes over the readers. Use `open`."""
        self._readers, self._resources = readers, resources
        # Marks are separated by commas.
        self.ids = tuple(reader.folder.name.replace(",", " ") for reader in readers)
        self._by_key: dict[bytes, list[Found]] = {}
        self._contents: dict[bytes, bytes] = {}

    @classmethod
    def open(
        cls, folders: Iterable[Path], request: RequestSettings, models: Iterable[ModelRef], *, coerce: bool
    ) -> Self:
        """Read which answers there are of these models. `coerce`: `"7"` may pass for 7 in records.

        Raises StoreError for a folder without an evaluation, or with one that can't be read.
        """
        with ExitStack() as resources:
            readers = [resources.enter_context(closing(Reader.open(folder))) for folder in folders]
            made = cls(readers, resources)
            # What a model's settings are called is no part of an identity.
            names = {str(model.plain) for model in models}
            for number in range(len(readers)):
                made._load(number, request, names, coerce=coerce)
            made._resources = resources.pop_all()
            return made

    def close(self) -> None:
        """Close the evaluations. Twice is fine."""
        self._resources.close()

    def content(self, path: str, part: str, stamp: str, prompt: str) -> bytes | None:
        """Return the hash of what a prompt sends of an input that was asked about there; `None`: unknown."""
        return self._contents.get(_place(path, part, stamp, prompt))

    def take(self, key: str) -> Found | None:
        """Return an answer to that call, each once; `None` if there is none left."""
        digest = _digest(key)
        found = self._by_key.get(digest)
        if not found:
            return None
        first = found.pop(0)
        if not found:
            del self._by_key[digest]
        return first

    def discard(self, key: str, started_at: float) -> None:
        """Give an answer away that was taken over before."""
        found = self._by_key.get(_digest(key), [])
        found[:] = [one for one in found if one.started_at != started_at]

    def answer(self, found: Found) -> ReusedAnswer:
        """Return a stored answer. Raises StoreError if it can't be read."""
        reader = self._readers[found.source]
        with store_errors(reader.folder):
            row = tuple(reader.connection.execute(_ANSWER, (found.call,)).fetchone())
        given = msgspec.convert(row, _Row)
        marks = [mark for mark in (given.marks or "").split(",") if mark and not mark.startswith(REUSED)]
        return ReusedAnswer(
            reply=Reply(
                text=given.text,
                data=given.data,
                marks=(*marks, f"{REUSED}{self.ids[found.source]}"),
                finish_reason=_finish_reason(given.finish_reason),
                usage=Usage(),
                reasoning=given.reasoning,
                served_model=given.served_model,
            ),
            started_at=found.started_at,
        )

    def _load(self, number: int, request: RequestSettings, names: set[str], *, coerce: bool) -> None:
        reader = self._readers[number]
        spec = reader.spec()
        # What an input's hash is of depends on these; elsewhere only the identities are compared.
        alike = (spec.request.source, spec.request.row_rule) == (request.source, request.row_rule)
        query = _FOUND + (_NOT_COERCED if spec.coerce and not coerce else "")
        with store_errors(reader.folder):
            prompts = prompts_by_variant(reader.connection)
            models = active_models(reader.connection)
            wanted = {number for number, model in models.items() if str(model.plain) in names}
            cursor = reader.connection.cursor()
            cursor.row_factory = None
            for call, started_at, key, content, variant, path, part, stamp in cursor.execute(query):
                if variant not in wanted:
                    continue
                known = self._by_key.setdefault(_digest(key), [])
                if all(found.started_at != started_at for found in known):
                    known.append(Found(source=number, call=call, started_at=started_at))
                if alike and path:
                    place = _place(original_path(path), part, stamp, prompts[variant])
                    self._contents[place] = content


def answered_calls(connection: sqlite3.Connection) -> list[tuple[str, float]]:
    """Return the identities of the calls with good answers, and when each was asked for, in Unix seconds."""
    query = f"SELECT key, started_at FROM current_calls WHERE status = {SUCCEEDED}"
    return [(key, started_at) for key, started_at in connection.execute(query)]


class _Row(msgspec.Struct, frozen=True, array_like=True):
    finish_reason: str | None
    served_model: str | None
    text: str
    reasoning: str | None
    data: str | None
    marks: str | None


def _digest(key: str) -> bytes:
    """Return a key in half of its room."""
    tag, _, digits = key.partition(":")
    try:
        return tag.encode() + bytes.fromhex(digits)
    except ValueError:
        return key.encode()


def _place(path: str, part: str, stamp: str, prompt: str) -> bytes:
    text = "\0".join((path, part, stamp, prompt))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _finish_reason(name: str | None) -> FinishReason:
    return FinishReason(name) if name in set(FinishReason) else FinishReason.UNKNOWN
