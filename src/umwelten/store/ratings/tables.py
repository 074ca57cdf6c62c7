"""The database of people's ratings, as numbered migrations. Times are Unix seconds."""

from __future__ import annotations

from umwelten.phrases import Phrase
from umwelten.store.database import DatabaseKind

MIGRATIONS: tuple[str, ...] = (
    """
    -- One a call. A rating is of the answer whose key it has: of another one nobody has said anything.
    CREATE TABLE ratings (
      call_id INTEGER PRIMARY KEY,
      key     TEXT NOT NULL,                    -- the key of the call that was rated
      scale   TEXT NOT NULL,                    -- as a judge's: pass/fail, 1-5
      value   REAL,                             -- on that scale; NULL: a comment alone
      comment TEXT NOT NULL,                    -- '': none
      at      REAL NOT NULL
    ) STRICT;
    """,
)

RATINGS = DatabaseKind(
    name="ratings.db",
    lock="ratings.lock",
    application_id=0x756D7772,  # "umwr"
    migrations=MIGRATIONS,
    remade=Phrase("restore it from a backup; or move the file away, and rate the answers again"),
    work="rates",
    otherwise="",
)
"""Nobody can compute these again."""
