"""The thread that writes: many records, one transaction, then their text files."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Literal, cast

from umwelten.errors import EXHAUSTED, StoreError
from umwelten.records import (
    AttemptRecord,
    CallRecord,
    ChangeRecord,
    Committable,
    CostRecord,
    LimitRecord,
    StepRecord,
    ToolCallsRecord,
    WorkerRecord,
)
from umwelten.store import rows
from umwelten.store.contents import Content, ContentLog, content_rows
from umwelten.store.database import DATABASE, store_errors, transaction
from umwelten.store.folder_lock import file_id
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.rows import ResultSlot
from umwelten.store.text_files import TextFiles
from umwelten.types import Reply

GROUP_S, GROUP_SIZE = 0.02, 500
_ROWS_AT_ONCE = (64, 8, 1)
_LAST_WAIT_MS = 1000

Committed = Callable[[Sequence[Committable]], None]
# A call or a step that ended comes with the place of the call's result.
Item = (
    tuple[CallRecord | StepRecord, ResultSlot]
    | AttemptRecord
    | ToolCallsRecord
    | LimitRecord
    | ChangeRecord
    | CostRecord
    | WorkerRecord
    | Literal["write now"]
)
# Its call, its name, the text, and the record beside it.
_TextFile = tuple[int, str, str, str | None]
_Key = tuple[object, ...]
_NO_MORE = object()
_WRITE_NOW: Final = "write now"  # among items: contents wait, and nothing else
_log = logging.getLogger(__name__)


class _Group:
    """Rows of one transaction and the files that go with them."""

    __slots__ = (
        "_keys",
        "answers",
        "attempts",
        "calls",
        "changes",
        "committed",
        "contents",
        "costs",
        "gone",
        "late",
        "limits",
        "outdated",
        "records",
        "steps",
        "texts",
        "tool_calls",
        "undone",
        "workers",
    )

    def __init__(self, items: Sequence[Item], run_id: int, contents: Sequence[Content] = ()) -> None:
        self.committed = False
        self.contents = contents
        self.attempts: list[rows.Row] = []
        self.late: list[rows.Row] = []  # attempts that were recorded as lost
        self.costs: list[rows.Row] = []
        self.workers: dict[int, rows.Row] = {}
        self.calls: list[rows.Row] = []
        self.answers: list[rows.Row] = []
        self.limits: list[rows.Row] = []
        self.changes: list[rows.Row] = []
        self.gone: list[rows.Row] = []  # calls whose answer is out of date and has no successor
        self.outdated: list[str] = []  # text files of answers that are out of date
        self.texts: list[_TextFile] = []
        self.undone: list[tuple[int, int]] = []  # steps of a conversation that began anew, and later ones
        self.steps: dict[_Key, rows.Row] = {}
        self.tool_calls: dict[_Key, rows.Row] = {}
        self._keys: dict[object, list[tuple[dict[_Key, rows.Row], _Key]]] = {}  # of both, by call
        self.records: list[Committable] = []
        for item in items:
            if isinstance(item, tuple):
                record, slot = item
                if isinstance(record, CallRecord):
                    self._add_call(record, slot, run_id)
                else:
                    self._add_step(record, slot, run_id)
            elif isinstance(item, ToolCallsRecord):
                self._put(self.tool_calls, rows.outcome_rows(item), 3)
                if item.is_start:
                    self.records.append(item)
            elif isinstance(item, AttemptRecord):
                if item.late:
                    self.late.append(rows.late_row(item, run_id))
                else:
                    self.attempts.append(rows.attempt_row(item, run_id))
            elif isinstance(item, ChangeRecord):
                self.changes.append(rows.change_row(item, run_id))
                self.records.append(item)
            elif isinstance(item, LimitRecord):
                self.limits.append(rows.limit_row(item, run_id))
            elif isinstance(item, CostRecord):
                self.costs.append(rows.cost_row(item, run_id))
            elif isinstance(item, WorkerRecord):
                self.workers[item.number] = rows.worker_row(item, run_id)

    def _add_call(self, record: CallRecord, slot: ResultSlot, run_id: int) -> None:
        outcome, call = record.outcome, record.call.id
        self.records.append(record)
        self.calls.append(rows.call_row(record, slot, run_id))
        if slot.outdated is not None:
            self.outdated.append(slot.outdated)
        if isinstance(outcome, Reply):
            if record.tools is not None:  # it may have begun anew, and called none this time
                self._undo(call, record.tools.steps)
            text = rows.clean(outcome.text)
            self.answers.append(rows.answer_row(call, outcome, text))
            if slot.output is not None:
                self.texts.append((call, slot.output, text, rows.clean_optional(outcome.data)))
        elif slot.stale:
            self.gone.append((call,))

    def _add_step(self, record: StepRecord, slot: ResultSlot, run_id: int) -> None:
        call, number = record.call.id, record.number
        self.records.append(record)
        self._undo(call, number)
        self._put(self.steps, [rows.step_row(record, slot.version, run_id)], 2)
        self._put(self.tool_calls, rows.started_rows(record), 3)

    def _undo(self, call: int, number: int) -> None:
        """Leave nothing of a call's steps from that one on, not even of those in this group."""
        self.undone.append((call, number))
        for rows_of, key in self._keys.get(call, ()):
            if cast(int, key[1]) >= number:
                rows_of.pop(key, None)

    def _put(self, rows_of: dict[_Key, rows.Row], added: Sequence[rows.Row], width: int) -> None:
        """Of rows with the same first columns, only the last one is written."""
        for row in added:
            rows_of[row[:width]] = row
            self._keys.setdefault(row[0], []).append((rows_of, row[:width]))

    def execute(self, connection: sqlite3.Connection) -> None:
        if self.undone:
            connection.executemany(rows.DELETE_STEPS, self.undone)
            connection.executemany(rows.DELETE_TOOL_CALLS, self.undone)
        for statement, values in (
            *content_rows(connection, self.contents),  # before the calls, which look up theirs
            (rows.INSERT_ATTEMPT, self.attempts),
            (rows.UPSERT_CALL, self.calls),
            (rows.INSERT_ANSWER, self.answers),
            (rows.INSERT_LIMIT, self.limits),
            (rows.INSERT_CHANGE, self.changes),
            (rows.INSERT_WORKER, [*self.workers.values()]),
            (rows.INSERT_STEP, [*self.steps.values()]),
            (rows.INSERT_TOOL_CALL, [*self.tool_calls.values()]),
        ):
            _insert(connection, statement, values)
        connection.executemany(rows.DELETE_ANSWER, self.gone)
        if self.late:
            connection.executemany(rows.REPLACE_LOST, self.late)
        if self.costs:
            connection.executemany(rows.UPDATE_COST, self.costs)


def _insert(connection: sqlite3.Connection, statement: rows.Insert, values: list[rows.Row]) -> None:
    """Each statement hands the interpreter to the calls' thread and back; so few of them, with many rows."""
    done = 0
    for many in (n for n in _ROWS_AT_ONCE if n <= statement.most):
        text = statement.of(many)
        while len(values) - done >= many:
            connection.execute(text, tuple(chain.from_iterable(values[done : done + many])))
            done += many


class Writer:
    """Takes records from any thread and writes them in one of its own, from creation to `stop`.

    `error` is set once a group could not be written; it and what comes after it get one more try at `stop`.
    `missing_texts` counts the text files that could not be written; their answers are safe.
    `contents` are what was sent, on its way: what a call's row names goes into its group or an earlier one.
    `take_in` makes a step at the plan between groups, and waits for it at most so many seconds, until it
    returns None or the run ends; False: there was none to make in time. `chores` are
    done step by step while there is nothing to write, and finished before the end. `check_lock` raises
    StoreError when the folder is no longer this process's own. `clock` gives Unix seconds. `shaped`:
    answers may have records beside them.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: str,
        text_files: TextFiles,
        run_id: int,
        committed: Committed | None,
        missing_texts: MissingTexts,
        take_in: Callable[[float], bool | None],
        chores: Iterator[None],
        check_lock: Callable[[], None],
        clock: Callable[[], float],
        shaped: bool = False,
    ) -> None:
        self.error: BaseException | None = None
        self.contents = ContentLog(wake=lambda: self.put(_WRITE_NOW))
        self._unwritten: list[Content] = []
        self._missing_texts, self._chores, self._clock = missing_texts, chores, clock
        self._take_in, self._shaped, self._check_lock = take_in, shaped, check_lock
        self._connection, self._folder, self._run_id = connection, folder, run_id
        self._text_files = text_files
        self._committed = committed
        self._database = f"{folder}/{DATABASE}"
        self._file = file_id(self._database)
        self._late_texts: list[_TextFile] = []
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._work, name="umwelten-store", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over a record. Never waits."""
        self._queue.put(item)

    def flush_soon(self) -> None:
        """Write what was handed over without waiting for more."""
        self._hurry.set()

    def stop(self) -> None:
        """Write all that was handed over, then end the thread."""
        self._queue.put(None)
        self._hurry.set()
        self._thread.join()

    def _work(self) -> None:
        unwritten: list[Item] = []
        going_on = True
        while going_on:
            taken, going_on = self._gather()
            if self.error is not None or not self._write(taken):
                unwritten += taken
        while self.error is None and self._do_chore():
            pass
        self._write_late(unwritten)

    def _write_late(self, unwritten: list[Item]) -> None:
        """One more try, without much waiting: who held the file may have let go, a little may still fit."""
        with suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA busy_timeout = {_LAST_WAIT_MS}")
        while unwritten and self._write(unwritten[:GROUP_SIZE]):
            del unwritten[:GROUP_SIZE]
        with suppress(StoreError), store_errors(Path(self._folder)):
            self._check_lock()
            self._write_texts(self._late_texts, may_wait=False)

    def _gather(self) -> tuple[list[Item], bool]:
        """Wait for a record, then for a moment, and take what has come by then. False: it was the last."""
        self._plan(0.0)
        while self.error is None and self._queue.empty() and (self._plan(GROUP_S) or self._do_chore()):
            pass
        taken = [self._queue.get()]
        if taken[0] is not None and self._queue.qsize() < GROUP_SIZE:
            self._wait_for_more()
        self._hurry.clear()
        with suppress(Empty):
            while taken[-1] is not None and len(taken) < GROUP_SIZE:
                taken.append(self._queue.get_nowait())
        return [item for item in taken if item is not None], taken[-1] is not None

    def _wait_for_more(self) -> None:
        until = time.monotonic() + GROUP_S
        while (left := until - time.monotonic()) > 0 and not self._hurry.is_set():
            if not self._plan(left):
                self._hurry.wait(left)

    def _plan(self, wait_s: float) -> bool:
        """One step, or some waiting for it; False when there are no more."""
        if self.error is not None:
            return False
        try:
            with store_errors(Path(self._folder)):
                self._check_lock()
                progress = self._take_in(wait_s)
        except StoreError as error:
            self._fail(error)
            return False
        if progress:
            self._tell([])
        return progress is not None

    def _do_chore(self) -> bool:
        """One step; False when there are no more."""
        try:
            with store_errors(Path(self._folder)):
                self._check_lock()
                return next(self._chores, _NO_MORE) is None
        except Exception as error:  # noqa: BLE001 - as in `_write`; a value may be of another type than ours
            self._fail(error)
            return False

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self._tell([])

    def _write(self, items: list[Item]) -> bool:
        """One group; False if it was not written."""
        if not items:
            return True
        group: _Group | None = None
        try:
            with store_errors(Path(self._folder)):
                self._unwritten += self.contents.take()
                group = _Group(items, self._run_id, self._unwritten)
                self._commit(group)
                self._unwritten = []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the run, not die with the thread
            self._fail(error)
            return group is not None and group.committed
        if group.records:
            self._tell(group.records)
        return True

    def _tell(self, records: list[Committable]) -> None:
        """Say what is safe; an empty list says that `error` is set, or that there are more inputs."""
        if self._committed is not None:
            try:
                self._committed(records)
            except Exception:  # noqa: BLE001
                # Someone else's fault must not cost the answers that are still to come.
                _log.exception("the callback after a commit failed")

    def _commit(self, group: _Group) -> None:
        with transaction(self._connection):
            # While the database is ours: whoever takes the folder's lock later finds all of this group.
            self._check_lock()
            # Before the commit: a kill in between leaves no file, which is repaired, rather than an old one.
            for output in group.outdated:
                self._remove(output)
            group.execute(self._connection)
            self._connection.execute(
                "UPDATE runs SET seen_at = ? WHERE id = ?", (self._clock(), self._run_id)
            )
        group.committed = True
        self._check_there()
        texts, self._late_texts = [*self._late_texts, *group.texts], []
        self._write_texts(texts, may_wait=True)

    def _write_texts(self, texts: list[_TextFile], *, may_wait: bool) -> None:
        """`may_wait`: what there is no room for now is written with the next group."""
        moved = [move for text in texts if (move := self._write_text(text, may_wait))]
        if moved:
            with transaction(self._connection):
                self._connection.executemany("UPDATE calls SET output = ? WHERE id = ?", moved)

    def _check_there(self) -> None:
        """SQLite writes on happily into a file that was deleted; all that was paid for would be gone."""
        if file_id(self._database) != self._file:
            raise StoreError(f"{self._folder} was removed or replaced while the run went on")
        self._check_lock()

    def _remove(self, output: str) -> None:
        try:
            self._text_files.remove(output, data=self._shaped)
        except OSError as error:
            self._missing_texts.add(output, error)

    def _write_text(self, wanted: _TextFile, may_wait: bool) -> rows.Row | None:
        """The file's new name and its call, where it could not have the name it was to have."""
        call, output, text, data = wanted
        try:
            name = self._text_files.write(output, text, data)
        except OSError as error:
            if may_wait and error.errno in EXHAUSTED:
                self._late_texts.append(wanted)
                return None
            self._missing_texts.add(output, error)
            return None
        self._missing_texts.remove(output)
        return None if name == output else (name, call)
