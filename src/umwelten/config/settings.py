"""The settings of one process: each value with where it came from."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.files import TOML_NAME, TomlFile, is_file, nearest, read_dotenv, read_toml
from umwelten.config.layers import DEFAULT, Layer, Value, keys, read_layer, rebase_values, section_layer
from umwelten.config.merged_sections import (
    Group,
    TomlSection,
    ToolList,
    groups_of,
    merge_sections,
    tool_lists_of,
)
from umwelten.config.options import BY_KEY, OPTIONS, SETTINGS
from umwelten.config.problems import Problems
from umwelten.config.profiles import OptionProfile, find_profile, gives_way, with_profiles
from umwelten.config.project_files import Place
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

    def with_values(
        self,
        values: Mapping[str, Value],
        variants: Mapping[str, Mapping[str, Value]] = {},
        *,
        given: Collection[str] = (),
    ) -> Settings:
        """These settings with values of a file that the user names on top, by the options' names.

        Those in `given` count as given, the others as defaults of that file. What the profile in force says
        gives way to them.
        """
        keys = {OPTIONS[name].key for name in values}
        flags = {
            key: value
            for key, value in self.flags.items()
            if key not in keys and not gives_way(key, keys, self.flags)
        }
        return msgspec.structs.replace(
            self,
            values={**self.values, **values},
            variants=merge(self.variants, variants),
            flags=flags,
            given=self.given | frozenset(given),
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
    problems: Problems | None = None,
) -> Settings:
    """The settings in force in a working directory, without the flags.

    `user_config_dir` holds the user's `umwelten.toml`; `None` is the platform's own place. A `profile` wins
    over the files' defaults, and the environment over the profile. Without `toml` no such file is read.

    Raises `ConfigError` that names file and line for whatever is broken, `UsageError` for a profile that is
    not known. With `problems` what is broken is kept there, and the settings are without it.
    """
    found = Problems() if problems is None else problems
    settings = Settings(
        values={name: Value(value=option.default, source=DEFAULT) for name, option in OPTIONS.items()},
        trust=Trust(everything=trusts_everything(environ), folder=user_config_dir or config_folder()),
    )
    for read in _toml_files(cwd, user_config_dir, found) if toml else ():
        with found.keeping():
            settings = _with_toml(settings, read())
    _check_groups(settings, found)
    _check_tool_lists(settings, found)
    if profile is not None and (problems is not None or not found):
        settings = _with_profile(settings, find_profile(profile, settings.profiles))
    dotenv = nearest(cwd, ".env")
    variables, notes = _variables(dotenv, environ, cwd, found)
    files = (*settings.files, *([str(dotenv)] if dotenv is not None else []))
    settings = msgspec.structs.replace(settings, notes=(*settings.notes, *notes), files=files)
    settings = _with_variables(settings, variables, found)
    if problems is None:
        found.check(files)
    return settings


def toml_paths(cwd: Path, user_config_dir: Path | None = None) -> tuple[Path | None, Path]:
    """The user's `umwelten.toml` and the project's: the nearest there is, else the one to write.

    The user's is `None` without a home directory.
    """
    folder = user_config_dir or config_folder()
    users = None if folder is None else folder / TOML_NAME
    return users, nearest(cwd, TOML_NAME) or cwd.absolute() / TOML_NAME


def _toml_files(
    cwd: Path, user_config_dir: Path | None, problems: Problems
) -> Iterator[Callable[[], TomlFile]]:
    """Readers of the files in rising precedence.

    One that is the user's own is no project's, wherever it is found.
    """
    users, project = toml_paths(cwd, user_config_dir)
    there = is_file(project)
    is_users = users is not None and is_file(users) and there and project.samefile(users)
    if users is not None and is_file(users) and not is_users:
        yield partial(read_toml, users, Path(), problems)
    if there:
        # From a subfolder of a project, results go where the project's file says.
        base = Path() if project.parent == cwd.absolute() else project.parent
        yield partial(read_toml, project, base, problems, project_of=None if is_users else cwd)


def _with_toml(settings: Settings, file: TomlFile) -> Settings:
    section = file.data.get("defaults", {})
    place = file.place.below("defaults")
    spelt = keys(section, place, SETTINGS, file.problems)
    source = str(file.place.path)
    read = read_layer(
        {key: section[written] for key, written in spelt.items()}, section_layer(file, place, source, spelt)
    )
    return msgspec.structs.replace(
        settings,
        values={**settings.values, **rebase_values(read.values, file.base)},
        providers=merge_sections(settings.providers, file, "providers"),
        prices=merge_sections(settings.prices, file, "prices"),
        groups={**settings.groups, **groups_of(file)},
        # Each as a whole: no header of the user's goes to the address that a project's file gives.
        mcp={**settings.mcp, **merge_sections({}, file, "mcp")},
        tool_lists={**settings.tool_lists, **tool_lists_of(file)},
        variants=with_variants(settings.variants, file),
        profiles=with_profiles(settings.profiles, file),
        notes=(*settings.notes, *read.notes),
        files=(*settings.files, source),
    )


def _check_groups(settings: Settings, problems: Problems) -> None:
    """Refuse groups that name each other in a circle, or one that is not there."""
    said: set[str] = set()
    for name, group in settings.groups.items():
        try:
            expand_groups(f"@{name}", model_groups(settings))
        except UsageError as error:
            if not problems.explain(error.message) and error.message not in said:
                problems.add(ConfigError(f"{group.at(name)}: {error.message}", error.hint))
            said.add(error.message)
            problems.leave_out(name)


def _check_tool_lists(settings: Settings, problems: Problems) -> None:
    """Refuse lists that name each other in a circle, or one that is not there."""
    lists = {name: found.entries for name, found in settings.tool_lists.items()}
    for name, found in settings.tool_lists.items():
        try:
            expand_lists((f"{LIST}{name}",), lists)
        except UsageError as error:
            if not problems.explain(error.message):
                problems.add(ConfigError(f"{found.source}, [tools]: {error.message}", error.hint))
            problems.leave_out(name)


def _with_profile(settings: Settings, profile: OptionProfile) -> Settings:
    return msgspec.structs.replace(
        settings,
        values={**settings.values, **profile.values},
        flags=profile.flags,
        variants=merge(settings.variants, profile.variants),
        notes=(*settings.notes, *profile.notes),
    )


def _variables(
    path: Path | None, environ: Mapping[str, str], cwd: Path, problems: Problems
) -> tuple[dict[str, Variable], list[str]]:
    """The environment over the `.env`. A variable that is set but empty counts as not set."""
    found: dict[str, Variable] = {}
    notes: list[str] = []
    if path is not None:
        with problems.keeping():
            for name, line in read_dotenv(path, environ, cwd, problems).items():
                found[name] = Variable(secret=line.secret, source=str(path), place=line.place)
        if VARIABLE in found:
            notes.append(f"{VARIABLE} counts in the environment alone: in {path} it has no effect")
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o044:
            notes.append(f"other users of this machine can read {path}; to close it: chmod 600 {path}")
    for name, value in environ.items():
        if value.strip():
            found[name] = Variable(secret=Secret(value), source="environment")
    return {name: var for name, var in found.items() if var.secret.reveal().strip()}, notes


def _with_variables(settings: Settings, variables: dict[str, Variable], problems: Problems) -> Settings:
    """`UMWELTEN_OUTPUT_DIR` and its like set what the flags set. The environment wins over the `.env`."""
    values, notes = dict(settings.values), [*settings.notes, *_misspelt(variables)]
    layers = sorted({variable.source for variable in variables.values()}, key="environment".__eq__)
    for source in layers:
        given = {
            key: variables[_PREFIX + key.upper()].secret.reveal()
            for key in SETTINGS
            if (found := variables.get(_PREFIX + key.upper())) is not None and found.source == source
        }
        read = read_layer(given, _variable_layer(source, variables, problems))
        values |= read.values
        notes += read.notes
    return msgspec.structs.replace(settings, values=values, variables=variables, notes=tuple(notes))


def _misspelt(variables: Mapping[str, Variable]) -> Iterator[str]:
    """Notes on variables that look like settings and are none."""
    known = {*(_PREFIX + key.upper() for key in SETTINGS), *_OTHERS}
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in known:
            yield f"{name} sets nothing{did_you_mean_clause(closest(name, known))}"


def _variable_layer(source: str, variables: Mapping[str, Variable], problems: Problems) -> Layer:
    def label(key: str) -> str:
        return f"{_PREFIX}{key.upper()} ({source})"

    return Layer(
        source=label,
        named=label,
        place=lambda key: variables[_PREFIX + key.upper()].place,
        problems=problems,
    )
