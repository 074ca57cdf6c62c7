"""Text as part of a pattern of SQL's LIKE, for `ESCAPE '\\'`."""

from __future__ import annotations


def literal(text: str) -> str:
    """Return what stands for the text itself in a pattern: `%` and `_` are none of its wildcards."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
