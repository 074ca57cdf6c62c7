"""What calls asked, in the form in which reports have it."""

from __future__ import annotations

from typing import Any

from umwelten.store.asked import Asked
from umwelten.store.inputs import path_text
from umwelten.types import FrozenStruct


class AskedMedia(FrozenStruct):
    """A picture, recording or document that was sent; `hash` is that of the file at `path`, in hex."""

    name: str
    type: str
    size: int
    hash: str
    path: str


class AskedDetail(FrozenStruct):
    """What a call asked. `source`: "stored", "read" (from the input, which is the same), "changed since" (the
    input is another one now) or "not kept"; `note` says more of it.

    `text` is the user's message as it was sent, `input_text` the text of its file, `row` its row,
    `earlier_answer` the answer that it was about, `first_answer` and `second_answer` those of a pair,
    `memory` what was recalled; null where there is none.
    """

    source: str
    note: str
    text: str | None
    input_text: str | None
    row: dict[str, Any] | None
    earlier_answer: str | None
    memory: str | None
    media: tuple[AskedMedia, ...]
    first_answer: str | None = None
    second_answer: str | None = None


def asked_detail(asked: Asked) -> AskedDetail:
    """Return it with texts that JSON can hold: lone surrogates are shown as escapes."""
    return AskedDetail(
        source=str(asked.source),
        note=asked.note,
        text=encodable(asked.text),
        input_text=encodable(asked.input_text),
        row=encodable(asked.row),
        earlier_answer=encodable(asked.answer),
        memory=encodable(asked.memory),
        media=tuple(
            AskedMedia(name=one.name, type=one.mime, size=one.size, hash=one.source, path=path_text(one.path))
            for one in asked.media
        ),
        first_answer=encodable(asked.first),
        second_answer=encodable(asked.second),
    )


def encodable(value: Any) -> Any:
    """Return a value of plain types whose texts have no lone surrogates."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    return value
