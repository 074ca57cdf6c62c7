"""What may stand in the sections of an `umwelten.toml`: the names, and the values that need no table.

`[defaults]` and `[profiles.…]` are read in `layers`, `[mcp.…]` in `mcp_sections`; here are the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args
from urllib.parse import urljoin, urlsplit

from umwelten.choices import OpenAIApi
from umwelten.config.option_types import MAX_CONCURRENCY, NO_LIMIT, VARIANT_NAME
from umwelten.config.problems import Problems
from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import ConfigError
from umwelten.pricing import Price, is_standard_tier, listed_providers
from umwelten.providers.capabilities import CapabilityOverrides
from umwelten.providers.protocol import Scope
from umwelten.providers.retired import retirement
from umwelten.providers.vendors import DIALECTS, VENDORS, WIRE_NAMES
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.tools.entries import BUILT_IN, ENTRY_FORMS, is_entry

SECTIONS = ("defaults", "providers", "prices", "groups", "variants", "profiles", "mcp", "tools")
ONE_OR_SEVERAL = (("base_url", "base_urls"), ("api_key_env", "keys"))
"""Keys of a provider that say the same, for one and for several: the later file's counts."""

_NO_RATES = ("request", "web_searches", "tiers")
_PRICE_KEYS = tuple(key for key in Price.__struct_fields__ if key not in _NO_RATES)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEDIA = {"images": "image", "audio": "audio", "video": "video"}
_EXAMPLES = {"image": "png", "audio": "wav", "video": "mp4"}
_SHORT = 12  # no key is as short


def unknown(word: str, known: Collection[str], where: str) -> ConfigError:
    """The error for a name that is not known there, with the nearest that is."""
    if ended := retirement(word):
        return ConfigError(f"{where}: {ended[0]}", ended[1])
    hint = did_you_mean(closest(word, known), "{!r}") or f"Known are: {', '.join(sorted(known))}."
    return ConfigError(f"{where}: {word!r} is not known", hint)


def _unknown_section(name: str, place: TomlPosition) -> ConfigError:
    """The error for a section that is none: a setting or a provider may stand outside of its section."""
    from umwelten.config.options import BY_KEY  # its types are those of sections too

    where, key = place.at(name), name.replace("-", "_")
    if name in VENDORS and closest(name, SECTIONS) is None:
        return ConfigError(f"{where}: {name!r} is no section", f"Write it as [providers.{name}].")
    setting = key if key in BY_KEY else closest(key, BY_KEY)
    if setting is None or closest(name, SECTIONS) is not None:
        return unknown(name, SECTIONS, where)
    return ConfigError(
        f"{where}: {name!r} is no section", f"Settings go below the line [defaults]: {setting} = …"
    )


def check_sections(data: dict[str, Any], place: TomlPosition, problems: Problems) -> None:
    """Keep what cannot be meant as problems, by file, line and section, and take the rows at fault out."""
    for name, section in list(data.items()):
        if name not in SECTIONS:
            problems.add(_unknown_section(name, place))
        elif not isinstance(section, dict):
            hint = f"Write it as [{name}]."
            problems.add(ConfigError(f"{place.at(name)}: {name} must be a section", hint))
        else:
            if name in _CHECKS:
                check_rows(section, place.below(name), _CHECKS[name], problems)
            continue
        del data[name]


Check = Callable[[str, Any, TomlPosition, Problems], None]
"""Looks at a row of a section: raises what ends the look, keeps what does not."""


def check_rows(section: dict[str, Any], place: TomlPosition, check: Check, problems: Problems) -> None:
    """Check the rows of a section, and take out those that cannot be meant."""
    for key, row in list(section.items()):
        before = len(problems)
        with problems.keeping():
            check(key, row, place, problems)
        if len(problems) > before:
            del section[key]
            problems.leave_out(key)


def _check_provider(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    place, before = section.below(name), len(problems)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{place}: a provider's name is made of a-z, 0-9, '.', '_' and '-'")
    check_table(row, place)
    for key, value in row.items():
        with problems.keeping():
            _check_provider_key(key, value, place)
    if len(problems) == before:
        _check_provider_keys(name, row, place)


def _check_provider_key(key: str, value: Any, place: TomlPosition) -> None:
    if key in ("api_key", "key", "token"):
        raise ConfigError(
            f"{place.at(key)}: keys are not kept in this file",
            'Put the key in .env or the environment, and name the variable: api_key_env = "MY_API_KEY".',
        )
    if key not in PROVIDER_KEYS:
        raise unknown(key, PROVIDER_KEYS, place.at(key))
    if key == "capabilities":
        _check_capabilities(value, place)
    elif key in _PROVIDER_NAMES:
        _check_name(key, value, _PROVIDER_NAMES[key](), place)
    elif (problem := _PROVIDER_CHECKS[key](value)) is not None:
        raise ConfigError(f"{place.at(key)}: {key} {problem}")


def _check_provider_keys(name: str, row: Any, place: TomlPosition) -> None:
    """Check the keys together."""
    for one, several in ONE_OR_SEVERAL:
        if one in row and several in row:
            raise ConfigError(
                f"{place.at(several)}: {one} and {several} exclude each other", f"Keep {several}."
            )
    if "like" in row and name in VENDORS:
        raise ConfigError(
            f"{place.at('like')}: {name} is known already", "like is for a provider with a new name."
        )


def _check_name(key: str, value: Any, known: Collection[str], place: TomlPosition) -> None:
    """Only what is short or nearly a name is repeated: a key may stand here by mistake."""
    if isinstance(value, str) and value in known:
        return
    if isinstance(value, str) and retirement(value):
        raise unknown(value, known, f"{place.at(key)}: {key}")
    near = closest(value, known) if isinstance(value, str) else None
    shown = f"is {value!r} and " if near or (isinstance(value, str) and len(value) <= _SHORT) else ""
    raise ConfigError(
        f"{place.at(key)}: {key} {shown}must be one of {', '.join(known)}",
        did_you_mean(near, "{!r}") or None,
    )


def _check_capabilities(table: Any, section: TomlPosition) -> None:
    place = section.below("capabilities")
    check_table(table, place)
    for key, value in table.items():
        if key not in CapabilityOverrides.__struct_fields__:
            raise unknown(key, CapabilityOverrides.__struct_fields__, place.at(key))
        if key == "pdf":
            problem = _switch(value)
        elif key in _MEDIA:
            problem = _media(_MEDIA[key], value)
        else:
            problem = None if type(value) is int and value > 0 else "must be a whole number, 1 or more"
        if problem is not None:
            raise ConfigError(f"{place.at(key)}: {key} {problem}")


def _media(family: str, value: Any) -> str | None:
    types = value if isinstance(value, list) else [] if isinstance(value, bool) else [None]
    if all(isinstance(mime, str) and re.fullmatch(rf"{family}/[a-z0-9.+-]+", mime) for mime in types):
        return None
    return f'must be true, false or a list of types such as ["{family}/{_EXAMPLES[family]}"]'


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a text in quotes"


def _path(value: Any) -> str | None:
    if (problem := _text(value)) is not None:
        return problem
    try:
        stays = urlsplit(urljoin("https://host/v1/", value))[:2] == ("https", "host")
    except ValueError:
        stays = False
    # Elsewhere, the key would go along.
    return None if stays else "must be a path below the address of the provider"


def _switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _range(value: Any) -> str | None:
    numbers: list[Any] = value if isinstance(value, list) and len(value) == 2 else [None]
    if all(type(n) is int for n in numbers) and 1 <= numbers[0] <= numbers[1] <= MAX_CONCURRENCY:
        return None
    return "must be two whole numbers from low to high, such as [2, 8]"


def _amount(value: Any) -> str | None:
    return (
        None
        if _is_number(value, 0.001, NO_LIMIT)
        else f"must be a number a minute, from 0.001 to {NO_LIMIT:,}"
    )


def _share(value: Any) -> str | None:
    return None if _is_number(value, 0.001, 1) else "must be a number from 0.001 to 1"


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _variables(value: Any) -> str | None:
    names = value if isinstance(value, list) else [value]
    named = bool(names) and all(isinstance(n, str) and _VARIABLE.fullmatch(n) for n in names)
    return None if named else "must name one or more environment variables, not the key itself"


def _keys(value: Any) -> str | None:
    if not isinstance(value, list) or _variables(value) is not None:
        return "must be a list of environment variables, one for each key, not the keys themselves"
    return None if len(set(value)) == len(value) else "must name each variable once"


def _addresses(value: Any) -> str | None:
    if not isinstance(value, list) or not value or any(_text(item) for item in value):
        return 'must be a list of addresses, such as ["http://a:8000/v1", "http://b:8000/v1"]'
    return None if len(set(value)) == len(value) else "must name each address once"


def _nicknames(value: Any) -> str | None:
    names = value if isinstance(value, list) else [None]
    named = all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
    return None if named else 'must be a list of names in small letters, such as ["kimi"]'


def _price_lists() -> Collection[str]:
    return ("none", *sorted(listed_providers()))


_PROVIDER_NAMES: Mapping[str, Callable[[], Collection[str]]] = {
    "like": lambda: VENDORS,
    "wire": lambda: WIRE_NAMES,
    "api": lambda: get_args(OpenAIApi),
    "scope": lambda: tuple(map(str, Scope)),
    "price_list": _price_lists,
    "hints": lambda: DIALECTS,
}
"""Keys whose value is one of several names."""

_PROVIDER_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "base_url": _text,
    "base_urls": _addresses,
    "api_key_env": _variables,
    "keys": _keys,
    "recommended": _range,
    "allow_insecure": _switch,
    "free": _switch,
    "orders_by_model": _switch,
    "models_path": _path,
    "nicknames": _nicknames,
    "rpm": _amount,
    "tpm": _amount,
    "share": _share,
}
"""What is wrong with the value of any other key. The value is not repeated: it may be a key by mistake."""

PROVIDER_KEYS = (*_PROVIDER_NAMES, *_PROVIDER_CHECKS, "capabilities")


def _check_price(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    place = section.below(name)
    if ":" not in name and "/" not in name:
        raise ConfigError(f"{place}: name the model as provider:model, or vendor/model at OpenRouter")
    _check_rates(row, place, problems)


def _check_rates(row: Any, place: TomlPosition, problems: Problems, *, is_tier: bool = False) -> None:
    """Check the rates of a model or of one of its service tiers, which stand in tables below the model's."""
    before = len(problems)
    check_table(row, place)
    for key, value in row.items():
        with problems.keeping():
            if isinstance(value, dict) and not is_tier and key not in _PRICE_KEYS:
                _check_tier(key, value, place, problems)
                continue
            if key not in _PRICE_KEYS:
                raise unknown(key, _PRICE_KEYS, place.at(key))
            if type(value) not in (int, float) or not 0 <= value < math.inf:
                raise ConfigError(f"{place.at(key)}: {key} must be USD per million tokens, 0 or more")
    for key in ("input", "output"):
        if key not in row and len(problems) == before:
            raise ConfigError(f"{place}: {key} is missing", "Give input and output, USD per million tokens.")


def _check_tier(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    if name != name.strip().lower():
        raise ConfigError(f"{section.at(name)}: a service tier's name is written in small letters")
    if is_standard_tier(name):
        raise ConfigError(f"{section.at(name)}: the standard tier's price stands in the model's own section")
    _check_rates(row, section.below(name), problems, is_tier=True)


def _check_group(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    where = section.at(name)
    _check_label(name, f"{where}: a group's name")
    names = row if isinstance(row, list) else [row]
    if not names or not all(isinstance(item, str) and item.strip(" ,") for item in names):
        raise ConfigError(
            f"{where}: {name} must be a list of models",
            f'Write it as {name} = ["ollama:gemma3:12b", "openai/gpt-5.4-mini"].',
        )


def _check_tool_list(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    where = section.at(name)
    _check_label(name, f"{where}: the name of a list of tools")
    entries = row if isinstance(row, list) else [row]
    if not entries or not all(isinstance(entry, str) and entry.strip() for entry in entries):
        raise ConfigError(
            f"{where}: {name} must be a list of tools", f'Write it as {name} = ["calculator", "rates.py"].'
        )
    for entry in entries:
        if not is_entry(entry):
            near = did_you_mean(closest(entry, BUILT_IN), "{!r}")
            raise ConfigError(f"{where}: tool {entry!r} is not known", near or f"{ENTRY_FORMS}.")


def _check_profile(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    place = section.below(name)
    _check_label(name, f"{place}: a profile's name")
    check_table(row, place)
    if "variants" in row:
        below = place.below("variants")
        check_table(row["variants"], below)
        check_rows(row["variants"], below, _check_variant, problems)


def _check_variant(name: str, row: Any, section: TomlPosition, problems: Problems) -> None:
    place = section.below(name)
    if not re.fullmatch(VARIANT_NAME, name):
        raise ConfigError(f"{place}: a variant's name is made of letters, digits, '_' and '-'")
    check_table(row, place)


def _check_label(name: str, what: str) -> None:
    if not _LABEL.fullmatch(name):
        raise ConfigError(f"{what} is made of letters, digits, '.', '_' and '-'")


def check_table(row: Any, place: TomlPosition) -> None:
    """Raise `ConfigError` unless it is a section."""
    if not isinstance(row, dict):
        raise ConfigError(f"{place} must be a section")


_CHECKS: Mapping[str, Check] = {
    "providers": _check_provider,
    "prices": _check_price,
    "groups": _check_group,
    "tools": _check_tool_list,
    "variants": _check_variant,
    "profiles": _check_profile,
}
