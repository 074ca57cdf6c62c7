"""The answers of `eval run` on stdout, as their calls finish.

With one call there is the bare answer, so that it can be piped on; with several each stands under a
line `==> provider:model <==` (with ` (2)` for the second repeat), a blank line before the next.
Control characters are shown as escapes (`\\x1b`), into a pipe as well: what is piped is often printed
in the end. The answers as they came are in the text files and the JSON report.

On a terminal and with one call at a time the answer appears as it is written. Otherwise, and into a
pipe, an answer is printed once it is complete: whole, never mixed with another, never half of a failed
attempt. Calls that fail print nothing here; the summary on stderr names them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Protocol, TextIO

from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallSucceeded,
    Event,
    LaneStopped,
    RunStarted,
    StepEnded,
    TextArrived,
)
from umwelten.report.models import CallResult, model_label
from umwelten.text.sanitize import one_line, safe

_PASSED_ON_S = 0.25
"""So long `tee` and its like may take to print what they are sent; if longer, the bar were hardly seen."""


class Hold(Protocol):
    """`Progress.hold`."""

    def __call__(self, after_s: float = 0.0) -> AbstractContextManager[None]: ...


def _no_hold(after_s: float = 0.0) -> AbstractContextManager[None]:
    return nullcontext()


class AnswerPrinter:
    """An observer that prints answers; it comes before the progress.

    `hold` is the progress's: it keeps the bar away while text goes to the same terminal. `prompts` are the
    names of the prompts by the number of a call's model, "" where there is one alone.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        hold: Hold = _no_hold,
        prompts: Mapping[int, str] = {},
    ) -> None:
        self._out, self._hold, self._prompts = out, hold, prompts
        self._terminal = out.isatty()
        self._passed_on = not self._terminal and _is_passed_on(out)
        self._bare = self._live = False
        self._printed = 0
        self._open: int | None = None
        self._shown: set[int | None] = set()  # on the screen, not yet known to be stored
        self._carried, self._fresh_line = "", True
        self._holding = ExitStack()

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._bare = event.total == 1
                alone = event.max_concurrency == 1 or event.total - event.done == 1
                self._live = self._terminal and alone
            case TextArrived() if self._live:
                self._stream(event)
            case StepEnded() if self._open == event.call.id:
                self._cut_off(f"calls {one_line(', '.join(event.tools), 120)}" if event.tools else "goes on")
            case AttemptFailed() if self._open == event.call.id:
                self._cut_off("cut off; trying again")
            case CallFailed() if self._open == event.call.id:
                self._cut_off("cut off")
            case LaneStopped() if self._open is not None:
                self._cut_off("cut off; the provider is unavailable")
            case CallSucceeded() if self._open == event.call.id:
                self._finish()
            case CallSucceeded() if event.call.id in self._shown:
                self._shown.remove(event.call.id)
            case CallSucceeded():
                self._whole(self._label(event), event.call.repeat, event.reply.text)

    def stored(self, results: Iterable[CallResult]) -> None:
        """Print answers of earlier runs: those in `results` that succeeded."""
        for result in results:
            if result.response is not None:
                self._whole(result.label, result.repeat, result.response)

    def close(self) -> None:
        """End a line that was begun, when a run is broken off."""
        if self._open is not None:
            self._finish()

    def _whole(self, model: str, repeat: int, text: str) -> None:
        with self._away():
            self._out.write(self._heading(model, repeat) + safe(text).rstrip("\n") + "\n")
            self._out.flush()

    def _away(self) -> AbstractContextManager[None]:
        """Keep the bar away from what is printed, by us or by what reads our pipe (`| tee answers.txt`)."""
        if self._passed_on:
            return self._hold(_PASSED_ON_S)
        return self._hold() if self._terminal else nullcontext()

    def _stream(self, event: TextArrived) -> None:
        if self._open not in (None, event.call.id):
            # One answer is complete before the next begins; the event that it is stored comes a little later.
            self._shown.add(self._open)
            self._finish()
        if self._open is None:
            self._holding.enter_context(self._hold())
            self._open = event.call.id
            self._out.write(self._heading(self._label(event), event.call.repeat))
        text = self._carried + event.text
        # A carriage return may be half of a line end whose other half is still on its way.
        self._carried = "\r" if text.endswith("\r") else ""
        text = safe(text.removesuffix("\r"))
        if text:
            self._out.write(text)
            self._fresh_line = text.endswith("\n")
        self._out.flush()

    def _label(self, event: CallSucceeded | TextArrived) -> str:
        return model_label(str(event.model), self._prompts.get(event.call.model) or None)

    def _heading(self, model: str, repeat: int) -> str:
        before = "\n" if self._printed else ""
        self._printed += 1
        if self._bare:
            return before
        number = f" ({repeat})" if repeat > 1 else ""
        return f"{before}==> {one_line(model, 120)}{number} <==\n"

    def _cut_off(self, word: str) -> None:
        self._out.write(("" if self._fresh_line else "\n") + f"[{word}]")
        self._fresh_line = False
        self._finish()

    def _finish(self) -> None:
        if not self._fresh_line:
            self._out.write("\n")
        self._out.flush()
        self._open, self._carried, self._fresh_line = None, "", True
        self._holding.close()


def _is_passed_on(out: TextIO) -> bool:
    """Return whether another program reads what is printed, which may show it on the terminal of the bar."""
    with suppress(OSError, ValueError):
        mode = os.fstat(out.fileno()).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return False
