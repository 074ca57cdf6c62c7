"""A scorer as a file or a flag defines it, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from umwelten.errors import ConfigError
from umwelten.scoring.catalog import CATALOG, ScorerType
from umwelten.scoring.identity import scorer_digest
from umwelten.scoring.settings import Contradiction, amount, switch
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

RESERVED = ("rank", "total", "answered", "scored", "cost_usd", "p95_s")
"""Names that a ranking or a metric of a gate has."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)
_LONGEST_NAME = 60
_SHORT_FORM = re.compile(r"(?:([^=:]*)=)?([a-z0-9-]+)(?::(.*))?", re.DOTALL)
_COMMON = ("type", "expected", "check", "at_least", "weight", "part_of_total")


class Place(Protocol):
    """Where a scorer's table stands: as text for messages, `at` for one of its keys."""

    def at(self, *key: str) -> str: ...


class NamedPlace(FrozenStruct):
    """A place that has a name only, such as that of an option."""

    name: str

    def at(self, *key: str) -> str:
        return self.name


class Definition(FrozenStruct):
    """A scorer. `settings` holds what is unlike the defaults, as checked; `table` what was written.

    `expected` says where its references are, `None`: where those of all scorers are. `check` is the table of
    people's labels that a judge is compared with.

    `at_least` is the value from which an answer passes, from 0 to 1 on whatever scale it was written; `None`:
    nothing passes or fails. `weight` is the share in the total, which a measure (`part_of_total` False) has
    none in. `content` is the hash of a file that decides the values, where the type has one: whoever may read
    files fills it in.
    """

    name: str
    type: str
    settings: Mapping[str, Any]
    expected: str | None = None
    check: str | None = None
    at_least: float | None = None
    weight: float = 1.0
    part_of_total: bool = True
    table: Mapping[str, Any] = {}
    content: str | None = None

    @property
    def digest(self) -> str:
        """What decides the values, as 40 hex digits: neither name nor threshold nor weight nor a time-out.

        Errors: `ValueError` for a type with a file whose content has not been read.
        """
        known = CATALOG[self.type]
        decisive = {key: value for key, value in self.settings.items() if known.settings[key].decides}
        if known.has_content:
            if self.content is None:
                raise ValueError(f"the file of scorer {self.name!r} has not been read")
            decisive["content"] = self.content
        return scorer_digest(self.type, known.version, decisive)


def read_scorers(tables: Mapping[str, Any], place: Place) -> dict[str, Definition]:
    """Return the scorers of a section `[scorers]` by name. Errors: `ConfigError`."""
    return {name: read_scorer(name, table, place) for name, table in tables.items()}


def read_scorer(name: str, table: Any, place: Place) -> Definition:
    """Return the scorer that a table defines. Errors: `ConfigError`, which names what is allowed."""
    where = place.at(name)
    check_name(name, where)
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"{where}: scorer {name!r} must be a section",
            f'Write it as [scorers.{name}] with type = "exact".',
        )
    kind = _type_of(name, table, where)
    known = CATALOG[kind]
    for key in table:
        if key not in _COMMON and key not in known.settings:
            raise _unknown_setting(name, kind, key, place.at(name, key))
    settings = {
        key: _read_setting(name, key, table[key], known, place) for key in known.settings if key in table
    }
    missing = [key for key, setting in known.settings.items() if setting.required and key not in table]
    if missing:
        raise ConfigError(f"{where}: scorer {name!r} of type {kind} needs {missing[0]}")
    settings = {key: value for key, value in settings.items() if value != known.settings[key].default}
    if known.check is not None:
        try:
            known.check(settings)
        except Contradiction as error:
            at = place.at(name, error.key) if error.key in table else where
            raise ConfigError(f"{at}: scorer {name!r} {error}") from None
    return Definition(
        name=name,
        type=kind,
        settings=settings,
        at_least=_at_least(name, table, settings, known, place),
        table=dict(table),
        expected=_where(name, "expected", table, place),
        check=_check(name, kind, table, place),
        weight=_common(name, table, "weight", 1.0, place) or 0.0,
        part_of_total=_part_of_total(name, table, place),
    )


def read_short_form(text: str, place: Place) -> Definition:
    """Return the scorer of `[NAME=]TYPE[:VALUE]`, such as `right=contains:Paris`. Errors: `ConfigError`."""
    match = _SHORT_FORM.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"{place.at()}: {text!r} is no scorer",
            "Write it as [NAME=]TYPE[:VALUE], such as right=contains:Paris.",
        )
    name = match[2] if match[1] is None else match[1].strip()
    table: dict[str, Any] = {"type": match[2]}
    if match[3] is not None:
        known = CATALOG.get(match[2])
        table["value" if known is None else known.short] = match[3]
    return read_scorer(name, table, place)


def check_name(name: str, where: str) -> None:
    """Raise `ConfigError` for a name that no scorer can have."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigError(
            f"{where}: {name!r} cannot be the name of a scorer",
            f"Names are made of letters, digits, '_' and '-', at most {_LONGEST_NAME}.",
        )
    if name in RESERVED:
        raise ConfigError(
            f"{where}: a scorer cannot be called {name!r}",
            f"These names have a meaning of their own: {', '.join(RESERVED)}.",
        )


def _type_of(name: str, table: Mapping[str, Any], where: str) -> str:
    types = ", ".join(CATALOG)
    kind = table.get("type")
    if kind is None:
        raise ConfigError(f"{where}: scorer {name!r} has no type", f"Types are {types}.")
    if not isinstance(kind, str) or kind not in CATALOG:
        near = closest(kind, CATALOG, ignore_case=True) if isinstance(kind, str) else None
        raise ConfigError(
            f"{where}: scorer {name!r} is of type {kind!r}, which does not exist",
            sentences(did_you_mean(near), f"Types are {types}."),
        )
    return kind


def _unknown_setting(name: str, kind: str, key: str, where: str) -> ConfigError:
    known = (*CATALOG[kind].settings, *_COMMON)
    return ConfigError(
        f"{where}: {key!r} is no setting of scorer {name!r} (type {kind})",
        sentences(did_you_mean(closest(key, known)), f"Settings are {', '.join(known)}."),
    )


def _read_setting(name: str, key: str, value: Any, known: ScorerType, place: Place) -> Any:
    try:
        return known.settings[key].read(value)
    except ValueError as error:
        raise _wrong_value(name, key, value, error, place) from None


def _wrong_value(name: str, key: str, value: Any, error: ValueError, place: Place) -> ConfigError:
    given = f"{value!r:.80}" if isinstance(value, str | int | float) else type(value).__name__
    return ConfigError(f"{place.at(name, key)}: {key} of scorer {name!r} is {given}; it {error}")


def _at_least(
    name: str, table: Mapping[str, Any], settings: Mapping[str, Any], known: ScorerType, place: Place
) -> float | None:
    if known.threshold is None:
        return _common(name, table, "at_least", None if known.graded else 1.0, place, most=1.0)
    given = table.get("at_least")
    try:
        return known.threshold(settings, given)
    except ValueError as error:
        raise _wrong_value(name, "at_least", given, error, place) from None


def _common(
    name: str,
    table: Mapping[str, Any],
    key: str,
    default: float | None,
    place: Place,
    most: float | None = None,
) -> float | None:
    if key not in table:
        return default
    try:
        number: Decimal = amount(table[key]) if most is None else amount(table[key], most=most)
    except ValueError as error:
        raise _wrong_value(name, key, table[key], error, place) from None
    return float(number)


def _where(name: str, key: str, table: Mapping[str, Any], place: Place) -> str | None:
    where = table.get(key)
    if where is not None and (not isinstance(where, str) or not where.strip()):
        raise _wrong_value(name, key, where, ValueError("must be a text"), place)
    return where


def _check(name: str, kind: str, table: Mapping[str, Any], place: Place) -> str | None:
    if "check" in table and CATALOG[kind].runs != "calls":
        raise ConfigError(
            f"{place.at(name, 'check')}: check is for judges, and scorer {name!r} is of type {kind}",
            "Leave it out.",
        )
    return _where(name, "check", table, place)


def _part_of_total(name: str, table: Mapping[str, Any], place: Place) -> bool:
    try:
        return switch(table.get("part_of_total", True))
    except ValueError as error:
        raise _wrong_value(name, "part_of_total", table["part_of_total"], error, place) from None
