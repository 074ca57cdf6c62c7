"""Foreign text on a terminal: model answers, provider messages and file names pass through here."""

from __future__ import annotations

from umwelten.report.inert import one_line, safe

__all__ = ["one_line", "safe"]
