"""Progress for programs: one event per line on stderr, each a JSON object.

`type` comes first and is the event's name in snake case: `run_started`, `grown`, `call_started`,
`text_arrived`, `attempt_failed`, `attempt_dropped`, `step_ended`, `tool_started`, `tool_ended`,
`call_succeeded`, `call_failed`, `calls_requeued`, `run_changed`, `workers_starting`, `worker_changed`,
`lane_stopped`, `model_stopped`, `lane_waiting`, `lane_resumed`, `limit_changed`, `note`, `run_finished`;
the last line is `summary` (`report.run_summary.RunSummary`). `at` is when the line was written, in Unix
seconds. The other keys are the fields of that event in `umwelten.events`, nested values likewise: a model is
`{"provider", "model"}`, of a variant also `"variant"`, a call `{"id", "model", "input", "repeat"}`, an answer
`{"text", "finish_reason", "usage", …}`. Durations are seconds to the microsecond, money is nano-USD
(`…_nusd`), except in the summary (`…_usd`); `null` is "not known".

    {"type":"run_started","at":1794035106.204,"id":"demo","total":50,"done":0,"models":[{"provider":"ollama",…}],…}
    {"type":"call_succeeded","at":1794035107.917,"call":{"id":…},"model":{…},"lane":"ollama","reply":{"text":"…"},…}

Events hold no keys or headers of requests, so none can occur here.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TextIO, get_args

import msgspec

from umwelten.cli.json_output import encode
from umwelten.events import Event
from umwelten.report.progress.board import View
from umwelten.text.sanitize import json_safe
from umwelten.types import Failure, Reply

# What is not an event; the names are promises, whatever the classes are called.
_TYPES = {"RunSummary": "summary"}
_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])")

_DIGITS = 6
"""Beyond microseconds, what clocks say is noise of their subtraction: `0.9210000000000491`."""

_AS_TOLD = (Reply, Failure)
"""What they hold is the provider's, a record for instance, and stays as it is."""


class JsonProgress:
    """Writes every event as it comes."""

    def __init__(self, stderr: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stderr, self._clock, self._lock = stderr, clock, threading.Lock()

    def __call__(self, event: Event) -> None:
        line = as_line(event, self._clock())
        with self._lock:
            self._stderr.write(line)
            self._stderr.flush()

    def start(self, view: View) -> None:
        """Nothing to do: events say it all."""

    def hold(self, after_s: float = 0.0) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        """Nothing to do."""


def as_line(value: msgspec.Struct, at_unix: float) -> str:
    """Return the value as a JSON object on one line with its newline; `type` names the event."""
    head = f'{_opening(type(value))}"at":{at_unix:.3f},'
    return json_safe(head + encode(_rounded(value))[1:].decode()) + "\n"


def _rounded(value: Any) -> Any:
    """Return a value with the floats that it holds in so many digits."""
    if not isinstance(value, msgspec.Struct):
        if isinstance(value, dict):
            return {key: _rounded(each) for key, each in value.items()}
        if isinstance(value, tuple):
            return tuple(map(_rounded, value))
        return round(value, _DIGITS) if isinstance(value, float) else value
    floats, others = _measured(value.__class__)
    if not floats and not others:
        return value
    changes = {name: _rounded(getattr(value, name)) for name in others}
    for name in floats:
        of = getattr(value, name)
        if of is not None:
            changes[name] = round(of, _DIGITS)
    return msgspec.structs.replace(value, **changes)


@cache
def _measured(kind: type[msgspec.Struct]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields that are floats, and those that may hold some; to look at all would take too long."""
    found = {field.name: field.type for field in msgspec.structs.fields(kind) if _is_measured(field.type)}
    floats = tuple(name for name, type_ in found.items() if type_ is float or type_ == float | None)
    return floats, tuple(name for name in found if name not in floats)


def _is_measured(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind not in _AS_TOLD and any(_measured(kind))
    return kind is float or any(map(_is_measured, get_args(kind)))


@cache
def _opening(kind: type) -> str:
    name = _TYPES.get(kind.__name__) or _BOUNDARY.sub("_", kind.__name__).lower()
    return f'{{"type":"{name}",'
