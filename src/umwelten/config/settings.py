"""The settings of one process: each value with where it came from."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.files import TOML_NAME, TomlFile, is_file, nearest, read_dotenv, read_toml
from umwelten.config.layers import DEFAULT, Layer, Value, keys, read_layer, rebase_values, section_layer
from umwelten.config.options import BY_KEY, OPTIONS, SETTINGS
from umwelten.config.profiles import OptionProfile, find_profile, gives_way, with_profiles
from umwelten.config.project_files import Place
from umwelten.config.toml_sections import ONE_OR_SEVERAL
from umwelten.config.tool_types import rebased_tools
from umwelten.config.trust import VARIABLE, Trust, trusts_everything
from umwelten.config.variants import given_variants, merge, with_variants
from umwelten.errors import ConfigError, UmweltenError, UsageError, conceal
from umwelten.phrases import Phrase, Spelling, by_name
from umwelten.providers.model_names import expand_groups
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.tools.entries import LIST, expand_lists
from umwelten.types import FrozenStruct, Secret
from umwelten.user_folders import config_folder

_PREFIX = "UMWELTEN_"
_SHORTEST = 6
"""Characters of a value that may be a secret: a shorter one would be found in numbers and words."""
OF_ENDED_RUNS = ("UMWELTEN_ID", "UMWELTEN_FOLDER", "UMWELTEN_STATUS", "UMWELTEN_EXIT_STATUS")
"""Variables that the command of `on_end` gets, which may call umwelten again."""
_OTHERS = (VARIABLE, *OF_ENDED_RUNS, "UMWELTEN_CACHE_DIR", "UMWELTEN_TEST_BROWSER", "UMWELTEN_TEST_SHELLS")


class Variable(FrozenStruct):
    """An environment variable; any may be a key, so all are secrets. `source`: a file, or "environment".

    `place`: the line of the `.env`; `None` in the environment.
    """

    secret: Secret
    source: str
    place: Place | None = None


class TomlSection(FrozenStruct):
    """A section of an `umwelten.toml`, checked. Later files add to and replace what earlier ones say.

    `source` is the file that had the last word, `sources` the one that says each field. `places`: where the
    project's file says something, by the fields' names.
    """

    fields: dict[str, Any]
    source: str
    sources: Mapping[str, str] = {}
    places: Mapping[str, Place] = {}


class Group(FrozenStruct):
    """A named group of models, as they are written; some may be groups themselves."""

    models: tuple[str, ...]
    source: str


class ToolList(FrozenStruct):
    """A named list of tools, as they are written; some may be lists. `place`: in a project's file."""

    entries: tuple[str, ...]
    source: str
    place: Place | None = None


class Settings(FrozenStruct):
    """The values of all options. `get` one, ask for its `source`; `notes` are for the user to read.

    `flags` are those of the profile in force that may stand in a profile alone (`prompt`, `directory`), by
    their keys: they count once flags or arguments were put on top. `given` names the options that were.
    `variants` are the settings of models named `provider:model@variant`, by the options' names.
    `files` were read, in rising precedence. `trust`: which demands of the project's files are met.
    """

    values: Mapping[str, Value]
    providers: Mapping[str, TomlSection] = {}
    prices: Mapping[str, TomlSection] = {}
    groups: Mapping[str, Group] = {}
    mcp: Mapping[str, TomlSection] = {}
    tool_lists: Mapping[str, ToolList] = {}
    variants: Mapping[str, Mapping[str, Value]] = {}
    profiles: Mapping[str, OptionProfile] = {}
    flags: Mapping[str, Value] = {}
    given: frozenset[str] = frozenset()
    variables: Mapping[str, Variable] = {}
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    trust: Trust = Trust()

    def get(self, name: str) -> Any:
        """The value of an option by its name in `options.OPTIONS`, `None` where it has none."""
        return self.values[name].value

    def source(self, name: str) -> str:
        """Where the value came from."""
        return self.values[name].source

    def conceal(self, text: str) -> str:
        """Return a text as it may be shown: `${NAME}` for what a project's `.env` takes from the environment.

        Values of less than `_SHORTEST` characters, which hide nothing, stay.
        """
        used = {name for found in self.variables.values() if found.place for name in found.place.uses}
        values = {
            found.secret.reveal().strip(): name for name, found in self.variables.items() if name in used
        }
        for value in sorted(values, key=len, reverse=True):
            if len(value) >= _SHORTEST:
                # Names of hosts are in lower case.
                parts = re.split(re.escape(value), text, flags=re.IGNORECASE)
                text = f"${{{values[value]}}}".join(parts)
        return text

    @contextmanager
    def concealing(self) -> Iterator[None]:
        """Conceal in errors what the project's `.env` takes from the environment."""
        try:
            yield
        except UmweltenError as error:
            conceal(error, self.conceal)
            raise

    def with_flags(
        self, flags: Mapping[str, Any], spelling: Spelling = by_name, *, arguments: bool = False
    ) -> Settings:
        """These settings with flags on top, by the options' names. Raises `UsageError`.

        `None`, an empty tuple and a switch that is off mean "not given". What the profile in force says
        gives way to flags that stand in its place. `spelling` is how the values' sources call the options;
        `arguments`: a Python program gives them.
        """
        given = {OPTIONS[name].key: value for name, value in flags.items() if _is_given(name, value)}
        layer = Layer(
            source=lambda key: spelling(key, None),
            named=lambda key: Phrase("{option:{key}}", key=key),
            error=UsageError,
            arguments=arguments,
        )
        read = read_layer(given, layer)
        profile = {
            BY_KEY[key].name: value
            for key, value in self.flags.items()
            if key not in given and not gives_way(key, given, self.flags)
        }
        variants = read.values.get("variants")
        own = {} if variants is None else given_variants(variants.value, layer)
        return msgspec.structs.replace(
            self,
            values={**self.values, **profile, **read.values},
            variants=merge(self.variants, own),
            given=frozenset(BY_KEY[key].name for key in given),
            notes=(*self.notes, *read.notes),
        )


def _is_given(name: str, value: Any) -> bool:
    if value is None or value == () or OPTIONS[name].place == "flag":
        return False
    return value is not False or not OPTIONS[name].is_switch


def first_set(names: tuple[str, ...], settings: Settings) -> str | None:
    """The first of the variables that is set and not empty."""
    return next((name for name in names if name in settings.variables), None)


def model_groups(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """The named groups of models, for `parse_models`."""
    return {name: group.models for name, group in settings.groups.items()}


def load(
    cwd: Path,
    environ: Mapping[str, str],
    user_config_dir: Path | None = None,
    *,
    profile: str | None = None,
    toml: bool = True,
) -> Settings:
    """The settings in force in a working directory, without the flags.

    `user_config_dir` holds the user's `umwelten.toml`; `None` is the platform's own place. A `profile` wins
    over the files' defaults, and the environment over the profile. Without `toml` no such file is read.

    Raises `ConfigError` that names file and line for whatever is broken, `UsageError` for a profile that is
    not known.
    """
    settings = Settings(
        values={name: Value(value=option.default, source=DEFAULT) for name, option in OPTIONS.items()},
        trust=Trust(everything=trusts_everything(environ), folder=user_config_dir or config_folder()),
    )
    for file in _toml_files(cwd, user_config_dir) if toml else ():
        settings = _with_toml(settings, file)
    _check_groups(settings)
    _check_tool_lists(settings)
    if profile is not None:
        settings = _with_profile(settings, find_profile(profile, settings.profiles))
    dotenv = nearest(cwd, ".env")
    variables, notes = _variables(dotenv, environ, cwd)
    files = (*settings.files, *([str(dotenv)] if dotenv is not None else []))
    settings = msgspec.structs.replace(settings, notes=(*settings.notes, *notes), files=files)
    return _with_variables(settings, variables)


def toml_paths(cwd: Path, user_config_dir: Path | None = None) -> tuple[Path | None, Path]:
    """The user's `umwelten.toml` and the project's: the nearest there is, else the one to write.

    The user's is `None` without a home directory.
    """
    folder = user_config_dir or config_folder()
    users = None if folder is None else folder / TOML_NAME
    return users, nearest(cwd, TOML_NAME) or cwd.absolute() / TOML_NAME


def _toml_files(cwd: Path, user_config_dir: Path | None) -> Iterator[TomlFile]:
    """The files in rising precedence. One that is the user's own is no project's, wherever it is found."""
    users, project = toml_paths(cwd, user_config_dir)
    there = is_file(project)
    is_users = users is not None and is_file(users) and there and project.samefile(users)
    if users is not None and is_file(users) and not is_users:
        yield read_toml(users, Path())
    if there:
        # From a subfolder of a project, results go where the project's file says.
        base = Path() if project.parent == cwd.absolute() else project.parent
        yield read_toml(project, base, project_of=None if is_users else cwd)


def _with_toml(settings: Settings, file: TomlFile) -> Settings:
    section = file.data.get("defaults", {})
    place = file.place.below("defaults")
    spelt = keys(section, place, SETTINGS)
    source = str(file.place.path)
    read = read_layer(
        {key: section[written] for key, written in spelt.items()}, section_layer(file, place, source, spelt)
    )
    return msgspec.structs.replace(
        settings,
        values={**settings.values, **rebase_values(read.values, file.base)},
        providers=_merge_sections(settings.providers, file, "providers"),
        prices=_merge_sections(settings.prices, file, "prices"),
        groups={**settings.groups, **_groups(file)},
        # Each as a whole: no header of the user's goes to the address that a project's file gives.
        mcp={**settings.mcp, **_merge_sections({}, file, "mcp")},
        tool_lists={**settings.tool_lists, **_tool_lists(file)},
        variants=with_variants(settings.variants, file),
        profiles=with_profiles(settings.profiles, file),
        notes=(*settings.notes, *read.notes),
        files=(*settings.files, source),
    )


def _merge_sections(rows: Mapping[str, TomlSection], file: TomlFile, kind: str) -> dict[str, TomlSection]:
    merged = dict(rows)
    for name, fields in file.data.get(kind, {}).items():
        below = _without_replaced(merged.get(name, TomlSection(fields={}, source="")), fields)
        position = file.place.below(kind, name)
        places = {key: place for key in fields if (place := file.place_of(position, key)) is not None}
        merged[name] = TomlSection(
            fields={**below.fields, **fields},
            source=str(file.place.path),
            sources={**below.sources, **dict.fromkeys(fields, str(file.place.path))},
            places={**below.places, **places},
        )
    return merged


def _without_replaced(below: TomlSection, fields: Mapping[str, Any]) -> TomlSection:
    """Return what earlier files said without what these fields say in another way: one, or several."""
    gone = {key for pair in ONE_OR_SEVERAL for key, other in (pair, pair[::-1]) if other in fields}
    return TomlSection(
        fields={key: value for key, value in below.fields.items() if key not in gone},
        source=below.source,
        sources=below.sources,
        places={key: place for key, place in below.places.items() if key not in gone},
    )


def _groups(file: TomlFile) -> dict[str, Group]:
    section = file.data.get("groups", {})
    return {
        name: Group(
            models=tuple(models) if isinstance(models, list) else (models,), source=str(file.place.path)
        )
        for name, models in section.items()
    }


def _check_groups(settings: Settings) -> None:
    """Refuse groups that name each other in a circle, or one that is not there."""
    for name, group in settings.groups.items():
        try:
            expand_groups(f"@{name}", model_groups(settings))
        except UsageError as error:
            raise ConfigError(f"{group.source}, [groups]: {error.message}", error.hint) from None


def _tool_lists(file: TomlFile) -> dict[str, ToolList]:
    position = file.place.below("tools")
    return {
        name: ToolList(
            entries=rebased_tools(given if isinstance(given, list) else [given], file.base),
            source=str(file.place.path),
            place=file.place_of(position, name),
        )
        for name, given in file.data.get("tools", {}).items()
    }


def _check_tool_lists(settings: Settings) -> None:
    """Refuse lists that name each other in a circle, or one that is not there."""
    lists = {name: found.entries for name, found in settings.tool_lists.items()}
    for name, found in settings.tool_lists.items():
        try:
            expand_lists((f"{LIST}{name}",), lists)
        except UsageError as error:
            raise ConfigError(f"{found.source}, [tools]: {error.message}", error.hint) from None


def _with_profile(settings: Settings, profile: OptionProfile) -> Settings:
    return msgspec.structs.replace(
        settings,
        values={**settings.values, **profile.values},
        flags=profile.flags,
        variants=merge(settings.variants, profile.variants),
        notes=(*settings.notes, *profile.notes),
    )


def _variables(
    path: Path | None, environ: Mapping[str, str], cwd: Path
) -> tuple[dict[str, Variable], list[str]]:
    """The environment over the `.env`. A variable that is set but empty counts as not set."""
    found: dict[str, Variable] = {}
    notes: list[str] = []
    if path is not None:
        for name, line in read_dotenv(path, environ, cwd).items():
            found[name] = Variable(secret=line.secret, source=str(path), place=line.place)
        if VARIABLE in found:
            notes.append(f"{VARIABLE} counts in the environment alone: in {path} it has no effect")
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
            for key in SETTINGS
            if (found := variables.get(_PREFIX + key.upper())) is not None and found.source == source
        }
        read = read_layer(given, _variable_layer(source, variables))
        values |= read.values
        notes += read.notes
    return msgspec.structs.replace(settings, values=values, variables=variables, notes=tuple(notes))


def _misspelt(variables: Mapping[str, Variable]) -> Iterator[str]:
    """Notes on variables that look like settings and are none."""
    known = {*(_PREFIX + key.upper() for key in SETTINGS), *_OTHERS}
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in known:
            yield f"{name} sets nothing{did_you_mean_clause(closest(name, known))}"


def _variable_layer(source: str, variables: Mapping[str, Variable]) -> Layer:
    def label(key: str) -> str:
        return f"{_PREFIX}{key.upper()} ({source})"

    return Layer(source=label, named=label, place=lambda key: variables[_PREFIX + key.upper()].place)
