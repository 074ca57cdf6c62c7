"""Progress for programs: one event per line on stderr, each a JSON object.

`type` comes first and is the event's name in snake case: `run_started`, `grown`, `call_started`,
`text_arrived`, `attempt_failed`, `attempt_dropped`, `step_ended`, `tool_started`, `tool_ended`,
`call_succeeded`, `call_failed`, `calls_requeued`, `run_changed`, `lane_stopped`, `model_stopped`,
`lane_waiting`, `lane_resumed`, `limit_changed`, `note`, `run_finished`; the last line is `summary`
(`report.run_summary.RunSummary`). The other keys are the fields of that event in `umwelten.events`, nested
values likewise: a model is `{"provider", "model"}`, of a variant also `"variant"`, a call
`{"id", "model", "input", "repeat"}`, an answer `{"text", "finish_reason", "usage", …}`. Durations are
seconds, money is nano-USD (`…_nusd`), except in the summary (`…_usd`); `null` is "not known".

    {"type":"run_started","id":"demo","total":50,"done":0,"models":[{"provider":"ollama",…}],…}
    {"type":"call_succeeded","call":{"id":…},"model":{…},"lane":"ollama","reply":{"text":"…"},…}

Events hold no keys or headers of requests, so none can occur here.
"""

from __future__ import annotations

import re
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TextIO

import msgspec

from umwelten.cli.json_output import encode
from umwelten.cli.progress.board import View
from umwelten.events import Event
from umwelten.text.sanitize import json_safe

# What is not an event; the names are promises, whatever the classes are called.
_TYPES = {"RunSummary": "summary"}
_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])")


class JsonProgress:
    """Writes every event as it comes."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr, self._lock = stderr, threading.Lock()

    def __call__(self, event: Event) -> None:
        line = as_line(event)
        with self._lock:
            self._stderr.write(line)
            self._stderr.flush()

    def start(self, view: View) -> None:
        """Nothing to do: events say it all."""

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        """Nothing to do."""


def as_line(value: msgspec.Struct) -> str:
    """Return the value as a JSON object on one line with its newline; `type` names the event."""
    return json_safe(_opening(type(value)) + encode(value)[1:].decode()) + "\n"


@cache
def _opening(kind: type) -> str:
    name = _TYPES.get(kind.__name__) or _BOUNDARY.sub("_", kind.__name__).lower()
    return f'{{"type":"{name}",'
