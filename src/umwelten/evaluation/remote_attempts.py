"""What has the attempts of a run made by the workers of a cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from umwelten.attempts.input_reader import InputReader
from umwelten.control.pool import Pool
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult
from umwelten.evaluation.carriers import CARRIERS
from umwelten.evaluation.lanes import connection_times_by_lane
from umwelten.evaluation.local_attempts import AttemptParts, added_values, attachment_paths, outcome_check
from umwelten.evaluation.spec import EngineChoice
from umwelten.events import Note, NoteLevel, WorkersStarting
from umwelten.fleet.check_here import CheckHere
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.supplies import InputSupplies, same_worker
from umwelten.fleet.worker_keys import hidden_variables, keys_to_ship
from umwelten.fleet.worker_setup import loopback_notes, pack_setup
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.records import WorkerRecord

_CLOSE_S = 5.0
"""Workers have so long to delete uploaded files, as `UploadCache` has on one machine."""


class RemoteAttempts:
    """See `local_attempts.AttemptMaker`."""

    def __init__(self, parts: AttemptParts, choice: EngineChoice) -> None:
        self._parts = parts
        self._engine: Engine | None = None
        self._tell_lane: Callable[[str, float, float], None] | None = None
        self._on_room: Callable[[], None] | None = None
        self._unstored: list[WorkerRecord] | None = []
        self._timeout_s = parts.spec.limits.timeout_s
        self._conversions = ConversionPool(self._timeout_s)
        self.inputs = InputReader(parts.builder, self._conversions, added_values(parts), parts.observer)
        self.check = outcome_check(parts)
        carrier = CARRIERS[choice.kind](
            choice,
            hidden_variables(parts.targets, parts.settings, os.environ),
            lambda text: parts.observer(Note(text=text, level=NoteLevel.WARNING)),
            self._on_gone,
        )
        self.runner = RemoteRunner(
            carrier,
            setup=_packed_setup(parts),
            keys=keys_to_ship(parts.targets, parts.settings) if choice.ship_keys else None,
            supplies=InputSupplies(
                self.inputs, parts.builder, parts.targets, added_values(parts), parts.observer
            ),
            check=CheckHere(self.check) if _checks_here(parts) else None,
            keep=parts.store.keep,
            observer=parts.observer,
            on_connected=self._on_connected,
            on_workers=self._store_worker,
            on_room=self._tell_room,
            hold=self._hold,
            on_late=self._on_late,
            sticky=same_worker(parts.targets),
            unix=parts.clock,
        )

    @classmethod
    async def open(cls, parts: AttemptParts, choice: EngineChoice) -> RemoteAttempts:
        """Return it with its workers there. Raises `UmweltenError`; then nothing of it is left."""
        starting = WorkersStarting(workers=choice.workers, address=choice.address, at_unix=parts.clock())
        parts.observer(starting)
        self = cls(parts, choice)
        try:
            await self.runner.open()
        except BaseException:
            await self._conversions.close()
            raise
        if choice.address:
            for text in loopback_notes(parts.targets):
                parts.observer(Note(text=text, level=NoteLevel.WARNING))
        return self

    @property
    def timeout_s(self) -> float:
        """Seconds that an attempt may take. A change is for those that start later."""
        return self._timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._timeout_s = seconds
        self.runner.set_timeout(seconds)

    @property
    def room(self) -> int:
        """How many attempts the workers' open files allow together."""
        return self.runner.room

    def serve(self, engine: Engine, pool: Pool, on_room: Callable[[], None]) -> None:
        """Tell the engine of workers and late answers, and lanes of connections."""
        self._engine, self._on_room = engine, on_room
        clock = asyncio.get_running_loop().time
        self._tell_lane = connection_times_by_lane(self._parts.targets, pool, clock)
        if self.runner.is_held:
            engine.hold()  # they were lost before there was anybody to tell
        unstored, self._unstored = self._unstored or [], None
        for record in unstored:
            self._parts.store.submit(record)

    async def close(self) -> None:
        """Let the workers delete uploaded files, then end them and what was started for them."""
        try:
            await self.runner.close(_CLOSE_S)
        finally:
            await self._conversions.close()

    def _on_gone(self, why: str) -> None:
        if self._engine is not None:
            self._engine.stop(why, grace_s=0.0)

    def _on_connected(self, lane: str, took_s: float, transit_s: float) -> None:
        if self._tell_lane is not None:
            self._tell_lane(lane, took_s, transit_s)

    def _tell_room(self) -> None:
        if self._on_room is not None:
            self._on_room()

    def _hold(self, held: bool) -> None:
        if self._engine is not None:
            (self._engine.hold if held else self._engine.release)()

    def _on_late(self, assignment: int, result: AttemptResult) -> None:
        if self._engine is not None:
            self._engine.late(assignment, result)

    def _store_worker(self, record: WorkerRecord) -> None:
        if self._unstored is not None:
            self._unstored.append(record)
        else:
            self._parts.store.submit(record)


def _checks_here(parts: AttemptParts) -> bool:
    """Return whether this process checks answers: tools are run here, and a class of the user's is here."""
    schema = parts.spec.output_schema
    return parts.spec.request.tools is not None or (schema is not None and not schema.is_data)


def _packed_setup(parts: AttemptParts) -> bytes:
    spec = parts.spec
    schema = spec.output_schema
    return pack_setup(
        request=spec.request,
        targets=parts.targets,
        settings=parts.settings,
        spelling=parts.spelling,
        prices=parts.estimates.prices,
        terms=parts.estimates.terms,
        timeout_s=spec.limits.timeout_s,
        stream=spec.stream,
        trace=spec.trace,
        checks=not _checks_here(parts),
        schema=None if schema is None else schema.schema,
        coerce=bool(spec.coerce),
        single=spec.single,
        kept=attachment_paths(spec) if spec.keep_inputs else None,
    )
