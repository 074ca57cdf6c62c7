"""What scores the answers of a task of a suite: its section, `[suite]`, and the scorers file they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.problems import Problems
from umwelten.config.scorers_file import ScorersFile, read_scorers_file
from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import ConfigError, InputError
from umwelten.scoring.definition import Definition, NamedPlace, read_scorers, read_short_form
from umwelten.scoring.gates import Gate, read_gates
from umwelten.scoring.references import path_of
from umwelten.scoring.repeats import MOST, OfRepeats, read_of_repeats
from umwelten.types import FrozenStruct
from umwelten.user_folders import expand_home

SCORING_KEYS = ("scorers", "scorer", "expected", "cluster", "failed_as", "of_repeats")


class TaskScorers(FrozenStruct):
    """Scorers by name, and for each the folder that its relative paths are meant from.

    The rest is as in a scorers file, `None` where nothing is said; `expected` is as seen from the working
    directory. `gates` are those of a scorers file that is named.
    """

    scorers: Mapping[str, Definition] = {}
    bases: Mapping[str, Path] = {}
    expected: str | None = None
    cluster: str | None = None
    failed_as: str | None = None
    of_repeats: OfRepeats | None = None
    gates: tuple[Gate, ...] = ()

    def over(self, below: TaskScorers) -> TaskScorers:
        """Return these with what `below` says where they say nothing; scorers are added, name by name."""
        said = {
            name: value
            for name in ("expected", "cluster", "failed_as", "of_repeats")
            if (value := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(
            below,
            scorers={**below.scorers, **self.scorers},
            bases={**below.bases, **self.bases},
            gates=(*below.gates, *self.gates),
            **said,
        )

    def as_file(self, place: TomlPosition) -> ScorersFile:
        """Return them as a scorers file of their own would say it."""
        return ScorersFile(
            base=Path(),
            place=place.below("gates"),
            scorers=self.scorers,
            bases=self.bases,
            cluster=self.cluster,
            failed_as_zero=self.failed_as == "zero",
            of_repeats=MOST if self.of_repeats is None else self.of_repeats,
        )


def read_task_scorers(
    table: Mapping[str, Any], place: TomlPosition, base: Path, problems: Problems
) -> TaskScorers:
    """Return what a section says of scores. Errors are kept as problems."""
    found: dict[str, Any] = {}
    for key in (key for key in SCORING_KEYS if key in table):
        with problems.keeping():
            read = _READERS[key](table[key], place, base)
            scorers = found.get("scorers", {})
            for name in read.get("scorers", {}):
                if name in scorers:
                    raise ConfigError(f"{place.at(key)}: two scorers are called {name!r}", "Rename one.")
            if "scorers" in read:
                own = read["scorers"]
                bases = {**found.get("bases", {}), **dict.fromkeys(own, read.pop("base", base))}
                read = {**read, "scorers": {**scorers, **own}, "bases": bases}
            # What stands in the section itself counts over the scorers file that it names.
            found |= read
    return TaskScorers(**found)


def _scorers(given: Any, place: TomlPosition, base: Path) -> dict[str, Any]:
    if isinstance(given, dict):
        return {"scorers": read_scorers(given, place.below("scorers"))}
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(
            f"{place.at('scorers')}: scorers is {given!r:.80}",
            'Write a section, scorers.right = { type = "exact" }, or the path of a scorers file.',
        )
    path = base / expand_home(Path(given))
    try:
        file = read_scorers_file(path)
    except InputError as error:
        raise ConfigError(f"{place.at('scorers')}: {error.message}", error.hint) from None
    said = {
        "expected": None if file.expected is None else rebased_reference(file.expected, file.base),
        "cluster": file.cluster,
        "failed_as": "zero" if file.failed_as_zero else None,
        "of_repeats": None if file.of_repeats == MOST else file.of_repeats,
    }
    return {
        "scorers": file.scorers,
        "base": file.base,
        "gates": read_gates(file.gates, file.place),
        **{key: value for key, value in said.items() if value is not None},
    }


def _short_forms(given: Any, place: TomlPosition, base: Path) -> dict[str, Any]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigError(f"{place.at('scorer')}: scorer must be a text, or a list of them")
    found: dict[str, Definition] = {}
    for text in texts:
        one = read_short_form(text, NamedPlace(name=place.at("scorer")))
        if one.name in found:
            raise ConfigError(f"{place.at('scorer')}: two scorers are called {one.name!r}", "Rename one.")
        found[one.name] = one
    return {"scorers": found}


def _text(key: str, given: Any, place: TomlPosition) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(f"{place.at(key)}: {key} must be a text")
    return given


def _failed_as(given: Any, place: TomlPosition, base: Path) -> dict[str, Any]:
    if given != "zero":
        raise ConfigError(
            f"{place.at('failed_as')}: failed_as is {given!r:.80}",
            'Only "zero" is known: calls that failed because of the model count as 0.',
        )
    return {"failed_as": given}


def _of_repeats(given: Any, place: TomlPosition, base: Path) -> dict[str, Any]:
    try:
        return {"of_repeats": read_of_repeats(given)}
    except ValueError as error:
        where = place.at("of_repeats")
        raise ConfigError(f"{where}: of_repeats is {given!r:.80}; it {error}") from None


_READERS: Mapping[str, Callable[[Any, TomlPosition, Path], dict[str, Any]]] = {
    "scorers": _scorers,
    "scorer": _short_forms,
    "expected": lambda given, place, base: {
        "expected": rebased_reference(_text("expected", given, place), base)
    },
    "cluster": lambda given, place, base: {"cluster": _text("cluster", given, place)},
    "failed_as": _failed_as,
    "of_repeats": _of_repeats,
}


def rebased_reference(where: str, base: Path) -> str:
    """Return where references are, with a relative path as seen from the working directory."""
    if path_of(where) is None:
        return where
    text = where.strip()
    mark = "@" if text.startswith("@") else ""
    return f"{mark}{base / expand_home(Path(text.removeprefix('@')))}"
