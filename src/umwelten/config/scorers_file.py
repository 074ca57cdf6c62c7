"""Scorers files, for `--scorers`: what answers are scored by, in TOML.

expected = "{{row.answer}}"

[scorers.right]
type = "number"
within = "1%"

[gates]
right = ">= 0.9"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_text import parse_toml
from umwelten.errors import ConfigError, InputError
from umwelten.scoring.definition import Definition, read_scorers
from umwelten.scoring.repeats import MOST, OfRepeats, read_of_repeats
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FrozenStruct

_KEYS = ("expected", "cluster", "failed_as", "of_repeats", "scorers", "gates")
_TEXTS = ("expected", "cluster")


class ScorersFile(FrozenStruct):
    """A scorers file. Relative paths in it are meant from `base`. `gates`: as they stand, by metric.

    `bases`: the folders of scorers, by name, that stand in another file.
    """

    base: Path
    place: TomlPosition
    scorers: Mapping[str, Definition]
    expected: str | None = None
    cluster: str | None = None
    failed_as_zero: bool = False
    of_repeats: OfRepeats = MOST
    gates: Mapping[str, Any] = {}
    bases: Mapping[str, Path] = {}


def read_scorers_file(path: Path) -> ScorersFile:
    """Return what a scorers file says. Errors name the file, the line and the nearest name."""
    text = _text(path)
    place = TomlPosition(path=path, text=text)
    data = parse_toml(text, path)
    for key in data:
        if key not in _KEYS:
            raise ConfigError(
                f"{place.at(key)}: {key!r} is not known",
                did_you_mean(closest(key, _KEYS), "{!r}") or f"Known are: {', '.join(_KEYS)}.",
            )
    for key in _TEXTS:
        value = data.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"{place.at(key)}: {key} must be a text")
    for key in ("scorers", "gates"):
        if not isinstance(data.get(key, {}), dict):
            raise ConfigError(f"{place.at(key)}: {key} must be a section", f"Write it as [{key}].")
    failed_as = data.get("failed_as")
    if failed_as not in (None, "zero"):
        raise ConfigError(
            f"{place.at('failed_as')}: failed_as is {failed_as!r}",
            'Only "zero" is known: calls that failed because of the model count as 0.',
        )
    of_repeats = data.get("of_repeats", MOST)
    try:
        rule = read_of_repeats(of_repeats)
    except ValueError as error:
        raise ConfigError(f"{place.at('of_repeats')}: of_repeats is {of_repeats!r}; it {error}") from None
    return ScorersFile(
        base=path.parent,
        scorers=read_scorers(data.get("scorers", {}), place.below("scorers")),
        expected=data.get("expected"),
        cluster=data.get("cluster"),
        failed_as_zero=failed_as == "zero",
        of_repeats=rule,
        gates=data.get("gates", {}),
        place=place.below("gates"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", argument="scorers") from None
