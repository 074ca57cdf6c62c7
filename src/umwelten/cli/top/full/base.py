"""What the screens of runs have in common: keys that change a run, and the lines at the bottom."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from umwelten.cli.top import actions
from umwelten.cli.top.actions import Asked
from umwelten.cli.top.full.dialogs import Question, Setting
from umwelten.cli.top.watched import POLL_S, RunWatcher, Seen
from umwelten.errors import UsageError
from umwelten.evaluation.run_state import LaneState, ModelState
from umwelten.text.sanitize import one_line

_STOP = """\
Stop {}?

y       yes; calls in flight have 10 s to end
c       yes, and cancel them: they stay pending
n       no"""
_WIDTH = 300


class RunApp(App[None]):
    """The runs that the watcher knows. `said` is what came of the last key."""

    def __init__(self, watcher: RunWatcher) -> None:
        super().__init__()
        self.watcher = watcher
        self.said: tuple[str, ...] = ()

    def show_failures(self, screen: RunKeys, seen: Seen) -> None:
        """Show what failed in a run."""
        raise NotImplementedError

    def show_answers(self, seen: Seen) -> None:
        """Show a run's answers as they come."""
        raise NotImplementedError

    def back_to_runs(self) -> None:
        """Show all runs."""
        raise NotImplementedError


class RunKeys(Screen[None]):
    """A screen with a run under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", show=False),
        Binding("plus,equals_sign", "step(True)", show=False),
        Binding("minus", "step(False)", show=False),
        Binding("e", "edit", show=False),
        Binding("f", "failures", show=False),
        Binding("r", "retry", show=False),
        Binding("x", "stop", show=False),
        Binding("a", "answers", show=False),
    ]
    KEYS = "q leave  ? help  p pause  + - ceiling  e set  f failures  r retry  a answers  x stop"

    app: RunApp

    def on_mount(self) -> None:
        """Draw, and again four times a second."""
        self.draw()
        self.set_interval(POLL_S, self._tick)

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was in front."""
        self.draw()

    def _tick(self) -> None:
        if self.is_current:
            self.draw()

    def draw(self) -> None:
        """Show how things are now."""
        foot = said_text(self.app.said)
        set_text(self.query_one("#said", Static), foot)

    def target(self) -> Seen | None:
        """Return the run that keys are about."""
        raise NotImplementedError

    def part(self) -> LaneState | ModelState | None:
        """Return the lane or model that keys are about; `None` for the whole run."""
        return None

    # --- keys --------------------------------------------------------------------------------

    def _able(self) -> Seen | None:
        """Return the run if it can be changed; else say why not."""
        seen = self.target()
        if seen is None:
            return None
        if not seen.goes_on:
            self.say(f"{seen.run.id} {'is dead' if seen.is_dead else 'has ended'}")
        elif seen.state is None:
            self.say(f"{seen.run.id} has not answered yet")
        else:
            return seen
        return None

    def say(self, *lines: str) -> None:
        """Show what came of a key."""
        self.app.said = tuple(line for line in lines if line)
        self.draw()

    def ask(self, seen: Seen, asked: Asked) -> None:
        """Have a change made, in a thread: a run that is busy may take its time."""
        self.say("asked", actions.command(seen.run.id, asked.words))

        def work() -> None:
            told = actions.tell(seen.run, asked)
            self.app.said = told.text, told.command

        threading.Thread(target=work, name="top-change", daemon=True).start()

    def action_pause(self) -> None:
        """Pause or resume."""
        seen = self._able()
        if seen is not None and seen.state is not None:
            self.ask(seen, actions.pause(seen.state, self.part()))

    def action_step(self, up: bool) -> None:
        """Raise or lower a ceiling."""
        seen, part = self._able(), self.part()
        if seen is not None and seen.state is not None:
            self.ask(seen, actions.step(seen.state, part if isinstance(part, LaneState) else None, up=up))

    def action_retry(self) -> None:
        """Make failed calls again."""
        seen = self._able()
        if seen is not None:
            self.ask(seen, actions.retry())

    def action_stop(self) -> None:
        """Stop the run, after a question."""
        seen = self._able()
        if seen is None:
            return

        def answered(key: str | None) -> None:
            if key in ("y", "c"):
                self.ask(seen, actions.stop(now=key == "c"))
            else:
                self.say("not stopped")

        self.app.push_screen(Question(_STOP.format(one_line(seen.run.id, 60))), answered)

    def action_edit(self) -> None:
        """Set a value."""
        seen, part = self._able(), self.part()
        if seen is None or seen.state is None:
            return
        value = f"max-concurrency {seen.state.settings.get('max_concurrency', '')}"
        if isinstance(part, LaneState):
            value = f"provider-concurrency {one_line(part.name, 80)}={part.ceiling}"

        def typed(text: str | None) -> None:
            if not text:
                self.say("nothing was set")
                return
            try:
                asked = actions.typed_setting(text)
            except UsageError as error:
                self.say(error.message, error.hint or "")
            except ValueError as error:  # a quote that is not closed
                self.say(f"{text}: {error}")
            else:
                self.ask(seen, asked)

        self.app.push_screen(Setting(seen.run.id, value), typed)

    def action_failures(self) -> None:
        """Show what failed."""
        seen = self.target()
        if seen is not None:
            self.app.show_failures(self, seen)

    def action_answers(self) -> None:
        """Show answers as they come."""
        seen = self.target()
        if seen is not None:
            self.app.show_answers(seen)


def said_text(lines: Sequence[str]) -> Text:
    """Return what came of a key, to be drawn."""
    text = "\n".join(one_line(line, _WIDTH) for line in lines)
    return Text(text, "bold", no_wrap=True, overflow="ellipsis")


def set_text(widget: Static, text: Text) -> None:
    """Change a text if it is another one: drawing costs more than looking."""
    if getattr(widget, "_drawn", None) != text:
        widget._drawn = text  # type: ignore[attr-defined]
        widget.update(text)
