"""`umwelten top` with Textual."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import ClassVar

from textual.binding import Binding, BindingType

from umwelten.cli.top.full.answers import Answers
from umwelten.cli.top.full.base import RunApp, RunKeys
from umwelten.cli.top.full.dialogs import HELP, TextScreen
from umwelten.cli.top.full.failures import FailureKinds
from umwelten.cli.top.full.runs import Overview, RunScreen
from umwelten.cli.top.watched import Seen


class TopApp(RunApp):
    """The screens over the runs that the watcher knows."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", show=False),
        Binding("ctrl+c,ctrl+q", "leave", show=False, priority=True),
        Binding("question_mark", "help", show=False),
    ]
    CSS = """
    #head { height: 2; }
    #models { max-height: 35%; margin-bottom: 1; }
    #lanes { max-height: 40%; margin-bottom: 1; }
    #runs, #rows { height: 1fr; }
    #log { height: 1fr; min-height: 2; scrollbar-size-vertical: 1; }
    #said { height: auto; max-height: 3; color: $text-accent; }
    #keys { height: 1; color: $text-muted; }
    FailureKinds #head, FailedCalls #head, Answers #head { height: 1; }
    """

    def on_mount(self) -> None:
        """Show the run, or all if there are several."""
        self._leave_by_signals()
        runs = self.watcher.look()
        self.push_screen(Overview())
        if len(runs) == 1:
            self.push_screen(RunScreen(runs[0]))

    def back_to_runs(self) -> None:
        """Show all runs, where there are others."""
        if self.watcher.is_of_one:
            self.said = ("this is the only run that is shown; umwelten top shows all",)
        else:
            self.watcher.looked_at = None
            self.pop_screen()

    def show_failures(self, screen: RunKeys, seen: Seen) -> None:
        """Show what failed in a run."""
        self.push_screen(FailureKinds(screen, seen))

    def show_answers(self, seen: Seen) -> None:
        """Show a run's answers as they come."""
        self.push_screen(Answers(seen))

    def action_leave(self) -> None:
        """Leave the screen; runs go on."""
        self.exit()

    def action_help(self) -> None:
        """Say what keys do."""
        if not isinstance(self.screen, TextScreen):
            self.push_screen(TextScreen("Keys", lambda: HELP))

    def _leave_by_signals(self) -> None:
        """Have the signals that end a process leave the screen, so that the terminal is as it was."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(getattr(signal, name), self.exit)
