"""The tools that come with umwelten: without files, network or dice, so that every run gives the same."""

from __future__ import annotations

import importlib

from umwelten.tools.entries import ALIASES, BUILT_IN
from umwelten.tools.functions import FunctionTool
from umwelten.tools.tool import Tool

SOURCE = "built-in"


def built_in_tool(name: str) -> Tool | None:
    """Return the built-in tool of this name or alias, `None` where there is none.

    Each is a function in the module of its name.
    """
    name = ALIASES.get(name, name)
    if name not in BUILT_IN:
        return None
    return FunctionTool(getattr(importlib.import_module(f"{__name__}.{name}"), name), source=SOURCE)
