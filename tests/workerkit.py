"""The same attempts made in this process and by workers, over real sockets, to be compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from provider import environment
from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.question_keeper import QuestionKeeper
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.target import Target
from umwelten.attempts.tool_use import ToolUse
from umwelten.attempts.transport import Transport
from umwelten.cli.flag_names import as_flag
from umwelten.config.endpoints import endpoints, vendors
from umwelten.config.settings import load
from umwelten.engine.interfaces import AttemptResult
from umwelten.events import Event, Note
from umwelten.fleet.check_here import CheckHere
from umwelten.fleet.interfaces import Build, WorkerHost
from umwelten.fleet.messages import Supply, Wanted, decode_from_worker, decode_to_worker
from umwelten.fleet.packing import unpack
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.supplies import InputSupplies
from umwelten.fleet.virtual import VirtualCarrier
from umwelten.fleet.worker_keys import KeyRing, keys_to_ship
from umwelten.fleet.worker_runner import HttpWorkerRunner
from umwelten.fleet.worker_setup import WorkerSetup, pack_setup
from umwelten.inputs import read
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.inputs.workers.worker import convert_now
from umwelten.pricing import Price, PriceBook, RequestTerms, cost_nusd
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.wires import capabilities_of, wires_of
from umwelten.schema import OutputSchema
from umwelten.simulate.faultserver.profile import Profile
from umwelten.simulate.faultserver.server import FaultServer
from umwelten.store.contents import Content
from umwelten.types import Call, FoundInput, Input, ModelRef, Reply, RequestSettings, Turn

Attempt = Callable[..., Awaitable[AttemptResult]]

MODEL = ModelRef("openai", "gpt-5.4-mini")


@dataclass
class Case:
    """An evaluation's settings. `models` are asked with each of its prompts, in that order, from number 1."""

    request: RequestSettings
    models: Sequence[ModelRef] = (MODEL,)
    profile: Profile = field(default_factory=Profile)
    added: AddedValues | None = None
    attach: Sequence[Path] = ()
    schema: OutputSchema | None = None
    stream: bool = False
    toml: str = ""
    timeout_s: float = 10.0
    change_targets: Callable[[dict[int, Target]], dict[int, Target]] = lambda targets: targets
    environ: Mapping[str, str] = field(default_factory=dict)


class Pair:
    """Two runners of the same case, the server they ask, and what each of them reported and kept."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.notes: dict[str, list[str]] = {"here": [], "workers": []}
        self.kept: dict[str, dict[bytes, bytes]] = {"here": {}, "workers": {}}
        self.pieces: dict[str, list[str]] = {"here": [], "workers": []}
        self.connected: list[str] = []
        self.carrier: _Watched
        self.setup = b""
        self.runners: dict[str, Any] = {}
        self.targets: dict[int, Target] = {}

    async def both(self, call: Call, turns: tuple[Turn, ...] = (), lane: str = "") -> AttemptResult:
        """Make an attempt here and at a worker; what comes of both must be the same. Returns the latter."""

        async def steps(attempt: Attempt) -> list[AttemptResult]:
            return [await attempt(call, turns, lane)]

        return (await self.compare(steps))[0]

    async def compare(
        self, steps: Callable[[Attempt], Awaitable[list[AttemptResult]]]
    ) -> list[AttemptResult]:
        """Do the same here and with workers, and compare it; the server begins anew each time."""
        found: dict[str, list[AttemptResult]] = {}
        bodies: dict[str, list[str | None]] = {}
        for where, runner in self.runners.items():
            self.server.reset()
            found[where] = await steps(partial(self._attempt, runner, where))
            bodies[where] = [record.body for record in self.server.ledger.records]
        here, there = ([_comparable(result) for result in results] for results in found.values())
        for one, other in zip(here, there, strict=True):
            assert one == other, f"{one}\n{other}"
        assert bodies["workers"] == bodies["here"]
        for digest in {result.kept for result in here} - {b""}:
            assert self.kept["workers"][digest] == self.kept["here"][digest]
        return found["workers"]

    def supplies(self) -> list[str]:
        """The forms of the supplies that were sent."""
        return [message.form for message in self.carrier.sent if isinstance(message, Supply)]

    def wanted(self) -> int:
        """How often a worker wanted an input."""
        return sum(isinstance(message, Wanted) for message in self.carrier.heard)

    async def _attempt(
        self, runner: Any, where: str, call: Call, turns: tuple[Turn, ...] = (), lane: str = ""
    ) -> AttemptResult:
        lane = lane or next(iter(self.targets[call.model].by_lane))
        result: AttemptResult = await runner(call, turns, self.pieces[where].append, lane)
        return result


class _Watched(VirtualCarrier):
    """Remembers all messages."""

    def __init__(self, build: Build, *, workers: int) -> None:
        super().__init__(build, workers=workers)
        self.sent: list[Any] = []
        self.frames: list[bytes] = []
        self.heard: list[Any] = []

    def send(self, worker: int, frame: bytes) -> None:
        self.sent += decode_to_worker(frame)
        self.frames.append(frame)
        super().send(worker, frame)

    def deliver(self, worker: int, frame: bytes) -> None:
        if frame:
            self.heard += decode_from_worker(frame)
            self.frames.append(frame)
        super().deliver(worker, frame)


def _comparable(result: AttemptResult) -> AttemptResult:
    """The result without what differs between any two attempts."""
    outcome: Any = result.outcome
    if isinstance(outcome, Reply) or hasattr(outcome, "request_id"):
        outcome = msgspec.structs.replace(outcome, request_id=None)
    elif hasattr(outcome, "failure"):
        outcome = msgspec.structs.replace(
            outcome, failure=msgspec.structs.replace(outcome.failure, request_id=None)
        )
    else:
        outcome = msgspec.structs.replace(
            outcome, reply=msgspec.structs.replace(outcome.reply, request_id=None)
        )
    timing = msgspec.structs.replace(
        result.timing, started_at=0.0, latency_s=0.0, ttft_s=None if result.timing.ttft_s is None else 0.0
    )
    return msgspec.structs.replace(
        result, outcome=outcome, timing=timing, worker=None, assignment=0, transit_s=0.0
    )


@asynccontextmanager
async def pair(
    tmp_path: Path,
    case: Case,
    *,
    workers: int = 1,
    worker_environ: Mapping[str, str] | None = None,
    worker_folder: Path | None = None,
    ship: bool = False,
) -> AsyncIterator[Pair]:
    """A runner in this process, and one whose workers are told all by messages."""
    async with FaultServer(msgspec.structs.replace(case.profile, keep_bodies=True)) as server:
        environ = {**environment(server.port), "PORT": str(server.port), **case.environ}
        (tmp_path / "umwelten.toml").write_text(case.toml.replace("PORT", str(server.port)))
        settings = load(tmp_path, environ, tmp_path)
        known = vendors(settings)
        found = {ref.provider: endpoints(known[ref.provider], settings) for ref in case.models}
        made = Pair(server)
        number, targets = 0, made.targets
        for prompt in case.request.prompts:
            for ref in case.models:
                number, at = number + 1, found[ref.provider]
                takes = capabilities_of(at[0], ref)
                wire, other = wires_of(at[0], ref, case.request.of(ref))
                parts = tuple(
                    part for path in case.attach for part in _attached(path, takes, case.request.pdf)
                )
                targets[number] = Target(
                    model=ref,
                    endpoint=at[0],
                    others=at[1:],
                    wire=wire,
                    other_wire=other,
                    prompt=prompt.name,
                    capabilities=takes,
                    attached=parts,
                )
        made.targets = targets = case.change_targets(targets)
        terms = {ref: RequestTerms() for ref in case.models}
        price = Price(input=Decimal("2.5"), output=Decimal(5))
        prices = PriceBook(own={MODEL: price}, lists={"google": "google"})
        builder = RequestBuilder(case.request)

        def note(where: str) -> Callable[[Event], None]:
            return lambda event: made.notes[where].append(event.text) if isinstance(event, Note) else None

        def keep(where: str) -> Callable[[Iterable[Content]], None]:
            return made.kept[where].update

        def check() -> OutcomeCheck:
            structured, tools = None, case.request.tools
            if case.schema is not None:
                structured = StructuredOutput(case.schema, spelling=as_flag)
            return OutcomeCheck(structured, None if tools is None else ToolUse(tools, spelling=as_flag))

        checks = case.request.tools is None and (case.schema is None or case.schema.is_data)
        kept = {path.name: str(path) for path in case.attach}
        made.setup = pack_setup(
            request=case.request,
            targets=targets,
            settings=settings,
            spelling=as_flag,
            prices=prices,
            terms=terms,
            timeout_s=case.timeout_s,
            stream=case.stream,
            trace=False,
            checks=checks,
            schema=None if case.schema is None else case.schema.schema,
            coerce=False,
            single=False,
            kept=kept,
        )

        async def build(payload: bytes, host: WorkerHost) -> HttpWorkerRunner:
            keys = KeyRing(environ if worker_environ is None else worker_environ)
            setup = unpack(payload, WorkerSetup)
            if worker_folder is not None:
                setup = msgspec.structs.replace(setup, folder=str(worker_folder))
            return HttpWorkerRunner(setup, host, keys)

        inputs = InputReader(builder, ConversionPool(10), case.added, note("workers"))
        made.carrier = _Watched(build, workers=workers)
        remote = RemoteRunner(
            made.carrier,
            setup=made.setup,
            keys=keys_to_ship(targets, settings) if ship else None,
            supplies=InputSupplies(inputs, builder, targets, case.added, note("workers")),
            check=None if checks else CheckHere(check()),
            keep=keep("workers"),
            observer=note("workers"),
            on_connected=lambda lane, took_s, transit_s: made.connected.append(lane),
        )
        async with Transport(timeout_s=case.timeout_s) as transport:
            here = HttpAttemptRunner(
                builder=builder,
                targets=targets,
                transport=transport,
                inputs=InputReader(builder, ConversionPool(10), case.added, note("here")),
                price=lambda usage, model: cost_nusd(usage, model, prices, at=0.0, terms=terms[model]),
                stream=case.stream,
                observer=note("here"),
                check=check(),
                keeper=QuestionKeeper(builder, keep("here"), kept),
                spelling=as_flag,
            )
            await remote.open()
            made.runners = {"here": here, "workers": remote}
            try:
                yield made
            finally:
                await here.close()
                await remote.close()
                await inputs.close()


def _attached(path: Path, takes: Any, pdf: Any) -> Any:
    content = read(path, name=path.name, capabilities=takes, pdf=pdf)
    return content.parts if content.convert is None else convert_now(content.convert).parts


def call_about(found: FoundInput, id: int = 1, model: int = 1) -> Call:
    """A call about an input as a scan found it."""
    source = Input(
        id=id, name=found.name, path=found.path, size=found.size, stamp=found.stamp, part=found.part
    )
    return Call(id=100 * id + model, model=model, input=source)


def run(main: Callable[[], Any]) -> None:
    """Run a test's coroutine."""
    asyncio.run(main())
