"""What a ranking says of evaluations, once these have other names."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from umwelten.store.rows import json_text
from umwelten.store.stored_pairs import PAIR_PART, AnswerPlace, answer_places, pair_part

RANKING = "ranking"
"""The name of the setting of scores that holds what a ranking came to."""


def renamed_derived(derived: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what is stored of what an evaluation is for; a ranking's definition has all that it is of."""
    of, definition = derived.get("of"), derived.get("definition")
    found = {**derived, "of": _renamed(of, names)}
    if isinstance(definition, dict) and isinstance(definition.get("of"), list):
        found["definition"] = {**definition, "of": [_renamed(each, names) for each in definition["of"]]}
    return found


def rename_in_pairs(connection: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Write the new names into the parts of inputs. Needs a transaction."""
    query = f"SELECT id, part FROM inputs WHERE part LIKE '{PAIR_PART}%:%'"
    # Read to the end before anything is written: what changes while a query runs may be read again.
    found = [(renamed_part(part, names), part, number) for number, part in connection.execute(query)]
    changed = [(new, number) for new, part, number in found if new != part]
    connection.executemany("UPDATE inputs SET part = ? WHERE id = ?", changed)


def renamed_part(part: str, names: Mapping[str, str]) -> str:
    """Return a pair's part with the new names of evaluations; what is none stays as it is."""
    try:
        places = answer_places(part)
    except ValueError:
        return part
    first, second = (
        AnswerPlace(call=place.call, evaluation=names.get(place.evaluation, place.evaluation))
        for place in places
    )
    rest = part.split(" ", 3)[3:]
    return " ".join([pair_part(first, second), *rest])


def rename_in_ranking(connection: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Write the new names into what a ranking came to. Needs a transaction."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (RANKING,)).fetchone()
    if row is None:
        return
    ranking = msgspec.json.decode(row[0])
    if isinstance(ranking, dict):
        found = _in_contestants(ranking, names)
        found["id"] = _renamed(found.get("id"), names)
        if isinstance(found.get("of"), list):
            found["of"] = [_renamed(each, names) for each in found["of"]]
        connection.execute("UPDATE settings SET value = ? WHERE name = ?", (json_text(found), RANKING))


def _in_contestants(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_in_contestants(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _renamed(each, names) if key == "evaluation" else _in_contestants(each, names)
        for key, each in value.items()
    }


def _renamed(name: Any, names: Mapping[str, str]) -> Any:
    return names.get(name, name) if isinstance(name, str) else name
