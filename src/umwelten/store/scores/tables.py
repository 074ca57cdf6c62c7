"""The database of an evaluation's scores, as numbered migrations.

A call that succeeded and has no valid row in `scores` is still to be scored; nothing says so but that. What
is no answer (a failed or pending call) has no row either. Times are Unix seconds, money integer nano-USD;
NULL means "not known", or that there is none.
"""

from __future__ import annotations

from umwelten.phrases import Phrase
from umwelten.store.database import DatabaseKind

MIGRATIONS: tuple[str, ...] = (
    """
    -- What the answers are scored by, in the order given.
    CREATE TABLE scorers (
      id         INTEGER PRIMARY KEY,
      name       TEXT NOT NULL UNIQUE,
      type       TEXT NOT NULL,
      definition TEXT NOT NULL,                 -- JSON: the table that defines it
      digest     TEXT NOT NULL,                 -- what decides its values
      graded     INTEGER NOT NULL,              -- 0: its values are 0 or 1
      low        REAL NOT NULL,                 -- the scale on which a threshold is given
      high       REAL NOT NULL,
      at_least   REAL,                          -- from 0 to 1; NULL: nothing passes or fails
      weight     REAL NOT NULL,                 -- in the total; 0: a measure
      judge      TEXT                           -- id of the evaluation that holds the verdicts
    ) STRICT;

    CREATE TABLE scores (
      call_id   INTEGER NOT NULL,
      scorer_id INTEGER NOT NULL,
      call      TEXT NOT NULL,                  -- the key of the call that was scored
      key       TEXT NOT NULL,                  -- identity of the score
      value     REAL,                           -- from 0 to 1; NULL: unscored
      label     TEXT,
      passed    INTEGER,                        -- NULL: neither
      reason    TEXT,
      unscored  TEXT,                           -- the kind; NULL: scored
      message   TEXT,
      reference BLOB,                           -- in reference_texts
      at        REAL NOT NULL,
      cost_nusd INTEGER,                        -- of all verdicts
      PRIMARY KEY (call_id, scorer_id),
      CHECK ((value IS NULL) <> (unscored IS NULL))
    ) STRICT, WITHOUT ROWID;

    -- Fields of a record, criteria of a judge.
    CREATE TABLE parts (
      call_id   INTEGER NOT NULL,
      scorer_id INTEGER NOT NULL,
      number    INTEGER NOT NULL,
      part      TEXT NOT NULL,
      value     REAL,
      label     TEXT,
      message   TEXT,
      PRIMARY KEY (call_id, scorer_id, number)
    ) STRICT, WITHOUT ROWID;

    -- What judges said, each one's in turn.
    CREATE TABLE verdicts (
      call_id   INTEGER NOT NULL,
      scorer_id INTEGER NOT NULL,
      judge     TEXT NOT NULL,                  -- provider:model
      sample    INTEGER NOT NULL,
      criterion TEXT NOT NULL,                  -- '': there is one alone
      value     REAL,
      label     TEXT,
      reason    TEXT,
      unscored  TEXT,
      message   TEXT,
      cost_nusd INTEGER,
      PRIMARY KEY (call_id, scorer_id, judge, sample, criterion)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE reference_texts (
      digest BLOB PRIMARY KEY,
      text   TEXT NOT NULL                      -- as JSON
    ) STRICT, WITHOUT ROWID;

    -- Inputs that belong together; none where every one is for itself.
    CREATE TABLE clusters (
      input_id INTEGER PRIMARY KEY,
      cluster  TEXT NOT NULL
    ) STRICT;

    -- How the answers were scored last: expected, gates, … each as JSON.
    CREATE TABLE settings (
      name  TEXT PRIMARY KEY,
      value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE runs (
      id         INTEGER PRIMARY KEY,
      pid        INTEGER NOT NULL,
      started_at REAL NOT NULL,
      ended_at   REAL
    ) STRICT;
    """,
)

SCORES = DatabaseKind(
    name="scores.db",
    lock="scores.lock",
    application_id=0x756D7773,  # "umws"
    migrations=MIGRATIONS,
    remade=Phrase("delete it and score again: umwelten eval score computes what is missing"),
    work="scores",
    otherwise="",
)
"""Scores can be computed again, and verdicts are in evaluations of their own."""
