"""Reports must not take the place of what is read: a table that `rows` and `report` name both is lost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from umwelten.config.declaration import Option
from umwelten.config.option_types import PlainText
from umwelten.config.options import OPTIONS
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.scoring.references import path_of

_IDS = ("from_", "reuse")
"""Their values are ids of evaluations, whose folders no report is written to by chance."""


def refuse_overwriting(settings: Settings, further: Iterable[Path] = ()) -> None:
    """Raise `UsageError` for a report that would replace a file that the options name to be read.

    `further` are other files that are read.
    """
    reports = [path for path in settings.get("report") or () if os.path.lexists(path)]
    for read in [*further, *read_files(settings)] if reports else ():
        for report in reports:
            if _is_same(read, report):
                raise UsageError(
                    Phrase("{option:report={report}} would replace a file that is read", report=report),
                    "Give the report another name.",
                    argument="report",
                )


def read_files(settings: Settings) -> Iterator[Path]:
    """Yield the files and folders that the options name to be read."""
    for name, option in OPTIONS.items():
        if option.type.paths is not None and not option.writes and name not in _IDS:
            yield from _named(option, settings.values[name].value if name in settings.values else None)
    expected = settings.get("expected")
    path = None if expected is None else path_of(expected)
    if path is not None:
        yield Path(path)


def _named(option: Option, value: Any) -> Iterator[Path]:
    """Yield the paths in a value, which a file, a flag or a program gave.

    A `PlainText` is no path, whatever it begins with; functions, classes and data are none either.
    """
    assert option.type.paths is not None
    items = [value] if isinstance(value, str | Path) else value if isinstance(value, list | tuple) else ()
    if isinstance(value, PlainText):
        return
    yield from (item for item in items if isinstance(item, Path))
    texts = [item for item in items if isinstance(item, str)]
    if texts:
        yield from map(Path, option.type.paths(value if isinstance(value, str) else texts))


def _is_same(read: Path, report: Path) -> bool:
    try:
        return read.is_file() and read.samefile(report)
    except (OSError, ValueError):
        return False
