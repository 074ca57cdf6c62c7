"""How an evaluation was started: what it read, the limits of its latest run, and the options that were given.

`runs.given` is what `eval resume` reads. Here nothing is made of it but texts for people; what was withheld
there, such as a key, is named without a value.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from umwelten.prompts.messages import is_conversation
from umwelten.store.given import made_by
from umwelten.store.inputs import path_text
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.types import FrozenStruct

_INPUTS = """SELECT count(*), min(path), max(path), max(part <> '') FROM inputs
    WHERE active AND id > 0 AND name <> ''"""
_RUN = "SELECT settings, given, (SELECT count(*) FROM runs) FROM runs ORDER BY id DESC LIMIT 1"
# Whatever else stands there is no option: the file may come from somebody else, and a command is made of it.
_NAME = re.compile(r"[a-z_]{1,40}", re.ASCII)
# What a reader wants first; the others follow as they are stored.
_LIMITS = (
    *("max_concurrency", "provider_concurrency", "timeout_s", "retries", "max_wait_s", "stream"),
    *("engine", "workers"),
)


class StartOption(FrozenStruct):
    """An option that a run was started with, its values as texts; a switch has "yes" or "no".

    `given`: by a flag or an argument, not in a file. `withheld`: it may hold a key, and has no values.
    """

    name: str
    values: tuple[str, ...]
    given: bool
    withheld: bool


class RunConditions(FrozenStruct, kw_only=True):
    """How an evaluation was started, of its latest run. `None` is "not stored": earlier versions did not.

    `inputs` of the plan are in the directory or file `place`, of `runs` in all. `limits` are name and value.
    `kind` is that of the command, `version` umwelten's.
    """

    inputs: int
    place: str | None
    runs: int
    version: str | None
    kind: str | None
    limits: tuple[tuple[str, str], ...]
    options: tuple[StartOption, ...]


class _Given(msgspec.Struct):
    kind: str = ""
    umwelten: str = ""
    options: dict[str, dict[str, Any]] = {}


class _Marked(msgspec.Struct):
    options: _Given = msgspec.field(default_factory=_Given)


def run_conditions(reader: Reader) -> RunConditions:
    """Return them; of a database from before they were kept, what there is."""
    count, first, last, has_parts = reader.connection.execute(_INPUTS).fetchone()
    row = reader.connection.execute(_RUN).fetchone()
    settings, given, runs = ("{}", "{}", 0) if row is None else tuple(row)
    started = _decoded(given)
    return RunConditions(
        inputs=count,
        place=_place(first, last, has_parts=bool(has_parts)) if count else None,
        runs=runs,
        version=started.umwelten or made_by(reader) or None,
        kind=started.kind if started.kind in ("run", "batch") else None,
        limits=tuple(_limits(settings)),
        options=tuple(
            _option(name, option) for name, option in started.options.items() if _NAME.fullmatch(name)
        ),
    )


def _option(name: str, option: dict[str, Any]) -> StartOption:
    withheld = bool(option.get("withheld"))
    values = () if withheld else tuple(_texts(option.get("value")))
    return StartOption(name=name, values=values, given=bool(option.get("given")), withheld=withheld)


def _decoded(given: str) -> _Given:
    """Another version may have written it: what cannot be read is left out of a report."""
    try:
        return msgspec.json.decode(given, type=_Marked).options
    except msgspec.MsgspecError:
        return _Given()


def _limits(settings: str) -> list[tuple[str, str]]:
    try:
        found = msgspec.json.decode(settings, type=dict[str, Any])
    except msgspec.MsgspecError:
        return []
    names = [name for name in _LIMITS if name in found]
    names += [name for name in found if name not in (*_LIMITS, "prices")]
    return [(name, _limit(name, found[name])) for name in names if found[name] not in (None, {}, [])]


def _limit(name: str, value: Any) -> str:
    is_time = name.endswith("_s") and isinstance(value, int | float) and 0 <= value < 1e9
    return formatting.seconds(value) if is_time else ", ".join(_texts(value))


def _place(first: str, last: str, *, has_parts: bool) -> str:
    """The directory that all inputs are in, or the file whose parts they are."""
    one, other = path_text(first), path_text(last)
    if has_parts and one == other:
        return one
    try:
        # Of the first and the last in order, what all of them have in common.
        return os.path.commonpath([Path(one).parent, Path(other).parent]) or "."
    except ValueError:
        return str(Path(one).parent)


def _texts(value: Any) -> list[str]:
    """The values as people write them. The tags by which paths and lists are kept are taken off."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("text", "path", "tuple", "bytes"):
            return _texts(next(iter(value.values())))
        pairs = value["map"] if list(value) == ["map"] else value.items()
        return [f"{''.join(_texts(name))}={', '.join(_texts(held))}" for name, held in pairs]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if value is None:
        return []
    if isinstance(value, str):
        return ["…" if is_conversation(value) else value]  # no flag takes it in one text
    return [msgspec.json.encode(value).decode()]
