"""What may stand in the sections of an `umwelten.toml`: the names, and the values that need no table.

`[defaults]` and `[profiles.…]` are read in `layers`; here are the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from umwelten.config.option_types import MAX_CONCURRENCY
from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import ConfigError
from umwelten.text.suggestions import closest, did_you_mean

SECTIONS = ("defaults", "providers", "prices", "groups", "profiles")
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
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unknown(word: str, known: Collection[str], where: str) -> ConfigError:
    """The error for a name that is not known there, with the nearest that is."""
    hint = did_you_mean(closest(word, known), "{!r}") or f"Known are: {', '.join(sorted(known))}."
    return ConfigError(f"{where}: {word!r} is not known", hint)


def check_sections(data: Mapping[str, Any], place: TomlPosition) -> None:
    """Raise `ConfigError` for what cannot be meant, by its file, line and section."""
    for name, section in data.items():
        if name not in SECTIONS:
            raise unknown(name, SECTIONS, place.at(name))
        if not isinstance(section, dict):
            raise ConfigError(f"{place.at(name)}: {name} must be a section", f"Write it as [{name}].")
        check = _CHECKS.get(name)
        if check is not None:
            for key, row in section.items():
                check(key, row, place.below(name))


def _check_provider(name: str, row: Any, section: TomlPosition) -> None:
    place = section.below(name)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{place}: a provider's name is made of a-z, 0-9, '.', '_' and '-'")
    _check_table(row, place)
    for key, value in row.items():
        if key in ("api_key", "key", "token"):
            raise ConfigError(
                f"{place.at(key)}: keys are not kept in this file",
                'Put the key in .env or the environment, and name the variable: api_key_env = "MY_API_KEY".',
            )
        if key not in _PROVIDER_KEYS:
            raise unknown(key, _PROVIDER_KEYS, place.at(key))
        problem = _provider_problem(key, value)
        if problem:
            raise ConfigError(f"{place.at(key)}: {key} {problem}")


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


def _check_price(name: str, row: Any, section: TomlPosition) -> None:
    place = section.below(name)
    if ":" not in name and "/" not in name:
        raise ConfigError(f"{place}: name the model as provider:model, or vendor/model at OpenRouter")
    _check_table(row, place)
    for key, value in row.items():
        if key not in _PRICE_KEYS:
            raise unknown(key, _PRICE_KEYS, place.at(key))
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ConfigError(f"{place.at(key)}: {key} must be USD per million tokens, 0 or more")
    for key in ("input", "output"):
        if key not in row:
            raise ConfigError(f"{place}: {key} is missing", "Give input and output, USD per million tokens.")


def _check_group(name: str, row: Any, section: TomlPosition) -> None:
    where = section.at(name)
    _check_label(name, f"{where}: a group's name")
    names = row if isinstance(row, list) else [row]
    if not names or not all(isinstance(item, str) and item.strip(" ,") for item in names):
        raise ConfigError(
            f"{where}: {name} must be a list of models",
            f'Write it as {name} = ["ollama:gemma3:12b", "openai/gpt-4o-mini"].',
        )


def _check_profile(name: str, row: Any, section: TomlPosition) -> None:
    place = section.below(name)
    _check_label(name, f"{place}: a profile's name")
    _check_table(row, place)


def _check_label(name: str, what: str) -> None:
    if not _LABEL.fullmatch(name):
        raise ConfigError(f"{what} is made of letters, digits, '.', '_' and '-'")


def _check_table(row: Any, place: TomlPosition) -> None:
    if not isinstance(row, dict):
        raise ConfigError(f"{place} must be a section")


_CHECKS: Mapping[str, Callable[[str, Any, TomlPosition], None]] = {
    "providers": _check_provider,
    "prices": _check_price,
    "groups": _check_group,
    "profiles": _check_profile,
}
