"""What scorers demand that a project's file names: to run a function or a program, to read files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from umwelten.config.project_files import Place
from umwelten.config.trust import Demand
from umwelten.errors import UmweltenError
from umwelten.scoring.definition import Definition
from umwelten.scoring.references import path_of
from umwelten.scoring.settings import split_function
from umwelten.user_folders import expand_home


def scorer_demands(definitions: Iterable[Definition], place: Place, base: Path) -> Iterator[Demand]:
    """Yield what these scorers demand, which the project's file at `place` names itself or by their file.

    A scorer that a flag names, or that stands in a scorers file that a flag names, is the user's own word,
    as a schema is: nothing is asked about it. `base`: the folder from which their paths are meant.
    """
    for definition in definitions:
        for path in read_paths(definition):
            yield from read_demand(path, f"scorer {definition.name}", place, base)
        if definition.type == "python":
            path, _ = split_function(definition.settings["value"]) or ("", "")
            real = place.file.real_path(base / path)
            yield Demand(
                kind="score",
                places=(place,),
                text=f"runs the Python file {place.shown(real)} (scorer {definition.name})",
                facts=(real,),
                code=_bytes(base / path),
            )
        elif definition.type == "command":
            words: list[str] = definition.settings["value"]
            # A program of the project is part of the command: who changes it changes what runs.
            files = [data for word in words if (data := _bytes(base / word)) is not None]
            yield Demand(
                kind="score",
                places=(place,),
                text=f"runs the command {place.shown(' '.join(words))} (scorer {definition.name})",
                facts=(*words, os.path.realpath(base)),
                code=b"\0".join(files) if files else None,
            )


def read_paths(definition: Definition) -> list[str]:
    """Return the files and folders that a scorer reads, as they are written."""
    table = definition.settings["value"] if definition.type == "table" else None
    expected = path_of(definition.expected) if definition.expected else None
    return [path for path in (expected, table, definition.check) if path is not None]


def read_demand(path: str, of: str, place: Place, base: Path) -> Iterator[Demand]:
    """Yield the demand to read a file that is not the project's own; `of` says what for."""
    given = base / Path(path) if not path.startswith("~") else Path(path)
    if (why := place.file.why_not_held(given)) is not None:
        real = place.file.real_path(given)
        text = f"reads {place.shown(real)}, to score by it ({of}); {why}"
        yield Demand(kind="read", places=(place,), text=text, facts=(of, real))


def _bytes(path: Path) -> bytes | None:
    """Return what a file holds, `None` where there is none or it can't be read."""
    try:
        path = expand_home(path)
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError, UmweltenError):
        return None
