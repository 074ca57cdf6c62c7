"""The writing side of an evaluation's store: one process at a time, under the folder's lock."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.clock import unix_clock
from umwelten.errors import EvaluationExists, UmweltenError
from umwelten.phrases import Phrase
from umwelten.records import BegunCall, CallRecord, Committable, Record, StepRecord, StoredSpec
from umwelten.store import grid, inputs
from umwelten.store.contents import Content
from umwelten.store.database import (
    LOCK,
    check_directories,
    check_own_files,
    folder_errors,
    has_database,
    open_database,
    open_second,
    store_errors,
    transaction,
)
from umwelten.store.folder_lock import FolderLock, lock
from umwelten.store.grid import Counts
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.moved_answers import Movable, move_answers
from umwelten.store.relocation import set_aside
from umwelten.store.repair import repair
from umwelten.store.reusable_answers import answered_calls
from umwelten.store.rows import (
    DELETE_STEPS,
    DELETE_TOOL_CALLS,
    INSERT_ANSWER,
    UPSERT_CALL,
    ResultSlot,
    answer_row,
    call_row,
    clean,
    json_text,
)
from umwelten.store.settings import active_models, prompt_names, read_settings, update_settings
from umwelten.store.steps import read_begun
from umwelten.store.tables import SUCCEEDED
from umwelten.store.tags import add_tags
from umwelten.store.text_files import TextFiles
from umwelten.store.variants import check_size, slugs_of, write_plan
from umwelten.store.writer import Writer
from umwelten.types import Call, FailureKind, FoundInput, ModelRef, Reply

STEP = 500
"""Calls that are looked at together for answers of other evaluations."""

NO_RUN = 0
"""The run of an answer that was taken over."""

_REPORT_GROWTH_S = 0.25
_SPENT = """SELECT total(coalesce(cost_nusd, CASE WHEN error_kind IN (?, ?)
    THEN (SELECT max(other.cost_nusd) FROM attempts other WHERE other.call_id = attempts.call_id) END))
    FROM attempts"""
_log = logging.getLogger(__name__)


def spent_nusd(connection: sqlite3.Connection) -> int:
    """Return the sum of all known costs of all attempts, see `Store.spent_nusd`."""
    kinds = (FailureKind.SUPERSEDED, FailureKind.LOST)
    return int(connection.execute(_SPENT, kinds).fetchone()[0])


class Store:
    """An evaluation that is being worked on.

    All methods but `submit` belong to one thread (the event loop's); callbacks of `on_commit` run in
    the writer's. `models` and `prompts` (their names) are those of the plan by variant, all prompts of a
    model one after the other. `missing_texts` are those that the latest run
    could not write.

    `texts` False, when it is opened: no text files are written, and those that are there stay unless their
    answer is replaced or moves. A later run with them writes all that are not there.
    """

    def __init__(
        self,
        folder: Path,
        spec: StoredSpec,
        resources: ExitStack,
        connection: sqlite3.Connection,
        text_files: TextFiles,
        folder_lock: FolderLock,
        texts: bool,
    ) -> None:
        """Takes over `resources`. Use `create`, `resume` or `overwrite`."""
        self.folder, self.spec = folder, spec
        self.models: dict[int, ModelRef] = active_models(connection)
        self.prompts: dict[int, str] = prompt_names(connection)
        self.missing_texts = MissingTexts()
        self._resources, self._connection, self._text_files = resources, connection, text_files
        self._lock, self._texts = folder_lock, texts
        self._reading = open_second(folder)
        resources.callback(self._reading.close)
        grid.write_repeats(self._reading, spec.repeats)
        self._slugs = slugs_of(connection)
        # A name without the model stays possible as long as there was never a second one.
        self._named = spec.kind == "run" or len(self._slugs) > 1
        self._cursors: dict[int, grid.Cursor] = {}
        self._intake: inputs.Intake | None = None
        self._input_changes = 0  # moves on with every change of the inputs
        self._growth_callback: Callable[[int, bool], None] | None = None
        self._growth_reported_at = 0.0
        self._slots: dict[int, ResultSlot] = {}
        self._commit_callback: Callable[[Sequence[Committable]], None] | None = None
        self._writer: Writer | None = None
        self._run_id: int | None = None
        self._error: BaseException | None = None

    # --- opening and closing ---

    @classmethod
    def create(cls, folder: Path, spec: StoredSpec, *, texts: bool = True) -> Self:
        """Start a new evaluation. Raises EvaluationExists, and touches nothing, if the folder has one."""
        _refuse_existing(folder)
        return cls._open(folder, spec, texts, check=_refuse_existing)

    @classmethod
    def resume(cls, folder: Path, spec: StoredSpec, *, texts: bool = True) -> Self:
        """Open the evaluation as it was left, or start a new one if there is none.

        Models and repeats become those of `spec`; what is stored of others stays. Raises
        EvaluationBusy, EvaluationChanged (settings that would mix answers), StoreError.
        """
        return cls._open(folder, spec, texts)

    @classmethod
    def overwrite(cls, folder: Path, spec: StoredSpec, *, texts: bool = True) -> Self:
        """Start a new evaluation; one of that name is moved aside, with its judges. Raises EvaluationBusy."""
        with folder_errors(folder):
            check_own_files(folder, LOCK)
            if folder.is_dir() and any(folder.iterdir()):
                set_aside(folder)
        return cls._open(folder, spec, texts, check=_refuse_existing)

    @classmethod
    def _open(
        cls, folder: Path, spec: StoredSpec, texts: bool, check: Callable[[Path], None] | None = None
    ) -> Self:
        spec = check_size(spec)
        with folder_errors(folder), ExitStack() as resources:
            check_own_files(folder)
            folder_lock = lock(folder)
            resources.callback(folder_lock.release)
            if check is not None:
                check(folder)
            check_directories(folder)
            text_files = TextFiles(folder)
            resources.callback(text_files.close)
            connection = open_database(folder)
            resources.callback(connection.close)
            with transaction(connection):
                write_plan(connection, spec)
            opened = cls(folder, spec, resources, connection, text_files, folder_lock, texts)
            opened._resources = resources.pop_all()
            return opened

    def close(self) -> None:
        """Write what was handed over, close the files and give the lock back. Twice is fine."""
        self.finish_writing()
        if self._intake is not None:
            self._intake.stop()
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the grid ---

    def set_inputs(
        self,
        files: Iterable[FoundInput],
        *,
        read_hash: inputs.ReadHash,
        movable: Movable | None = None,
        ahead: int | None = None,
    ) -> None:
        """Make `files` the inputs, in their order; others become inactive.

        A known input whose stamp differs is read with `read_hash`, and only if it has answers: those
        for which the same was sent keep counting, the others are out of date. Of prompts that are
        `movable`, these go to inputs for which the same is sent.

        `ahead`: of new files that follow the known ones, at most so many now. The writer's thread walks
        over the rest while a run continues, so they must not be bound to this thread. See `complete`.
        """
        assert self._writer is None, "the inputs change between runs"
        slugs = self._slugs.values()
        with store_errors(self.folder), transaction(self._connection):
            again = self._settle_recall()
            self._intake = inputs.write_inputs(self._connection, files, slugs, read_hash, ahead, again=again)
            if movable is not None and self._intake.changed:
                move_answers(self._connection, read_hash, movable, self._text_files, texts=self._texts)
        self._note_inputs()

    def _settle_recall(self) -> bool:
        """Store what is recalled from now on; returns whether that is something else than before.

        Together with what follows from it: after a kill in between, answers about other memories would count.
        """
        stored = read_settings(self._connection)
        if stored is None or stored.recall == self.spec.recall:
            return False
        update_settings(self._connection, self.spec)
        return True

    def add_tags(self, tags: Sequence[str]) -> None:
        """Add tags to those that the evaluation has."""
        if tags:
            with store_errors(self.folder), transaction(self._connection):
                add_tags(self._connection, tags)

    def set_no_inputs(self) -> None:
        """Make "no file" the only input, as a run has it."""
        assert self._writer is None, "the inputs change between runs"
        with store_errors(self.folder), transaction(self._connection):
            inputs.write_no_inputs(self._connection)
        self._intake = None
        self._note_inputs()

    @property
    def complete(self) -> bool:
        """Whether all inputs are there; until then all figures are of those that are."""
        return self._intake is None or self._intake.complete

    @property
    def problem(self) -> UmweltenError | None:
        """Why there will be no more inputs although not all are there."""
        return None if self._intake is None else self._intake.problem

    def on_growth(self, callback: Callable[[int, bool], None]) -> None:
        """Have `callback` called in the writer's thread when there are more inputs; from the next run on.

        It is told how many more there are than when the run started, and whether those are all: now and
        then, and at the end.
        """
        self._growth_callback = callback

    def standing(self) -> tuple[Counts, dict[int, int]]:
        """Return `counts` and `to_do` at once, for what one costs."""
        with store_errors(self.folder):
            return grid.standing(self._reading, self.spec.repeats)

    def counts(self) -> Counts:
        """Return the cells of the grid by state, as committed."""
        return self.standing()[0]

    def spent_nusd(self) -> int:
        """Return the sum of all known costs of all attempts so far.

        An attempt that was broken off for its call's other one counts as much as that, if it is not known.
        """
        with store_errors(self.folder):
            return spent_nusd(self._reading)

    def to_do(self) -> dict[int, int]:
        """Return the number of calls without a good answer, by variant."""
        return self.standing()[1]

    def lease(self, model: int, n: int) -> list[Call]:
        """Return up to `n` further pending calls of a variant, by (input, repeat); [] when there are no more.

        Pending is what has no result, a failure of an earlier run, or an answer that is out of date.
        Each is handed out once by this Store.
        """
        cursor = self._cursors.get(model)
        if cursor is None:
            cursor = self._cursors[model] = self._cursor(model)
        with store_errors(self.folder):
            cells = cursor.take(n, self._input_changes)
        self._slots.update((call.id, slot) for call, slot in cells)
        return [call for call, _ in cells]

    def begun(self, call: Call) -> BegunCall | None:
        """Return how far an earlier run got with a call with tools; `None` if it begins anew."""
        slot = self._slots.get(call.id) or self._slot_of(call)
        with store_errors(self.folder):
            return read_begun(self._reading, call.id, slot.version)

    def by_size(self, model: int) -> Iterator[tuple[int, int, str, int]]:
        """Yield the pending cells of a model as (input, repeat, name, size), the largest file first."""
        return grid.by_size(self._reading, model)

    def pick(self, model: int, cells: Iterable[tuple[int, int]]) -> list[Call]:
        """Return the calls of these cells, (input, repeat), as far as they are pending.

        They count as pending for `lease` until they are answered.
        """
        cursor = self._cursor(model)
        with store_errors(self.folder):
            pending = [cell for number, repeat in cells for cell in cursor.at(number, repeat)]
        self._slots.update((call.id, slot) for call, slot in pending)
        return [call for call, _ in pending]

    def failed_count(self, model: int, kinds: Sequence[str] = ()) -> int:
        """Return how many calls of a variant failed, of these kinds or of all."""
        with store_errors(self.folder):
            return grid.failed_count(self._reading, model, kinds)

    def failed_cells(self, model: int, kinds: Sequence[str], n: int) -> Iterator[list[tuple[int, int]]]:
        """Yield the cells of a variant that have failed until now, as (input, repeat), `n` at a time."""
        return grid.failed_cells(self._reading, model, kinds, n)

    def parts(self) -> Iterator[tuple[int, str]]:
        """Yield the inputs of the plan as (number, part)."""
        with store_errors(self.folder):
            yield from self._reading.execute("SELECT id, part FROM inputs WHERE active ORDER BY id")

    def records(self, calls: Sequence[int]) -> dict[int, tuple[bytes, str] | None]:
        """Return what these calls came to, as far as they have ended in this run: (content, record).

        `None` for one that failed.
        """
        query = f"""SELECT c.id, c.status = {SUCCEEDED}, c.content, a.data
            FROM calls c LEFT JOIN answers a ON a.call_id = c.id WHERE c.id = ? AND c.run_id = ?"""
        with store_errors(self.folder):
            rows = [self._reading.execute(query, (call, self._run_id)).fetchone() for call in calls]
        return {row[0]: (row[2], row[3] or "{}") if row[1] else None for row in rows if row is not None}

    def answered(self) -> list[tuple[str, float]]:
        """Return the identities of the calls with good answers, and when these were asked for."""
        with store_errors(self.folder):
            return answered_calls(self._reading)

    def all_pending(self, model: int) -> Iterator[list[Call]]:
        """Yield the pending calls of a variant in steps, without handing them out: see `take_over`."""
        cursor = self._cursor(model)
        while True:
            with store_errors(self.folder):
                cells = cursor.take(STEP, 0)
            if not cells:
                return
            self._slots.update((call.id, slot) for call, slot in cells)
            yield [call for call, _ in cells]
            for call, _ in cells:
                self._slots.pop(call.id, None)

    def take_over(self, records: Sequence[CallRecord]) -> None:
        """Store answers of other evaluations as results of calls of `all_pending`, before a run starts.

        Their text files are written by the next run.
        """
        assert self._writer is None, "answers are taken over between runs"
        if not records:
            return
        with store_errors(self.folder), transaction(self._connection):
            self._lock.check()
            for record in records:
                assert isinstance(record.outcome, Reply)
                slot = self._slots[record.call.id]
                if slot.outdated is not None:
                    self._text_files.remove(slot.outdated, data=True)
                for undo in (DELETE_STEPS, DELETE_TOOL_CALLS):  # of a conversation that it did not come from
                    self._connection.execute(undo, (record.call.id, 1))
                text = clean(record.outcome.text)
                self._connection.execute(UPSERT_CALL.of(1), call_row(record, slot, NO_RUN))
                self._connection.execute(
                    INSERT_ANSWER.of(1), answer_row(record.call.id, record.outcome, text)
                )

    # --- runs ---

    def start_run(
        self, settings: dict[str, object], clock: Callable[[], float] | None = None, *, given: str = "{}"
    ) -> int:
        """Begin to record, as a new row of `runs`; returns its number. `clock` gives growing Unix seconds.

        `given`: the options that it is started with, as JSON.
        """
        self._clock = clock or unix_clock()
        now = self._clock()
        self.missing_texts = MissingTexts()
        if self._intake is not None:
            self._intake.taken = 0
        with store_errors(self.folder), transaction(self._connection):
            self._lock.check()
            self._run_id = self._connection.execute(
                "INSERT INTO runs (pid, started_at, seen_at, settings, given) VALUES (?, ?, ?, ?, ?)",
                (os.getpid(), now, now, json_text(settings), clean(given)),
            ).lastrowid
        assert self._run_id is not None
        self._writer = Writer(
            self._connection,
            str(self.folder),
            self._text_files,
            self._run_id,
            self._report_commit,
            self.missing_texts,
            take_in=self._take_in,
            chores=repair(self._connection, self._text_files, self._named, self.missing_texts)
            if self._texts
            else iter(()),
            check_lock=self._lock.check,
            clock=self._clock,
            shaped=self.spec.request.schema is not None,
        )
        return self._run_id

    @property
    def run_id(self) -> int:
        """The number of the latest run that was started."""
        assert self._run_id is not None, "no run was started"
        return self._run_id

    def on_commit(self, callback: Callable[[Sequence[Committable]], None]) -> None:
        """Have `callback` called in the writer's thread with those records of a group that is on disk.

        It is called with none when `error` is set, and when there are more inputs.
        """
        self._commit_callback = callback

    def submit(self, record: Record) -> None:
        """Hand a record to the writer; never waits for the disk. Dropped once `error` is set."""
        assert self._writer is not None, "submit needs start_run"
        if self._error is not None:
            return
        if isinstance(record, CallRecord):
            slot = self._slots.pop(record.call.id, None) or self._slot_of(record.call)
            self._writer.put((record, slot))
        elif isinstance(record, StepRecord):
            slot = self._slots.get(record.call.id) or self._slot_of(record.call)
            self._writer.put((record, slot))
        else:
            self._writer.put(record)

    def keep(self, contents: Iterable[Content]) -> None:
        """Keep what is sent: it is on disk before any row that names it. Dropped once `error` is set."""
        if self._writer is not None and self._error is None:
            self._writer.contents.keep(contents)

    def flush_soon(self) -> None:
        """Write what was handed over now: nothing more is to be expected for a while."""
        if self._writer is not None:
            self._writer.flush_soon()

    def finish_writing(self) -> None:
        """Write what was handed over; then nothing more can be, until another run starts."""
        if self._writer is not None:
            self._writer.stop()
            self._error, self._writer = self.error, None

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
        self.finish_writing()
        try:
            if isinstance(self._error, sqlite3.Error):
                # Another program's lock was waited for already. A run whose folder was taken over waits: the
                # other one writes all the time.
                self._connection.execute("PRAGMA busy_timeout = 0")
            with transaction(self._connection):
                self._connection.execute(
                    "UPDATE runs SET ended_at = ?, status = ?, reason = ?, peak_in_flight = ? WHERE id = ?",
                    (ended_at or self._clock(), status, reason, peak_in_flight, self._run_id),
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

    def _report_commit(self, records: Sequence[Committable]) -> None:
        if self._commit_callback is not None:
            self._commit_callback(records)

    def _take_in(self, wait_s: float) -> bool | None:
        """In the writer's thread: a step towards all inputs, as `Intake.step`."""
        intake = self._intake
        progress = None if intake is None else intake.step(wait_s, self._note_inputs)
        if intake is not None and progress:
            self._report_growth(intake.taken, intake.complete)
        return progress

    def _note_inputs(self) -> None:
        self._input_changes += 1

    def _report_growth(self, taken: int, complete: bool) -> None:
        now = time.monotonic()
        if self._growth_callback is not None and (
            complete or now > self._growth_reported_at + _REPORT_GROWTH_S
        ):
            self._growth_reported_at = now
            try:
                self._growth_callback(taken, complete)
            except Exception:  # noqa: BLE001 - someone else's fault must not cost answers
                _log.exception("the callback after further inputs failed")

    def _slot_of(self, call: Call) -> ResultSlot:
        """The slot of a call that this Store has not handed out, or whose result came twice."""
        return grid.slot_of(self._reading, call, self._slug(call.model), texts=self._texts)

    def _cursor(self, model: int) -> grid.Cursor:
        return grid.Cursor(self._reading, model, self._slug(model), texts=self._texts)

    def _slug(self, model: int) -> str | None:
        return self._slugs[model] if self._named else None


def _refuse_existing(folder: Path) -> None:
    with folder_errors(folder):
        check_own_files(folder, writing=False)
    if has_database(folder):
        raise EvaluationExists(
            f"evaluation {folder.name!r} exists already in {folder.parent}",
            Phrase(
                "{option:resume} continues it, {option:overwrite} starts over (the old one is moved aside), "
                "or use a new {option:id}"
            ),
            argument="id",
        )
