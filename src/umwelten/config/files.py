"""`umwelten.toml` and `.env`: where they are found, and what they say or where they are broken.

A line of a `.env` may hold a key, so no message repeats one.
"""

from __future__ import annotations

import difflib
import io
import math
import re
import tomllib
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from umwelten.config.options import MAX_CONCURRENCY
from umwelten.errors import ConfigError

TOML_NAME = "umwelten.toml"
_SECTIONS = ("defaults", "providers", "prices")
_PROVIDER_KEYS = (
    "wire",
    "base_url",
    "api_key_env",
    "scope",
    "recommended",
    "allow_insecure",
)
_PRICE_KEYS = ("input", "output", "cached", "cache_write")
_WIRES = ("openai", "gemini", "anthropic", "ollama")
_SCOPES = ("key", "key+model", "host")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def nearest(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder or the closest one above it."""
    folder = folder.absolute()
    return next((path for at in (folder, *folder.parents) if _is_file(path := at / name)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # above a folder that may not be looked into


def unknown(word: str, known: Collection[str], where: str) -> ConfigError:
    """The error for a name that is not known there, with the nearest that is."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(sorted(known))}."
    return ConfigError(f"{where}: {word!r} is not known", hint)


# --- umwelten.toml ---------------------------------------------------------------------------


def read_toml(path: Path) -> dict[str, dict[str, Any]]:
    """The sections of an `umwelten.toml`, their names and the providers' and prices' values checked.

    Raises `ConfigError` that names the file, and the line where it is broken.
    """
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = re.search(r"line (\d+)", str(error))
        line = told[1] if told else len(text.splitlines())  # it says "at end of document" instead
        raise ConfigError(f"{path}, line {line}: {str(error).partition(' (at')[0]}") from None
    for name, section in data.items():
        if name not in _SECTIONS:
            raise unknown(name, _SECTIONS, str(path))
        if not isinstance(section, dict):
            raise ConfigError(f"{path}: {name} must be a section", f"Write it as [{name}].")
    for name, row in data.get("providers", {}).items():
        _check_provider(name, row, f"{path}, [providers.{name}]")
    for name, row in data.get("prices", {}).items():
        _check_price(name, row, f'{path}, [prices."{name}"]')
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _check_provider(name: str, row: Any, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: a provider's name is made of a-z, 0-9, '.', '_' and '-'")
    _check_table(row, where)
    for key, value in row.items():
        if key in ("api_key", "key", "token"):
            raise ConfigError(
                f"{where}: keys are not kept in this file",
                'Put the key in .env or the environment, and name the variable: api_key_env = "MY_API_KEY".',
            )
        if key not in _PROVIDER_KEYS:
            raise unknown(key, _PROVIDER_KEYS, where)
        problem = _provider_problem(key, value)
        if problem:
            raise ConfigError(f"{where}: {key} {problem}")


def _provider_problem(key: str, value: Any) -> str | None:
    """What is wrong with a value. Only short words are repeated: a key may stand here by mistake."""
    match key:
        case "wire":
            return None if value in _WIRES else f"{_shown(value)}must be one of {', '.join(_WIRES)}"
        case "scope":
            return None if value in _SCOPES else f"{_shown(value)}must be one of {', '.join(_SCOPES)}"
        case "allow_insecure":
            return None if isinstance(value, bool) else "must be true or false"
        case "recommended":
            return None if _is_range(value) else "must be two whole numbers from low to high, such as [2, 8]"
        case "api_key_env":
            names = value if isinstance(value, list) else [value]
            named = bool(names) and all(isinstance(n, str) and _VARIABLE.fullmatch(n) for n in names)
            return None if named else "must name one or more environment variables, not the key itself"
    return None if isinstance(value, str) and value.strip() else "must be a text in quotes"


def _shown(value: Any) -> str:
    return f"is {value!r} and " if isinstance(value, str) and len(value) <= 12 else ""


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2 or any(type(n) is not int for n in value):
        return False
    return bool(1 <= value[0] <= value[1] <= MAX_CONCURRENCY)


def _check_price(name: str, row: Any, where: str) -> None:
    if ":" not in name and "/" not in name:
        raise ConfigError(f"{where}: name the model as provider:model, or vendor/model at OpenRouter")
    _check_table(row, where)
    for key, value in row.items():
        if key not in _PRICE_KEYS:
            raise unknown(key, _PRICE_KEYS, where)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ConfigError(f"{where}: {key} must be USD per million tokens, 0 or more")
    for key in ("input", "output"):
        if key not in row:
            raise ConfigError(f"{where}: {key} is missing", "Give input and output, USD per million tokens.")


def _check_table(row: Any, where: str) -> None:
    if not isinstance(row, dict):
        raise ConfigError(f"{where} must be a section")


def exact(number: float) -> Decimal:
    """The decimal number that was written, without the noise of binary fractions."""
    return Decimal(str(number))


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
    """Whether a line without a value is more than blank, a comment, or an `export NAME`."""
    text = binding.original.string.strip()
    return binding.key is not None and text.split()[:1] != ["export"]


def _line(binding: Binding) -> int:
    """The statement's own line: the parser counts the blank lines in front of it as its start."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
