"""Whether a program runs in a notebook. IPython is never imported for it: in a notebook it is there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def in_notebook() -> bool:
    """Return whether cells are run by a kernel, which shows what they display."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else getattr(ipython, "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def notebook_display() -> Callable[..., Any] | None:
    """Return IPython's `display` in a notebook, `None` elsewhere."""
    found: Callable[..., Any] | None = getattr(sys.modules.get("IPython.display"), "display", None)
    return found if in_notebook() else None
