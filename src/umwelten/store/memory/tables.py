"""The database of a memory store, as numbered migrations.

Every change of the store has a number, `seq`, and nothing is changed in place: a fact is added by one change
and ended by another. So what was known after any change can be read at any time (`KNOWN_AT`).

Times are Unix seconds; NULL means "not known", or that there is none.
"""

from __future__ import annotations

import re
from pathlib import Path

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.store.database import DatabaseKind

FOLDER = ".memory"
"""Below the output directory; ids of evaluations cannot begin with a dot."""

MIGRATIONS: tuple[str, ...] = (
    """
    -- Numbers are never given twice: a history names facts by them.
    CREATE TABLE facts (
      id            INTEGER PRIMARY KEY AUTOINCREMENT,
      scope         TEXT NOT NULL,
      type          TEXT NOT NULL,
      text          TEXT NOT NULL,
      norm          TEXT NOT NULL,              -- what tells two facts apart: memory.facts.norm
      seq           INTEGER NOT NULL,           -- the change that added it
      at            REAL NOT NULL,
      by_hand       INTEGER NOT NULL,           -- 1: added or imported, so no changed input ends it
      source_eval   TEXT,                       -- the evaluation that it was learnt in
      source_call   TEXT,                       -- the key of the call
      source_name   TEXT,                       -- the input's name
      quote         TEXT,
      ended_seq     INTEGER,                    -- the change that ended it; NULL: it is known
      ended_at      REAL,
      ended         TEXT CHECK (ended IN ('updated', 'changed', 'deleted')),
      superseded_by INTEGER,
      CHECK ((ended_seq IS NULL) = (ended IS NULL))
    ) STRICT;
    CREATE UNIQUE INDEX facts_known ON facts (scope, norm) WHERE ended_seq IS NULL;
    CREATE INDEX facts_by_scope ON facts (scope, id);

    -- What was learnt from, each in its latest version; one that is missing is still to be taken in.
    CREATE TABLE inputs (
      id         INTEGER PRIMARY KEY,
      evaluation TEXT NOT NULL,
      name       TEXT NOT NULL,
      call       TEXT NOT NULL,                 -- the key of the call whose answer was taken in
      scope      TEXT NOT NULL,
      seq        INTEGER NOT NULL,
      found      INTEGER NOT NULL,              -- facts that the model named
      unquoted   INTEGER NOT NULL,              -- left out: their quotes are not in the text
      cut        INTEGER NOT NULL,              -- longer than a fact may be
      UNIQUE (evaluation, name)
    ) STRICT;

    -- Which inputs say a fact. One learnt fact that no input says any more has ended.
    CREATE TABLE mentions (
      fact_id  INTEGER NOT NULL,
      input_id INTEGER NOT NULL,
      PRIMARY KEY (fact_id, input_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mentions_by_input ON mentions (input_id);

    CREATE TABLE changes (
      seq INTEGER NOT NULL                      -- the number of the latest change
    ) STRICT;
    INSERT INTO changes VALUES (0);

    CREATE TABLE runs (
      id         INTEGER PRIMARY KEY,
      pid        INTEGER NOT NULL,
      started_at REAL NOT NULL,
      ended_at   REAL
    ) STRICT;
    """,
)

KNOWN = "ended_seq IS NULL"
KNOWN_AT = "seq <= :seq AND (ended_seq IS NULL OR ended_seq > :seq)"
"""What is known, and what was known after the change `:seq`."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_-]{0,47}")


def check_name(name: str) -> str:
    """Return the name of a store itself. Raises `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a memory store",
            "Use letters, digits, '-' and '_', at most 48: say people.",
            argument="memory",
        )
    return name


def memory_kind(name: str) -> DatabaseKind:
    """Return the database of the store with this name, in the folder `FOLDER`."""
    return DatabaseKind(
        name=f"{name}.db",
        lock=f"{name}.lock",
        application_id=0x756D776D,  # "umwm"
        migrations=MIGRATIONS,
        remade=Phrase(
            "restore it from a backup or an export; or delete the file and repeat the commands that learnt: "
            "what their evaluations hold is not paid for again"
        ),
        work="changes",
        subject=f"memory store {name!r}",
        otherwise="",
    )


def memory_folder(output_dir: Path) -> Path:
    """Return where the stores of an output directory are."""
    return output_dir / FOLDER


def store_names(output_dir: Path) -> list[str]:
    """Return the names of all stores of an output directory."""
    folder = memory_folder(output_dir)
    try:
        found = sorted(path.stem for path in folder.iterdir() if path.suffix == ".db")
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in found if _NAME.fullmatch(name)]
