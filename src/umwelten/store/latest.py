"""Which evaluation of an output directory was started last."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.store.database import VALUE_ERRORS, database, evaluations, folder_errors, open_for_reading
from umwelten.store.derived import stored_derived
from umwelten.store.journal import journal_of


def latest_evaluation(output_dir: Path) -> Path | None:
    """Return the folder of the evaluation whose latest run started last, `None` if there is none.

    Those that belong to another one, and those that cannot be read, are none.
    """
    best: tuple[float, Path] | None = None
    # A run writes to its files when it starts, so that what was touched before the best so far is older.
    for touched, folder in sorted(((_touched(each), each) for each in evaluations(output_dir)), reverse=True):
        if best is not None and touched < best[0]:
            break
        started = _started(folder)
        if started is not None and (best is None or started > best[0]):
            best = (started, folder)
    return None if best is None else best[1]


def _touched(folder: Path) -> float:
    path = database(folder)
    found = (path, journal_of(path))
    times = [each.stat().st_mtime for each in found if each.exists()]
    return max(times, default=0.0)


def _started(folder: Path) -> float | None:
    try:
        if stored_derived(folder) is not None:
            return None
        with folder_errors(folder), closing(open_for_reading(folder)) as connection:
            query = "SELECT coalesce((SELECT max(started_at) FROM runs), created_at) FROM evaluation"
            row = connection.execute(query).fetchone()
    except (StoreError, *VALUE_ERRORS):
        return None
    return None if row is None else float(row[0])
