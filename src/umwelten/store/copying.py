"""A copy of an evaluation with what belongs to it, as of one moment, also while a run writes to it.

It is made in a folder `.NAME.copying` that no command takes for an evaluation, and gets its name when it is
whole. What a kill leaves there is removed by the next attempt, or finished if it was whole.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.store.database import (
    EVALUATION,
    DatabaseKind,
    NeverStarted,
    check_own_files,
    folder_errors,
    open_database,
    open_for_reading,
    store_errors,
    transaction,
)
from umwelten.store.folder_lock import lock
from umwelten.store.kept_inputs import copy_kept_inputs
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.ratings.tables import RATINGS
from umwelten.store.relocation import (
    Relocation,
    carry_out,
    check_finished,
    endings_of,
    refuse_derived,
    refuse_existing,
    rewrite_names,
    unfinished,
    write_journal,
)
from umwelten.store.repair import repair
from umwelten.store.scores.tables import SCORES
from umwelten.store.settings import read_settings
from umwelten.store.text_files import TextFiles
from umwelten.store.variants import slugs_of

# Scores say something of answers, and verdicts of both: what is said of comes last, so that it is there.
_KINDS = (RATINGS, SCORES, EVALUATION)
_ENDED = {
    EVALUATION: "UPDATE runs SET ended_at = seen_at, status = 'interrupted' WHERE ended_at IS NULL",
    SCORES: "UPDATE runs SET ended_at = started_at WHERE ended_at IS NULL",
}


def copy(folder: Path, target: Path) -> list[str]:
    """Copy an evaluation, and what belongs to it; returns the new names of the latter.

    A run that is at work on it goes on, and is interrupted in the copy. Raises EvaluationExists, and
    StoreError for an evaluation that cannot be read; then there is no copy.
    """
    stage = target.with_name(f".{target.name}.copying")
    with folder_errors(target):
        held = lock(stage)
        try:
            # Its own folder comes last, with the journal: once there, only the journal may be left to remove.
            half = unfinished(target) or unfinished(stage / target.name)
            wanted = ("copy", folder.name, target.name)
            if half is None or (half.what, half.of, half.target) != wanted:
                half = _prepare(folder, target, stage)
            carry_out(half, stage, target.parent)
        finally:
            held.release()
            _discard(stage)
    return [name for name in half.names.values() if name != target.name]


def _prepare(folder: Path, target: Path, stage: Path) -> Relocation:
    """Make the copies, each whole, under their new names in `stage`."""
    check_finished(folder)
    refuse_derived(folder)
    open_for_reading(folder).close()  # one that was never started is none
    endings = endings_of(folder)
    names = {f"{folder.name}.{ending}": f"{target.name}.{ending}" for ending in endings}
    names[folder.name] = target.name
    for name in reversed(names.values()):
        refuse_existing(target.with_name(name))
    _empty(stage)
    for name, new in names.items():
        _copy(folder.with_name(name), stage / new)
        rewrite_names(stage / new, target.parent, names)
    half = Relocation(what="copy", source=target.name, target=target.name, endings=endings, of=folder.name)
    write_journal(stage / target.name, half)
    return half


def _copy(folder: Path, target: Path) -> None:
    target.mkdir()
    for kind in _KINDS:
        if os.path.lexists(folder / kind.name):
            _copy_database(folder, target, kind)
    # After the database: a run at work adds an input's file before the database names it.
    copy_kept_inputs(folder, target)
    with closing(open_database(target)) as connection:
        spec = read_settings(connection)
        if spec is None:
            return
        missing = MissingTexts()
        text_files = TextFiles(target)
        try:
            named = spec.kind == "run" or len(slugs_of(connection)) > 1
            for _ in repair(connection, text_files, named, missing, anew=False):
                pass
        finally:
            text_files.close()
        if missing.count:
            raise StoreError(f"{missing.count:,} text files could not be written: {missing.example}")


def _copy_database(folder: Path, target: Path, kind: DatabaseKind) -> None:
    check_own_files(folder, writing=False, kind=kind)
    with store_errors(folder, kind):
        try:
            source = open_for_reading(folder, kind=kind)
        except NeverStarted:
            return
        with closing(source), closing(open_database(target, kind)) as connection:
            source.backup(connection)
    with (
        store_errors(target, kind),
        closing(open_database(target, kind)) as connection,
        transaction(connection),
    ):
        if kind in _ENDED:
            connection.execute(_ENDED[kind])


def _empty(stage: Path) -> None:
    """Remove what an attempt that was killed has left. No link in it is followed."""
    for path in stage.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != EVALUATION.lock:
            path.unlink()


def _discard(stage: Path) -> None:
    with suppress(OSError, StoreError):
        _empty(stage)
        (stage / EVALUATION.lock).unlink(missing_ok=True)
        stage.rmdir()
