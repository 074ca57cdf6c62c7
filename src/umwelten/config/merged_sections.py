"""The sections of several `umwelten.toml` put together: later files replace what earlier ones say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umwelten.config.files import TomlFile
from umwelten.config.project_files import Place
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import ONE_OR_SEVERAL
from umwelten.config.tool_types import rebased_tools
from umwelten.types import FrozenStruct


class TomlSection(FrozenStruct):
    """A section of an `umwelten.toml`, checked. Later files add to and replace what earlier ones say.

    `source` is the file that had the last word, `sources` the one that says each field. `places`: where the
    project's file says something, by the fields' names.
    """

    fields: dict[str, Any]
    source: str
    sources: Mapping[str, str] = {}
    places: Mapping[str, Place] = {}


class Group(FrozenStruct):
    """A named group of models, as they are written; some may be groups themselves."""

    models: tuple[str, ...]
    source: str
    position: TomlPosition

    def at(self, name: str) -> str:
        """Return file, line and section, for messages about the group of this name."""
        return self.position.at(name)


class ToolList(FrozenStruct):
    """A named list of tools, as they are written; some may be lists. `place`: in a project's file."""

    entries: tuple[str, ...]
    source: str
    place: Place | None = None


def merge_sections(rows: Mapping[str, TomlSection], file: TomlFile, kind: str) -> dict[str, TomlSection]:
    """Return the sections of a kind, with those of one more file on top."""
    merged = dict(rows)
    for name, fields in file.data.get(kind, {}).items():
        below = _without_replaced(merged.get(name, TomlSection(fields={}, source="")), fields)
        position = file.place.below(kind, name)
        places = {key: place for key in fields if (place := file.place_of(position, key)) is not None}
        merged[name] = TomlSection(
            fields={**below.fields, **fields},
            source=str(file.place.path),
            sources={**below.sources, **dict.fromkeys(fields, str(file.place.path))},
            places={**below.places, **places},
        )
    return merged


def _without_replaced(below: TomlSection, fields: Mapping[str, Any]) -> TomlSection:
    """Return what earlier files said without what these fields say in another way: one, or several."""
    gone = {key for pair in ONE_OR_SEVERAL for key, other in (pair, pair[::-1]) if other in fields}
    return TomlSection(
        fields={key: value for key, value in below.fields.items() if key not in gone},
        source=below.source,
        sources=below.sources,
        places={key: place for key, place in below.places.items() if key not in gone},
    )


def groups_of(file: TomlFile) -> dict[str, Group]:
    """Return the groups of models of a file."""
    position = file.place.below("groups")
    return {
        name: Group(
            models=tuple(models) if isinstance(models, list) else (models,),
            source=str(file.place.path),
            position=position,
        )
        for name, models in file.data.get("groups", {}).items()
    }


def tool_lists_of(file: TomlFile) -> dict[str, ToolList]:
    """Return the lists of tools of a file."""
    position = file.place.below("tools")
    return {
        name: ToolList(
            entries=rebased_tools(given if isinstance(given, list) else [given], file.base),
            source=str(file.place.path),
            place=file.place_of(position, name),
        )
        for name, given in file.data.get("tools", {}).items()
    }
