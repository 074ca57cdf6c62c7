"""Whether the extra `ui` is installed."""

from __future__ import annotations

import importlib.util


def has_textual() -> bool:
    """Return whether Textual is installed."""
    return importlib.util.find_spec("textual") is not None
