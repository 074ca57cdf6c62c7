"""The failed calls of an evaluation, grouped as `report.failure_groups` does those of a run."""

from __future__ import annotations

from umwelten.report.advice import advice
from umwelten.report.failure_groups import MOST_GROUPS, pattern
from umwelten.report.queries.overviews import errors
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED
from umwelten.types import FrozenStruct

MOST_IN_REPORTS = 30
"""Groups of failures that a table of a report tells apart: about a page of paper."""

_LOOKED_AT = 2_000
"""Failed calls whose messages a page that follows a run looks at, each time: 30 ms."""


class StoredGroup(FrozenStruct):
    """Stored failures of one kind whose messages say the same: message and file of the first."""

    kind: str
    count: int
    message: str
    file: str | None
    providers: tuple[str, ...]


class FailedMessage(FrozenStruct):
    """Failed calls whose messages say the same, and what to do about them."""

    count: int
    message: str
    advice: str


class FailedKind(FrozenStruct):
    """The failed calls of one kind: all of them in `count`, the first ones in `messages`."""

    kind: str
    count: int
    example: str
    messages: tuple[FailedMessage, ...]


def failures_by_message(reader: Reader, most: int = MOST_GROUPS, first: int = -1) -> tuple[StoredGroup, ...]:
    """Return the failed calls by kind and by what their messages say, the largest group first.

    What does not fit into `most` groups is one more for each kind, whose message is that of its first call.
    `first`: only so many failed calls are looked at; -1: all.
    """
    rows = reader.connection.execute(
        f"""SELECT coalesce(error_kind, 'server') AS kind, error_message AS message, file, provider
        FROM current_calls WHERE status = {FAILED} ORDER BY id LIMIT ?""",
        (first,),
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


def failures_by_kind(reader: Reader) -> tuple[FailedKind, ...]:
    """Return the failed calls by kind, the most frequent first, each with what its messages say.

    All calls are counted; the messages are those of the first failed calls, in a time that does not grow.
    """
    groups = failures_by_message(reader, MOST_IN_REPORTS, _LOOKED_AT)
    return tuple(
        FailedKind(
            kind=row.kind,
            count=row.count,
            example=row.example,
            messages=tuple(
                FailedMessage(
                    count=group.count,
                    message=group.message,
                    advice=advice(group.kind, message=group.message, providers=group.providers),
                )
                for group in groups
                if group.kind == row.kind
            ),
        )
        for row in errors(reader)
    )
