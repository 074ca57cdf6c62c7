"""What queries share."""

from __future__ import annotations

from umwelten.store.reader import Reader
from umwelten.store.schema import model_id_sql
from umwelten.types import FailureKind

SCHEMA = str(FailureKind.SCHEMA)
"""The kind of a call that was answered, but not in the shape that was asked for."""

MODEL_OF = model_id_sql("a.call_id")
"""The model's number of an attempt `a`."""

ReportSource = Reader
