"""The columns of what calls asked, in tables with a row a call: those of rows as `row.NAME`, and texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from umwelten.report.columns import ReportColumn
from umwelten.report.queries.asked_calls import encodable
from umwelten.report.schema_fields import Field, FieldType, compact
from umwelten.store.asked import Asked, AskedReader
from umwelten.store.reader import Reader

ROW = "row."
"""Before the name of a row's column: no column of ours begins so."""

_INT64 = 1 << 63
_LARGEST = 1e308
_ATTEMPTS = """SELECT number, error_kind, http_status, error_message FROM attempts
    WHERE call_id = ? AND error_kind IS NOT NULL ORDER BY id"""


class SentCall:
    """What a call asked, and what else a table may have of it; read when a column wants it."""

    def __init__(self, reader: Reader, asked: AskedReader, call: int, sent: int | None) -> None:
        self._reader, self._asked, self._call, self._sent = reader, asked, call, sent

    @property
    def row(self) -> dict[str, Any]:
        """The row, empty where there is none or it is not kept."""
        return self._asked.row_of_sent(self._sent) or {}

    @property
    def asked(self) -> Asked:
        """What was sent, as it is kept."""
        return self._asked.of_sent(self._sent)

    @property
    def reasoning(self) -> str | None:
        """What the model thought, where its provider tells."""
        query = "SELECT reasoning FROM answers WHERE call_id = ?"
        row = self._reader.connection.execute(query, (self._call,)).fetchone()
        return None if row is None else row[0]

    @property
    def failed_attempts(self) -> list[dict[str, object]]:
        """The attempts that failed, in order, with what they failed of."""
        names = ("number", "kind", "http_status", "message")
        rows = self._reader.connection.execute(_ATTEMPTS, (self._call,))
        return [dict(zip(names, tuple(row), strict=True)) for row in rows]


def sent_calls(reader: Reader) -> Iterator[SentCall]:
    """Yield every current call that ended, in the order of `overviews.results`."""
    asked = AskedReader(reader)
    for call, sent in reader.connection.execute("SELECT id, sent FROM current_calls ORDER BY id"):
        yield SentCall(reader, asked, call, sent)


def text_columns(readers: Iterable[Reader], *, full: bool) -> tuple[ReportColumn[SentCall], ...]:
    """Return the columns of texts: earlier answers where there are some, and with `full` all others."""
    sources = {reader.spec().request.source for reader in readers}
    earlier = tuple(column for source in sorted(sources) for column in _EARLIER.get(source, ()))
    if not full:
        return earlier
    return (
        *earlier,
        _text("prompt_sent", lambda call: call.asked.text),
        _text("input_text", lambda call: call.asked.input_text),
        _text("reasoning", lambda call: call.reasoning),
        _text(
            "failed_attempts", lambda call: compact(call.failed_attempts) if call.failed_attempts else None
        ),
    )


def _text(name: str, value: Any) -> ReportColumn[SentCall]:
    return ReportColumn(name=name, type=str, value=lambda call: encodable(value(call)))


_EARLIER: Mapping[str, tuple[ReportColumn[SentCall], ...]] = {
    "answers": (_text("earlier_answer", lambda call: call.asked.answer),),
    "pairs": (
        _text("first_answer", lambda call: call.asked.first),
        _text("second_answer", lambda call: call.asked.second),
    ),
}
"""The columns of earlier answers, by source of the inputs."""


def row_fields(readers: Sequence[Reader]) -> tuple[Field, ...]:
    """Return a field for each column of the rows that were asked about, with the type that all values have.

    Reads every row once.
    """
    kinds: dict[str, FieldType | None] = {}
    for reader in readers:
        if reader.spec().request.source != "rows":
            continue
        for row in AskedReader(reader).rows():
            for name, value in row.items():
                kinds[name] = _both(kinds.get(name), _kind(value))
    return tuple(
        Field(name=name, column=ROW + encodable(name), type=kind or "string") for name, kind in kinds.items()
    )


def row_values(call: SentCall, fields: Sequence[Field]) -> list[object]:
    """Return the values of these columns: what is no plain value is JSON, as a prompt has it."""
    row = call.row
    return [_value(row.get(field.name), field.type) for field in fields]


def _value(value: Any, kind: FieldType) -> object:
    if value is None or kind != "string":
        return value
    return encodable(value if isinstance(value, str) else compact(value))


def _kind(value: object) -> FieldType | None:
    """Return the type of a value, `None` where it fits every type."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return "integer"
    return "number" if isinstance(value, float) and abs(value) <= _LARGEST else "string"


def _both(one: FieldType | None, other: FieldType | None) -> FieldType | None:
    if one is None or other is None or one == other:
        return one or other
    return "number" if {one, other} == {"integer", "number"} else "string"
