"""The tools of an evaluation, from the options that name them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording
from umwelten.tools.rules import ToolRules
from umwelten.tools.toolbox import Toolbox
from umwelten.types import FrozenStruct


class ToolNotes:
    """What the servers of tools let the user know, in whatever thread: kept where nobody listens."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._tell: Callable[[str], object] | None = None
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Tell it whoever listens."""
        with self._lock:
            (self._tell or self._kept.append)(text)

    def listen(self, tell: Callable[[str], object] | None) -> None:
        """Tell what is kept, and all that comes, in the threads that it comes from; `None`: keep it again."""
        with self._lock:
            self._tell = tell
            if tell is not None:
                for text in self._kept:
                    tell(text)
                self._kept.clear()


class ToolRun(FrozenStruct):
    """How the tools of an evaluation are run: for how long, how many at a time, and which not at all."""

    toolbox: Toolbox
    notes: ToolNotes
    timeout_s: float
    concurrency: int
    rules: ToolRules


_ALONE = ("max_steps", "tool_choice", "tool_timeout_s", "tool_concurrency", "allow", "deny")


def open_tools(settings: Settings, notes: list[Wording]) -> ToolRun | None:
    """Return the tools that models may call, with their servers started; `None`: there are none.

    Raises `UsageError` for a tool that is not known, and for options of tools without any; `ConfigError` for
    a server that does not start.
    """
    entries, commands = settings.get("tools") or (), settings.get("mcp") or ()
    if not entries and not commands:
        idle = next((name for name in _ALONE if name in settings.given), None)
        if idle is not None:
            raise UsageError(
                Phrase("{option:{name}} is about tools, and none are offered", name=idle),
                Phrase("Name some: {option:tools=calculator}."),
                argument=idle,
            )
        return None
    from umwelten.evaluation.toolboxes import open_toolbox  # slow to load, and most runs have no tools

    rules, heard = ToolRules(settings.get("allow") or (), settings.get("deny") or ()), ToolNotes()
    toolbox = open_toolbox(entries, settings, mcp=commands, rules=rules, on_note=heard.add)
    heard.listen(notes.append)
    heard.listen(None)
    if "deny" in settings.given:  # the patterns of a file are for many runs
        idle_rules = rules.idle(toolbox.tools)
        notes += (
            Phrase("{option:deny} {pattern} fits no tool of this run", pattern=each) for each in idle_rules
        )
    return ToolRun(
        toolbox=toolbox,
        notes=heard,
        timeout_s=settings.get("tool_timeout_s"),
        concurrency=settings.get("tool_concurrency"),
        rules=rules,
    )
