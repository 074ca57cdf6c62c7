"""The failed calls of an evaluation, grouped as `report.failure_groups` does those of a run."""

from __future__ import annotations

from umwelten.report.failure_groups import MOST_GROUPS, pattern
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED
from umwelten.types import FrozenStruct

MOST_IN_REPORTS = 30
"""Groups of failures that a table of a report tells apart: about a page of paper."""


class StoredGroup(FrozenStruct):
    """Stored failures of one kind whose messages say the same: message and file of the first."""

    kind: str
    count: int
    message: str
    file: str | None
    providers: tuple[str, ...]


def failures_by_message(reader: Reader, most: int = MOST_GROUPS) -> tuple[StoredGroup, ...]:
    """Return the failed calls by kind and by what their messages say, the largest group first.

    What does not fit into `most` groups is one more for each kind, whose message is that of its first call.
    """
    rows = reader.connection.execute(
        f"""SELECT coalesce(error_kind, 'server') AS kind, error_message AS message, file, provider
        FROM current_calls WHERE status = {FAILED} ORDER BY id"""
    )
    found: dict[tuple[str, str], StoredGroup] = {}
    for row in rows:
        kind, message, file = row["kind"], row["message"] or "", row["file"]
        key = (kind, pattern(message, file))
        if key not in found and len(found) >= most:
            key = (kind, "")
        group = found.get(key, StoredGroup(kind=kind, count=0, message=message, file=file, providers=()))
        providers = tuple(dict.fromkeys([*group.providers, row["provider"]]))
        found[key] = StoredGroup(
            kind=kind,
            count=group.count + 1,
            message=group.message,
            file=group.file,
            providers=providers,
        )
    return tuple(sorted(found.values(), key=lambda group: -group.count))
