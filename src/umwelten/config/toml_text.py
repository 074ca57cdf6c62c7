"""The text of a TOML file as data. Whatever is wrong with it is a `ConfigError` that names the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from umwelten.errors import ConfigError

_DEEPEST = 64
"""Levels of tables and lists: more than anybody needs, few enough for whoever walks them recursively."""

_LARGEST = 2**63
"""The format's own limit. More may be no float any more, wherever a number of any kind is taken."""


def parse_toml(text: str, path: Path, *, twice: str | None = None) -> dict[str, Any]:
    """Return what a file's text says. `twice` is the hint where a table or key stands there twice.

    Raises `ConfigError` that names the file, and the line if it is known.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        location = re.search(r"line (\d+)", str(error))
        line = location[1] if location else len(text.splitlines())  # it says "at end of document" instead
        message = f"{path}, line {line}: {str(error).partition(' (at')[0]}"
        raise ConfigError(message, twice if "declare" in str(error) else None) from None
    except ValueError:  # what int() says of more than 4,300 digits
        raise _too_large(path) from None
    except RecursionError:
        raise _too_deep(path) from None
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        if any(isinstance(one, int) and abs(one) > _LARGEST for one in level):
            raise _too_large(path)
        level = [one for each in level for one in _inside(each)]
        if not level:
            return data
    raise _too_deep(path)


def _too_deep(path: Path) -> ConfigError:
    return ConfigError(f"{path}: tables and lists are nested more than {_DEEPEST} levels deep")


def _too_large(path: Path) -> ConfigError:
    return ConfigError(f"{path} holds a whole number with too many digits", "TOML has those of 64 bits.")


def _inside(value: Any) -> Iterable[Any]:
    """What is in a table or list."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
