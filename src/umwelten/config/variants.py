"""Named settings of models: `[variants.cool]` in `umwelten.toml`, which `--models openai:m@cool` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from umwelten.config.declaration import Option
from umwelten.config.files import TomlFile
from umwelten.config.layers import Layer, Value, keys, read_layer, rebase_values, section_layer
from umwelten.config.options import BY_KEY, OPTIONS
from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import Parameters

Variants = Mapping[str, Mapping[str, Value]]
"""The values of each variant by the options' names."""

_NAMES = ("system", *(name if name != "extra" else "params" for name in Parameters.__struct_fields__))
VARIANT_KEYS = tuple(OPTIONS[name].key for name in _NAMES)
"""The keys of the options that a variant may set: whatever of a request is the same for all inputs."""


def with_variants(known: Variants, file: TomlFile, *profile: str) -> Variants:
    """The variants with those of one more file: what it says wins, key by key.

    `profile`: the table that they stand in, `profiles` and its name, where that is not the file itself.
    """
    table: Any = file.data
    for name in profile:
        table = table.get(name, {})
    place = file.place.below(*profile) if profile else file.place
    found = {
        name: _read(section, place.below("variants", name), file)
        for name, section in table.get("variants", {}).items()
    }
    return merge(known, found)


def merge(known: Variants, above: Variants) -> Variants:
    """The variants of both: where both say something, the second counts, key by key."""
    return {**known, **{name: {**known.get(name, {}), **values} for name, values in above.items()}}


def _read(section: Mapping[str, Any], place: TomlPosition, file: TomlFile) -> dict[str, Value]:
    field = 'Any other field of a request goes in param: param = { reasoning_effort = "low" }.'
    spelt = keys(section, place, VARIANT_KEYS, file.problems, more=field)
    layer = section_layer(file, place, str(file.place.path), spelt)
    read = read_layer({key: section[written] for key, written in spelt.items()}, layer)
    return rebase_values(read.values, file.base)


def given_variants(given: Mapping[str, Mapping[str, Any]], layer: Layer) -> Variants:
    """The variants that a flag or an argument gives: raw values by the names or keys of their options.

    Raises `UsageError` for a setting that no variant has, and for a value that it can't have.
    """
    return {
        name: {
            (option := _option(name, key)).name: _value(name, option, raw, layer)
            for key, raw in settings.items()
            if raw is not None
        }
        for name, settings in given.items()
    }


def _option(variant: str, key: str) -> Option:
    option = OPTIONS.get(key) or BY_KEY.get(key)
    if option is None or option.name not in _NAMES:
        raise UsageError(
            Phrase(
                "{option:variants}: {key!r} of {variant!r} is not a setting of a variant",
                key=key,
                variant=variant,
            ),
            did_you_mean(closest(key, VARIANT_KEYS)) or f"Known are {', '.join(VARIANT_KEYS)}.",
            argument="variants",
        )
    return option


def _value(variant: str, option: Option, raw: Any, layer: Layer) -> Value:
    read = option.type.read_argument if layer.arguments else None
    try:
        return Value(value=(read or option.type.read)(raw), source=layer.source("variants"))
    except ValueError as problem:
        _refuse(variant, option, raw, str(problem))


def _refuse(variant: str, option: Option, raw: Any, problem: str) -> NoReturn:
    message = Phrase(
        "{option:variants}: {raw!r} is not allowed for {key} of {variant!r}",
        raw=raw,
        key=option.key,
        variant=variant,
    )
    raise UsageError(message, f"{problem[:1].upper()}{problem[1:]}.", argument="variants") from None
