"""What makes the attempts of a run in this process, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.question_keeper import QuestionKeeper
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.target import Target
from umwelten.attempts.tool_use import ToolUse
from umwelten.attempts.transport import Transport
from umwelten.config.settings import Settings
from umwelten.control.pool import Pool
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptRunner
from umwelten.evaluation.call_estimates import CallEstimates
from umwelten.evaluation.lanes import connection_times
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import Observer
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.phrases import Spelling
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.store.inputs import storable_path
from umwelten.store.store import Store
from umwelten.types import FrozenStruct


class AttemptParts(FrozenStruct):
    """What the attempts of a run are made with, wherever that is. `targets` by the models' numbers.

    `documents`: how many of the first inputs have to be converted, by MIME type.
    """

    spec: EvaluationSpec
    settings: Settings
    store: Store
    builder: RequestBuilder
    targets: Mapping[int, Target]
    estimates: CallEstimates
    spelling: Spelling
    clock: Callable[[], float]
    observer: Observer
    documents: Mapping[str, int]


class AttemptMaker(Protocol):
    """Makes the attempts of one run; `close` it. What it has is there once it is open."""

    timeout_s: float
    """Seconds that an attempt may take. A change is for those that start later."""

    @property
    def runner(self) -> AttemptRunner:
        """What the engine has make an attempt."""

    @property
    def inputs(self) -> InputReader:
        """What reads inputs in this process."""

    @property
    def check(self) -> OutcomeCheck:
        """What decides what follows an answer."""

    @property
    def room(self) -> int | None:
        """How many attempts may be under way for want of open files elsewhere; `None`: it is this process."""

    def serve(self, engine: Engine, pool: Pool, on_room: Callable[[], None]) -> None:
        """Tell an engine and its pool what is found beside the attempts from now on.

        `on_room` is told when `room` may have changed.
        """

    async def close(self) -> None:
        """Release everything."""


class LocalAttempts:
    """See `AttemptMaker`."""

    room = None

    def __init__(self, parts: AttemptParts) -> None:
        spec = parts.spec
        self._parts = parts
        self.check = outcome_check(parts)
        self._transport = Transport(timeout_s=spec.limits.timeout_s, unix_clock=parts.clock)
        conversions = ConversionPool(spec.limits.timeout_s, ahead=parts.documents)
        self.runner = HttpAttemptRunner(
            builder=parts.builder,
            targets=parts.targets,
            transport=self._transport,
            inputs=InputReader(parts.builder, conversions, added_values(parts), parts.observer),
            price=parts.estimates.cost,
            stream=spec.stream,
            observer=parts.observer,
            check=self.check,
            keeper=question_keeper(parts),
            trace=spec.trace,
            spelling=parts.spelling,
            clock=parts.clock,
        )

    @classmethod
    async def open(cls, parts: AttemptParts) -> LocalAttempts:
        """Return it with its connections."""
        self = cls(parts)
        await self._transport.__aenter__()
        return self

    @property
    def timeout_s(self) -> float:
        """Seconds that an attempt may take. A change is for those that start later."""
        return self._transport.timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._transport.timeout_s = seconds

    @property
    def inputs(self) -> InputReader:
        """What reads inputs."""
        return self.runner.inputs

    def serve(self, engine: Engine, pool: Pool, on_room: Callable[[], None]) -> None:
        """Tell lanes how long connections took."""
        clock = asyncio.get_running_loop().time
        self._transport.on_connected = connection_times(self._parts.targets, pool, clock)

    async def close(self) -> None:
        """End conversions and delete uploaded files, then close connections."""
        try:
            await self.runner.close()
        finally:
            await self._transport.__aexit__(None, None, None)


def outcome_check(parts: AttemptParts) -> OutcomeCheck:
    """Return what decides what follows an answer."""
    spec, tools, structured = parts.spec, parts.spec.request.tools, None
    if spec.output_schema is not None:
        structured = StructuredOutput(
            spec.output_schema, coerce=spec.coerce, single=spec.single, spelling=parts.spelling
        )
    return OutcomeCheck(structured, None if tools is None else ToolUse(tools, spelling=parts.spelling))


def added_values(parts: AttemptParts) -> AddedValues | None:
    """Return the values that come from beside the inputs, if there are any."""
    return None if parts.spec.inputs is None else parts.spec.inputs.added


def question_keeper(parts: AttemptParts) -> QuestionKeeper | None:
    """Return what keeps what is sent, where that is wanted."""
    spec = parts.spec
    if not spec.keep_inputs:
        return None
    return QuestionKeeper(parts.builder, parts.store.keep, attachment_paths(spec))


def attachment_paths(spec: EvaluationSpec) -> dict[str, str]:
    """Return the paths of attachments by their names, as they are stored."""
    return {path.name: storable_path(str(path.resolve())) for path in spec.attach}
