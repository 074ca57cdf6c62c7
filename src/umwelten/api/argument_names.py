"""How the library spells an option: `max_cost`, `resume=True`, `pdf="text"`."""

from __future__ import annotations

import json

from umwelten.config.options import find_option


def as_argument(name: str, value: str | None = None) -> str:
    """The argument of an option, by its name in `config.options` or by its key."""
    option = find_option(name)
    if option is not None:
        name, switched = option.name, option.is_switch or (option.type.switch and value is not None)
        value = str(value != "no") if switched else value
    return name if value is None else f"{name}={_literal(value)}"


def _literal(value: str) -> str:
    is_literal = value in ("True", "False") or value.replace(".", "", 1).isdecimal()
    return value if is_literal else json.dumps(value, ensure_ascii=False)
