"""How the library spells an option: `max_cost`, `resume=True`, `pdf="text"`."""

from __future__ import annotations

import json

NAMED = {"from": "from_", "param": "params", "timeout": "timeout_s"}
"""Arguments that are not called as their flag is."""

_SWITCHES = ("resume", "overwrite", "recursive", "coerce", "concurrent")


def as_argument(name: str, value: str | None = None) -> str:
    """The argument of an option, by its name in `config.options` or by its key."""
    argument = NAMED.get(name, name)
    if name in _SWITCHES:
        return f"{argument}=True"
    return argument if value is None else f"{argument}={_literal(value)}"


def _literal(value: str) -> str:
    is_number = value.replace(".", "", 1).isdecimal()
    return value if is_number else json.dumps(value, ensure_ascii=False)
