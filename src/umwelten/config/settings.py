"""The settings of one process: each value with where it came from."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from umwelten.config.files import TOML_NAME, nearest, read_dotenv, read_toml, unknown
from umwelten.config.options import CONCURRENT, OPTIONS, Option
from umwelten.errors import ConfigError, UmweltenError, UsageError
from umwelten.types import Frozen, Secret

_PREFIX = "UMWELTEN_"
_OTHERS = ("UMWELTEN_CACHE_DIR", "UMWELTEN_TEST_BROWSER")
_BY_KEY = {option.key: option for option in OPTIONS}
DEFAULT, FLAG = "default", "flag"


class Value(Frozen):
    """A setting's value. `source` is "default", a file's path, a variable's name or a flag's."""

    value: Any
    source: str


class Variable(Frozen):
    """An environment variable; any may be a key, so all are secrets. `source`: a file, or "environment"."""

    secret: Secret
    source: str


class Row(Frozen):
    """A section of an `umwelten.toml`, checked. Later files add to and replace what earlier ones say."""

    fields: dict[str, Any]
    source: str


class Settings(Frozen):
    """All settings. `get` a value, ask for its `source`; `notes` are for the user to read."""

    values: Mapping[str, Value]
    providers: Mapping[str, Row] = {}
    prices: Mapping[str, Row] = {}
    variables: Mapping[str, Variable] = {}
    notes: tuple[str, ...] = ()

    def get(self, name: str) -> Any:
        """The value of a setting of `options.OPTIONS`, `None` where it has none."""
        return self.values[name].value

    def source(self, name: str) -> str:
        """Where the value came from."""
        return self.values[name].source

    def with_flags(self, flags: Mapping[str, Any]) -> Settings:
        """These settings with flags on top, by the name of the flag or the setting. Raises `UsageError`.

        `None`, an empty tuple and a switch that is off mean "not given" (`stream` can be switched off).
        Flags that are no settings (`--resume`, `--prompt`) are passed over.
        """
        given = {_key(name): value for name, value in flags.items() if value is not None and value != ()}
        known = {
            key: value
            for key, value in given.items()
            if key in _BY_KEY and (value is not False or key == "stream")
        }
        values, notes = _read(known, lambda key: f"--{key.replace('_', '-')}", UsageError)
        return msgspec.structs.replace(self, values={**self.values, **values}, notes=(*self.notes, *notes))


def _key(name: str) -> str:
    """The name in files and flags of a setting that was named either way."""
    return next((option.key for option in OPTIONS if option.name == name), name)


def load(cwd: Path, environ: Mapping[str, str], user_config_dir: Path | None = None) -> Settings:
    """The settings in force in a working directory, without the flags.

    `user_config_dir` holds the user's `umwelten.toml`; `None` is the platform's own place. Raises
    `ConfigError` that names file and line for whatever is broken.
    """
    settings = Settings(
        values={option.name: Value(value=option.default, source=DEFAULT) for option in OPTIONS}
    )
    for path, base in _toml_files(cwd, user_config_dir):
        settings = _with_toml(settings, path, base)
    variables, notes = _variables(cwd, environ)
    return _with_variables(msgspec.structs.replace(settings, notes=(*settings.notes, *notes)), variables)


def _toml_files(cwd: Path, user_config_dir: Path | None) -> Iterator[tuple[Path, Path]]:
    """The files in rising precedence, each with the folder that its relative paths start from."""
    users = (user_config_dir or platformdirs.user_config_path("umwelten")) / TOML_NAME
    project = nearest(cwd, TOML_NAME)
    if users.is_file() and not (project is not None and project.samefile(users)):
        yield users, Path()
    if project is not None:
        # From a subfolder of a project, results go where the project's file says.
        yield project, Path() if project.parent == cwd.absolute() else project.parent


def _with_toml(settings: Settings, path: Path, base: Path) -> Settings:
    data = read_toml(path)
    given = {key.replace("-", "_"): value for key, value in data.get("defaults", {}).items()}
    for key in given:
        if key not in _BY_KEY:
            raise unknown(key, _BY_KEY, f"{path}, [defaults]")
    values, notes = _read(given, lambda key: str(path), ConfigError)
    if "output_dir" in values:
        folder = base / values["output_dir"].value
        values["output_dir"] = Value(value=folder, source=str(path))
    return msgspec.structs.replace(
        settings,
        values={**settings.values, **values},
        providers=_merged(settings.providers, data.get("providers", {}), str(path)),
        prices=_merged(settings.prices, data.get("prices", {}), str(path)),
        notes=(*settings.notes, *notes),
    )


def _merged(rows: Mapping[str, Row], more: dict[str, Any], source: str) -> dict[str, Row]:
    merged = dict(rows)
    for name, fields in more.items():
        below = merged[name].fields if name in merged else {}
        merged[name] = Row(fields={**below, **fields}, source=source)
    return merged


def _variables(cwd: Path, environ: Mapping[str, str]) -> tuple[dict[str, Variable], list[str]]:
    """The environment over the `.env`. A variable that is set but empty counts as not set."""
    found: dict[str, Variable] = {}
    notes: list[str] = []
    path = nearest(cwd, ".env")
    if path is not None:
        for name, value in read_dotenv(path, environ).items():
            found[name] = Variable(secret=Secret(value), source=str(path))
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o044:
            notes.append(f"other users of this machine can read {path}; to close it: chmod 600 {path}")
    for name, value in environ.items():
        if value.strip():
            found[name] = Variable(secret=Secret(value), source="environment")
    return {name: var for name, var in found.items() if var.secret.reveal().strip()}, notes


def _with_variables(settings: Settings, variables: dict[str, Variable]) -> Settings:
    """`UMWELTEN_OUTPUT_DIR` and its like set what the flags set. The environment wins over the `.env`."""
    values, notes = dict(settings.values), [*settings.notes, *_misspelt(variables)]
    layers = sorted({variable.source for variable in variables.values()}, key="environment".__eq__)
    for source in layers:
        given = {
            key: variables[_PREFIX + key.upper()].secret.reveal()
            for key in _BY_KEY
            if (found := variables.get(_PREFIX + key.upper())) is not None and found.source == source
        }
        more, said = _read(given, _variable_label(source), ConfigError)
        values |= more
        notes += said
    return msgspec.structs.replace(settings, values=values, variables=variables, notes=tuple(notes))


def _misspelt(variables: Mapping[str, Variable]) -> Iterator[str]:
    """Notes on variables that look like settings and are none."""
    known = {*(_PREFIX + key.upper() for key in _BY_KEY), *_OTHERS}
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            yield f"{name} sets nothing" + (f"; did you mean {near[0]}?" if near else "")


def _variable_label(source: str) -> Callable[[str], str]:
    return lambda key: f"{_PREFIX}{key.upper()} ({source})"


def _read(
    given: Mapping[str, Any], label: Callable[[str], str], error: type[UmweltenError]
) -> tuple[dict[str, Value], list[str]]:
    """One layer's values by the settings' names, and notes. `label` tells where a key's value is from."""
    values: dict[str, Value] = {}
    notes: list[str] = []
    for key, raw in given.items():
        option = _BY_KEY[key]
        value = _one(option, raw, label(key), error)
        if option.name == "timeout_s":
            value, note = value
            notes += [note] if note else []
        values[option.name] = Value(value=value, source=label(key))
    if "concurrent" in values and values["concurrent"].value and "max_concurrency" not in values:
        # In one layer the number wins; over a lower layer, the switch does.
        values["max_concurrency"] = Value(value=CONCURRENT, source=values["concurrent"].source)
    return values, notes


def _one(option: Option, raw: Any, where: str, error: type[UmweltenError]) -> Any:
    try:
        return option.read(raw)
    except ValueError as problem:
        named = where if where.startswith("--") or where.startswith(_PREFIX) else f"{where}: {option.key}"
        said = str(problem)
        raise error(f"{named}: {raw!r} is not allowed", f"{said[:1].upper()}{said[1:]}.") from None
