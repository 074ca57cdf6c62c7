"""One call's answer as the library gives it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import msgspec

from umwelten.api.answer_tool_call import AnswerToolCall, answer_tool_calls
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

    `steps` are the requests that were answered, `tool_errors` the calls of tools that came to no result, and
    `tool_s` the seconds of all calls of tools; `None` where no tools were offered. "last turn without tools"
    is the mark of an answer that came after the model was told to call no more of them.
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
    steps: int | None = None
    tool_errors: int | None = None
    tool_s: float | None = None
    _shape: type[T] | None = None
    _stored: tuple[Path, int, int] | None = None

    def __repr__(self) -> str:
        about = " ".join(part for part in (self.model, self.file, self.prompt) if part)
        text = f"{self.error.kind}: {self.error.message}" if self.error else self.text or ""
        return f"<Answer {about} {self.repeat}: {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}>"

    def _repr_html_(self) -> str:
        from umwelten.text.html_table import html_table

        about = " · ".join(part for part in (self.model, self.file, self.prompt) if part)
        rows: list[tuple[str, object]] = [("answer", self.text)] if self.error is None else []
        rows += [("failed", f"{self.error.kind}: {self.error.message}")] if self.error is not None else []
        rows += [("record", msgspec.json.encode(self.data).decode())] if self.data is not None else []
        rows.append(("cost", None if self.cost_usd is None else f"${self.cost_usd:.6f}"))
        rows.append(("time", None if self.response_s is None else f"{self.response_s:.2f} s"))
        return html_table(about, (), rows, longest=2_000)

    @property
    def ok(self) -> bool:
        """Return whether the call succeeded."""
        return self.error is None

    @cached_property
    def tool_calls(self) -> tuple[AnswerToolCall, ...]:
        """The calls of tools that led to the answer, in order; none where no tools were offered.

        They are read from the evaluation when they are first used. Raises `StoreError` if it is gone.
        """
        if self._stored is None or not self.steps:
            return ()
        return answer_tool_calls(*self._stored)

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


def answer(call: StoredCall, shape: type[T] | None, folder: Path | None = None) -> Answer[T]:
    """Return a stored call as the library gives it; `shape` is the class of `Answer.record`.

    `folder`: of its evaluation, where it will be there for `tool_calls`.
    """
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
        # What was paid for these tokens is known even where the provider does not say it.
        usage=call.usage
        if call.usage.cost_nusd is not None
        else msgspec.structs.replace(call.usage, cost_nusd=call.cost_nusd),
        cost_usd=stats.usd(call.cost_nusd),
        response_s=call.response_s,
        ttft_s=call.ttft_s,
        attempts=call.attempts,
        error=None
        if call.succeeded
        else Failure(kind=call.error_kind or "server", message=call.error_message or ""),
        steps=call.steps,
        tool_errors=call.tool_errors,
        tool_s=stats.rounded(call.tool_s),
        _shape=shape,
        _stored=None if folder is None else (folder, call.id, call.input_id),
    )
