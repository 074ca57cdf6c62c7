"""The tools of an evaluation, from the options that name them."""

from __future__ import annotations

from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.tools.rules import ToolRules
from umwelten.tools.selection import select_tools
from umwelten.tools.toolbox import Toolbox
from umwelten.types import FrozenStruct


class ToolRun(FrozenStruct):
    """How the tools of an evaluation are run: for how long, how many at a time, and which not at all."""

    toolbox: Toolbox
    timeout_s: float = 30.0
    concurrency: int = 32
    rules: ToolRules = ToolRules()


_ALONE = ("max_steps", "tool_choice", "tool_timeout_s", "tool_concurrency", "allow", "deny")


def open_tools(settings: Settings) -> ToolRun | None:
    """Return the tools that models may call, with their servers started; `None`: there are none.

    Raises `UsageError` for a tool that is not known, and for options of tools without any.
    """
    entries = settings.get("tools") or ()
    if not entries:
        idle = next((name for name in _ALONE if name in settings.given), None)
        if idle is not None:
            raise UsageError(
                Phrase("{option:{name}} is about tools, and none are offered", name=idle),
                Phrase("Name some: {option:tools=calculator}."),
                argument=idle,
            )
        return None
    toolbox = Toolbox(select_tools(entries))
    return ToolRun(
        toolbox=toolbox,
        timeout_s=settings.get("tool_timeout_s"),
        concurrency=settings.get("tool_concurrency"),
        rules=ToolRules(settings.get("allow") or (), settings.get("deny") or ()),
    )
