"""The options of function calling, for `option_fields`: flags, settings and arguments alike."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from umwelten.config import option_types as kinds
from umwelten.config import tool_types
from umwelten.config.declaration import Option, Section
from umwelten.phrases import Phrase
from umwelten.tools.mcp.given_server import GivenServer


class ToolOptions(TypedDict, total=False):
    """What models may call while they answer; `None` is the same as left out."""

    tools: Annotated[
        str | Sequence[str | Callable[..., Any] | GivenServer] | None,
        Option(
            tool_types.TOOLS,
            Section.TOOLS,
            "Tools that models may call, which run as you, with your files and network: calculator, "
            "statistics, random_number, now, FILE.py, FILE.py:NAME, mcp:SERVER, mcp:SERVER.TOOL, @LIST; "
            "repeatable.",
        ),
    ]
    mcp: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("COMMAND|URL"),
            Section.TOOLS,
            "An MCP server whose tools models may call: its address, or a command that starts it; "
            "repeatable.",
            place="profile",
        ),
    ]
    max_steps: Annotated[
        int | None,
        Option(
            kinds.integer(1, 100),
            Section.TOOLS,
            "Requests of one call at most; the last one may call no tools.",
            default=5,
        ),
    ]
    tool_choice: Annotated[
        str | None,
        Option(
            kinds.words("CHOICE", complete="tool_choices"),
            Section.TOOLS,
            "auto, none, any or a tool's name; the last two force a call in the first request only.",
            default="auto",
        ),
    ]
    tool_timeout_s: Annotated[
        float | None,
        Option(
            kinds.DURATION,
            Section.TOOLS,
            "For each call of a tool that has no limit of its own.",
            key="tool_timeout",
            default=30.0,
            default_text="30s",
        ),
    ]
    tool_concurrency: Annotated[
        int | None,
        Option(
            kinds.integer(1, 1000),
            Section.TOOLS,
            "Tools at work at a time, all together.",
            default=32,
        ),
    ]
    allow: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("PATTERN"),
            Section.TOOLS,
            Phrase(
                "Tools of MCP servers that are offered though they may change something, such as "
                "git.git_commit or fs.*; {option:deny} wins; repeatable."
            ),
        ),
    ]
    deny: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("PATTERN"),
            Section.TOOLS,
            "Tools that are offered but never run: the model is told so; repeatable.",
        ),
    ]
