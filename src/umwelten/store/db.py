"""The writing side of an evaluation's store: one process at a time, under the folder's lock."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.errors import EvaluationChanged, EvaluationExists, UsageError
from umwelten.store import grid, names
from umwelten.store.folder import (
    database,
    lock,
    move_aside,
    open_database,
    open_second,
    reported,
    transaction,
    usable,
)
from umwelten.store.grid import Counts
from umwelten.store.records import CallRecord, Record, Scanned, Spec
from umwelten.store.rows import SUCCEEDED, Place, json_text, place
from umwelten.store.schema import MAX_MODELS, MAX_REPEATS
from umwelten.store.settings import active_models, differences, insert_settings, read_settings
from umwelten.store.texts import is_missing, write_text
from umwelten.store.writer import Writer
from umwelten.types import Call, ModelRef

_TEXT_ERRORS = 100
_GOOD_TEXTS = f"""
    SELECT c.id, c.output, a.text <> '' FROM calls c
    JOIN inputs i ON i.id = c.input_id JOIN answers a ON a.call_id = c.id
    WHERE c.id > ? AND c.status = {SUCCEEDED} AND c.input_version = i.version ORDER BY c.id LIMIT 500
"""


class Store:
    """An evaluation that is being worked on.

    All methods but `submit` belong to one thread (the event loop's); callbacks of `on_commit` run in
    the writer's. `models` are those of the plan by number. `text_errors` are the latest reasons why a
    text file could not be written: notes, for the answers are in the database.
    """

    def __init__(
        self, folder: Path, spec: Spec, resources: ExitStack, connection: sqlite3.Connection
    ) -> None:
        """Takes over `resources`. Use `create`, `resume` or `overwrite`."""
        self.folder, self.spec = folder, spec
        self.models: dict[int, ModelRef] = active_models(connection)
        self.text_errors: deque[str] = deque(maxlen=_TEXT_ERRORS)
        self._resources, self._connection = resources, connection
        self._reading = open_second(folder)
        resources.callback(self._reading.close)
        grid.write_repeats(self._reading, spec.repeats)
        self._slugs = _slugs(connection)
        # A name without the model stays possible as long as there was never a second one.
        self._named = spec.kind == "run" or len(self._slugs) > 1
        self._cursors: dict[int, grid.Cursor] = {}
        self._places: dict[int, Place] = {}
        self._committed: Callable[[Sequence[CallRecord]], None] | None = None
        self._writer: Writer | None = None
        self._run_id: int | None = None
        self._error: BaseException | None = None

    # --- opening and closing ---

    @classmethod
    def create(cls, folder: Path, spec: Spec) -> Self:
        """A new evaluation. Raises EvaluationExists, and touches nothing, if the folder has one."""
        _refuse_existing(folder)
        return cls._open(folder, spec, check=_refuse_existing)

    @classmethod
    def resume(cls, folder: Path, spec: Spec) -> Self:
        """The evaluation as it was left, or a new one if there is none.

        Models and repeats become those of `spec`; what is stored of others stays. Raises
        EvaluationBusy, EvaluationChanged (settings that would mix answers), StoreError.
        """
        return cls._open(folder, spec)

    @classmethod
    def overwrite(cls, folder: Path, spec: Spec) -> Self:
        """A new evaluation; a folder of that name is renamed first. Raises EvaluationBusy."""
        with usable(folder):
            if folder.is_dir() and any(folder.iterdir()):
                _replace(folder)
        return cls._open(folder, spec, check=_refuse_existing)

    @classmethod
    def _open(cls, folder: Path, spec: Spec, check: Callable[[Path], None] | None = None) -> Self:
        spec = _checked(spec)
        with usable(folder), ExitStack() as resources:
            resources.callback(lock(folder).release)
            if check is not None:
                check(folder)
            connection = open_database(folder)
            resources.callback(connection.close)
            with transaction(connection):
                _write_plan(connection, spec)
            opened = cls(folder, spec, resources, connection)
            opened._resources = resources.pop_all()
            return opened

    def close(self) -> None:
        """Write what was handed over, close the files and give the lock back. Twice is fine."""
        self._stop_writer()
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the grid ---

    def set_inputs(self, files: Iterable[Scanned], *, read_hash: Callable[[str], bytes]) -> None:
        """Make `files` the inputs, in their order; others become inactive.

        A known file whose stamp differs is hashed with `read_hash(path)`, and only if it has answers:
        those about the same bytes keep counting, the others are out of date.
        """
        assert self._writer is None, "the inputs change between runs"
        with reported(self.folder), transaction(self._connection):
            grid.write_inputs(self._connection, files, self._slugs.values(), read_hash)
        self._look_again()

    def set_no_inputs(self) -> None:
        """Make "no file" the only input, as a run has it."""
        assert self._writer is None, "the inputs change between runs"
        with reported(self.folder), transaction(self._connection):
            grid.write_no_inputs(self._connection)
        self._look_again()

    def counts(self) -> Counts:
        """Cells of the grid by state, as committed."""
        with reported(self.folder):
            return grid.count_cells(self._reading, self.spec.repeats)

    def spent_nusd(self) -> int:
        """The sum of all known costs of all attempts so far."""
        with reported(self.folder):
            found = self._reading.execute("SELECT coalesce(sum(cost_nusd), 0) FROM attempts").fetchone()
            return int(found[0])

    def to_do(self) -> dict[int, int]:
        """Calls without a good answer, by model."""
        with reported(self.folder):
            return grid.to_do(self._reading, self.spec.repeats)

    def lease(self, model: int, n: int) -> list[Call]:
        """Up to `n` further pending calls of a model, by (input, repeat); [] when there are no more.

        Pending is what has no result, a failure of an earlier run, or an answer that is out of date.
        Each is handed out once by this Store.
        """
        cursor = self._cursors.get(model)
        if cursor is None:
            slug = self._slugs[model] if self._named else None
            cursor = self._cursors[model] = grid.Cursor(self._reading, model, slug)
        with reported(self.folder):
            cells = cursor.take(n)
        self._places.update((call.id, where) for call, where in cells)
        return [call for call, _ in cells]

    def by_size(self, model: int) -> Iterator[tuple[int, int, str, int]]:
        """The pending cells of a model as (input, repeat, name, size), the largest file first."""
        return grid.by_size(self._reading, model)

    def pick(self, model: int, cells: Iterable[tuple[int, int]]) -> list[Call]:
        """The calls of these cells, (input, repeat), as far as they are pending.

        They count as pending for `lease` until they are answered.
        """
        cursor = grid.Cursor(self._reading, model, self._slugs[model] if self._named else None)
        with reported(self.folder):
            found = [cell for number, repeat in cells for cell in cursor.at(number, repeat)]
        self._places.update((call.id, where) for call, where in found)
        return [call for call, _ in found]

    def repair_texts(self) -> int:
        """Write the text files of good answers that are missing, and return how many those were.

        A run does the same while it has nothing else to write: calls need not wait for it.
        """
        assert self._writer is None, "repair_texts belongs between runs"
        with reported(self.folder):
            return sum(self._repair_steps())

    # --- runs ---

    def start_run(self, settings: dict[str, object]) -> int:
        """Begin to record, as a new row of `runs` with these settings; returns its number."""
        now = time.time()
        with reported(self.folder), transaction(self._connection):
            self._run_id = self._connection.execute(
                "INSERT INTO runs (pid, started_at, seen_at, settings) VALUES (?, ?, ?, ?)",
                (os.getpid(), now, now, json_text(settings)),
            ).lastrowid
        assert self._run_id is not None
        self._writer = Writer(
            self._connection,
            str(self.folder),
            self._run_id,
            self._tell_committed,
            self.text_errors,
            chores=(None for _ in self._repair_steps()),
        )
        return self._run_id

    def on_commit(self, callback: Callable[[Sequence[CallRecord]], None]) -> None:
        """Have `callback` called in the writer's thread with the calls of each group that is on disk.

        It is called with none when `error` is set.
        """
        self._committed = callback

    def submit(self, record: Record) -> None:
        """Hand a record to the writer; never waits for the disk. Dropped once `error` is set."""
        assert self._writer is not None, "submit needs start_run"
        if self._error is not None:
            return
        if isinstance(record, CallRecord):
            where = self._places.pop(record.call.id, None) or self._look_up(record.call)
            self._writer.put((record, where))
        else:
            self._writer.put(record)

    def hurry(self) -> None:
        """Write what was handed over now: nothing more is to be expected for a while."""
        if self._writer is not None:
            self._writer.hurry()

    def end_run(
        self,
        status: str,
        reason: str | None,
        peak_in_flight: int,
        times: Iterable[tuple[str, str, float]] = (),
        ended_at: float | None = None,
    ) -> None:
        """Write what was handed over and close the run's row. A fault of the disk goes to `error`.

        `times` are (lane, reason, seconds): where the wall time went. `ended_at`: when the last answer was
        safe, in Unix seconds; `None`: now.
        """
        self._stop_writer()
        try:
            if self._error is not None:
                self._connection.execute("PRAGMA busy_timeout = 0")  # it was waited for already
            with transaction(self._connection):
                self._connection.execute(
                    "UPDATE runs SET ended_at = ?, status = ?, reason = ?, peak_in_flight = ? WHERE id = ?",
                    (ended_at or time.time(), status, reason, peak_in_flight, self._run_id),
                )
                self._connection.executemany(
                    "INSERT INTO attributions VALUES (?, ?, ?, ?)", [(self._run_id, *row) for row in times]
                )
        except sqlite3.Error as error:
            self._error = self._error or error

    @property
    def error(self) -> BaseException | None:
        """Why nothing is written any more (disk full …), or None."""
        return self._error or (self._writer.error if self._writer is not None else None)

    # --- inside ---

    def _tell_committed(self, records: Sequence[CallRecord]) -> None:
        if self._committed is not None:
            self._committed(records)

    def _stop_writer(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._error, self._writer = self.error, None

    def _look_again(self) -> None:
        for cursor in self._cursors.values():
            cursor.go_on()

    def _look_up(self, call: Call) -> Place:
        """The place of a call that this Store has not handed out, or whose result came twice."""
        number = 0 if call.input is None else call.input.id
        version, stem = self._reading.execute(
            "SELECT version, stem FROM inputs WHERE id = ?", (number,)
        ).fetchone()
        kept = self._reading.execute(
            "SELECT output FROM calls WHERE id = ? AND input_version <> ?", (call.id, version)
        ).fetchone()
        slug = self._slugs[call.model] if self._named else None
        return place(stem, slug, call.repeat, version, kept and kept[0])

    def _repair_steps(self) -> Iterator[int]:
        """Goes through the good answers in the thread that writes; how many were repaired, step by step."""
        folder, last = str(self.folder), -1
        while found := self._connection.execute(_GOOD_TEXTS, (last,)).fetchall():
            last = found[-1][0]
            yield sum(self._repair(folder, *row[:2]) for row in found if is_missing(folder, *row[1:]))

    def _repair(self, folder: str, call: int, output: str) -> int:
        text = self._connection.execute("SELECT text FROM answers WHERE call_id = ?", (call,)).fetchone()[0]
        try:
            name = write_text(folder, output, text)
        except OSError as error:
            self.text_errors.append(f"{output}: {error.strerror}")
            return 0
        if name != output:
            with transaction(self._connection):
                self._connection.execute("UPDATE calls SET output = ? WHERE id = ?", (name, call))
        return 1


def _checked(spec: Spec) -> Spec:
    if not 1 <= len(spec.models) <= MAX_MODELS:
        raise UsageError(f"{len(spec.models)} models; 1 to {MAX_MODELS} are possible")
    if not 1 <= spec.repeats <= MAX_REPEATS:
        raise UsageError(f"{spec.repeats} repeats; 1 to {MAX_REPEATS} are possible")
    return spec


def _refuse_existing(folder: Path) -> None:
    if database(folder).exists():
        raise EvaluationExists(
            f"evaluation {folder.name!r} exists already in {folder.parent}",
            "--resume goes on with it, --overwrite starts afresh (the old is kept aside), or use a new --id",
        )


def _replace(folder: Path) -> None:
    held = lock(folder)
    try:
        if os.name == "nt":  # there, an open file keeps its folder from being renamed
            held.release()
        move_aside(folder)
    finally:
        held.release()


def _write_plan(connection: sqlite3.Connection, spec: Spec) -> None:
    """Settle settings, models and repeats in the database. Raises EvaluationChanged."""
    stored = read_settings(connection)
    if stored is None:
        insert_settings(connection, spec)
    else:
        changed = differences(stored, spec)
        if changed:
            raise EvaluationChanged(
                f"evaluation {spec.id!r} was started with other settings; going on would mix answers:\n  "
                + "\n  ".join(changed),
                "use a new --id, or --overwrite",
            )
    connection.execute("UPDATE evaluation SET repeats = ?", (spec.repeats,))
    _write_models(connection, spec.models)


def _write_models(connection: sqlite3.Connection, models: Iterable[ModelRef]) -> None:
    connection.execute("UPDATE models SET active = 0")
    for ref in models:
        if not connection.execute("UPDATE models SET active = 1 WHERE name = ?", (str(ref),)).rowcount:
            slug = names.slug(
                ref.provider,
                ref.model,
                _slugs(connection).values(),
                lambda slug: _ends_stem(connection, slug),
            )
            connection.execute(
                "INSERT INTO models (name, provider, slug) VALUES (?, ?, ?)", (str(ref), ref.provider, slug)
            )


def _slugs(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, slug FROM models").fetchall())


def _ends_stem(connection: sqlite3.Connection, slug: str) -> bool:
    # Inputs that were there before the model: their names stay, so the model's has to give way.
    ending = "." + slug
    found = connection.execute(
        "SELECT 1 FROM inputs WHERE substr(stem, ?) = ? COLLATE NOCASE LIMIT 1", (-len(ending), ending)
    )
    return found.fetchone() is not None
