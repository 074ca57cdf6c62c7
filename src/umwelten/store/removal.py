"""Evaluations removed from disk: umwelten's own files alone, and through no link.

Which text files are its own says the database, which goes last: after a kill the rest can still be found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.phrases import Phrase
from umwelten.store.database import (
    EVALUATION,
    NeverStarted,
    check_own_files,
    folder_errors,
    has_database,
    open_for_reading,
)
from umwelten.store.derived import derived_of, locked
from umwelten.store.kept_inputs import remove_kept_inputs
from umwelten.store.ratings.tables import RATINGS
from umwelten.store.relocation import JOURNAL, check_finished
from umwelten.store.scores.tables import SCORES
from umwelten.store.text_file_names import is_text_name
from umwelten.store.text_files import TextFiles
from umwelten.types import FrozenStruct

_STEP = 500
_KINDS = (RATINGS, SCORES, EVALUATION)


class Removed(FrozenStruct):
    """A removed evaluation. `left` are the names in its folder that are not umwelten's, and stayed."""

    folder: Path
    left: tuple[str, ...] = ()


def with_derived(folders: Sequence[Path]) -> list[Path]:
    """Return evaluations and what belongs to them, each once; what belongs to one comes before it."""
    found = [each for folder in folders for each in (*reversed(derived_of(folder)), folder)]
    return list(dict.fromkeys(found))


def remove(folders: Sequence[Path]) -> list[Removed]:
    """Remove these evaluations, in this order.

    Raises EvaluationBusy if a process works on one of them, and StoreError for one whose files cannot be told
    from others; then nothing is removed.
    """
    for folder in folders:
        check_finished(folder)
        for kind in _KINDS:
            check_own_files(folder, kind=kind)
    with locked(folders) as held:
        for folder in folders:
            _check_readable(folder)
        if os.name == "nt":  # there, an open file cannot be removed
            for each in held:
                each.release()
        return [_remove(folder) for folder in folders]


def _check_readable(folder: Path) -> None:
    """Read the list of files before anything goes: a damaged one would leave files that nobody knows of."""
    try:
        with folder_errors(folder):
            for _ in _outputs(folder):
                pass
    except StoreError as error:
        hint = Phrase("Which files are umwelten's is not known: remove {folder} yourself.", folder=folder)
        raise StoreError(error.wording, hint) from error


def _remove(folder: Path) -> Removed:
    if not has_database(folder):
        return Removed(folder=folder)
    with folder_errors(folder):
        text_files = TextFiles(folder)
        try:
            _remove_texts(folder, text_files)
            text_files.clear()
        finally:
            text_files.close()
        remove_kept_inputs(folder)
        # Without its database the folder is no evaluation: that goes last.
        own = [name for kind in _KINDS for name in reversed(kind.files) if name != EVALUATION.name]
        for name in (JOURNAL, *own, EVALUATION.name):
            (folder / name).unlink(missing_ok=True)
        left = tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - the names alone
        if not left:
            folder.rmdir()
    return Removed(folder=folder, left=left)


def _remove_texts(folder: Path, text_files: TextFiles) -> None:
    directories: set[str] = set()
    for output in _outputs(folder):
        text_files.remove(output, data=True)
        parts = output.split("/")[:-1]
        directories.update("/".join(parts[:number]) for number in range(1, len(parts) + 1))
    for directory in sorted(directories, reverse=True):  # the inner ones first
        text_files.remove_directory(directory)


def _outputs(folder: Path) -> Iterator[str]:
    """Yield the names of all text files that the database knows of. Raises StoreError."""
    try:
        connection = open_for_reading(folder)
    except NeverStarted:
        return
    query = "SELECT id, output FROM calls WHERE id > ? AND output IS NOT NULL ORDER BY id LIMIT ?"
    last = -1
    with closing(connection):
        while rows := connection.execute(query, (last, _STEP)).fetchall():
            last = rows[-1][0]
            # The name was read, and the database may come from somebody else.
            yield from (output for _, output in rows if is_text_name(output))
