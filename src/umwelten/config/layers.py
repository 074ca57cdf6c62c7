"""One layer of settings at a time: a section of a file, the environment, the flags."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.declaration import Option
from umwelten.config.files import TomlFile
from umwelten.config.option_fields import CONCURRENT
from umwelten.config.option_types import Noted
from umwelten.config.options import BY_KEY, OPTIONS
from umwelten.config.problems import Problems
from umwelten.config.project_files import Place
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import unknown
from umwelten.errors import ConfigError, UmweltenError
from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct

DEFAULT = "default"
_BROKEN = object()


class Value(FrozenStruct):
    """A setting's value. `source` is "default", a file's path, a variable's name or a flag's.

    `place`: where a project's file says so; `None` where the user does.
    """

    value: Any
    source: str
    place: Place | None = None

    @property
    def shown(self) -> Any:
        """The value as it may be shown: as it is written, where a `.env` takes it from the environment."""
        return self.value if self.place is None else self.place.shown(self.value)


class Layer(FrozenStruct):
    """Where values come from: `source` is kept with each, `named` is how a message calls one, by its key.

    `place`: where a project's file gives one, by its key; `None` where the user does.

    `arguments`: a Python program gives them, and may give more types than a file can. `problems`: where
    errors are kept; without it the first is raised.
    """

    source: Callable[[str], str]
    named: Callable[[str], Wording]
    place: Callable[[str], Place | None] = lambda key: None
    error: type[UmweltenError] = ConfigError
    arguments: bool = False
    problems: Problems | None = None


class LayerValues(FrozenStruct):
    """The values of a layer by the options' names, and what the user should know about them."""

    values: dict[str, Value]
    notes: tuple[str, ...] = ()


def read_layer(given: Mapping[str, Any], layer: Layer) -> LayerValues:
    """The options that are given, by their keys."""
    values: dict[str, Value] = {}
    notes: list[str] = []
    for key, raw in given.items():
        option = BY_KEY[key]
        value: Any = _BROKEN
        with layer.problems.keeping() if layer.problems is not None else nullcontext():
            value = _read(option, raw, layer)
        if value is _BROKEN:
            continue
        if isinstance(value, Noted):
            value, note = value
            notes.append(note)
        values[option.name] = Value(value=value, source=layer.source(key), place=layer.place(key))
    if "concurrent" in values and values["concurrent"].value and "max_concurrency" not in values:
        # In one layer the number wins; over a lower layer, the switch does.
        values["max_concurrency"] = msgspec.structs.replace(values["concurrent"], value=CONCURRENT)
    return LayerValues(values=values, notes=tuple(notes))


def _read(option: Option, raw: Any, layer: Layer) -> Any:
    read_argument = option.type.read_argument if layer.arguments else None
    try:
        return (read_argument or option.type.read)(raw)
    except ValueError as problem:
        # Of a flag that may be repeated and was not, the one value is shown.
        shown = raw[0] if isinstance(raw, tuple) and len(raw) == 1 else raw
        if (place := layer.place(option.key)) is not None:
            shown = place.shown(shown)
        message = Phrase("{option_at}: {raw!r} is not allowed", option_at=layer.named(option.key), raw=shown)
        text = str(problem)
        hint = f"{text[:1].upper()}{text[1:]}."
        raise layer.error(message, hint, argument=option.name) from None


# --- sections of a file ----------------------------------------------------------------------


def section_layer(file: TomlFile, place: TomlPosition, source: str, spelt: Mapping[str, str]) -> Layer:
    """The layer of a section of a file. `spelt` is how each key is written there."""
    return Layer(
        problems=file.problems,
        place=lambda key: file.place_of(place, spelt.get(key, key)),
        source=lambda _: source,
        named=lambda key: f"{place.at(spelt.get(key, key))}: {key}",
    )


def keys(
    section: Mapping[str, Any],
    place: TomlPosition,
    known: Collection[str],
    problems: Problems,
    more: str = "",
) -> dict[str, str]:
    """Each key in its usual form, `max_tokens`, and as it is written.

    One that is not known and one that is there in both spellings are kept as problems. `more` is added to the
    hint for what is not known.
    """
    spelt: dict[str, str] = {}
    for written in section:
        key = written.replace("-", "_")
        with problems.keeping():
            if key not in known:
                error = unknown(key, known, place.at(written))
                raise ConfigError(error.message, f"{error.hint} {more}".strip())
            if key in spelt:
                raise ConfigError(f"{place.at(written)}: {key} is there twice", "Keep one of the two.")
            spelt[key] = written
    return spelt


def rebase_values(values: Mapping[str, Value], base: Path) -> dict[str, Value]:
    """The values, by the options' names, with relative paths in them taken from the folder `base`."""
    return {name: _rebase_value(OPTIONS[name], value, base) for name, value in values.items()}


def _rebase_value(option: Option, value: Value, base: Path) -> Value:
    rebase = option.type.rebase
    return value if rebase is None else msgspec.structs.replace(value, value=rebase(value.value, base))
