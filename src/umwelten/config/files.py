"""`umwelten.toml` and `.env`: where they are found, and what they say or where they are broken.

A line of a `.env` may hold a key, so no message repeats one.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from umwelten.config.mcp_sections import check_servers
from umwelten.config.problems import Problems
from umwelten.config.project_files import Place, ProjectFile, project_file
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import check_sections
from umwelten.config.toml_text import parse_toml
from umwelten.errors import ConfigError
from umwelten.types import FrozenStruct, Secret

TOML_NAME = "umwelten.toml"


class TomlFile(FrozenStruct):
    """An `umwelten.toml` as it was read. Its relative paths start from `base`.

    `project`: the file as one of the project; `None` for the user's own. `problems`: where what is wrong with
    it is kept.
    """

    place: TomlPosition
    base: Path
    data: dict[str, dict[str, Any]]
    problems: Problems
    project: ProjectFile | None = None

    def place_of(self, position: TomlPosition, key: str) -> Place | None:
        """Where a key of a table stands, `None` if the file is the user's own."""
        return None if self.project is None else Place(file=self.project, position=position, key=key)


class DotenvValue(FrozenStruct):
    """The value of a variable in a `.env`, and where it stands there."""

    secret: Secret
    place: Place


def nearest(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder or the closest one above it."""
    folder = folder.absolute()
    return next((path for at in (folder, *folder.parents) if is_file(path := at / name)), None)


def is_file(path: Path) -> bool:
    """Return whether there is such a file, as far as this user may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_toml(path: Path, base: Path, problems: Problems, *, project_of: Path | None = None) -> TomlFile:
    """A file with its sections checked, but for the values of defaults and profiles.

    `project_of`: it is the project's, as seen from that working directory; `None`: it is the user's own.
    Sections and rows with `problems` are left out.

    Raises `ConfigError` that names the file, and the line where it is broken.
    """
    text, owner = _text(path)
    data = parse_toml(text, path)
    place = TomlPosition(path=path, text=text)
    check_sections(data, place, problems)
    check_servers(data.get("mcp", {}), place.below("mcp"), problems)
    project = None if project_of is None else project_file(path, project_of, owner)
    return TomlFile(place=place, base=base, data=data, problems=problems, project=project)


def _text(path: Path) -> tuple[str, int]:
    """Return the text of a file, and the id of the user whose file it is."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(), os.fstat(file.fileno()).st_uid
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


# --- .env ------------------------------------------------------------------------------------


def read_dotenv(
    path: Path, environ: Mapping[str, str], cwd: Path, problems: Problems
) -> dict[str, DotenvValue]:
    """The variables of a `.env`; `${NAME}` is replaced from the environment, then from lines above.

    `cwd` is the working directory that it is seen from. A broken line is kept as a problem, by file and line,
    which never shows what stands there.

    Raises `ConfigError` for a file that cannot be read.
    """
    found: dict[str, str] = {}
    values: dict[str, DotenvValue] = {}
    text, owner = _text(path)
    file = project_file(path, cwd, owner)
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.value is None and _holds_something(binding)):
            where = f"{path}, line {_line(binding)}"
            problems.add(ConfigError(f"{where}: not of the form NAME=value", _DOTENV_HINT))
            continue
        if binding.key is not None and binding.value is not None:
            known = {**found, **environ}
            atoms = list(parse_variables(binding.value))
            found[binding.key] = "".join(atom.resolve(known) for atom in atoms)
            uses: dict[str, None] = {}
            for name in (atom.name for atom in atoms if isinstance(atom, Variable)):
                if environ.get(name):
                    uses[name] = None
                elif name not in environ and name in values:
                    uses |= dict.fromkeys(values[name].place.uses)
            written = Secret(binding.value) if uses else None
            place = Place(file=file, number=_line(binding), uses=tuple(uses), written=written)
            values[binding.key] = DotenvValue(secret=Secret(found[binding.key]), place=place)
    return values


_DOTENV_HINT = "Check for a missing = or an open quote; the line is not shown, as it may hold a key."


def _holds_something(binding: Binding) -> bool:
    """Return whether a line without a value is more than blank, a comment, or an `export NAME`."""
    text = binding.original.string.strip()
    return binding.key is not None and text.split()[:1] != ["export"]


def _line(binding: Binding) -> int:
    """The statement's own line: the parser counts the blank lines in front of it as its start."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
