"""The lists in `[tools]` of an `umwelten.toml`, and what a project's file demands by naming tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from umwelten.config.project_files import Place
from umwelten.config.settings import Settings
from umwelten.config.trust import Demand
from umwelten.errors import UmweltenError
from umwelten.tools.entries import LIST, is_built_in, named_file, used_lists
from umwelten.user_folders import expand_home


def trusted_lists(entries: Iterable[object], settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the lists of tools by their names, for `select_tools`.

    Raises `Untrusted` where the entries use a list of a project's file that would run or start something.
    """
    lists = {name: found.entries for name, found in settings.tool_lists.items()}
    settings.trust.require(list_demands(settings, used_lists(entries, lists)))
    return lists


def list_demands(settings: Settings, names: Iterable[str] | None = None) -> Iterator[Demand]:
    """Yield what lists demand that a project's file writes; `names`: only these."""
    of_projects = {f"{LIST}{name}" for name, found in settings.tool_lists.items() if found.place is not None}
    for name in settings.tool_lists if names is None else names:
        found = settings.tool_lists[name]
        if found.place is not None:
            # Another list of a project's demands what it does itself.
            entries = (entry for entry in found.entries if entry not in of_projects)
            yield from entry_demands(entries, found.place)


def entry_demands(entries: Iterable[str], place: Place) -> Iterator[Demand]:
    """Yield what a project's file demands that names these tools: all but the built-in ones.

    What it names of its own (a server, a list) demands more where that is written.
    """
    for entry in entries:
        if is_built_in(entry):
            continue
        file = named_file(entry)
        if file is None:
            shown = str(place.shown(entry))
            yield Demand(kind="tool", places=(place,), text=f"lets models call {shown}", facts=(shown,))
            continue
        real = place.file.real_path(Path(file[0]))
        yield Demand(
            kind="run",
            places=(place,),
            text=f"runs the Python file {place.shown(real)}, whose functions models may call",
            facts=("tools", real),
            code=_code(Path(file[0])),
        )


def _code(path: Path) -> bytes | None:
    """Return the source of a Python file, `None` for one that can't be read."""
    try:
        return expand_home(path).read_bytes()
    except (OSError, ValueError, UmweltenError):
        return None
