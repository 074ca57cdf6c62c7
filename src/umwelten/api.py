"""The composition root: from what a user wants to an evaluation that runs.

Nothing here prints, exits or reads argv. Problems that the user must mend are `UmweltenError`s, raised
before the first call; failures of calls are records.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from umwelten.config import Settings, endpoint, price_overrides
from umwelten.control.attribution import advice
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.stop import OPEN_ENDED, CostCap
from umwelten.engine import Engine, Naming, Result, Source
from umwelten.errors import ConfigError, InputError, UsageError
from umwelten.events import LaneTime, LaneView, Note, Observer, Observers, RunFinished, RunStarted
from umwelten.exchange import Exchange, Place
from umwelten.inputs import file_hash, read
from umwelten.local import LocalServers, find_weights
from umwelten.plan import Plan, most_tokens
from umwelten.pricing import cost_nusd, most_nusd, price_of
from umwelten.providers.catalog import WIRES
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.store import Store
from umwelten.store.records import CallRecord, Spec
from umwelten.transport import Transport
from umwelten.types import Call, Frozen, ModelRef, Part, Scanned, Usage
from umwelten.wanted import Wanted, check_id, make_id

AUTO_CEILING = 1000
ASSUMED_OUTPUT = 1024
"""Tokens that an answer is expected to have at most when no `max_tokens` says so."""

LONGEST_OUTPUT = OPEN_ENDED * ASSUMED_OUTPUT
"""Tokens that are reserved for such an answer while many calls are under way."""


class Only(Frozen):
    """Some of the pending calls: where they come from, and how many they are by model."""

    source: Source
    calls: Mapping[int, int]


class Evaluation:
    """An evaluation that is ready to run: inputs found, keys there, store open. Close it.

    Use `prepare`, then `run` inside an event loop, again for what the first left;
    `stop` may be called meanwhile.
    """

    def __init__(
        self,
        wanted: Wanted,
        settings: Settings,
        store: Store,
        plan: Plan,
        places: dict[int, Place],
        local: LocalServers,
        vendors: Mapping[str, Vendor],
    ) -> None:
        self.wanted, self.store, self.plan, self.vendors = wanted, store, plan, vendors
        self.folder = wanted.output_dir / store.spec.id
        self._places, self._local = places, local
        self.prices = price_overrides(settings)
        self._fixed = plan.most_fixed_tokens()
        self._engine: Engine | None = None
        self._stop: tuple[str, bool, float] | None = None

    @classmethod
    def prepare(cls, wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor]) -> Evaluation:
        """Check everything that can be checked without a call, and open the store.

        Raises a `UmweltenError` for whatever the user must mend; then nothing is left behind.
        """
        endpoints, plan = check(wanted, settings, vendors)
        store = cls._open(wanted, plan)
        local = LocalServers()
        places = {
            number: Place(
                model=ref,
                endpoint=endpoints[ref.provider],
                wire=WIRES[endpoints[ref.provider].vendor.wire],
                local=local if ref.provider == "local" else None,
            )
            for number, ref in store.models.items()
        }
        return cls(wanted, settings, store, plan, places, local, vendors)

    @staticmethod
    def _open(wanted: Wanted, plan: Plan) -> Store:
        name = wanted.id or make_id(wanted.prompt, wanted.output_dir, today=time.strftime("%Y-%m-%d"))
        spec = Spec(
            id=name,
            kind=wanted.kind,
            prompt=wanted.prompt,
            models=wanted.models,
            system=wanted.system,
            parameters=wanted.parameters,
            attachments=tuple((label, digest) for label, digest, _ in plan.attachments),
            repeats=wanted.repeats,
        )
        if wanted.files is not None and wanted.mode == "overwrite":
            # A scan that fails must fail before the old evaluation is moved aside.
            deque(wanted.files(), maxlen=0)
        files = _peek(wanted.files() if wanted.files is not None else None)
        folder = wanted.output_dir / name
        fresh = not (folder / "evaluation.db").exists()
        opener = {"new": Store.create, "resume": Store.resume, "overwrite": Store.overwrite}[wanted.mode]
        store = opener(folder, spec)
        try:
            if files is None:
                store.set_no_inputs()
            else:
                store.set_inputs(files, read_hash=file_hash)
        except BaseException:
            store.close()
            if fresh:
                # Nothing was asked yet: an id that holds nothing would only be in the way.
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return store

    async def run(self, observers: Sequence[Observer] = (), *, only: Only | None = None) -> Result:
        """Make all calls that are pending. Returns how it ended; the answers are in the store.

        `only`: just these; the rest may follow in another run.
        """
        wanted, store = self.wanted, self.store
        # A signal that comes before the new engine is there is for that one, not for an earlier run's.
        self._engine = None
        self._renew_local()
        loop, tell = asyncio.get_running_loop(), Observers(observers)
        for place in self._places.values():
            # The list of prices takes 0.1 s to load: now, rather than between two answers.
            price_of(place.model, overrides=self.prices, at=time.time())
        counts = store.counts()
        limit = None if wanted.max_concurrency == "auto" else wanted.max_concurrency
        store.start_run(
            {
                "max_concurrency": wanted.max_concurrency,
                "provider_concurrency": dict(wanted.provider_concurrency),
                "timeout_s": wanted.timeout_s,
                "retries": wanted.retries,
                "stream": wanted.stream,
            }
        )
        tell(
            RunStarted(
                id=store.spec.id,
                total=counts.total if only is None else sum(only.calls.values()),
                done=counts.succeeded if only is None else 0,
                models=tuple(store.models.values()),
                max_concurrency=limit,
                at_unix=time.time(),
                pending=self._by_lane(store.to_do() if only is None else only.calls),
            )
        )
        async with Transport(timeout_s=wanted.timeout_s) as transport:
            ask = Exchange(
                plan=self.plan,
                places=self._places,
                transport=transport,
                price=self._price,
                stream=wanted.stream,
                notify=tell,
                trace=wanted.trace,
            )
            engine = self._engine = Engine(
                pool=self._pool(limit),
                source=store if only is None else only.source,
                sink=store,
                ask=ask,
                naming=Naming(store.models, self._estimate, self._tokens),
                tell=tell,
                stream=wanted.stream,
                max_errors=wanted.max_errors,
            )

            def committed(records: Sequence[CallRecord]) -> None:
                loop.call_soon_threadsafe(engine.committed, records)

            store.on_commit(committed)
            if self._stop is not None:
                self.stop(self._stop[0], interrupted=self._stop[1], grace_s=self._stop[2])
            try:
                result = await engine.run()
                ended_at = time.time()
            finally:
                await self._local.close()
        own = wanted.max_concurrency != "auto"
        sheets = [
            msgspec.structs.replace(
                sheet, capped_by_user=own and sheet.capped_by_user and sheet.lane != "local"
            )
            for sheet in engine.attributions()
        ]
        await asyncio.to_thread(
            store.end_run,
            result.status,
            result.reason,
            result.peak_in_flight,
            [(sheet.lane, reason, s) for sheet in sheets for reason, s in sheet.seconds().items()],
            ended_at,
        )
        for problem in store.text_errors:
            tell(Note(text=f"the answer is kept, its text file is not: {problem}", level="warning"))
        counts = store.counts()
        # What failed before and was not tried again is pending as well.
        pending = counts.total - counts.succeeded - result.failed
        tell(
            RunFinished(
                status=result.status,
                reason=result.reason,
                wall_s=result.wall_s,
                pending=pending,
                peak_in_flight=result.peak_in_flight,
                lane_times=tuple(
                    LaneTime(lane=sheet.lane, seconds=sheet.seconds(), advice=advice(sheet))
                    for sheet in sheets
                ),
            )
        )
        return result

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start no further call; those in flight have the grace to finish. From the loop's thread."""
        if self._engine is None:
            self._stop = (reason, interrupted, grace_s)
        else:
            self._engine.stop(reason, interrupted=interrupted, grace_s=grace_s)

    def lanes(self) -> list[LaneView]:
        """The lanes as they are now; empty before `run`."""
        return self._engine.lanes() if self._engine is not None else []

    def close(self) -> None:
        """Flush and close the store. Again: does nothing."""
        self.store.close()

    # --- pieces ----------------------------------------------------------------------------

    def _pool(self, limit: int | None) -> Pool:
        lanes: dict[str, Lane] = {}
        by_model: dict[int, Lane] = {}
        for number, place in self._places.items():
            name = lane_name(place)
            if name not in lanes:
                lanes[name] = self._lane(name, place, limit)
            by_model[number] = lanes[name]
        cap = self.wanted.max_cost_usd
        return Pool(
            by_model,
            policy=RetryPolicy(retries=self.wanted.retries),
            max_in_flight=limit,
            group_caps=dict(self.wanted.provider_concurrency),
            max_bytes=self.wanted.max_bytes_in_flight,
            cap=CostCap(
                cap=None if cap is None else round(cap * 1e9), spent=self.store.spent_nusd() if cap else 0
            ),
        )

    def _lane(self, name: str, place: Place, limit: int | None) -> Lane:
        vendor = place.endpoint.vendor
        low = vendor.recommended[0]
        ceiling = self.wanted.provider_concurrency.get(vendor.name, limit or AUTO_CEILING)
        if vendor.name == "local":
            ceiling = min(ceiling, self._local.slots)
        start = ceiling if limit is not None else min(low, ceiling)
        return Lane(
            name,
            vendor.name,
            Limit(float(start), ceiling, slow_start=limit is None),
            host=vendor.scope == "host",
        )

    def _renew_local(self) -> None:
        """A run ends the local servers with it; another one starts them anew."""
        self._local = LocalServers()
        for number, place in self._places.items():
            if place.local is not None:
                self._places[number] = msgspec.structs.replace(place, local=self._local)

    def _by_lane(self, by_model: Mapping[int, int]) -> dict[str, int]:
        sums: dict[str, int] = {}
        for number, place in self._places.items():
            name = lane_name(place)
            sums[name] = sums.get(name, 0) + by_model.get(number, 0)
        return sums

    def _price(self, usage: Usage, model: ModelRef) -> int | None:
        return cost_nusd(usage, model, overrides=self.prices, at=time.time())

    def _tokens(self, call: Call) -> tuple[int, int | None]:
        """Tokens that a call sends, roughly, and that it may write at most."""
        size, name = (call.input.size, call.input.name) if call.input else (0, "")
        return self.plan.input_tokens(size, name), self.wanted.parameters.max_tokens

    def _estimate(self, call: Call) -> int | None:
        """The most that an attempt can cost, in nano-USD; only a cap needs it."""
        if self.wanted.max_cost_usd is None:
            return None
        size, name = (call.input.size, call.input.name) if call.input else (0, "")
        return most_nusd(
            self._places[call.model].model,
            self._fixed + most_tokens(size, name),
            self.wanted.parameters.max_tokens or LONGEST_OUTPUT,
            overrides=self.prices,
            at=time.time(),
        )


def check(
    wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor]
) -> tuple[dict[str, Endpoint], Plan]:
    """The endpoints by provider, and the plan. Raises a `UmweltenError` for what the user must mend."""
    if not wanted.prompt.strip():
        raise UsageError("the prompt is empty", "Give it with --prompt TEXT, --prompt @FILE or --prompt -.")
    if wanted.id is not None:
        check_id(wanted.id)
    for text in (wanted.prompt, wanted.system or "", *map(str, wanted.models)):
        if not text.isascii() and text != text.encode("utf-8", "replace").decode():
            raise UsageError(
                f"{text[:40]!r} holds bytes that are no UTF-8", "Save it as UTF-8 and use @FILE."
            )
    endpoints = _endpoints(wanted, settings, vendors)
    for ref in wanted.models:
        if ref.provider == "local":
            find_weights(ref.model)
    if wanted.max_cost_usd is not None:
        _check_priced(wanted, settings)
    plan = Plan(
        prompt=wanted.prompt,
        system=wanted.system,
        parameters=wanted.parameters,
        attachments=tuple(_attachment(path) for path in wanted.attach),
    )
    return endpoints, plan


def _endpoints(wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor]) -> dict[str, Endpoint]:
    """All at once: who lacks two keys should not learn of the second only after the first."""
    found: dict[str, Endpoint] = {}
    problems: list[ConfigError] = []
    for provider in dict.fromkeys(ref.provider for ref in wanted.models):
        try:
            found[provider] = endpoint(vendors[provider], settings)
        except ConfigError as error:
            problems.append(error)
    if problems:
        hints = dict.fromkeys(error.hint for error in problems if error.hint)
        raise ConfigError("; ".join(error.message for error in problems), "\n".join(hints))
    return found


def _check_priced(wanted: Wanted, settings: Settings) -> None:
    """A cap that cannot be kept would be a promise broken in silence."""
    prices = price_overrides(settings)
    unknown = [m for m in wanted.models if price_of(m, overrides=prices, at=time.time()) is None]
    if unknown:
        raise UsageError(
            f"--max-cost can't be kept: no price is known for {', '.join(map(str, unknown))}",
            f'Put it in umwelten.toml: [prices."{unknown[0]}"] input = … output = … (per million tokens).',
        )


def lane_name(place: Place) -> str:
    """What shares one rate limit: an account, an account's model, or a host."""
    vendor = place.endpoint.vendor
    if vendor.scope == "key+model":
        return str(place.model)
    if vendor.scope == "host":
        return vendor.name if vendor.name == "local" else f"{vendor.name}@{_host(place.endpoint.base_url)}"
    return vendor.name


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def _attachment(path: Path) -> tuple[str, bytes, tuple[Part, ...]]:
    try:
        content = read(path, name=path.name)
    except InputError as error:
        raise InputError(f"--attach: {error.message}", error.hint) from None
    return path.name, content.digest, content.parts


def _peek(files: Iterator[Scanned] | None) -> Iterator[Scanned] | None:
    """The same files, once the first is found: a scan that fails should fail before the store is made."""
    if files is None:
        return None
    first = next(files, None)
    return itertools.chain([] if first is None else [first], files)
