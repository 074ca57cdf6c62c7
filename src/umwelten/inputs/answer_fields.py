"""What a filter sees of an earlier answer: its call, its text and its record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from umwelten.inputs.filters import ANY_PATH, JSON, path_value
from umwelten.store.stored_calls import StoredCall
from umwelten.types import NANO

FIELDS = (
    "status",
    "model",
    "provider",
    "file",
    "prompt",
    "repeat",
    "finish_reason",
    "attempts",
    "response_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "answer",
    "length",
    ANY_PATH,
)
"""The fields of `--where`. `length` is in characters; `json.…` is a path in the answer's record, or in the
answer itself if that is JSON."""

NUMBERS = (
    "repeat",
    "attempts",
    "response_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "length",
)


class AnswerFields(Mapping[str, object]):
    """The fields of one answer, with `further` ones. Its JSON is decoded when a filter reads it."""

    def __init__(self, call: StoredCall, further: Mapping[str, object] | None = None) -> None:
        self._call, self._text, self._further = call, call.text or "", further or {}
        self._data: object = None
        self._decoded = False

    def __getitem__(self, name: str) -> object:
        if name.startswith(JSON):
            return path_value(self._json(), name.removeprefix(JSON))
        match name:
            case "status":
                return "succeeded"
            case "answer":
                return self._text
            case "length":
                return len(self._text)
            case "cost_usd":
                return None if self._call.cost_nusd is None else self._call.cost_nusd / NANO
        if name not in FIELDS:
            return self._further[name]
        value: object = getattr(self._call, name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(name for name in FIELDS if name != ANY_PATH)

    def __len__(self) -> int:
        return len(FIELDS) - 1

    def keys_of_record(self) -> Iterable[str]:
        """Return the top-level keys of its JSON."""
        data = self._json()
        return data.keys() if isinstance(data, dict) else ()

    def _json(self) -> object:
        if not self._decoded:
            self._decoded = True
            self._data = decoded(self._call.data or self._text)
        return self._data


def decoded(text: str) -> object:
    """Return the JSON in a text, `None` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
