"""`umwelten.toml` and `.env`: where they are found, and what they say or where they are broken.

A line of a `.env` may hold a key, so no message repeats one.
"""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import check_sections
from umwelten.errors import ConfigError
from umwelten.types import FrozenStruct

TOML_NAME = "umwelten.toml"


class TomlFile(FrozenStruct):
    """An `umwelten.toml` as it was read. Its relative paths start from `base`."""

    place: TomlPosition
    base: Path
    data: dict[str, dict[str, Any]]


def nearest(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder or the closest one above it."""
    folder = folder.absolute()
    return next((path for at in (folder, *folder.parents) if is_file(path := at / name)), None)


def is_file(path: Path) -> bool:
    """Return whether there is such a file, as far as this user may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_toml(path: Path, base: Path) -> TomlFile:
    """A file with its sections checked, but for the values of defaults and profiles.

    Raises `ConfigError` that names the file, and the line where it is broken.
    """
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        location = re.search(r"line (\d+)", str(error))
        line = location[1] if location else len(text.splitlines())  # it says "at end of document" instead
        raise ConfigError(f"{path}, line {line}: {str(error).partition(' (at')[0]}") from None
    place = TomlPosition(path=path, text=text)
    check_sections(data, place)
    return TomlFile(place=place, base=base, data=data)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


# --- .env ------------------------------------------------------------------------------------


def read_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env`; `${NAME}` is replaced from the environment, then from lines above.

    Raises `ConfigError` that names file and line, and never shows what stands there.
    """
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(_text(path))):
        if binding.error or (binding.value is None and _holds_something(binding)):
            raise ConfigError(f"{path}, line {_line(binding)}: not of the form NAME=value", _DOTENV_HINT)
        if binding.key is not None and binding.value is not None:
            known = {**found, **environ}
            found[binding.key] = "".join(atom.resolve(known) for atom in parse_variables(binding.value))
    return found


_DOTENV_HINT = "Check for a missing = or an open quote; the line is not shown, as it may hold a key."


def _holds_something(binding: Binding) -> bool:
    """Return whether a line without a value is more than blank, a comment, or an `export NAME`."""
    text = binding.original.string.strip()
    return binding.key is not None and text.split()[:1] != ["export"]


def _line(binding: Binding) -> int:
    """The statement's own line: the parser counts the blank lines in front of it as its start."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
