"""The tool `now`: the time at which a call was first started, so that a resumed call sees the same."""

from __future__ import annotations

import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from umwelten.text.suggestions import closest, did_you_mean
from umwelten.tools.tool import ToolContext, ToolError, tool


@tool(version="1", read_only=True)
def now(
    context: ToolContext,
    timezone: Annotated[str, "An IANA time zone such as Europe/Berlin."] = "UTC",
) -> str:
    """Return the current date, time and day of the week in a time zone."""
    at = datetime.datetime.fromtimestamp(int(context.started_at), _zone(timezone))
    return f"{at.isoformat()} ({at:%A}, {timezone})"


def _zone(name: str) -> datetime.tzinfo:
    if name.upper() in ("UTC", "Z", "GMT"):
        return datetime.UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a path, a folder, a name of bytes
        near = did_you_mean(closest(name[:80], available_timezones(), ignore_case=True))
        text = f"there is no time zone {name[:80]!r}. {near}".strip()
        raise ToolError(f"{text} Give an IANA name such as Europe/Berlin, or UTC.") from None
