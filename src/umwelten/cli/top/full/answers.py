"""Answers as they come: the latest calls, each with the end of what is written."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from umwelten.cli.top.full.failures import one_call
from umwelten.cli.top.full.stream import Stream
from umwelten.cli.top.watched import POLL_S, Seen
from umwelten.errors import UmweltenError
from umwelten.live.client import RunError
from umwelten.text.sanitize import one_line, safe

_KEPT = 40
"""Calls whose answers are kept; more than a screen has room for."""

_TAIL = 4_000
"""Characters of an answer that are kept: its end is what is read."""

_LINES = 4
"""Of a call at least, its name among them."""


class Answers(Screen[None]):
    """The answers of a run. Those that do not come in pieces are shown once they are whole."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,a", "app.pop_screen", show=False),
        Binding("space", "hold", show=False),
    ]

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._run = seen.run
        self._stream = Stream(seen.run, text=True)
        self._calls: OrderedDict[int, list[str]] = OrderedDict()
        self._whole: deque[dict[str, Any]] = deque(maxlen=8)
        self._due = threading.Event()
        self._is_left, self._held = False, False

    def compose(self) -> ComposeResult:
        """Return its parts."""
        yield Static(
            Text(f"{one_line(self._run.id, 60)}: answers as they come", "bold", no_wrap=True), id="head"
        )
        yield Board(self._calls, id="board")
        yield Static(Text("space hold  escape back  q leave", no_wrap=True), id="keys")

    def on_mount(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="top-answers", daemon=True).start()
        self.set_interval(POLL_S, self._tick)

    def on_unmount(self) -> None:
        """Ask no more, so that the run pays no more for it."""
        self._is_left = True
        self._stream.close()
        self._due.set()

    def action_hold(self) -> None:
        """Stop drawing, so that what is there can be read; or go on."""
        self._held = not self._held

    def _tick(self) -> None:
        for name, facts in self._stream.take():
            if name == "text":
                self._add(facts["call"], facts["model"], facts["text"])
            elif name == "call_succeeded" and facts["call"] not in self._calls:
                self._whole.append(facts)
                self._due.set()
        if not self._held:
            self.query_one(Board).refresh()

    def _add(self, call: int, model: str, text: str) -> None:
        found = self._calls.setdefault(call, [model, ""])
        found[1] = (found[1] + text)[-_TAIL:]
        while len(self._calls) > _KEPT:
            self._calls.popitem(last=False)

    def _read(self) -> None:
        """Ask for whole answers, one after the other; where they come faster, for the latest."""
        while self._due.wait() and not self._is_left:
            self._due.clear()
            while self._whole and not self._is_left:
                facts = self._whole.pop()
                try:
                    row = one_call(self._run, facts["call"])
                except (RunError, UmweltenError, OSError):
                    continue
                if row is not None and row.get("answer"):
                    name = f"{facts['model']}  {facts['input'] or ''}"
                    self.app.call_later(self._add, facts["call"], name, row["answer"])
                self._due.wait(POLL_S / 4)


class Board(Widget):
    """The latest answers, one below the other."""

    DEFAULT_CSS = "Board { height: 1fr; }"

    def __init__(self, calls: OrderedDict[int, list[str]], *, id: str) -> None:
        super().__init__(id=id)
        self._calls = calls

    def render(self) -> Text:
        """Draw as many as there is room for."""
        width, height = self.size
        most = max(1, height // _LINES)
        latest = list(self._calls.items())[-most:]
        room = max(1, height // max(1, len(latest)) - 1)
        text = Text(no_wrap=True, overflow="crop", end="")
        for call, (model, said) in latest:
            text.append(f"{one_line(model, max(10, width - 12))}  {call}\n", "bold")
            lines = _wrapped(said, width)[-room:]
            text.append("".join(f"{line}\n" for line in lines))
        if not latest:
            text.append("Nothing yet.", "dim")
        return text


def _wrapped(said: str, width: int) -> list[str]:
    # Wide characters take two columns; what does not fit is cropped.
    lines = safe(said).replace("\t", "    ").split("\n")
    return [line[at : at + width] for line in lines if line for at in range(0, len(line), max(1, width))]
