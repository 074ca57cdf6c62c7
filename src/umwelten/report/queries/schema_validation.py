"""How well answers kept to their schema: what each record took, and how every field fared.

A valid record counts once, under the heaviest thing it took: asking again, coercion, mending, or taking off
a fence. *Wrong* answers are attempts of kind "schema", of all runs; each names the fields it has wrong.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from umwelten.report import stats
from umwelten.report.models import model_label
from umwelten.report.queries.column_types import is_number, records_by_input
from umwelten.report.queries.field_agreement import FieldAgreement, Ratings, ratings_of
from umwelten.report.queries.variants import Variant, variants
from umwelten.report.schema_fields import Field, Record, fields_of, schema_of
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.types import FailureKind, FrozenStruct, Problem

_MESSAGES = 500
_VALUES = 200
"""Of an enum that are counted, so that no answer can make a report long."""
_LONGEST = 200
_PROBLEMS = msgspec.json.Decoder(tuple[Problem, ...])
_SCHEMA = FailureKind.SCHEMA


class Records(FrozenStruct):
    """Records by what they took. `valid` = `at_once` + `fenced` + `mended` + `coerced` + `asked_again`.

    `failed` answers fitted not even after they were asked for again.
    """

    valid: int = 0
    at_once: int = 0
    fenced: int = 0
    mended: int = 0
    coerced: int = 0
    asked_again: int = 0
    failed: int = 0


class ModelRecords(FrozenStruct):
    """The records of one model, or of one with one of several prompts."""

    model: str
    prompt: str | None
    records: Records

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class ModelValues(FrozenStruct, kw_only=True):
    """The values of one field in one model's records, as in `FieldFigures`."""

    model: str
    prompt: str | None
    valid: int
    missing: int
    values: tuple[tuple[str, int], ...] = ()
    min: float | None = None
    mean: float | None = None
    max: float | None = None

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class FieldFigures(FrozenStruct):
    """One field. `valid` and `missing` count valid records, `wrong` attempts; null is missing.

    `message` is the most frequent of the reasons why it was wrong. `values` are the values of an enum or a
    truth value with their counts, the most frequent first; `min`, `mean` and `max` are those of numbers.
    `models` has the same for each model, `agreement` how far they, and their repeats, agree.
    """

    field: str
    type: str
    valid: int
    missing: int
    wrong: int
    message: str | None
    values: tuple[tuple[str, int], ...] = ()
    min: float | None = None
    mean: float | None = None
    max: float | None = None
    models: tuple[ModelValues, ...] = ()
    agreement: FieldAgreement = FieldAgreement()


class Validation(FrozenStruct):
    """All of it. `extra_attempts` were made because an answer before them did not fit, `extra_cost_usd` is
    their known cost; `unreadable` answers held no record at all, or one that is wrong as a whole.
    """

    name: str
    source: str
    json: dict[str, Any]
    records: Records
    extra_attempts: int
    extra_cost_usd: float | None
    unreadable: int
    models: tuple[ModelRecords, ...]
    fields: tuple[FieldFigures, ...]


def validation(reader: Reader) -> Validation | None:
    """Return how well answers kept to their schema; `None` without one.

    Reads every record and every wrong answer's reasons once.
    """
    connection = reader.connection
    schema = schema_of(reader)
    if schema is None:
        return None
    by_model = _by_model(connection)
    extra, cost = _extra(connection)
    fields = fields_of([schema])
    wrong = _Wrong(fields)
    wrong.read(connection)
    return Validation(
        name=schema.name,
        source=schema.source,
        json=schema.json,
        records=total(by_model.values()),
        extra_attempts=extra,
        extra_cost_usd=stats.usd(cost),
        unreadable=wrong.whole,
        models=tuple(
            ModelRecords(model=one.model, prompt=one.prompt, records=by_model.get(number, Records()))
            for number, one in variants(connection).items()
        ),
        fields=_figures(fields, records_by_input(reader), wrong, variants(connection)),
    )


def total(parts: Iterable[Records]) -> Records:
    """Return the sum, kind by kind."""
    sums = Counter[str]()
    for part in parts:
        sums.update({name: getattr(part, name) for name in Records.__struct_fields__})
    return Records(**sums)


HEAVIEST = (
    ("asked again", "asked_again"),
    ("coerced", "coerced"),
    ("mended", "mended"),
    ("fenced", "fenced"),
)
"""The marks of an answer, the heaviest first, and where in `Records` it counts."""


def record_group(marks: Iterable[str]) -> str:
    """Return the name in `Records` under which a valid record with these marks counts."""
    given = set(marks)
    return next((name for mark, name in HEAVIEST if mark in given), "at_once")


TAKEN = {"fenced": "extracted", "mended": "repaired", "coerced": "converted", "asked_again": "retried"}
"""What a valid record took, in words for people; the names are those of `Records` and of the marks."""


def mark_in_words(mark: str) -> str:
    """Return a mark of an answer as people read it."""
    return TAKEN.get(mark.replace(" ", "_"), mark)


def in_words(records: Records) -> str:
    """Return `48 valid (3 repaired, 2 retried), 2 failed`; "" if there are none."""
    took = [f"{n:,} {word}" for name, word in TAKEN.items() if (n := getattr(records, name))]
    parts = []
    if records.valid or records.failed:
        parts.append(f"{records.valid:,} valid" + (f" ({', '.join(took)})" if took else ""))
    if records.failed:
        parts.append(f"{records.failed:,} failed")
    return ", ".join(parts)


# --- records -------------------------------------------------------------------------------------


def _by_model(connection: sqlite3.Connection) -> dict[int, Records]:
    rows = connection.execute(
        f"""SELECT c.model_id, c.status, coalesce(a.marks, '') AS marks, count(*)
        FROM current_calls c LEFT JOIN answers a ON a.call_id = c.id
        WHERE c.status = {SUCCEEDED} AND a.data IS NOT NULL
            OR c.status = {FAILED} AND c.error_kind = '{_SCHEMA}'
        GROUP BY c.model_id, c.status, marks"""
    )
    sums: dict[int, Counter[str]] = {}
    for model, status, marks, n in rows:
        own = sums.setdefault(model, Counter())
        if status == FAILED:
            own["failed"] += n
        else:
            own["valid"] += n
            own[record_group(marks.split(","))] += n
    return {model: Records(**own) for model, own in sums.items()}


def _extra(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """Attempts after one that did not fit, and the sum of their known costs."""
    row = connection.execute(
        f"""SELECT count(*), sum(min(t.cost_nusd, 1000000000000000))
        FROM current_calls c JOIN attempts t ON t.call_id = c.id
        WHERE (t.error_kind IS NULL OR t.error_kind = '{_SCHEMA}') AND EXISTS (SELECT 1 FROM attempts b
            WHERE b.call_id = t.call_id AND b.id < t.id AND b.error_kind = '{_SCHEMA}')"""
    ).fetchone()
    return int(row[0]), 0 if not row[0] else row[1]


# --- fields --------------------------------------------------------------------------------------


class _Wrong:
    """What was wrong: attempts and reasons by field."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._messages: dict[str, Counter[str]] = {field.name: Counter() for field in fields}
        self.attempts = Counter[str]()
        self.whole = 0

    def read(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            f"""SELECT t.error_code, t.error_message, t.problems
            FROM current_calls c JOIN attempts t ON t.call_id = c.id WHERE t.error_kind = '{_SCHEMA}'"""
        )
        for code, message, stored in rows:
            if stored is None:
                self._add((code or "").split(","), self._reasons(message or ""))
            else:
                problems = _PROBLEMS.decode(stored)
                self._add((p.field for p in problems), ((p.field, p.message) for p in problems))

    def _add(self, fields: Iterable[str], reasons: Iterable[tuple[str, str]]) -> None:
        """An attempt: the fields that it has wrong, and why, as (field, reason)."""
        known = {field for field in fields if field in self._messages}
        self.attempts.update(known)
        self.whole += not known
        for field, reason in reasons:
            if field in self._messages:
                self._count(field, reason[:_LONGEST])

    def message(self, field: str) -> str | None:
        """Return the most frequent reason."""
        found = self._messages[field].most_common(1)
        return found[0][0] if found else None

    def _count(self, field: str, reason: str) -> None:
        own = self._messages[field]
        # Reasons may name the value: there are as many as answers.
        if reason in own or len(own) < _MESSAGES:
            own[reason] += 1

    def _reasons(self, message: str) -> Iterator[tuple[str, str]]:
        """`(field, reason)` of `field: reason; …`, which is all that versions before 4 of the schema stored.

        A reason may have `; ` in it.
        """
        field, reason = "", ""
        for piece in message.split("; "):
            name, colon, rest = piece.partition(": ")
            if colon and name in self._messages:
                if field:
                    yield field, reason
                field, reason = name, rest
            elif field:
                reason += f"; {piece}"
        if field:
            yield field, reason


class _Values:
    """The values of one field, folded."""

    def __init__(self, field: Field) -> None:
        self.valid = self.numbers = 0
        self.sum, self.min, self.max = 0.0, float("inf"), float("-inf")
        self.counts = Counter[str]()
        self._counted = bool(field.options) or field.type == "boolean"
        self._numeric = field.type in ("integer", "number")

    def add(self, value: Any) -> None:
        """Another valid value that is not null."""
        self.valid += 1
        if self._counted:
            self._count(value)
        elif self._numeric and is_number(value):
            number = float(value)
            self.numbers += 1
            self.sum += number
            self.min, self.max = min(self.min, number), max(self.max, number)

    def figures(self) -> dict[str, Any]:
        """Return the counts, or the extremes and the mean, as `FieldFigures` has them."""
        some = self.numbers > 0
        return {
            "values": tuple(self.counts.most_common()),
            "min": stats.rounded(self.min) if some else None,
            "mean": stats.rounded(self.sum / self.numbers) if some else None,
            "max": stats.rounded(self.max) if some else None,
        }

    def _count(self, value: Any) -> None:
        word = str(value).lower() if isinstance(value, bool) else str(value)
        if word in self.counts or len(self.counts) < _VALUES:
            self.counts[word] += 1


class _FieldValues:
    """The values of one field: of all records, of each model's, and input by input."""

    def __init__(self, field: Field, ratings: Ratings) -> None:
        self.field, self.ratings, self.all = field, ratings, _Values(field)
        self.of: dict[int, _Values] = {}

    def add(self, found: Mapping[tuple[int, int], Record]) -> None:
        """Another input: its records by model and repeat."""
        self.ratings.add(found, self.field.name)
        for (model, _), record in found.items():
            value = record.get(self.field.name)
            if value is not None:
                self.all.add(value)
                self.of.setdefault(model, _Values(self.field)).add(value)

    def by_model(self, columns: Mapping[int, Variant], sizes: Mapping[int, int]) -> tuple[ModelValues, ...]:
        return tuple(
            ModelValues(
                model=columns[number].model,
                prompt=columns[number].prompt,
                valid=own.valid,
                missing=sizes[number] - own.valid,
                **own.figures(),
            )
            for number in columns
            if sizes[number]
            for own in [self.of.get(number, _Values(self.field))]
        )


def _figures(
    fields: tuple[Field, ...],
    found: Iterable[Mapping[tuple[int, int], Record]],
    wrong: _Wrong,
    columns: Mapping[int, Variant],
) -> tuple[FieldFigures, ...]:
    ratings = ratings_of(fields)
    values = [_FieldValues(field, ratings[field.name]) for field in fields]
    sizes = Counter[int]()
    for records in found:
        sizes.update(model for model, _ in records)
        for own in values:
            own.add(records)
    return tuple(
        FieldFigures(
            field=one.field.name,
            type=type_in_words(one.field),
            valid=one.all.valid,
            missing=sizes.total() - one.all.valid,
            wrong=wrong.attempts[one.field.name],
            message=wrong.message(one.field.name),
            **one.all.figures(),
            models=one.by_model(columns, sizes),
            agreement=one.ratings.agreement(columns),
        )
        for one in values
    )


def type_in_words(field: Field) -> str:
    """Return `string`, `integer`, `enum`, `array of string`, `object`."""
    if field.options:
        return "enum"
    if field.type == "array":
        return f"array of {field.items}" if field.items else "array"
    return field.type
