"""One layer of settings at a time: a section of a file, the environment, the flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from umwelten.config.options import CONCURRENT, FLAGS, OPTIONS, Option
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import unknown
from umwelten.errors import ConfigError, UmweltenError
from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct

DEFAULT = "default"
BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS}
FLAGS_BY_KEY: Mapping[str, Option] = {option.key: option for option in FLAGS}
_PATHS = ("output_dir", "directory", "rows", "prompts")
_PATH_LISTS = ("files", "attach")
_COMMA = re.compile(r",(?![^{]*\})")  # not in {a,b}
_SHAPE_FILE = re.compile(r".+\.(json|py:\w+)", re.DOTALL)


class Value(FrozenStruct):
    """A setting's value. `source` is "default", a file's path, a variable's name or a flag's."""

    value: Any
    source: str


class Layer(FrozenStruct):
    """Where values come from: `source` is kept with each, `named` is how a message calls one, by its key."""

    source: Callable[[str], str]
    named: Callable[[str], Wording]
    error: type[UmweltenError] = ConfigError


class LayerValues(FrozenStruct):
    """The values of a layer by the settings' names, and what the user should know about them."""

    values: dict[str, Value]
    notes: tuple[str, ...] = ()


def read_layer(given: Mapping[str, Any], layer: Layer) -> LayerValues:
    """The settings among `OPTIONS`, given by their keys."""
    values: dict[str, Value] = {}
    notes: list[str] = []
    for key, raw in given.items():
        option = BY_KEY[key]
        value = _one(option, raw, layer)
        if option.name == "timeout_s":
            value, note = value
            notes += [note] if note else []
        values[option.name] = Value(value=value, source=layer.source(key))
    if "concurrent" in values and values["concurrent"].value and "max_concurrency" not in values:
        # In one layer the number wins; over a lower layer, the switch does.
        values["max_concurrency"] = Value(value=CONCURRENT, source=values["concurrent"].source)
    return LayerValues(values=values, notes=tuple(notes))


def read_flags(given: Mapping[str, Any], layer: Layer) -> dict[str, Value]:
    """The flags among `FLAGS`, given by their keys."""
    return {
        key: Value(value=_one(FLAGS_BY_KEY[key], raw, layer), source=layer.source(key))
        for key, raw in given.items()
    }


def _one(option: Option, raw: Any, layer: Layer) -> Any:
    try:
        return option.read(raw)
    except ValueError as problem:
        message = Phrase("{option_at}: {raw!r} is not allowed", option_at=layer.named(option.key), raw=raw)
        said = str(problem)
        hint = f"{said[:1].upper()}{said[1:]}."
        raise layer.error(message, hint, argument=option.name) from None


# --- sections of a file ----------------------------------------------------------------------


def section_layer(place: TomlPosition, source: str, spelt: Mapping[str, str]) -> Layer:
    """The layer of a section. `spelt` is how each key is written there."""
    return Layer(
        source=lambda _: source,
        named=lambda key: f"{place.at(spelt.get(key, key))}: {key}",
    )


def keys(section: Mapping[str, Any], place: TomlPosition, known: Collection[str]) -> dict[str, str]:
    """Each key in its usual form, `max_tokens`, and as it is written.

    Raises `ConfigError` for one that is not known, and for one that is there in both spellings.
    """
    spelt: dict[str, str] = {}
    for written in section:
        key = written.replace("-", "_")
        if key not in known:
            raise unknown(key, known, place.at(written))
        if key in spelt:
            raise ConfigError(f"{place.at(written)}: {key} is there twice", "Keep one of the two.")
        spelt[key] = written
    return spelt


def rebased(values: Mapping[str, Value], base: Path) -> dict[str, Value]:
    """The values with relative paths from `base`, the folder that they are meant from."""
    return {
        name: Value(value=_from(name, value.value, base), source=value.source)
        for name, value in values.items()
    }


def _from(name: str, value: Any, base: Path) -> Any:
    if name in _PATHS:
        return base / value.expanduser()
    if name == "report":
        return tuple(base / path.expanduser() for path in value)
    if name in _PATH_LISTS:
        return [",".join(_paths_from(text, base)) for text in value]
    return value if base == Path() else _text_from(name, value, base)


def _paths_from(text: str, base: Path) -> Iterator[str]:
    for piece in _COMMA.split(text):
        yield str(base / Path(piece.strip()).expanduser())


def _text_from(name: str, value: Any, base: Path) -> Any:
    """`@FILE` in place of a text, and a schema's file."""
    if name in ("prompt", "system", "schema") and value.startswith("@") and not value.startswith("@~"):
        return f"@{base / value[1:]}"
    if name == "schema" and _SHAPE_FILE.fullmatch(value):
        return str(base / value)
    return value
