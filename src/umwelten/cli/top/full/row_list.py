"""A table of which one row is under the cursor, fitted to the width of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from umwelten.cli.top import cells


class Row(NamedTuple):
    """A row. `key` tells it from others while cells change."""

    key: str
    cells: tuple[str, ...]
    style: str = ""


class RowList(Widget, can_focus=True):
    """Rows of plain text: nothing in a cell is markup. It is as high as its rows, where there is room.

    Textual's own table takes cells for markup, and is wider than the terminal where names are long.
    """

    DEFAULT_CSS = "RowList { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Chosen(Message):
        """Enter was pressed on a row."""

        def __init__(self, rows: RowList, key: str) -> None:
            super().__init__()
            self.rows, self.key = rows, key

        @property
        def control(self) -> RowList:
            """Return the list."""
            return self.rows

    def __init__(self, titles: Sequence[str], *, id: str) -> None:
        super().__init__(id=id)
        self._titles = titles
        self._rows: tuple[Row, ...] = ()
        self._cursor, self._first = 0, 0

    @property
    def key(self) -> str | None:
        """Return the key of the row under the cursor; `None` without rows."""
        return self._rows[self._cursor].key if self._rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows. The cursor stays with its row."""
        new = tuple(rows)
        if new == self._rows:
            return
        key, more = self.key, len(new) != len(self._rows)
        keys = [row.key for row in new]
        self._rows = new
        self._cursor = keys.index(key) if key in keys else max(0, min(self._cursor, len(new) - 1))
        self.refresh(layout=more)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it would fill."""
        return len(self._rows) + 1

    def render(self) -> Text:
        """Draw the titles, and the rows around the cursor that there is room for."""
        width, height = self.size
        room = max(1, height - 1)
        self._first = max(0, min(self._first, self._cursor, len(self._rows) - room))
        self._first = max(self._first, self._cursor - room + 1)
        shown = self._rows[self._first : self._first + room]
        lines = list(cells.table(self._titles, [row.cells for row in shown], width))
        text = Text(no_wrap=True, overflow="crop", end="")
        text.append(lines[0], "bold" if self.has_focus else "dim")
        for at, (line, row) in enumerate(zip(lines[1:], shown, strict=True), self._first):
            style = f"{row.style} reverse" if at == self._cursor and self.has_focus else row.style
            text.append("\n").append(line, style.strip() or None)
        return text

    # --- keys and the mouse --------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(self._cursor + by, len(self._rows) - 1))
        self.refresh()

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen."""
        self.action_move(by * max(1, self.size.height - 1))

    def action_choose(self) -> None:
        """Say that the row under the cursor is chosen."""
        if self.key is not None:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there."""
        self._cursor = max(0, min(self._first + event.y - 1, len(self._rows) - 1))
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down."""
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up."""
        self.action_move(-1)

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide it."""
        self.refresh()
