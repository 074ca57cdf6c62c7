"""The composition root: from what a user wants to an evaluation that runs.

Nothing here prints, exits or reads argv. Problems that the user must fix are `UmweltenError`s, raised
before the first call; failures of calls are records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from umwelten.attempts.key_mask import KeyMask
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.target import Target
from umwelten.attempts.tool_caller import EvaluationTools
from umwelten.clock import unix_clock
from umwelten.config.endpoints import all_keys, price_overrides
from umwelten.config.settings import Settings
from umwelten.control.attribution import Attribution, advice
from umwelten.control.model_state import ModelState
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.stop import CostCap
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import CallInfo, RunResult
from umwelten.errors import UmweltenError
from umwelten.evaluation.call_estimates import CallEstimates
from umwelten.evaluation.descriptors import crowding_note, is_crowded, within_room
from umwelten.evaluation.lanes import make_lanes, served
from umwelten.evaluation.limit_memory import LimitMemory
from umwelten.evaluation.live_run import LiveRun
from umwelten.evaluation.local_attempts import AttemptMaker, AttemptParts, LocalAttempts
from umwelten.evaluation.opening import OpenedStore, open_store
from umwelten.evaluation.preflight import preflight
from umwelten.evaluation.request_terms import (
    hedge_share,
)
from umwelten.evaluation.run_start import CallSubset, RunStart
from umwelten.evaluation.share_lanes import shared_lanes
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import (
    LaneTime,
    LaneView,
    Note,
    NoteLevel,
    Observer,
    Observers,
    RunFinished,
    RunStatus,
)
from umwelten.local import LocalServers
from umwelten.phrases import Spelling, by_name, spell
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Vendor
from umwelten.providers.wires import wires_of
from umwelten.records import BegunCall, Committable
from umwelten.store.answer_connections import AnswerConnections
from umwelten.store.grid import Counts
from umwelten.threads import run_in_thread
from umwelten.types import Call, ModelRef, Turn

if TYPE_CHECKING:
    from umwelten.evaluation.remote_attempts import RemoteAttempts


class Evaluation:
    """An evaluation that is ready to run: inputs found, keys there, store open. Close it.

    Use `prepare`, then `run` inside an event loop, again for what the first left;
    `stop` may be called meanwhile.
    """

    def __init__(
        self,
        spec: EvaluationSpec,
        settings: Settings,
        opened: OpenedStore,
        builder: RequestBuilder,
        targets: dict[int, Target],
        local: LocalServers,
        vendors: Mapping[str, Vendor],
        spelling: Spelling = by_name,
    ) -> None:
        store = opened.store
        self._spelling, self._clock = spelling, unix_clock()
        self.spec, self.store, self.builder, self.vendors = spec, store, builder, vendors
        self.folder = spec.output.output_dir / store.spec.id
        self._targets, self._local = targets, local
        self.settings, self.prices = settings, price_book(vendors, price_overrides(settings))
        self._estimates = CallEstimates(spec, builder, targets, self.prices)
        self._engine: Engine | None = None
        self._room: int | None = None
        self._opening: asyncio.Task[RemoteAttempts] | None = None
        self._cap = CostCap()
        self.live: LiveRun | None = None
        self._stop: tuple[str, bool, float] | None = None
        self._documents, self._reused = opened.documents, opened.reused
        self._take_back: Callable[[], None] | None = opened.take_back
        self._memory = LimitMemory(
            remember=spec.limits.remember, forget=spec.limits.forget, clock=self._clock
        )

    @classmethod
    def prepare(
        cls,
        spec: EvaluationSpec,
        settings: Settings,
        vendors: Mapping[str, Vendor],
        spelling: Spelling = by_name,
    ) -> Evaluation:
        """Check everything that can be checked without a call, and open the store.

        `spelling` is how events and what is stored call the options. Raises a `UmweltenError` for whatever
        the user must fix; then nothing is left behind.
        """
        checked = preflight(spec, settings, vendors, ask=True)
        opened = open_store(spec, checked.builder)
        store = opened.store
        local = LocalServers()
        wires = {
            ref: wires_of(checked.endpoints[ref.provider][0], ref, spec.request.of(ref))
            for ref in dict.fromkeys(store.models.values())
        }
        targets = {
            number: Target(
                model=ref,
                endpoint=checked.endpoints[ref.provider][0],
                others=checked.endpoints[ref.provider][1:],
                wire=wires[ref][0],
                other_wire=wires[ref][1],
                local=local if ref.provider == "local" else None,
                prompt=store.prompts[number],
                capabilities=checked.capabilities[ref],
                attached=checked.attached[ref],
            )
            for number, ref in store.models.items()
        }
        return cls(spec, settings, opened, checked.builder, targets, local, vendors, spelling)

    async def run(
        self, observers: Sequence[Observer] = (), *, only: CallSubset | None = None, texts: bool = True
    ) -> RunResult:
        """Make all calls that are pending. Returns how it ended; the answers are in the store.

        `only`: just these; the rest may follow in another run. `texts`: tell of every piece of a streamed
        answer, which costs something even if nothing reads them.
        """
        # A signal that comes before the new engine is there is for that one, not for an earlier run's.
        self._engine = None
        self._renew_local()
        tell = Observers(observers)
        standing = self.store.standing()
        has_work = any((standing[1] if only is None else only.calls).values()) or not self.store.complete
        try:
            attempts = await self._open_attempts(
                tell, has_work=has_work, sample=only is not None and only.sample
            )
        except UmweltenError:
            if self._take_back is not None:
                await run_in_thread(self._take_back)
            raise
        self._take_back = None
        try:
            self._begin(tell, only, standing)
            pool, clock = self._pool(self._limit), asyncio.get_running_loop().time
            engine = self._engine = self._make_engine(attempts, tell, only, texts, pool)
            live = self.live = self._make_live(engine, pool, attempts, tell, texts)
            attempts.serve(engine, pool, live.fit_room)
            if self._stop is not None:
                self.stop(self._stop[0], interrupted=self._stop[1], grace_s=self._stop[2])
            try:
                async with self._memory.of(served(self._targets, pool), tell, clock):
                    with self._shared(pool, engine, tell), AnswerConnections():
                        result = await engine.run()
                ended_at = self._clock()
            finally:
                live.end()
        finally:
            if self.spec.tools is not None:
                self.spec.tools.notes.listen(None)
            await attempts.close()
            await self._local.close()
        try:
            return await self._end(engine.attributions(), result, ended_at, tell)
        finally:
            live.close()
            self.live = None

    def _make_live(
        self, engine: Engine, pool: Pool, attempts: AttemptMaker, tell: Observer, texts: bool
    ) -> LiveRun:
        return LiveRun.begin(
            self.spec.limits,
            loop=asyncio.get_running_loop(),
            spec=self.spec,
            store=self.store,
            engine=engine,
            pool=pool,
            attempts=attempts,
            targets=self._targets,
            tell=tell,
            local_slots=self._local.slots,
            run_id=self.store.run_id,
            texts=texts,
        )

    def _begin(
        self, tell: Observer, only: CallSubset | None, standing: tuple[Counts, dict[int, int]]
    ) -> None:
        start = RunStart(
            spec=self.spec,
            store=self.store,
            targets=self._targets,
            settings=self.settings,
            spelling=self._spelling,
            clock=self._clock,
            limit=self._limit,
            reused=self._reused,
            price_day=self.prices.list_day(self.spec.models),
            given=self._given(),
        )
        start.begin(tell, only, standing)

    def _given(self) -> str:
        if self.spec.given is None:
            return "{}"
        return self.spec.given(KeyMask(all_keys(self.vendors.values(), self.settings)).text)

    async def _open_attempts(self, observer: Observer, *, has_work: bool, sample: bool) -> AttemptMaker:
        parts = AttemptParts(
            spec=self.spec,
            settings=self.settings,
            store=self.store,
            builder=self.builder,
            targets=self._targets,
            estimates=self._estimates,
            spelling=self._spelling,
            clock=self._clock,
            observer=observer,
            documents=self._documents if has_work else {},
        )
        is_here = sample or self.spec.engine.kind == "local"
        if is_here or not has_work or self._is_told_to_stop():
            return await LocalAttempts.open(parts)
        from umwelten.evaluation.remote_attempts import RemoteAttempts  # few runs have workers

        opening = RemoteAttempts.open(parts, self.spec.engine)
        self._opening = asyncio.get_running_loop().create_task(opening)
        try:
            return await self._opening
        except asyncio.CancelledError:
            if not self._is_told_to_stop():
                raise
            return await LocalAttempts.open(parts)  # nothing is started any more
        finally:
            self._opening = None

    def _is_told_to_stop(self) -> bool:
        return self._stop is not None

    def _make_engine(
        self, attempts: AttemptMaker, observer: Observer, only: CallSubset | None, texts: bool, pool: Pool
    ) -> Engine:
        store, loop = self.store, asyncio.get_running_loop()
        self._room = attempts.room
        pool.max_in_flight = within_room(self._limit, self._room)
        if (note := crowding_note(self._limit, self._spelling, self._room)) is not None:
            observer(note)
        engine = Engine(
            pool=pool,
            source=store if only is None else only.source,
            sink=store,
            runner=attempts.runner,
            calls=CallInfo(store.models, self._reserve, self._estimates.tokens, self._estimates.broken_off),
            observer=observer,
            stream=self.spec.stream and texts,
            max_errors=self.spec.limits.max_errors,
            hedge=hedge_share(self.spec),
            loading=lambda lane: self._local.loading if lane == "local" else None,
            tools=self._make_tools(attempts),
            begun=partial(self._begun, attempts.check),
        )

        def committed(records: Sequence[Committable]) -> None:
            if self.live is not None:
                self.live.on_commit(records)
            loop.call_soon_threadsafe(engine.acknowledge, records)

        store.on_commit(committed)
        return engine

    def _reserve(self, call: Call, turns: tuple[Turn, ...]) -> int | None:
        """Return the most that an attempt can cost; only a cap needs it."""
        return None if self._cap.cap is None else self._estimates.most(call, turns)

    def _begun(self, check: OutcomeCheck, call: Call) -> BegunCall | None:
        """Return how far an earlier run got with a call; `check` is told what that was about."""
        found = self.store.begun(call)
        if found is not None:
            check.begin(call, found.content)
        return found

    def _make_tools(self, attempts: AttemptMaker) -> EvaluationTools | None:
        tools = self.spec.tools
        if tools is None:
            return None
        from umwelten.tools.runner import ToolRunner  # most runs have no tools

        mask = KeyMask(all_keys(self.vendors.values(), self.settings))
        run = ToolRunner(
            tools.toolbox.tools,
            timeout_s=tools.timeout_s,
            concurrency=tools.concurrency,
            denied=tools.rules.denied,
            clock=self._clock,
            masked=mask.text,
            masked_error=mask.words,
        )
        return EvaluationTools(run, builder=self.builder, targets=self._targets, inputs=attempts.inputs)

    async def _end(
        self, attributions: Sequence[Attribution], result: RunResult, ended_at: float, tell: Observer
    ) -> RunResult:
        """Close the run in the store and tell how it ended. Without all of its text files, it failed."""
        store, own, crowded = self.store, self._limit is not None, is_crowded(self._limit, self._room)
        sheets = [
            msgspec.structs.replace(s, capped_by_user=own and s.capped_by_user and s.lane != "local")
            for s in attributions
        ]
        reason = None if result.reason is None else spell(result.reason.wording, self._spelling)
        await run_in_thread(store.finish_writing)
        if store.missing_texts.count:
            tell(Note(text=store.missing_texts.describe(self._spelling), level=NoteLevel.WARNING))
            if result.status is RunStatus.COMPLETE:
                result = msgspec.structs.replace(result, status=RunStatus.FAILED)
        await run_in_thread(
            store.end_run,
            result.status,
            reason,
            result.peak_in_flight,
            [(sheet.lane, reason, s) for sheet in sheets for reason, s in sheet.seconds().items()],
            ended_at,
        )
        counts = store.counts()
        tell(
            RunFinished(
                status=result.status,
                reason=reason,
                reason_code=None if result.reason is None else result.reason.code,
                wall_s=result.wall_s,
                # What failed before and was not tried again is pending as well.
                pending=counts.total - counts.succeeded - result.failed,
                peak_in_flight=result.peak_in_flight,
                missing_texts=store.missing_texts.count,
                lane_times=tuple(
                    LaneTime(
                        lane=sheet.lane,
                        seconds=sheet.seconds(),
                        advice="" if crowded else advice(sheet).spell(self._spelling),
                    )
                    for sheet in sheets
                ),
            )
        )
        return result

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start no further call; those in flight have the grace to finish. From the loop's thread."""
        if self._engine is None:
            self._stop = (reason, interrupted, grace_s)
            if self._opening is not None:
                self._opening.cancel()
        else:
            self._engine.stop(reason, interrupted=interrupted, grace_s=grace_s)

    def lanes(self) -> list[LaneView]:
        """The lanes as they are now; empty before `run`."""
        return self._engine.lanes() if self._engine is not None else []

    @property
    def problem_of_program(self) -> UmweltenError | None:
        """What was wrong with the data that a program gave, from some item on."""
        inputs = self.spec.inputs
        return None if inputs is None or inputs.keep is None else self.store.problem

    def close(self) -> None:
        """Flush and close the store, and end the servers of tools. Again: does nothing."""
        try:
            self.store.close()
        finally:
            if self.spec.tools is not None:
                self.spec.tools.toolbox.close()

    # --- pieces ----------------------------------------------------------------------------

    @property
    def capabilities(self) -> Mapping[ModelRef, Capabilities]:
        """What each model takes."""
        return {target.model: target.capabilities for target in self._targets.values()}

    @property
    def _limit(self) -> int | None:
        """The cap over all providers, `None` where each finds its own level."""
        limit = self.spec.limits.max_concurrency
        return None if limit == "auto" else limit

    def _pool(self, limit: int | None) -> Pool:
        limits, cap = self.spec.limits, self.spec.limits.max_cost_usd
        states = {target.model.plain: ModelState() for target in self._targets.values()}
        self._cap = CostCap(
            cap=None if cap is None else round(cap * 1e9), spent=self.store.spent_nusd() if cap else 0
        )
        return Pool(
            make_lanes(
                self._targets,
                limit,
                limits.provider_concurrency,
                local_slots=self._local.slots,
                rates=limits.rates,
                patience_s=limits.max_wait_s,
            ),
            policy=RetryPolicy(retries=limits.retries, longest_wait_s=limits.max_wait_s),
            max_in_flight=within_room(limit),
            group_caps=dict(limits.provider_concurrency),
            max_bytes=limits.max_bytes_in_flight,
            states={number: states[target.model.plain] for number, target in self._targets.items()},
            cap=self._cap,
        )

    def _shared(self, pool: Pool, engine: Engine, tell: Observer) -> AbstractContextManager[None]:
        if not self.spec.limits.share:
            return nullcontext()
        return shared_lanes(self._targets, pool, engine, tell, self._spelling)

    def _renew_local(self) -> None:
        """A run ends the local servers with it; another one starts them anew."""
        self._local = LocalServers()
        for number, target in self._targets.items():
            if target.local is not None:
                self._targets[number] = msgspec.structs.replace(target, local=self._local)
