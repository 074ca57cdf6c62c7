"""What the project's files demand by the values of options: files to read, write or run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from umwelten.config.declaration import Option
from umwelten.config.engine_fields import WORKERS
from umwelten.config.engine_types import RAY, split_engine
from umwelten.config.layers import Value
from umwelten.config.mcp_demands import given_demands
from umwelten.config.options import OPTIONS
from umwelten.config.project_files import Place
from umwelten.config.scorer_demands import read_demand, scorer_demands
from umwelten.config.scorers_file import read_scorers_file
from umwelten.config.tool_lists import entry_demands
from umwelten.config.trust import Demand
from umwelten.errors import UmweltenError
from umwelten.scoring.definition import NamedPlace, read_short_form
from umwelten.scoring.references import path_of
from umwelten.text.patterns import hidden_names
from umwelten.user_folders import expand_home

_RULES = {
    "allow": "lets models call tools of yours that may change something: {} (allow)",
    "deny": "says in your place which tools are never run: {} (deny)",
}
"""Of the tools that a user names, on servers of the user's own: no file of a project decides on these."""


def option_demands(values: Mapping[str, Value], output_dir: Path) -> Iterator[Demand]:
    """Yield what those values demand that a project's file set, by the options' names."""
    for name, value in values.items():
        if value.place is None or value.value is None:
            continue
        option = OPTIONS[name]
        if value.place.uses and _holds_text(option, value.value):
            yield _variable_demand(option, value.place)
        if name == "file_pattern" and hidden_names(value.value):
            yield Demand(
                kind="read",
                places=(value.place,),
                text=f"reads hidden files, {value.shown}, to send them ({option.key})",
                facts=(name, value.value),
            )
        if name in ("scorers", "scorer", "expected"):
            yield from _score_demands(name, value)
        if name == "mcp":
            yield from given_demands(value.value, value.place)
        yield from _other_demands(name, value, value.place)
        yield from _engine_demands(name, value, value.place)
        if name == "tools":  # all but built-in ones, whichever file they are in
            yield from entry_demands(value.value, value.place)
            continue
        for path in option.type.paths(value.value) if option.type.paths is not None else ():
            # The id of an evaluation is a path below the output directory; a plain one stays there.
            if name not in ("from_", "reuse"):
                yield from _path_demand(option, path, value.place)
            elif Path(path).name != str(path) or str(path) in (".", ".."):
                yield from _path_demand(option, output_dir / path, value.place)


def _other_demands(name: str, value: Value, place: Place) -> Iterator[Demand]:
    if name == "on_end":
        text = f"runs the command {value.shown} at the end of a run (on_end)"
        yield Demand(kind="run", places=(place,), text=text, facts=(name, str(value.value)))
    if name in _RULES:
        shown = value.shown if isinstance(value.shown, str) else ", ".join(value.shown)
        yield Demand(
            kind="tool", places=(place,), text=_RULES[name].format(shown), facts=(name, *value.value)
        )


def _engine_demands(name: str, value: Value, place: Place) -> Iterator[Demand]:
    """Yield what the choice of who makes the calls demands: whoever runs a cluster reads all that it does."""
    if name == "ship_keys" and value.value is True:
        text = "sends API keys to the workers of a Ray cluster (ship_keys)"
        yield Demand(kind="send", places=(place,), text=text, facts=(name,))
    if name == "workers" and value.value > WORKERS:
        # Each takes 130 MB: it is for the user to say how many this machine, or a cluster, can bear.
        text = f"starts {value.value} processes that make the calls, where they are made by Ray (workers)"
        yield Demand(kind="run", places=(place,), text=text, facts=(name, str(value.value)))
    if name != "engine":
        return
    kind, address = split_engine(value.value)
    if address:
        shown = split_engine(value.shown)[1]
        text = f"has the calls made, with all that is sent, by the Ray cluster at {shown} (engine)"
        yield Demand(kind="send", places=(place,), text=text, facts=(name, value.value))
    elif kind == RAY:
        # It listens on ports of 127.0.0.1: nothing that a stranger's file should open unasked.
        text = "starts a Ray cluster, which listens on 127.0.0.1, and makes the calls there (engine)"
        yield Demand(kind="run", places=(place,), text=text, facts=(name, value.value))


def _score_demands(name: str, value: Value) -> Iterator[Demand]:
    """Yield what the scorers demand that a project's file names, itself or by a scorers file."""
    assert value.place is not None
    with suppress(UmweltenError):  # what cannot be read is an error of its own, later
        if name == "scorers":
            file = read_scorers_file(value.value)
            yield from scorer_demands(file.scorers.values(), value.place, file.base)
            yield from _reference_demands(file.expected, value.place, file.base)
        elif name == "expected":
            yield from _reference_demands(value.value, value.place, Path())
        else:
            named = [read_short_form(text, NamedPlace(name=name)) for text in value.value]
            yield from scorer_demands(named, value.place, Path())


def _holds_text(option: Option, value: Any) -> bool:
    """Return whether a value has room for the text of a variable."""
    return not isinstance(value, bool | int | float) and not option.type.choices


def _reference_demands(expected: str | None, place: Place, base: Path) -> Iterator[Demand]:
    if expected is not None and (path := path_of(expected)) is not None:
        yield from read_demand(path, "expected", place, base)


def _variable_demand(option: Option, place: Place) -> Demand:
    names = ", ".join(place.uses)
    return Demand(
        kind="variable",
        places=(place,),
        text=f"puts the variable {names} into the setting {option.key}",
        facts=(option.name,),
    )


def _path_demand(option: Option, given: str | Path, place: Place) -> Iterator[Demand]:
    path = Path(given)
    real = place.file.real_path(path)
    shown = place.shown(real)
    code = _code(path) if option.name == "schema" else None
    if code is not None:
        text = f"runs the Python file {shown}"
        yield Demand(kind="run", places=(place,), text=text, facts=(real,), code=code)
    elif (why := place.file.why_not_held(path, new=option.writes)) is not None:
        text = f"writes to {shown}" if option.writes else f"reads {shown}, to send it"
        yield Demand(
            kind="write" if option.writes else "read",
            places=(place,),
            text=f"{text} ({option.key}); {why}",
            facts=(option.name, real),
        )


def _code(path: Path) -> bytes | None:
    """Return the source of a Python file, `None` for another or one that can't be read."""
    try:
        is_code = path.suffix.lower() == ".py" and expand_home(path).is_file()
        return expand_home(path).read_bytes() if is_code else None
    except (OSError, ValueError, UmweltenError):
        return None
