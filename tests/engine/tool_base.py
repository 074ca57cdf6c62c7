"""What is kept of evaluations in virtual time: a database in memory, and runs that write it."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from typing import Any

from umwelten.records import BegunCall, CallRecord, Committable, Record, StepRecord
from umwelten.store.rows import ResultSlot
from umwelten.store.steps import read_begun
from umwelten.store.tables import MIGRATIONS, SUCCEEDED, call_id
from umwelten.store.writer import _Group
from umwelten.tool_calls import OfferedTool, ToolDefinition, ToolSettings
from umwelten.types import Call, Failure, FailureKind, Usage

MAX_STEPS = 4
USED = Usage(input_tokens=10, output_tokens=3)
DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="key", retry=False, lane_down=True, status=401)
NO_MODEL = Failure(
    kind=FailureKind.BAD_REQUEST, message="no such model", retry=False, model_down=True, status=404
)
BROKEN = Failure(kind=FailureKind.SERVER, message="500", retry=True, status=500)
TIMEOUT = Failure(kind=FailureKind.TIMEOUT, message="no answer", retry=True, code="timeout")
BAD = Failure(kind=FailureKind.BAD_REQUEST, message="400", retry=False, status=400)
EMPTY = Failure(kind=FailureKind.EMPTY, message="empty", retry=True, usage=USED)
MISSHAPED = Failure(kind=FailureKind.SCHEMA, message="misshaped", retry=True, usage=USED)

SETTINGS = ToolSettings(
    tools=tuple(
        OfferedTool(
            name=name, definition=ToolDefinition(name=name, description="", parameters={}), fingerprint="1"
        )
        for name in ("look", "book", "end")
    ),
    max_steps=MAX_STEPS,
)


class Base:
    """The database of an evaluation, and the calls that are pending in it."""

    def __init__(self, models: int, inputs: int) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for migration in MIGRATIONS:
            self.connection.executescript(migration)
        self.calls = {
            model: [Call(id=call_id(i, model, 1), model=model, input=None) for i in range(inputs)]
            for model in range(1, models + 1)
        }

    def pending(self, model: int) -> list[Call]:
        done = {id for (id,) in self.connection.execute(f"SELECT id FROM calls WHERE status = {SUCCEEDED}")}
        return [call for call in self.calls[model] if call.id not in done]

    def write(self, records: list[Record], run: int) -> list[Committable]:
        slot = ResultSlot(version=1, output="o")
        items = [(one, slot) if isinstance(one, CallRecord | StepRecord) else one for one in records]
        group = _Group(items, run)  # type: ignore[arg-type]
        group.execute(self.connection)
        return group.records

    def begun(self, call: Call) -> BegunCall | None:
        return read_begun(self.connection, call.id, 1)

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()


class Process:
    """Source and sink of one run: what is submitted is committed after a while, or never."""

    def __init__(self, base: Base, run: int, dice: random.Random) -> None:
        self.base, self.run, self.dice = base, run, dice
        self.complete, self.problem, self.engine = True, None, None
        self.error: BaseException | None = None
        self._left = {model: base.pending(model) for model in base.calls}
        self._waiting: list[Record] = []
        self._timer: asyncio.TimerHandle | None = None
        self.ended: Counter[int] = Counter()
        self.records: list[Record] = []
        self.full_at = -1

    def lease(self, model: int, n: int) -> list[Call]:
        taken, self._left[model] = self._left[model][:n], self._left[model][n:]
        return taken

    def submit(self, record: Record) -> None:
        if self.error is not None:
            return
        self.records.append(record)
        self._waiting.append(record)
        if isinstance(record, CallRecord):
            self.ended[record.call.id] += 1
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.dice.choice((0.0, 0.02, 0.02, 1.0)), self.commit)

    def flush_soon(self) -> None:
        pass

    def commit(self) -> None:
        group, self._waiting, self._timer = self._waiting, [], None
        if not group:
            return
        if 0 <= self.full_at <= len(self.records):
            self.error = OSError("disk full")
            self._waiting = group
            self.tell([])
            return
        self.tell(self.base.write(group, self.run))

    def finish(self) -> None:
        """Write what was handed over, as a run does at its end; with a full disk, a part of it."""
        group, self._waiting = self._waiting, []
        if self.error is not None:
            group = group[: self.dice.randint(0, len(group))]
        self.base.write(group, self.run)

    def tell(self, records: list[Committable]) -> None:
        assert self.engine is not None
        self.engine.acknowledge(records)
