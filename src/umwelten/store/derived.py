"""Evaluations that belong to another one: what judges said of `letters` is `letters.NAME`.

The stored `Derived` says what an evaluation is for; its folder's name says whose it is, as long as the stored
`of` does not name another evaluation that is there. So an unrelated `letters.old` belongs to nobody, a folder
copied by hand stays the judge of what it was copied from, and folders that were moved by hand stay together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.records import Derived
from umwelten.store.database import (
    VALUE_ERRORS,
    NeverStarted,
    evaluations,
    folder_errors,
    has_database,
    open_for_reading,
)
from umwelten.store.folder_lock import FolderLock, lock
from umwelten.store.inputs import original_path
from umwelten.store.like_pattern import literal
from umwelten.store.scores.tables import SCORES
from umwelten.store.stored_calls import ANSWER_PART
from umwelten.store.stored_pairs import PAIR_PART, answer_places

JUDGE = "judge"
"""The role of an evaluation whose answers are verdicts on those of another one."""

RANK = "rank"
"""The role of an evaluation whose answers say which of two answers is better. Where these are of several
evaluations, its `of` is the first of them."""

LEARN, MERGE = "learn", "merge"
"""The roles of evaluations whose answers are facts for a memory store, and of those that say how facts join
what it knows. They belong to no other evaluation."""


def stored_derived(folder: Path) -> Derived | None:
    """Return what the evaluation in a folder is for; `None` for one of its own.

    Raises StoreError for one that cannot be read, NeverStarted for one that a kill left without settings.
    """
    try:
        with folder_errors(folder), closing(open_for_reading(folder)) as connection:
            row = connection.execute("SELECT options FROM evaluation").fetchone()
            if row is None:
                raise NeverStarted(f"the evaluation in {folder} was never started")
            options = msgspec.json.decode(row[0], type=dict[str, Any])
            return msgspec.convert(options.get("derived"), Derived | None)
    except VALUE_ERRORS as error:
        raise StoreError(f"the settings of evaluation {folder.name!r} cannot be read: {error}") from error


def owner(folder: Path, derived: Derived | None = None) -> Path | None:
    """Return the folder of the evaluation that this one belongs to, which may be gone; `None`: to none.

    `derived` is what is stored in it; it is read if it is not given. What cannot be read belongs to none.
    """
    if derived is None:
        try:
            derived = stored_derived(folder)
        except StoreError:
            return None
    if derived is None or derived.role not in (JUDGE, RANK):
        return None
    name, _, scorer = folder.name.rpartition(".")
    is_there = _is_there(folder.parent, derived.of)
    if name and scorer == derived.scorer and (derived.of == name or not is_there):
        return folder.with_name(name)
    # A ranking may be called anything. Two of them must not belong to each other, whatever is stored.
    if derived.role == RANK and is_there and _is_own(folder.with_name(derived.of)):
        return folder.with_name(derived.of)
    return None


def _is_own(folder: Path) -> bool:
    try:
        return stored_derived(folder) is None
    except StoreError:
        return False


def goes_along(folder: Path) -> bool:
    """Return whether an evaluation is renamed, copied and removed with the one that it belongs to."""
    whose = owner(folder)
    return whose is not None and folder.name.startswith(f"{whose.name}.")


def _is_there(output_dir: Path, name: str) -> bool:
    # The name was read, and may be anything.
    return name not in ("", ".", "..") and "/" not in name and has_database(output_dir / name)


def derived_of(folder: Path) -> list[Path]:
    """Return the folders of all evaluations that belong to that in a folder, and to those, by name."""
    start = f"{folder.name}."
    found = [
        other
        for other in evaluations(folder.parent)
        if other.name.startswith(start) and owner(other) == folder
    ]
    return [each for other in found for each in (other, *derived_of(other))]


def made_from(folder: Path) -> Iterator[str]:
    """Yield the ids of evaluations that are made from answers of that in a folder and do not go along."""
    along = set(derived_of(folder))
    for other in evaluations(folder.parent):
        if other in along:
            continue
        try:
            with folder_errors(other), closing(open_for_reading(other)) as connection:
                is_made = _is_made_from(connection, folder)
        except (StoreError, *VALUE_ERRORS):
            continue
        if is_made:
            yield other.name


def _is_made_from(connection: sqlite3.Connection, folder: Path) -> bool:
    row = connection.execute("SELECT path, part FROM inputs WHERE active LIMIT 1").fetchone()
    if row is None or not str(row[1]).startswith((ANSWER_PART, PAIR_PART)):
        return False
    place = Path(original_path(row[0])).parent
    if is_same_place(place, folder):
        return True
    return is_same_place(place.with_name(folder.name), folder) and _names_pairs_of(connection, folder.name)


def _names_pairs_of(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether inputs are pairs with answers of that evaluation, where it is not the path's own."""
    query = r"SELECT part FROM inputs WHERE active AND part LIKE ? ESCAPE '\'"
    for (part,) in connection.execute(query, (f"{PAIR_PART}%{literal(name)}:%",)):
        with suppress(ValueError):
            if name in (place.evaluation for place in answer_places(part)):
                return True
    return False


def rankings_of(folder: Path) -> Iterator[Path]:
    """Yield the folders of the rankings that stay where they are and say something of that evaluation."""
    for name in made_from(folder):
        other = folder.with_name(name)
        with suppress(StoreError):  # one that cannot be read keeps no other one from its new name
            derived = stored_derived(other)
            if derived is not None and derived.role == RANK:
                yield other


def is_same_place(one: Path, other: Path) -> bool:
    """Return whether two paths are those of one folder, which need not be there."""
    return one.name == other.name and one.parent.resolve() == other.parent.resolve()


@contextmanager
def locked(folders: Iterable[Path]) -> Iterator[list[FolderLock]]:
    """Hold the locks of all these evaluations and of their scores, or none.

    Raises EvaluationBusy, which names the evaluation that a process works on, and StoreError for links.
    """
    held: list[FolderLock] = []
    with ExitStack() as stack:
        for folder in folders:
            kinds = [()] if not (folder / SCORES.name).exists() else [(), (SCORES,)]
            for kind in kinds:
                held.append(lock(folder, *kind))
                stack.callback(held[-1].release)
        yield held


DatabaseErrors = (StoreError, sqlite3.Error, OSError)
"""What using a folder's database may raise."""
