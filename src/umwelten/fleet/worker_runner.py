"""Makes attempts at a worker, with what `worker_setup` packed."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from umwelten.attempts.dropped_fields import DroppedFields
from umwelten.attempts.memory import settle_memory
from umwelten.attempts.open_files import attempt_room, raise_file_limit
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.proxies import check_proxy
from umwelten.attempts.question_keeper import QuestionKeeper
from umwelten.attempts.runner import HttpAttemptRunner, NotSent
from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.target import Target
from umwelten.attempts.transport import Transport
from umwelten.config.addresses import parse_address
from umwelten.engine.interfaces import AttemptResult
from umwelten.events import Event, Note
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.interfaces import AssignedCall, NothingSent, WorkerHost
from umwelten.fleet.packing import unpack
from umwelten.fleet.worker import Worker
from umwelten.fleet.worker_inputs import WorkerInputs, assigned_call, sending_allowed
from umwelten.fleet.worker_keys import KeyRing, endpoints_of
from umwelten.fleet.worker_setup import WorkerSetup
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.pricing import cost_nusd
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.protocol import Endpoint
from umwelten.schema import compile_schema
from umwelten.store.contents import Content
from umwelten.types import Call, ModelRef, Secret, Turn, Usage

_MOST_ROOM = 100_000
"""Attempts. Where files have no limit, no worker gets there."""

_REMEMBERED = 20_000
"""Hashes of contents that were sent to be kept: as many as the store remembers of those it was given."""


def make_worker(place: WorkerPlace) -> Worker:
    """Return a worker for a carrier; within an event loop."""
    raise_file_limit()
    settle_memory()
    return Worker(build_runner, place=place)


async def build_runner(payload: bytes, host: WorkerHost) -> HttpWorkerRunner:
    """Return what makes the attempts that a packed `WorkerSetup` describes. Raises `ConfigError`."""
    return HttpWorkerRunner(unpack(payload, WorkerSetup), host, KeyRing(os.environ))


class HttpWorkerRunner:
    """An `interfaces.WorkerRunner` over HTTP. It begins once an attempt is there, with the keys there are."""

    def __init__(self, setup: WorkerSetup, host: WorkerHost, keys: KeyRing) -> None:
        self._setup, self._host, self._keys = setup, host, keys
        self._timeout_s = setup.timeout_s
        self._prices, self._terms = setup.prices, dict(setup.terms)
        self._transport: Transport | None = None
        self._runner: HttpAttemptRunner | None = None
        self._lanes: dict[int, str] = {}
        self._dropped = DroppedFields(self._tell, self._on_refused)
        self._sent: OrderedDict[bytes, None] = OrderedDict()
        keyless = setup.to_targets({}, {})
        for endpoint in endpoints_of(keyless):
            check_proxy(endpoint)
        _ = self.missing  # a key that no header can hold is said now

    @property
    def room(self) -> int:
        """How many attempts may be under way at once, as far as open files go."""
        return attempt_room() or _MOST_ROOM

    @property
    def missing(self) -> tuple[str, ...]:
        """Variables of keys that are needed and not there."""
        places = [
            place
            for one in self._setup.endpoints
            for place in (one.key, one.address)
            if place is not None and self._keys.find(place) is None
        ]
        return tuple(dict.fromkeys(place.names[0] for place in places))

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Use these keys, by the names of their variables."""
        self._keys.add(keys)

    def set_timeout(self, timeout_s: float) -> None:
        """Use another limit of time for attempts that begin from now on."""
        self._timeout_s = timeout_s
        if self._transport is not None:
            self._transport.timeout_s = timeout_s

    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        """Leave out fields that a model refused at another worker."""
        self._dropped.learn(model, address, fields)

    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> AttemptResult:
        """Make an attempt. Raises `NothingSent` alone."""
        runner = self._runner or await self._begin()
        with assigned_call(assigned):
            try:
                return await runner(call, turns, on_text, lane, assigned.about)
            except NotSent:
                raise NothingSent from None

    async def close(self) -> None:
        """Release what is held at providers."""
        try:
            if self._runner is not None:
                await self._runner.close()
        finally:
            if self._transport is not None:
                await self._transport.__aexit__(None, None, None)

    async def _begin(self) -> HttpAttemptRunner:
        setup = self._setup
        transport = Transport(timeout_s=self._timeout_s)
        targets = self._targets()
        transport.on_connected = self._on_connected
        await transport.__aenter__()
        if self._runner is not None:  # two attempts were first
            await transport.__aexit__(None, None, None)
            return self._runner
        self._transport = transport
        first = next((one.attached for one in targets.values() if isinstance(one.attached, tuple)), ())
        builder = RequestBuilder(setup.request, attached=first)
        self._runner = HttpAttemptRunner(
            builder=builder,
            targets=targets,
            transport=transport,
            inputs=WorkerInputs(builder, ConversionPool(setup.timeout_s), self._tell, setup.folder),
            price=self._price,
            stream=setup.stream,
            observer=self._tell,
            check=self._check(),
            dropped=self._dropped,
            keeper=None if setup.kept is None else QuestionKeeper(builder, self._keep, setup.kept),
            trace=setup.trace,
            spelling=setup.spelling,
            may_send=sending_allowed,
        )
        return self._runner

    def _targets(self) -> dict[int, Target]:
        keys: dict[int, Secret] = {}
        addresses: dict[int, str] = {}
        for place, one in enumerate(self._setup.endpoints):
            if one.key is not None and (found := self._keys.find(one.key)) is not None:
                keys[place] = found[1]
            if one.address is not None and (found := self._keys.find(one.address)) is not None:
                addresses[place] = parse_address(one.vendor, found[1].reveal(), found[0])
        targets = self._setup.to_targets(keys, addresses)
        for target in targets.values():
            for lane, at in target.by_lane.items():
                self._lanes.setdefault(id(at.endpoint), lane)
        return targets

    def _check(self) -> OutcomeCheck | None:
        setup = self._setup
        if not setup.checks:
            return None
        if setup.schema is None:
            return OutcomeCheck()
        shape = compile_schema(setup.schema)
        return OutcomeCheck(
            StructuredOutput(shape, coerce=setup.coerce, single=setup.single, spelling=setup.spelling)
        )

    def _price(self, usage: Usage, model: ModelRef) -> int | None:
        return cost_nusd(usage, model, self._prices, at=time.time(), terms=self._terms[model])

    def _on_refused(self, model: str, address: str, field: str) -> None:
        self._host.on_refused(model, address, (field,))

    def _on_connected(self, endpoint: Endpoint, took_s: float) -> None:
        if (lane := self._lanes.get(id(endpoint))) is not None:
            self._host.on_connected(lane, took_s)

    def _tell(self, event: Event) -> None:
        if isinstance(event, Note):
            self._host.note(event.text, event.level)

    def _keep(self, contents: Iterable[Content]) -> None:
        unsent = [one for one in contents if self._is_new(one[0])]
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        if unsent:
            self._host.keep(unsent)

    def _is_new(self, digest: bytes) -> bool:
        if digest in self._sent:
            self._sent.move_to_end(digest)
            return False
        self._sent[digest] = None
        return True
