"""Whether a value that an evaluation has stored is one that an option can have.

The database may come from a stranger. A list of commands given as a table, say, would be none to whoever asks
what the options demand (`option_demands`), and still be one to whoever starts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from umwelten.config.declaration import Option
from umwelten.config.option_types import PlainText

_TEXTS = ("prompt", "system")


def can_have(option: Option, value: Any) -> bool:
    """Return whether reading the value again would give the same: then it is one of the option's."""
    if value is None:
        return option.default is None
    if isinstance(value, PlainText):
        # A file of one list of messages is kept as the text of its only prompt.
        return option.name in (*_TEXTS, "prompts")
    if isinstance(value, Mapping):
        fits = _TABLES.get(option.name)
        return fits is not None and all(map(fits, value.values()))
    if option.name in (*_TEXTS, "schema"):
        return isinstance(value, str)
    if option.name in _TABLES and not (option.name == "prompts" and isinstance(value, Path)):
        return False
    if isinstance(value, list | tuple):
        items = (str,) if option.type.paths is None or option.name == "tools" else (str, Path)
        if not option.type.repeatable or not all(isinstance(each, items) for each in value):
            return False
    elif isinstance(value, Path) and option.type.paths is None:
        return False
    if option.name == "rows" and not isinstance(value, Path):
        return False  # those of a program are no value that is stored
    return any(_is_same(read, value) for read in (option.type.read, option.type.read_argument) if read)


def _is_same(read: Callable[[Any], Any], value: Any) -> bool:
    with suppress(ValueError, TypeError):
        found = read(value)
        if isinstance(value, list | tuple):
            return isinstance(found, list | tuple) and tuple(found) == tuple(value)
        numbers = isinstance(value, int | float) and not isinstance(value, bool)
        kinds = (int, float) if numbers else type(value)
        return isinstance(found, kinds) and bool(found == value)
    return False


def _is_json(value: Any) -> bool:
    """As fields of a request are: `_value` of nothing else is a path or a text of ours."""
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float)


_TABLES: Mapping[str, Callable[[Any], bool]] = {
    "params": _is_json,
    "prompts": lambda value: isinstance(value, str),
    "variants": lambda value: isinstance(value, Mapping),
    "provider_concurrency": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "rate": lambda value: isinstance(value, str),
}
