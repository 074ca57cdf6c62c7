"""An evaluation's folder under another name, together with those that belong to it: all or nothing.

Several folders cannot be renamed at once. So what is to be done is written down first, in the file `JOURNAL`
of the evaluation's own folder, and that folder is renamed last: whoever finds the file does the same again,
and what was done already is left as it is. An error, other than a kill, takes back what was done.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from umwelten.errors import EvaluationExists, StoreError, UsageError
from umwelten.phrases import Phrase
from umwelten.store.database import (
    DATABASE,
    EVALUATION,
    DatabaseKind,
    NeverStarted,
    check_own_files,
    folder_errors,
    has_database,
    open_database,
    open_for_reading,
    store_errors,
    transaction,
)
from umwelten.store.derived import (
    DatabaseErrors,
    derived_of,
    goes_along,
    is_same_place,
    locked,
    owner,
    rankings_of,
)
from umwelten.store.inputs import original_path, storable_path
from umwelten.store.kept_inputs import INPUTS
from umwelten.store.renamed_answers import rename_in_pairs, rename_in_ranking, renamed_derived
from umwelten.store.rows import json_text
from umwelten.store.scores.tables import SCORES
from umwelten.store.stored_calls import ANSWER_PART
from umwelten.store.stored_pairs import PAIR_PART
from umwelten.types import FrozenStruct

JOURNAL = "evaluation.moving"

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_MOST_BYTES = 1_000_000  # thousands of names


class Relocation(FrozenStruct):
    """What is to be done: `source` becomes `target`, and `source.X` becomes `target.X` for all `endings`.

    `what` is the command: "rename", "copy" or "overwrite". A copy is of the evaluation `of`, and only gets
    its place.
    """

    what: str
    source: str
    target: str
    endings: tuple[str, ...] = ()
    of: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The new names by the old ones, the evaluation itself last."""
        derived = {f"{self.source}.{ending}": f"{self.target}.{ending}" for ending in self.endings}
        return {**derived, self.source: self.target}


def rename(folder: Path, target: Path) -> list[str]:
    """Rename an evaluation, and what belongs to it; returns the new names of the latter.

    What a kill has left half done is finished. Raises EvaluationBusy, EvaluationExists, and StoreError if
    there is no evaluation; then nothing has changed.
    """
    # The journal stays where the folder was until that is renamed, so there it counts, and it alone.
    half = unfinished(folder if os.path.lexists(folder) else target)
    wanted = ("rename", folder.name, target.name)
    if half is None or (half.what, half.source, half.target) != wanted:
        refuse_derived(folder)
        check_finished(folder)
        endings = endings_of(folder)
        half = Relocation(what="rename", source=folder.name, target=target.name, endings=endings)
        _refuse_existing(target.parent, half)
    rankings = list(rankings_of(folder))
    there = [folder.with_name(name) for name in (*half.names, *half.names.values())]
    with locked([*(each for each in there if has_database(each)), *rankings]) as held:
        _release_for_windows(held)
        carry_out(half, folder.parent, folder.parent, rankings)
    return [name for name in half.names.values() if name != target.name]


def set_aside(folder: Path) -> Path:
    """Rename a folder to `<name>.replaced-<time>` with what belongs to it; returns where it is now.

    Raises EvaluationBusy, and nothing has changed.
    """
    half = unfinished(folder)
    if half is None or (half.what, half.source) != ("overwrite", folder.name):
        check_finished(folder)
        target = _free_name(folder)
        half = Relocation(what="overwrite", source=folder.name, target=target, endings=endings_of(folder))
    others = [folder.with_name(name) for name in half.names if name != folder.name]
    with locked([folder, *(other for other in others if has_database(other))]) as held:
        _release_for_windows(held)
        carry_out(half, folder.parent, folder.parent)
    return folder.with_name(half.target)


def endings_of(folder: Path) -> tuple[str, ...]:
    """Return what the names of the evaluations that belong to that in a folder have after its own."""
    return tuple(other.name.removeprefix(f"{folder.name}.") for other in derived_of(folder))


def refuse_derived(folder: Path) -> None:
    """Raise UsageError for an evaluation that belongs to another one, which is there."""
    found = owner(folder) if goes_along(folder) else None
    if found is not None and has_database(found):
        raise UsageError(
            f"{folder.name!r} holds what judges said of {found.name!r}, and goes where that goes",
            f"Take that one: umwelten eval rename {found.name} NEW, or umwelten eval copy {found.name} NEW",
        )


def _free_name(folder: Path) -> str:
    stem = f"{folder.name}.replaced-{time.strftime('%Y%m%dT%H%M%S')}"
    target, number = stem, 1
    while os.path.lexists(folder.with_name(target)):
        number += 1
        target = f"{stem}-{number}"
    return target


def _refuse_existing(output_dir: Path, wanted: Relocation) -> None:
    for name in reversed(wanted.names.values()):
        refuse_existing(output_dir / name)


def refuse_existing(folder: Path) -> None:
    """Raise EvaluationExists if anything has that name."""
    if os.path.lexists(folder):
        what = "an evaluation" if has_database(folder) else "something else"
        raise EvaluationExists(
            f"{folder.name!r} exists already in {folder.parent}: {what}", "Choose another name."
        )


def _release_for_windows(held: Sequence[Any]) -> None:
    if os.name == "nt":  # there, an open file keeps its folder from being renamed
        for each in held:
            each.release()


# --- the journal ---------------------------------------------------------------------------------


def unfinished(folder: Path) -> Relocation | None:
    """Return what a kill has left half done, by the journal in a folder; `None`: nothing."""
    check_own_files(folder, JOURNAL)
    try:
        with (folder / JOURNAL).open("rb") as file:
            found = msgspec.json.decode(file.read(_MOST_BYTES), type=Relocation)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"{folder / JOURNAL} cannot be read: {error}", "Remove it.") from error
    # It may come from somebody else, and must lead nowhere else.
    if not all(_NAME.fullmatch(name) for name in (found.source, found.target, *found.endings)):
        raise StoreError(f"{folder / JOURNAL} has names that no evaluation has", "Remove it.")
    return found


def check_finished(folder: Path) -> None:
    """Raise StoreError for an evaluation whose renaming was interrupted: its judges may be gone on."""
    half = unfinished(folder)
    if half is None or half.target == folder.name or half.source != folder.name:
        return
    again = Phrase("Run the same command with {option:overwrite} again.")
    if half.what == "rename":
        again = Phrase(
            "Repeat it: umwelten eval rename {source} {target}", source=half.source, target=half.target
        )
    raise StoreError(f"moving evaluation {half.source!r} to {half.target!r} was interrupted", again)


def write_journal(folder: Path, relocation: Relocation) -> None:
    """Write down what is to be done; the file is there whole or not at all."""
    temporary = folder / f".evaluation.tmp-{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(msgspec.json.encode(relocation))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / JOURNAL)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


# --- doing it ------------------------------------------------------------------------------------


def carry_out(
    relocation: Relocation, source_dir: Path, target_dir: Path, rankings: Sequence[Path] = ()
) -> None:
    """Do what is to be done, from wherever it was left; the locks are held. Raises StoreError.

    `rankings` stay where they are, and say the new names.
    """
    own = source_dir / relocation.source
    with folder_errors(own):
        if own.is_dir() and (relocation.endings or rankings):
            write_journal(own, relocation)
        try:
            for ranking in rankings:
                rewrite_names(ranking, target_dir, relocation.names)
            _move(relocation, source_dir, target_dir)
        except BaseException:
            with suppress(*DatabaseErrors):
                _take_back(relocation, source_dir, target_dir, rankings)
            raise
    (target_dir / relocation.target / JOURNAL).unlink(missing_ok=True)


def _move(relocation: Relocation, source_dir: Path, target_dir: Path) -> None:
    # What is moved aside may be damaged, which is why it is; and alone it stays as it was.
    tolerated = DatabaseErrors if relocation.what == "overwrite" else ()
    if relocation.endings or relocation.what != "overwrite":
        for name in relocation.names:
            if has_database(source_dir / name):
                with suppress(*tolerated):
                    rewrite_names(source_dir / name, target_dir, relocation.names)
    for name, target in relocation.names.items():
        if not os.path.lexists(source_dir / name):
            continue
        if os.path.lexists(target_dir / target):
            raise EvaluationExists(f"{target!r} exists already in {target_dir}")
        (source_dir / name).rename(target_dir / target)


def _take_back(relocation: Relocation, source_dir: Path, target_dir: Path, rankings: Sequence[Path]) -> None:
    back = {target: name for name, target in relocation.names.items()}
    for ranking in rankings:
        with suppress(*DatabaseErrors):
            rewrite_names(ranking, target_dir, back)
    for target, name in back.items():
        if os.path.lexists(target_dir / target) and not os.path.lexists(source_dir / name):
            (target_dir / target).rename(source_dir / name)
        if has_database(source_dir / name):
            with suppress(*DatabaseErrors):
                rewrite_names(source_dir / name, target_dir, back)
    (source_dir / relocation.source / JOURNAL).unlink(missing_ok=True)


def rewrite_names(folder: Path, output_dir: Path, names: Mapping[str, str]) -> None:
    """Write the new names of evaluations into what the databases of a folder say of them; again: no change.

    Each database changes in one transaction. Raises StoreError.
    """
    for kind, write in ((EVALUATION, _rewrite_evaluation), (SCORES, _rewrite_scores)):
        if not os.path.lexists(folder / kind.name) or not _was_started(folder, kind):
            continue
        check_own_files(folder, kind=kind)
        with (
            store_errors(folder, kind),
            closing(open_database(folder, kind)) as connection,
            transaction(connection),
        ):
            write(connection, output_dir, names)


def _was_started(folder: Path, kind: DatabaseKind) -> bool:
    try:
        with store_errors(folder, kind):
            open_for_reading(folder, kind=kind).close()
    except NeverStarted:
        return False
    return True


def _rewrite_evaluation(connection: sqlite3.Connection, output_dir: Path, names: Mapping[str, str]) -> None:
    row = connection.execute("SELECT id, options FROM evaluation").fetchone()
    if row is None:
        return
    options = msgspec.json.decode(row[1], type=dict[str, Any])
    derived = options.get("derived")
    if isinstance(derived, dict):
        options["derived"] = renamed_derived(derived, names)
    connection.execute(
        "UPDATE evaluation SET id = ?, options = ?", (names.get(row[0], row[0]), json_text(options))
    )
    for old, new in _moved_paths(connection, output_dir, names):
        connection.execute("UPDATE inputs SET path = ? WHERE path = ?", (new, old))
    rename_in_pairs(connection, names)
    for old, new in _moved_folders(connection, output_dir, names):
        connection.execute(
            "UPDATE inputs SET path = ? || substr(path, ?) WHERE substr(path, 1, ?) = ?",
            (new, len(old) + 1, len(old), old),
        )


def _moved_folders(
    connection: sqlite3.Connection, output_dir: Path, names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield what the paths of inputs begin with that are kept beside the answers."""
    place = f"instr(path, '{os.sep}{INPUTS}{os.sep}')"
    rows = connection.execute(f"SELECT DISTINCT substr(path, 1, {place} - 1) FROM inputs WHERE {place} > 0")
    for (stored,) in rows.fetchall():
        folder = Path(original_path(stored))
        if folder.name in names and is_same_place(folder, output_dir / folder.name):
            yield stored, storable_path(str(folder.with_name(names[folder.name])))


def _moved_paths(
    connection: sqlite3.Connection, output_dir: Path, names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    kinds = f"part LIKE '{ANSWER_PART}%' OR part LIKE '{PAIR_PART}%'"
    rows = connection.execute(f"SELECT DISTINCT path FROM inputs WHERE {kinds}").fetchall()
    for (stored,) in rows:
        path = Path(original_path(stored))
        name = path.parent.name
        if path.name == DATABASE and name in names and is_same_place(path.parent, output_dir / name):
            yield stored, storable_path(str(path.parent.with_name(names[name]) / DATABASE))


def _rewrite_scores(connection: sqlite3.Connection, output_dir: Path, names: Mapping[str, str]) -> None:
    for number, judge in connection.execute("SELECT id, judge FROM scorers").fetchall():
        if judge in names:
            connection.execute("UPDATE scorers SET judge = ? WHERE id = ?", (names[judge], number))
    rename_in_ranking(connection, names)
