"""The database of one evaluation, as numbered migrations.

The grid inputs × models × repeats is not stored: a cell without a row in `calls` is pending. So a
million calls need no million rows before the first one starts. A call's id packs the cell
(`call_id`), which makes "is it done?" one look-up by rowid.

Times are Unix seconds, durations seconds, money integer nano-USD; NULL means "not known".
"""

from __future__ import annotations

MODEL_BITS, REPEAT_BITS = 12, 16
MAX_MODELS, MAX_REPEATS = (1 << MODEL_BITS) - 1, (1 << REPEAT_BITS) - 1

SUCCEEDED, FAILED = 1, 2
"""The column `calls.status`, and the one place that says so."""

_INPUT_SHIFT = MODEL_BITS + REPEAT_BITS
MAX_INPUTS = (1 << (63 - _INPUT_SHIFT)) - 1  # a call's number is a positive integer of SQLite


def call_id(input_id: int, model_id: int, repeat: int) -> int:
    """Return the number of a cell: input, model and repeat, from high bits to low."""
    return (input_id << _INPUT_SHIFT) | (model_id << REPEAT_BITS) | repeat


def cell_of(call: int) -> tuple[int, int, int]:
    """Return (input, model, repeat) of a call's number."""
    return call >> _INPUT_SHIFT, (call >> REPEAT_BITS) & MAX_MODELS, call & MAX_REPEATS


def call_id_sql(input_id: str, model_id: str, repeat: str) -> str:
    """Return `call_id` as an SQL expression of three others."""
    return f"(({input_id} << {_INPUT_SHIFT}) | ({model_id} << {REPEAT_BITS}) | {repeat})"


def input_id_sql(call: str) -> str:
    """Return the input's number in a call's number, as an SQL expression."""
    return f"({call} >> {_INPUT_SHIFT})"


def model_id_sql(call: str) -> str:
    """Return the model's number in a call's number, as an SQL expression."""
    return f"(({call} >> {REPEAT_BITS}) & {MAX_MODELS})"


MIGRATIONS: tuple[str, ...] = (
    """
    -- One row: what all calls share.
    CREATE TABLE evaluation (
      id            TEXT NOT NULL,
      kind          TEXT NOT NULL CHECK (kind IN ('run', 'batch')),
      prompt        TEXT NOT NULL,
      system        TEXT,
      parameters    TEXT NOT NULL,              -- JSON
      attachments   TEXT NOT NULL,              -- JSON: [[name, hex of the content hash], …]
      repeats       INTEGER NOT NULL,
      settings_hash BLOB NOT NULL,              -- identity.settings_hash
      created_at    REAL NOT NULL,
      umwelten      TEXT NOT NULL               -- version that made it
    ) STRICT;

    CREATE TABLE models (
      id       INTEGER PRIMARY KEY,             -- from 1, in the order given
      name     TEXT NOT NULL UNIQUE,            -- provider:model
      provider TEXT NOT NULL,
      slug     TEXT NOT NULL UNIQUE COLLATE NOCASE, -- part of a text file's name
      active   INTEGER NOT NULL DEFAULT 1       -- in the latest plan
    ) STRICT;

    -- Id 0 is "no file", the only input of a run.
    CREATE TABLE inputs (
      id      INTEGER PRIMARY KEY,
      name    TEXT NOT NULL UNIQUE,             -- relative path, with /
      path    TEXT NOT NULL,
      size    INTEGER NOT NULL,
      stamp   TEXT NOT NULL,                    -- changes when the bytes may have changed
      version INTEGER NOT NULL DEFAULT 1,       -- counts changes of the bytes
      stem    TEXT NOT NULL UNIQUE COLLATE NOCASE, -- the text file's name without its ending
      active  INTEGER NOT NULL DEFAULT 1
    ) STRICT;

    -- Cells that ended. A success whose input_version is not the input's version is out of date.
    CREATE TABLE calls (
      id               INTEGER PRIMARY KEY,     -- call_id(input, model, repeat)
      input_id         INTEGER NOT NULL,
      model_id         INTEGER NOT NULL,
      repeat           INTEGER NOT NULL,
      input_version    INTEGER NOT NULL,
      key              TEXT NOT NULL,           -- identity.call_key
      content          BLOB NOT NULL,           -- hash of the file's bytes that were sent
      status           INTEGER NOT NULL CHECK (status IN (1, 2)), -- 1 succeeded, 2 failed
      run_id           INTEGER NOT NULL,
      started_at       REAL NOT NULL,           -- of the last attempt
      response_s       REAL NOT NULL,           -- of the last attempt
      ttft_s           REAL,
      time_s           REAL NOT NULL,           -- in flight, all attempts
      attempts         INTEGER NOT NULL,
      finish_reason    TEXT,
      served_model     TEXT,
      input_tokens     INTEGER,
      output_tokens    INTEGER,
      cached_tokens    INTEGER,
      reasoning_tokens INTEGER,
      cost_nusd        INTEGER,
      error_kind       TEXT,
      error_message    TEXT,
      output           TEXT                     -- the text file, relative to the folder
    ) STRICT;

    CREATE TABLE answers (
      call_id   INTEGER PRIMARY KEY,
      text      TEXT NOT NULL,
      reasoning TEXT
    ) STRICT;

    CREATE TABLE attempts (
      id               INTEGER PRIMARY KEY,
      call_id          INTEGER NOT NULL,
      run_id           INTEGER NOT NULL,
      number           INTEGER NOT NULL,
      started_at       REAL NOT NULL,
      latency_s        REAL NOT NULL,
      ttft_s           REAL,
      http_status      INTEGER,
      error_kind       TEXT,                    -- NULL: it succeeded
      error_message    TEXT,
      error_code       TEXT,
      partial          TEXT,                    -- text that came before the failure
      retry_after_s    REAL,
      request_id       TEXT,
      input_tokens     INTEGER,
      output_tokens    INTEGER,
      cached_tokens    INTEGER,
      reasoning_tokens INTEGER,
      cost_nusd        INTEGER
    ) STRICT;
    CREATE INDEX attempts_by_call ON attempts (call_id);

    -- One row a process that worked on this evaluation.
    CREATE TABLE runs (
      id             INTEGER PRIMARY KEY,
      pid            INTEGER NOT NULL,
      started_at     REAL NOT NULL,
      seen_at        REAL NOT NULL,             -- moved on with every commit
      ended_at       REAL,
      status         TEXT,                      -- complete, failed, stopped, interrupted; NULL: no end
      reason         TEXT,
      peak_in_flight INTEGER NOT NULL DEFAULT 0,
      settings       TEXT NOT NULL              -- JSON: concurrency, timeout, retries
    ) STRICT;

    CREATE TABLE limit_changes (
      run_id    INTEGER NOT NULL,
      at        REAL NOT NULL,
      lane      TEXT NOT NULL,
      "limit"   REAL NOT NULL,
      in_flight INTEGER NOT NULL,
      reason    TEXT NOT NULL
    ) STRICT;
    """,
    """
    -- Where the wall time of each lane went; reasons as in control.attribution.
    CREATE TABLE attributions (
      run_id  INTEGER NOT NULL,
      lane    TEXT NOT NULL,
      reason  TEXT NOT NULL,
      seconds REAL NOT NULL
    ) STRICT;
    """,
    """
    -- Rows and earlier answers as inputs, answers of a given shape, several prompts.
    ALTER TABLE inputs ADD COLUMN part TEXT NOT NULL DEFAULT '';        -- where in the file at `path`
    ALTER TABLE evaluation ADD COLUMN schema TEXT NOT NULL DEFAULT '';  -- JSON of types.Schema; '': none
    ALTER TABLE evaluation ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON: coerce, pdf, source
    ALTER TABLE answers ADD COLUMN data TEXT;                           -- the record in it, as JSON
    ALTER TABLE answers ADD COLUMN marks TEXT;                          -- what it took, separated by commas

    -- Empty where there is one prompt alone, that of `evaluation`.
    CREATE TABLE prompts (
      id   INTEGER PRIMARY KEY,                 -- from 1, in the order given
      name TEXT NOT NULL UNIQUE,
      text TEXT NOT NULL
    ) STRICT;

    -- A row is a variant: a model, with several prompts a model with one of them.
    CREATE TABLE variants (
      id        INTEGER PRIMARY KEY,            -- from 1, all prompts of a model one after the other
      name      TEXT NOT NULL,                  -- provider:model
      provider  TEXT NOT NULL,
      slug      TEXT NOT NULL UNIQUE COLLATE NOCASE, -- part of a text file's name
      active    INTEGER NOT NULL DEFAULT 1,     -- in the latest plan
      prompt_id INTEGER NOT NULL DEFAULT 0,     -- 0: the only prompt
      UNIQUE (name, prompt_id)
    ) STRICT;
    INSERT INTO variants (id, name, provider, slug, active)
      SELECT id, name, provider, slug, active FROM models;
    DROP TABLE models;
    ALTER TABLE variants RENAME TO models;
    """,
    """
    -- What is wrong with an answer that does not fit the schema.
    ALTER TABLE attempts ADD COLUMN problems TEXT;  -- JSON: [{"message": …, "path": ["authors", 2]}, …]
    """,
    """
    -- What else changes a bill, as JSON: {"cache_write_tokens": …, "service_tier": …, "details": {…}}
    ALTER TABLE attempts ADD COLUMN usage_details TEXT;
    ALTER TABLE calls ADD COLUMN usage_details TEXT;
    """,
    """
    -- The lane that made an attempt: an account, a model of an account, or a host.
    ALTER TABLE attempts ADD COLUMN served_by TEXT;
    """,
    """
    -- Models with settings of their own: what stands in `evaluation`, but for these.
    CREATE TABLE variants (
      name       TEXT PRIMARY KEY,
      system     TEXT,                          -- NULL: that of the evaluation, '': none
      parameters TEXT NOT NULL                  -- JSON, null: as in the evaluation
    ) STRICT;
    ALTER TABLE models ADD COLUMN variant TEXT NOT NULL DEFAULT ''; -- the name ends in @ and this; '': none
    """,
    """
    -- Calls with tools: the turns of models that called some, and what came of that.
    CREATE TABLE steps (
      call_id       INTEGER NOT NULL,
      number        INTEGER NOT NULL,           -- from 1; the request with the final answer has no row
      input_version INTEGER NOT NULL,
      run_id        INTEGER NOT NULL,
      started_at    REAL NOT NULL,
      key           TEXT NOT NULL,              -- as in calls
      content       BLOB NOT NULL,              -- as in calls
      turn          BLOB NOT NULL,              -- JSON: the model's turn as its provider gave it
      cut           INTEGER NOT NULL,           -- 1: the limit of tokens ended it
      usage         TEXT NOT NULL,              -- JSON of types.Usage, of this request
      cost_nusd     INTEGER,
      served_by     TEXT,
      PRIMARY KEY (call_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tool_calls (
      call_id    INTEGER NOT NULL,
      step       INTEGER NOT NULL,
      place      INTEGER NOT NULL,              -- among the calls of the turn, from 0
      id         TEXT NOT NULL,                 -- the provider's
      name       TEXT NOT NULL,                 -- as the model called it
      tool       TEXT NOT NULL,                 -- as the user calls it
      arguments  TEXT NOT NULL,
      state      TEXT NOT NULL,                 -- tool_calls.ToolCallState
      result     TEXT,                          -- what the model was told
      error      TEXT,
      started_at REAL,
      took_s     REAL,
      PRIMARY KEY (call_id, step, place)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE attempts ADD COLUMN step INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE calls ADD COLUMN steps INTEGER;       -- answered requests; NULL: no tools were offered
    ALTER TABLE calls ADD COLUMN tool_calls INTEGER;
    ALTER TABLE calls ADD COLUMN tool_errors INTEGER;
    ALTER TABLE calls ADD COLUMN tool_s REAL;
    ALTER TABLE evaluation ADD COLUMN tools TEXT NOT NULL DEFAULT ''; -- JSON of ToolSettings; '': none
    """,
    """
    -- What was changed while a run went on; its settings stay as it was started with.
    CREATE TABLE changes (
      id     INTEGER PRIMARY KEY,
      run_id INTEGER NOT NULL,
      at     REAL NOT NULL,
      author TEXT NOT NULL,                     -- '': not said
      via    TEXT NOT NULL,                     -- ctl, view, ui, library
      key    TEXT NOT NULL,                     -- records.ChangeKey
      scope  TEXT NOT NULL,                     -- a provider, lane, model or call; '': all
      old    TEXT NOT NULL,                     -- JSON
      new    TEXT NOT NULL,                     -- JSON
      reason TEXT NOT NULL                      -- '': not said
    ) STRICT;
    ALTER TABLE runs ADD COLUMN given TEXT NOT NULL DEFAULT '{}'; -- JSON: the options given
    ALTER TABLE evaluation ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'; -- JSON: a list of texts
    """,
    """
    -- What was sent, see store/contents.py: texts, rows, and the questions that are made of them, as JSON.
    CREATE TABLE contents (
      id   INTEGER PRIMARY KEY,
      hash BLOB NOT NULL UNIQUE,                -- identity.content_hash of the bytes
      size INTEGER NOT NULL,                    -- of the bytes
      data BLOB NOT NULL                        -- the bytes; of another length than that: zlib
    ) STRICT;
    ALTER TABLE calls ADD COLUMN sent INTEGER;  -- the question in contents; NULL: not kept
    """,
    """
    -- Processes that make the attempts of a run, where it is not the process of the run itself.
    CREATE TABLE workers (
      run_id    INTEGER NOT NULL,
      worker    INTEGER NOT NULL,               -- from 1 within the run
      node      TEXT NOT NULL,                  -- as its cluster calls the machine
      address   TEXT NOT NULL,
      pid       INTEGER NOT NULL,
      joined_at REAL NOT NULL,
      left_at   REAL,                           -- NULL: it was there until the end, or still is
      why       TEXT NOT NULL,                  -- why it left, '' while it is there
      calls     INTEGER NOT NULL,               -- attempts that it made
      cpu_s     REAL,
      PRIMARY KEY (run_id, worker)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE attempts ADD COLUMN worker INTEGER; -- of the same run; NULL: the process itself
    ALTER TABLE attempts ADD COLUMN late INTEGER;   -- 1: it had been given up as lost before it ended
    """,
)
