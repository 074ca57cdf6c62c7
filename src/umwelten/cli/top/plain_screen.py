"""The screen without Textual: the runs, one of them in full, and four keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from umwelten.cli.top import actions, cells
from umwelten.cli.top.actions import Asked
from umwelten.cli.top.keyboard import Keyboard
from umwelten.cli.top.watched import POLL_S, RunWatcher, Seen
from umwelten.live.client import Key
from umwelten.text.sanitize import one_line

KEYS = "p pause/resume   + - ceiling   x stop   q leave"
INSTALL = "more keys and lists: pip install 'umwelten[ui]'"
_ASK = "stop {}? y: calls in flight may end (10 s)   c: cancel them   any other key: no"
_LEAST_ROWS = 3
"""Of models and of lanes each, where there is room for neither."""


class PlainScreen:
    """Draws the runs, and does what keys say. `hint` stands beside the keys."""

    def __init__(self, watcher: RunWatcher, hint: str = "") -> None:
        self._watcher, self._hint = watcher, hint
        self._said: tuple[str, ...] = ()
        self._stopping: Seen | None = None
        self._selected: Key | None = None

    def show(self) -> None:
        """Show it until `q`, or until the terminal is gone."""
        console = Console(highlight=False, markup=False, emoji=False)
        with (
            Keyboard() as keyboard,
            Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
        ):
            while True:
                width, height = console.size
                live.update(Group(*self.lines(width, height)), refresh=True)
                key = keyboard.read(POLL_S)
                if key and not self.press(key):
                    return

    # --- keys --------------------------------------------------------------------------------

    def press(self, key: str) -> bool:
        """Do what a key says; returns whether to go on."""
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            if key in ("y", "c"):
                self._do(stopping, actions.stop(now=key == "c"))
            else:
                self._said = ("not stopped",)
            return True
        if key in ("q", "\x03"):
            return False
        if key in ("up", "down"):
            self._move(1 if key == "down" else -1)
        elif key in ("p", "+", "=", "-", "x"):
            self._change(key, self._chosen())
        return True

    def _change(self, key: str, seen: Seen | None) -> None:
        if seen is None or not seen.goes_on:
            self._said = ("it has ended",)
        elif key == "x":
            self._stopping = seen
        elif seen.state is None:
            self._said = ("it has not answered yet",)
        elif key == "p":
            self._do(seen, actions.pause(seen.state))
        else:
            self._do(seen, actions.step(seen.state, up=key != "-"))

    def _do(self, seen: Seen, asked: Asked) -> None:
        """Have it done in a thread: a run that is busy may take its time."""
        self._said = ("asked",)

        def work() -> None:
            told = actions.tell(seen.run, asked)
            self._said = told.text, told.command

        threading.Thread(target=work, name="top-change", daemon=True).start()

    def _chosen(self) -> Seen | None:
        """Return the run that keys are about: the one that was selected, else the first."""
        runs = self._watcher.look()
        chosen = next((seen for seen in runs if seen.key == self._selected), runs[0] if runs else None)
        if chosen is not None:
            self._selected = self._watcher.looked_at = chosen.key
        return chosen

    def _move(self, by: int) -> None:
        keys = [seen.key for seen in self._watcher.look()]
        if self._selected in keys:
            at = keys.index(self._selected) + by
            self._selected = keys[max(0, min(at, len(keys) - 1))]

    # --- what is drawn -----------------------------------------------------------------------

    def lines(self, width: int, height: int) -> list[Text]:
        """Return the whole screen; never more lines than it has."""
        chosen, runs = self._chosen(), self._watcher.look()
        foot = self._foot(chosen, width)
        room = height - len(foot)
        lines: list[Text] = []
        if len(runs) > 1:
            lines += self._runs(runs, width, max(3, room // 3))
        if chosen is not None:
            first, *more = cells.head(chosen)
            lines += [_text(first, "bold red" if chosen.is_dead else "bold"), *map(_text, more)]
            if chosen.state is not None:
                lines += self._tables(chosen, width, room - len(lines))
        lines = lines[:room] + [Text("")] * max(0, room - len(lines))
        return lines + foot

    def _runs(self, runs: Sequence[Seen], width: int, room: int) -> list[Text]:
        at = [seen.key for seen in runs].index(self._selected) if self._selected is not None else 0
        first = max(0, min(at - room + 3, len(runs) - room + 2))
        shown = runs[first : first + max(1, room - 2)]
        rows = [cells.run_row(seen) for seen in shown]
        table = list(cells.table(cells.RUN_TITLES, rows, width))
        styles = ["reverse" if seen.key == self._selected else "dim" * seen.is_dead for seen in shown]
        lines = [_text(table[0], "dim"), *map(_text, table[1:], styles)]
        hidden = len(runs) - len(shown)
        return [*lines, _text(f"{hidden} more runs: up, down" if hidden else "", "dim")]

    def _tables(self, seen: Seen, width: int, room: int) -> Iterator[Text]:
        state = seen.state
        if state is None:
            return
        models, lanes = list(state.models), list(state.lanes)
        # Two titles and two blank lines; what waits comes first where not all have room.
        room = max(2 * _LEAST_ROWS, room - 4)
        for_models = min(len(models), max(_LEAST_ROWS, room // 2, room - len(lanes)))
        lanes.sort(key=lambda lane: lane.stopped is None and lane.wait is None and not lane.paused)
        yield from _section(cells.MODEL_TITLES, models, cells.model_row, width, for_models)
        yield from _section(cells.LANE_TITLES, lanes, cells.lane_row, width, room - for_models)

    def _foot(self, chosen: Seen | None, width: int) -> list[Text]:
        if self._stopping is not None:
            return [_text(_ASK.format(one_line(self._stopping.run.id, 40)), "bold reverse")]
        hint = f"{KEYS}   {self._hint}".rstrip()
        lines = [hint] if len(hint) <= width or not self._hint else [KEYS, self._hint]
        said = [_text(line, "bold") for line in self._said]
        return [*said, *(_text(line, "dim") for line in lines)]


def _section(
    titles: Sequence[str], items: Sequence[Any], row: Callable[[Any], list[str]], width: int, room: int
) -> Iterator[Text]:
    if not items:
        return
    shown, hidden = cells.fitting(items, room)
    table = list(cells.table(titles, [row(item) for item in shown], width))
    yield Text("")
    yield _text(table[0], "dim")
    for line, item in zip(table[1:], shown, strict=True):
        yield _text(line, cells.style(item))
    if hidden:
        yield _text(f"… {hidden} more", "dim")


def _text(line: str, style: str = "") -> Text:
    # A `Text`, never a string with markup: names and messages are anybody's.
    return Text(line, style=style, no_wrap=True, overflow="crop")
