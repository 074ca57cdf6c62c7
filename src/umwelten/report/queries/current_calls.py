"""The calls that count, as SQL: of active inputs and models, within the repeats asked for, about the
file's bytes of now.
"""

from __future__ import annotations

import sqlite3
from typing import Protocol

from umwelten.store.schema import MAX_MODELS, REPEAT_BITS
from umwelten.types import FailureKind

SUCCEEDED, FAILED = 1, 2

SCHEMA = str(FailureKind.SCHEMA)
"""The kind of a call that was answered, but not in the shape that was asked for."""

# CROSS JOIN keeps SQLite from reordering: calls in order of their id need no sorting.
CURRENT = """calls c
    CROSS JOIN models m ON m.id = c.model_id AND m.active
    CROSS JOIN inputs i ON i.id = c.input_id AND i.active {tail}
    WHERE c.repeat <= (SELECT repeats FROM evaluation) AND c.input_version = i.version"""
"""Format it with `tail`, a further join. The names are c, m and i for call, model and input."""

MODEL_OF = f"((a.call_id >> {REPEAT_BITS}) & {MAX_MODELS})"
"""The model's number of an attempt `a`."""


class ReportSource(Protocol):
    """Something that holds an evaluation's database open for reading, with `sqlite3.Row`s."""

    @property
    def connection(self) -> sqlite3.Connection: ...
