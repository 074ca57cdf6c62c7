"""What is stored of the tasks of a suite, as far as it matters before any of them begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from umwelten.evaluation.spec import EvaluationSpec, stored_spec
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.derived import JUDGE, owner, stored_derived
from umwelten.store.folder_lock import lock
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.variants import refuse_changes


def check_stored(spec: EvaluationSpec, id: str, *, runs: bool) -> None:
    """Raise a `StoreError` where the answers that are there were asked for otherwise.

    `runs`: also where another process works on them.
    """
    folder = spec.output.output_dir / id
    if has_database(folder):
        with suppress(NeverStarted), Reader.open(folder) as reader:
            refuse_changes(reader.connection, reader.spec(), stored_spec(spec, id))
        if runs:
            lock(folder).release()  # EvaluationBusy now, and not when other tasks are paid for


def check_readable(folder: Path) -> None:
    """Raise a `StoreError` where the leaderboard cannot read a task: before others are paid for."""
    if has_database(folder):
        with suppress(NeverStarted), Reader.open(folder) as reader, ScoreReader.open(folder) as scores:
            reader.spec()
            scores.scorers()


def judges_of(folder: Path) -> Iterator[Path]:
    """Yield the folders of what judges said of the answers in a folder. Rankings of them are none."""
    for other in sorted(folder.parent.glob(f"{folder.name}.*")):
        if has_database(other) and owner(other) == folder:
            derived = stored_derived(other)
            if derived is not None and derived.role == JUDGE:
                yield other
