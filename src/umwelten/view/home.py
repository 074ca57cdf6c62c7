"""The list of all evaluations: those that run first, then the latest."""

from __future__ import annotations

from umwelten.errors import UmweltenError
from umwelten.report.queries.running_totals import Head, Totals, head
from umwelten.store.database import database
from umwelten.store.derived import owner
from umwelten.types import FrozenStruct
from umwelten.view.readers import Readers, Stamp, stamp

_PROMPT = 200


class Row(FrozenStruct):
    """An evaluation in the list. `totals`: `None` while they are being counted.

    `problem`: why it cannot be read. `of`: the evaluation whose answers this one judges.
    """

    id: str
    changed_at: float
    head: Head | None = None
    totals: Totals | None = None
    of: str | None = None
    problem: str | None = None


class Home:
    """The rows by id, read again where the database has changed. For one thread at a time."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._rows: dict[str, tuple[Stamp | None, Row]] = {}

    def look(self) -> list[Row]:
        """Return all rows, without their totals."""
        ids = self._readers.ids()
        for id_ in ids:
            self._read(id_)
        for id_ in set(self._rows).difference(ids):
            del self._rows[id_]
        return [self._rows[id_][1] for id_ in ids]

    def _read(self, id_: str) -> None:
        """Read it if need be."""
        known = self._rows.get(id_)
        folder = self._readers.output_dir / id_
        now: Stamp | None = None
        try:
            now = stamp(folder)
            running = known is not None and known[1].head is not None and known[1].head.running
            if known is not None and known[0] == now and not running:
                return
            with self._readers.open(id_) as reader:
                derived = reader.spec().derived
                found = None if derived is None else owner(folder, derived)
                of = None if found is None else found.name
                now_head = head(reader, None if known is None else known[1].head)
                row = Row(id=id_, changed_at=_changed_at(id_, self._readers), head=now_head, of=of)
        except (UmweltenError, OSError) as error:  # a copied folder may have a name that is no id
            said = error.message if isinstance(error, UmweltenError) else str(error.strerror or error)
            row = Row(id=id_, changed_at=_changed_at(id_, self._readers), problem=said)
        self._rows[id_] = (now, row)


def _changed_at(id_: str, readers: Readers) -> float:
    try:
        return database(readers.output_dir / id_).stat().st_mtime
    except OSError:
        return 0.0


def ordered(rows: list[Row]) -> list[Row]:
    """Return them in the order of the list."""

    def key(row: Row) -> tuple[bool, float]:
        at = row.head.seen_at if row.head is not None else row.changed_at
        return (row.head is None or not row.head.running, -at)

    return sorted(rows, key=key)
