"""One call's answer as the library gives it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

import msgspec

from umwelten.report import stats
from umwelten.store.stored_calls import StoredCall
from umwelten.types import FrozenStruct, Usage

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

_SHOWN = 60


class Failure(FrozenStruct):
    """Why a call failed: its kind, as in the table of failures, and the provider's message."""

    kind: str
    message: str


class Answer(msgspec.Struct, Generic[T], frozen=True, kw_only=True, dict=True):
    """How one call ended. `None` means "not known", or that there is none.

    `model` is `provider:model`; `file` the input's name, `prompt` that of one of several prompts. `text`
    is the answer, `data` the record in it where a schema asked for one; `partial` what a failed call had
    got. `marks` say how the record was obtained: "fenced", "mended", "coerced", "last of several", "asked
    again"; and what is wrong with the answer: "cut input", "media dropped".
    `cost_usd` and `usage` are those of all attempts, `response_s` and `ttft_s` of the last. An answer that
    was taken over from another evaluation was attempted 0 times and costs 0; "reused from ID" is a mark.
    """

    model: str
    file: str | None
    prompt: str | None
    repeat: int
    text: str | None
    data: dict[str, Any] | None
    marks: tuple[str, ...]
    reasoning: str | None
    partial: str | None
    finish_reason: str | None
    usage: Usage
    cost_usd: float | None
    response_s: float | None
    ttft_s: float | None
    attempts: int
    error: Failure | None
    _shape: type[T] | None = None

    def __repr__(self) -> str:
        about = " ".join(part for part in (self.model, self.file, self.prompt) if part)
        text = f"{self.error.kind}: {self.error.message}" if self.error else self.text or ""
        return f"<Answer {about} {self.repeat}: {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}>"

    @property
    def ok(self) -> bool:
        """Return whether the call succeeded."""
        return self.error is None

    @cached_property
    def record(self) -> T:
        """`data` as an instance of the class that was given as `schema`.

        Raises `TypeError` where no class was given, `ValueError` where the call has no record.
        """
        if self._shape is None:
            raise TypeError("record needs a Pydantic class as schema; data is the record as a dict")
        if self.data is None:
            raise ValueError(f"this call has no record: {self.error.message if self.error else 'no schema'}")
        # As JSON, which a strict class reads with fewer demands: a date is a text there.
        made: T = self._shape.model_validate_json(msgspec.json.encode(self.data))  # type: ignore[attr-defined]
        return made


def answer(call: StoredCall, shape: type[T] | None) -> Answer[T]:
    """Return a stored call as the library gives it; `shape` is the class of `Answer.record`."""
    return Answer(
        model=call.model,
        file=call.file,
        prompt=call.prompt,
        repeat=call.repeat,
        text=call.text,
        data=msgspec.json.decode(call.data) if call.data else None,
        marks=call.mark_names,
        reasoning=call.reasoning,
        partial=call.partial,
        finish_reason=call.finish_reason,
        usage=call.usage,
        cost_usd=stats.usd(call.cost_nusd),
        response_s=call.response_s,
        ttft_s=call.ttft_s,
        attempts=call.attempts,
        error=None
        if call.succeeded
        else Failure(kind=call.error_kind or "server", message=call.error_message or ""),
        _shape=shape,
    )
