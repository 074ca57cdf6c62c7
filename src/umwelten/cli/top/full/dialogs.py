"""Questions, and texts to read, in front of a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from umwelten.cli.ctl.changes import KEYS
from umwelten.text.sanitize import safe

HELP = """\
up, down     move; tab goes to the other table
enter        of all runs: open one.  on a lane: its last limits, and why
p            pause or resume what is under the cursor: a lane, a model, or the whole run
+  -         raise or lower the ceiling of the lane, or of the run, by a quarter
e            set a value: max-concurrency, provider-concurrency, lane-rpm, max-cost, …
f            failures, grouped by kind; enter shows their messages and answers
r            make failed calls again
a            answers as they come
x            stop the run (asks first)
escape       back
q, Ctrl-C    leave; the run goes on

Every change is kept with the evaluation, and goes through the run's control channel: the lines at
the bottom show the umwelten ctl command that does the same."""


class TextScreen(Screen[None]):
    """A text that is looked at, with a title. `text` is asked for again while it is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,left", "app.pop_screen", show=False)]
    CSS = "TextScreen #title { height: 1; }  TextScreen #hint { height: 1; color: $text-muted; }"

    def __init__(self, title: str, text: Callable[[], str], every_s: float | None = None) -> None:
        super().__init__()
        self._title, self._text, self._every_s = title, text, every_s
        self._shown = ""

    def compose(self) -> ComposeResult:
        """Return its parts."""
        yield Static(Text(safe(self._title), "bold", no_wrap=True), id="title")
        with VerticalScroll():
            yield Static(id="text")
        yield Static(Text("escape: back   q: leave"), id="hint")

    def on_mount(self) -> None:
        """Show the text, and again as it changes."""
        self._show()
        if self._every_s is not None:
            self.set_interval(self._every_s, self._show)

    def _show(self) -> None:
        text = safe(self._text())
        if text != self._shown:
            self._shown = text
            self.query_one("#text", Static).update(Text(text))


class Question(ModalScreen[str]):
    """A question that is answered by one key: "y", "c", or others for no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('y')", show=False),
        Binding("c", "answer('c')", show=False),
        Binding("n,escape,q,x,enter,space", "answer('')", show=False),
    ]
    CSS = """
    Question, Setting { align: center middle; }
    Question > Vertical, Setting > Vertical {
        width: 72; max-width: 100%; height: auto;
        border: round $warning; padding: 0 1; background: $surface;
    }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Return its parts."""
        with Vertical():
            yield Static(Text(self._text))

    def action_answer(self, key: str) -> None:
        """Close it with an answer."""
        self.dismiss(key)


class Setting(ModalScreen[str]):
    """Asks for a setting and its value, as they are typed after `umwelten ctl ID set`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]
    CSS = Question.CSS

    def __init__(self, id_: str, value: str) -> None:
        super().__init__()
        self._run_id, self._value = id_, value

    def compose(self) -> ComposeResult:
        """Return its parts."""
        with Vertical():
            yield Static(
                Text(f"umwelten ctl {safe(self._run_id)} set …   enter: do it   escape: back", no_wrap=True)
            )
            yield Input(self._value, select_on_focus=False)
            yield Static(Text(f"{', '.join(KEYS)}\nFor example: lane-rpm openai 300"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close it with what was typed."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Close it without."""
        self.dismiss("")
