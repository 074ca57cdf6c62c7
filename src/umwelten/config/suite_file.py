"""Suites: several tasks in one TOML file, for `umwelten eval suite`.

[suite]
models = "@fast"

[tasks.capitals]
rows = "capitals.csv"
prompt = "Which country is {{row.city}} the capital of?"
expected = "{{row.country}}"
scorers.right = { type = "contains" }

[gates]
"capitals.right" = ">= 0.9"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umwelten.config.files import TomlFile
from umwelten.config.layers import Value, keys, read_layer, rebase_values, section_layer
from umwelten.config.options import BY_KEY, OPTIONS
from umwelten.config.problems import Problems, in_order
from umwelten.config.profiles import gives_way
from umwelten.config.suite_scorers import SCORING_KEYS, TaskScorers, read_task_scorers
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_text import parse_toml
from umwelten.config.variants import Variants, merge, with_variants
from umwelten.errors import ConfigError, InputError
from umwelten.scoring.definition import RESERVED
from umwelten.scoring.gates import Gate
from umwelten.scoring.suite_gates import read_suite_gates
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FrozenStruct

_SECTIONS = ("suite", "tasks", "gates")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)
_LONGEST = 60
SETTLED = ("id", "resume", "overwrite", "detach", "ui", "profile", "fail_under", "again")
"""Options that a file cannot set: a suite settles them itself, or they belong to the command."""
OF_ALL_TASKS = (
    "output_dir",
    "max_cost",
    "report",
    "on_end",
    "json",
    "progress",
    "verbose",
    "debug",
    "control",
    "dry_run",
    "estimate",
    "yes",
)
"""Options that are one for the whole suite."""
_IN_SUITE = tuple(
    key
    for key, option in BY_KEY.items()
    if option.place != "flag"
    and option.only in (None, "batch")
    and option.name not in (*SETTLED, "memory", *SCORING_KEYS)
)
_IN_TASK = tuple(key for key in _IN_SUITE if BY_KEY[key].name not in OF_ALL_TASKS)


class SuiteSection(FrozenStruct):
    """What `[suite]` or the section of a task says: options by their names, and what scores the answers.

    Relative paths are as seen from the working directory. `place` is where it stands.
    """

    place: TomlPosition
    values: Mapping[str, Value] = {}
    variants: Mapping[str, Mapping[str, Value]] = {}
    scoring: TaskScorers = TaskScorers()
    notes: tuple[str, ...] = ()


class SuiteTask(SuiteSection):
    """A task, which has `weight` in the mean of the suite."""

    name: str = ""
    weight: float = 1.0


class SuiteFile(FrozenStruct):
    """A suite's file. `name` is the suite's own, `base` the folder that paths in it were meant from."""

    path: Path
    base: Path
    name: str
    place: TomlPosition
    common: SuiteSection
    tasks: Mapping[str, SuiteTask]
    gates: tuple[Gate, ...] = ()


def read_suite_file(path: Path) -> SuiteFile:
    """Return what a suite's file says. Errors name the file, the line and the nearest name."""
    data, place = _read(path)
    return read_suite(data, place, path.parent)


def read_suite(data: Mapping[str, Any], place: TomlPosition, base: Path) -> SuiteFile:
    """Return what a suite says whose file, or what stands for one, was read.

    Paths in it are as seen from `base`.
    """
    path, problems = place.path, Problems()
    for key in data:
        if key not in _SECTIONS:
            problems.add(_unknown_section(key, place))
    sections = {name: _table(data, name, place, problems) for name in _SECTIONS}
    file = TomlFile(place=place, base=base, data=sections, problems=problems)
    if not sections["tasks"] and not len(problems):
        problems.add(ConfigError(f"{path}: there are no tasks", "Write a section [tasks.NAME] for each."))
    own = sections["suite"]
    name = _suite_name(own.pop("name", path.stem), place, problems)
    common = _section(own, place.below("suite"), file)
    tasks = {}
    for task, table in sections["tasks"].items():
        with problems.keeping():
            tasks[task] = _task(task, table, place.below("tasks", task), file)
    _check_case(tasks, problems)
    gates: tuple[Gate, ...] = ()
    if not len(problems):
        with problems.keeping():
            gates = read_suite_gates(sections["gates"], place.below("gates"), tasks)
    _raise(problems, path)
    return SuiteFile(path=path, base=base, name=name, place=place, common=common, tasks=tasks, gates=gates)


def _raise(problems: Problems, path: Path) -> None:
    """Raise what was found: the one error itself, or all in the order of their lines."""
    texts = in_order(problems.texts(), [str(path)])
    if len(texts) > 1:
        raise ConfigError(f"{path} has {len(texts)} errors", "\n".join(texts))
    problems.check([str(path)])


def task_names(path: Path) -> list[str]:
    """Return the names of a file's tasks as far as they can be read; none where it is broken."""
    try:
        data, _ = _read(path)
    except (ConfigError, InputError):
        return []
    tasks = data.get("tasks")
    return list(tasks) if isinstance(tasks, dict) else []


def _read(path: Path) -> tuple[dict[str, Any], TomlPosition]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    # Two tables of one name are two tasks of one name, most often.
    data = parse_toml(text, path, twice="Every task has a name of its own.")
    return data, TomlPosition(path=path, text=text)


def _unknown_section(key: str, place: TomlPosition) -> ConfigError:
    if key in ("scorers", "expected", "cluster", "failed_as", "of_repeats"):
        hint = f"Write it in [suite], for all tasks, or in a task: [tasks.NAME] with {key}."
    elif key.replace("-", "_") in (*_IN_SUITE, "name"):
        hint = f"Options of all tasks go below the line [suite]: {key} = …"
    else:
        hint = did_you_mean(closest(key, _SECTIONS), "{!r}") or f"Known are: {', '.join(_SECTIONS)}."
    return ConfigError(f"{place.at(key)}: {key!r} is no section of a suite", hint)


def _table(data: Mapping[str, Any], name: str, place: TomlPosition, problems: Problems) -> dict[str, Any]:
    table = data.get(name, {})
    if isinstance(table, dict):
        return table
    problems.add(ConfigError(f"{place.at(name)}: {name} must be a section", f"Write it as [{name}]."))
    return {}


def _suite_name(name: Any, place: TomlPosition, problems: Problems) -> str:
    """The name that begins the ids of all evaluations; that of the file where none is given."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
        return name
    section = place.below("suite")
    where = section.at("name") if section.line("name") else str(place.path)
    problems.add(
        ConfigError(
            f"{where}: {name!r} cannot be the name of a suite",
            "Give it a name of letters, digits, '-', '_' and '.', not starting with a dot: "
            'name = "nightly" in [suite].',
        )
    )
    return "suite"


def _task(name: str, table: Any, place: TomlPosition, file: TomlFile) -> SuiteTask:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"{place}: {name!r} cannot be the name of a task",
            f"Names are made of letters, digits, '_' and '-', at most {_LONGEST}.",
        )
    if name in RESERVED:
        raise ConfigError(
            f"{place}: a task cannot be called {name!r}",
            f"These names have a meaning of their own: {', '.join(RESERVED)}.",
        )
    if not isinstance(table, dict):
        raise ConfigError(f"{place} must be a section", f"Write it as [tasks.{name}].")
    given = dict(table)
    weight = given.pop("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise ConfigError(f"{place.at('weight')}: weight is {weight!r:.80}; it must be a number, 0 or more")
    read = _section(given, place, file, task=name)
    return SuiteTask(
        name=name,
        weight=float(weight),
        place=place,
        values=read.values,
        variants=read.variants,
        scoring=read.scoring,
        notes=read.notes,
    )


def _section(
    table: Mapping[str, Any], place: TomlPosition, file: TomlFile, *, task: str | None = None
) -> SuiteSection:
    said = (*SCORING_KEYS, *(("weight",) if task is not None else ()))
    table = {key.replace("-", "_") if key.replace("-", "_") in said else key: table[key] for key in table}
    scoring = read_task_scorers(table, place, file.base, file.problems)
    given = {key: value for key, value in table.items() if key not in (*SCORING_KEYS, "variants")}
    _refuse_misplaced(given, place, file, task)
    known = _IN_SUITE if task is None else _IN_TASK
    spelt = keys(given, place, (*known, *said), file.problems)
    layer = section_layer(file, place, f"{file.place.path}, [{'.'.join(place.table)}]", spelt)
    read = read_layer({key: given[written] for key, written in spelt.items()}, layer)
    values = rebase_values(read.values, file.base)
    variants: Variants = {}
    if "variants" in table:
        variants = _variants(table, place, file)
    return SuiteSection(place=place, values=values, variants=variants, scoring=scoring, notes=read.notes)


def _refuse_misplaced(given: dict[str, Any], place: TomlPosition, file: TomlFile, task: str | None) -> None:
    """Refuse options of eval batch that a suite settles itself, or that are not a task's, and drop them."""
    for written in list(given):
        key = written.replace("-", "_")
        option = BY_KEY.get(key)
        if option is None and key != "weight":
            continue
        name = key if option is None else option.name
        if key == "weight":
            hint = "It is an option of a task: write it in [tasks.NAME]."
        elif task is not None and name in OF_ALL_TASKS:
            hint = "It is one for all tasks: write it in [suite]."
        elif name == "fail_under":
            hint = f'Write it in [gates]: "{task or "TASK"}.right" = ">= 0.9".'
        elif name == "memory":
            hint = "A suite learns nothing from its answers; recall gives models what a memory store knows."
        elif name == "id":
            hint = "The evaluation of a task is called SUITE.TASK: give the suite a name in [suite]."
        elif name in ("resume", "overwrite"):
            hint = "A suite always does what is missing; under another name it begins anew."
        elif name in SETTLED:
            hint = "It is an option of the command alone."
        else:
            continue
        del given[written]
        where = place.at(written)
        file.problems.add(ConfigError(f"{where}: {written} cannot be set here", hint))


def _variants(table: Mapping[str, Any], place: TomlPosition, file: TomlFile) -> Variants:
    section = table["variants"]
    if not isinstance(section, dict) or not all(isinstance(row, dict) for row in section.values()):
        raise ConfigError(f"{place.at('variants')}: variants must be a section of sections")
    return with_variants({}, file, *place.table)


def _check_case(tasks: Mapping[str, SuiteTask], problems: Problems) -> None:
    """Names of tasks end those of folders, which disks may know in one case."""
    known: dict[str, str] = {}
    for name, task in tasks.items():
        other = known.setdefault(name.casefold(), name)
        if other != name:
            problems.add(
                ConfigError(f"{task.place}: tasks {other!r} and {name!r} differ in case alone", "Rename one.")
            )


def merged(common: SuiteSection, task: SuiteTask) -> SuiteTask:
    """Return a task with what `[suite]` says where it says nothing itself."""
    own = {OPTIONS[name].key for name in task.values}
    suite = {OPTIONS[name].key: name for name in common.values}
    below = {
        name: common.values[name]
        for key, name in suite.items()
        if name not in OF_ALL_TASKS and not gives_way(key, own, suite)
    }
    return SuiteTask(
        name=task.name,
        weight=task.weight,
        place=task.place,
        values={**below, **task.values},
        variants=merge(common.variants, task.variants),
        scoring=task.scoring.over(common.scoring),
        notes=(*common.notes, *task.notes),
    )


def of_all(common: SuiteSection) -> dict[str, Value]:
    """Return the options of the suite as a whole."""
    return {name: value for name, value in common.values.items() if name in OF_ALL_TASKS}
