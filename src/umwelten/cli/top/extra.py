"""Whether the extra `ui` is installed."""

from __future__ import annotations

import importlib


def has_textual() -> bool:
    """Return whether Textual is installed, and can be imported."""
    try:
        importlib.import_module("textual.app")
    except ImportError:
        return False
    return True
