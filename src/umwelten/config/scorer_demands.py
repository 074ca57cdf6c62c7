"""What scorers demand that a project's file names: to run a function or a program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from umwelten.config.project_files import Place
from umwelten.config.trust import Demand
from umwelten.errors import UmweltenError
from umwelten.scoring.definition import Definition
from umwelten.scoring.settings import split_function
from umwelten.user_folders import expand_home


def scorer_demands(definitions: Iterable[Definition], place: Place, base: Path) -> Iterator[Demand]:
    """Yield what these scorers demand, which the project's file at `place` names itself or by their file.

    A scorer that a flag names, or that stands in a scorers file that a flag names, is the user's own word,
    as a schema is: nothing is asked about it. `base`: the folder from which their paths are meant.
    """
    for definition in definitions:
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


def _bytes(path: Path) -> bytes | None:
    """Return what a file holds, `None` where there is none or it can't be read."""
    try:
        path = expand_home(path)
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError, UmweltenError):
        return None
