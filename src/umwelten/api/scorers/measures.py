"""Scorers that need no reference: what an answer is like, and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from umwelten.api.scorers.scorer import Scorer


class _OfSchema(Scorer, frozen=True, kw_only=False):
    schema: Mapping[str, Any] | type | None = None


class Json(_OfSchema, frozen=True, kw_only=True):
    """Yes if the text is JSON, and fits `schema` (a JSON Schema or a Pydantic class) if there is one."""

    _type: ClassVar[str] = "json"

    of: str | None = None
    not_: bool = False


class _Measure(Scorer, frozen=True, kw_only=False):
    value: str


class Length(_Measure, frozen=True, kw_only=True):
    """Yes if the answer's length is within `value`, such as "20..120 words" (or chars, lines, sentences)."""

    _type: ClassVar[str] = "length"

    of: str | None = None
    not_: bool = False


class Cost(_Measure, frozen=True, kw_only=True):
    """Yes if the call's cost in dollars fits `value`, such as "<= 0.001"; unscored if it is not known."""

    _type: ClassVar[str] = "cost"

    not_: bool = False


class Latency(_Measure, frozen=True, kw_only=True):
    """Yes if the call's time fits `value`, such as "<= 2s"."""

    _type: ClassVar[str] = "latency"

    not_: bool = False


class Tokens(_Measure, frozen=True, kw_only=True):
    """Yes if the number of output tokens fits `value`, such as "<= 500"."""

    _type: ClassVar[str] = "tokens"

    not_: bool = False


class _OfReasons(Scorer, frozen=True, kw_only=False):
    value: str | Sequence[str] = "stop"


class Finish(_OfReasons, frozen=True, kw_only=True):
    """Yes if the answer ended for this reason, or one of these."""

    _type: ClassVar[str] = "finish"

    not_: bool = False
