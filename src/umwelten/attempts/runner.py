"""One attempt, from a call to its outcome: read the input, encode, send, decode, check the schema, price."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from umwelten.attempts.attempt import Attempt, trace
from umwelten.attempts.cut_input import CutInputs, characters, least_tokens, may_be_cut
from umwelten.attempts.dropped_fields import DroppedFields
from umwelten.attempts.input_reader import InputReader, ReadInput
from umwelten.attempts.local_trouble import exhaustion_note, local_failure
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.proxies import PROXY
from umwelten.attempts.question_keeper import QuestionKeeper
from umwelten.attempts.target import Target
from umwelten.attempts.tool_use import changed_meanwhile
from umwelten.attempts.transport import STALE, Transport
from umwelten.attempts.upload_cache import FILE_GONE, UploadCache, UploadFailed
from umwelten.engine.interfaces import AttemptResult
from umwelten.errors import InputError, LocalModelError, MachineError
from umwelten.events import Note, NoteLevel, Observer
from umwelten.inputs.content import InputChanged
from umwelten.phrases import Spelling, by_name
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.common.refused_fields import STREAM
from umwelten.providers.protocol import HttpRequest
from umwelten.threads import run_in_thread
from umwelten.types import (
    EXHAUSTED_CODE,
    AttemptOutcome,
    Call,
    Failure,
    FailureKind,
    Message,
    ModelRef,
    Outcome,
    Reply,
    Role,
    Text,
    Timing,
    Turn,
    Usage,
    steps_in,
)

_NOTHING_COUNTED = Usage()
_NO_QUESTION = (Message(role=Role.USER, parts=(Text(text=""),)),)
_TIER_FIELDS = frozenset({"service_tier", "serviceTier", "speed"})
"""Where these are refused and left out, the request is served in the standard tier."""

_CHANGED = "input_changed"
"""The code of a call whose answer's question is not what it was."""

_NEVER_SENT = frozenset(
    {"refused", PROXY, "dns", "connect", "tls", "unsupported_input", "local_model", "internal", "io"}
    | {EXHAUSTED_CODE, _CHANGED}
)

Price = Callable[[Usage, ModelRef], int | None]


class NotSent(Exception):
    """Nothing may be sent now, so this attempt is over, and it cost nothing."""


class HttpAttemptRunner:
    """Makes attempts over HTTP. `targets` by the model's number in the evaluation.

    `check` decides what an answer comes to; `None`: the outcome is what the provider said, and somebody else
    checks it. `trace`: report how long the stages of each attempt took and what its reply said about rate
    limits. `keeper` keeps what is sent. `spelling` is how failures call the options. `may_send` is asked
    before anything of an attempt goes out: `NotSent` is raised if not. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        *,
        builder: RequestBuilder,
        targets: Mapping[int, Target],
        transport: Transport,
        inputs: InputReader,
        price: Price,
        stream: bool,
        observer: Observer,
        check: OutcomeCheck | None,
        dropped: DroppedFields | None = None,
        keeper: QuestionKeeper | None = None,
        trace: bool = False,
        spelling: Spelling = by_name,
        may_send: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._may_send = clock, may_send
        self._targets = {number: target.by_lane for number, target in targets.items()}
        self._builder, self._transport = builder, transport
        self._price, self._stream = price, stream
        self._observer, self._trace = observer, trace
        self._check, self._spelling, self._keeper = check, spelling, keeper
        self.inputs = inputs
        self._uploads = UploadCache(transport)
        self._dropped = DroppedFields(observer) if dropped is None else dropped
        self._cut_inputs = CutInputs(observer, spelling)
        self._has_no_prices = self._is_exhausted = False

    async def close(self) -> None:
        """End the conversions, and delete the uploaded files while the transport is still open."""
        await self.inputs.close()
        await self._uploads.close()

    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str | None = None,
        about: bytes | None = None,
    ) -> AttemptResult:
        """Make an attempt, see `engine.interfaces.AttemptRunner`.

        `about`: what the call's conversation is about so far, where nothing here remembers it.
        """
        places = self._targets[call.model]
        target = next(iter(places.values())) if lane is None else places[lane]
        dropped = self._dropped.of(target)
        target = target.settled(dropped, turns)
        # Refused the way it was asked for, an answer is asked for the other way.
        attempt = Attempt(call, turns, target, dropped, self._stream is not (STREAM in dropped))
        attempt.about = about if self._check is None else self._check.about(call)
        started_at = self._clock()
        try:
            answer, timing = await self._make(attempt, on_text)
        except NotSent:
            raise
        except (MachineError, OSError, MemoryError) as error:
            answer = local_failure(error)
            timing = Timing(started_at=started_at, latency_s=self._clock() - started_at)
        except InputError as error:
            code = _CHANGED if isinstance(error, InputChanged) else "unsupported_input"
            answer = _own_failure(error.spell(self._spelling).message, code)
            timing = Timing(started_at=started_at, latency_s=self._clock() - started_at)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one call must not end the others
            answer = _own_failure(f"umwelten failed on this call: {error!r}", "internal")
            answer = self._transport.masked(answer, attempt.target.endpoint)
            timing = Timing(started_at=started_at, latency_s=self._clock() - started_at)
        if isinstance(answer, Failure) and answer.code == EXHAUSTED_CODE and not self._is_exhausted:
            self._is_exhausted = True
            self._observer(exhaustion_note(answer, self._spelling))
        if isinstance(answer, Failure) and answer.wording is not None:
            message = answer.wording.spell(self._spelling)
            answer = msgspec.structs.replace(answer, message=message, wording=None)
        outcome: AttemptOutcome = answer
        if self._check is not None:
            outcome = await self._check(call, attempt.content, answer, turns)
        model = attempt.target.model
        if self._trace:
            self._observer(Note(text=trace(attempt, answer, timing), level=NoteLevel.DEBUG))
        return AttemptResult(
            outcome=outcome,
            timing=timing,
            key=self._builder.key(model, attempt.content, call.repeat, attempt.target.prompt),
            content=attempt.content,
            kept=attempt.kept,
            step=1 + steps_in(turns),
            cost_nusd=self._cost(answer, attempt.target, attempt.dropped) if attempt.sent else 0,
        )

    async def _make(self, attempt: Attempt, on_text: Callable[[str], None] | None) -> tuple[Outcome, Timing]:
        target, started_at = attempt.target, self._clock()
        if target.local is None:
            return await self._send(attempt, on_text)
        try:
            async with target.local.using(target.model.model) as (base_url, key):
                endpoint = msgspec.structs.replace(target.endpoint, base_url=base_url, api_key=key)
                attempt.target = msgspec.structs.replace(target, endpoint=endpoint)
                return await self._send(attempt, on_text)
        except LocalModelError as error:
            down = Failure(kind=FailureKind.UNAVAILABLE, message=str(error), code="local_model", retry=False)
            return down, Timing(started_at=started_at, latency_s=self._clock() - started_at)

    async def _send(self, attempt: Attempt, on_text: Callable[[str], None] | None) -> tuple[Outcome, Timing]:
        target, started_at = attempt.target, self._clock()
        try:
            answer, timing = await self._exchange(attempt, on_text, fresh=False)
            if isinstance(answer, Failure) and answer.code == STALE:
                answer, timing = await self._exchange(attempt, on_text, fresh=True)
        except UploadFailed as error:
            attempt.sent = False
            return error.failure, Timing(started_at=started_at, latency_s=self._clock() - started_at)
        finally:
            if attempt.uploads:
                self._uploads.release(attempt.uploads)
        if isinstance(answer, Failure) and answer.code == FILE_GONE:
            self._uploads.discard(attempt.uploads)
        if isinstance(answer, Failure) and answer.parameter is not None:
            answer = self._dropped.refuse(answer.parameter, answer, attempt)
        if may_be_cut(attempt.characters, answer.usage) and not attempt.turns:
            source = attempt.call.input
            name = "the prompt" if source is None else source.name
            answer = self._cut_inputs.check(answer, target, name, await self._least_tokens(attempt))
        return answer, timing

    async def _least_tokens(self, attempt: Attempt) -> int:
        """Return a bound of the tokens that were sent, from the input read again; 0 if it is another now."""
        target, again, digest = attempt.target, ReadInput(), b""
        try:
            if (source := attempt.call.input) is not None:
                content = await self.inputs.load(source, target)
                again, digest = (
                    await self.inputs.prepare(content, source, target, quiet=True),
                    content.digest,
                )
        except InputError:
            return 0
        request = self._builder.request(
            target.model,
            again.parts,
            stream=False,
            prompt=target.prompt,
            values=again.values,
            attached=None if isinstance(target.attached, InputError) else target.attached,
        )
        return await run_in_thread(least_tokens, request) if digest == attempt.content else 0

    async def _exchange(
        self, attempt: Attempt, on_text: Callable[[str], None] | None, *, fresh: bool
    ) -> tuple[Outcome, Timing]:
        return await self._transport.ask(
            # No name holds it here: a large body is released as soon as it is sent, and made again for
            # the rare request that has to be repeated.
            await self._encode(attempt),
            attempt.target.wire,
            attempt.target.endpoint,
            stream=attempt.stream,
            tools=attempt.outline is not None and bool(attempt.outline.tools),
            on_text=on_text,
            fresh=fresh,
        )

    async def _encode(self, attempt: Attempt) -> HttpRequest:
        """Return the request, with the input read now; of that, only its hash is kept."""
        target, started_at = attempt.target, time.perf_counter()
        if isinstance(target.attached, InputError):
            raise target.attached
        given = ReadInput()
        if (source := attempt.call.input) is not None:
            content = await self.inputs.load(source, target)
            if attempt.turns and attempt.about not in (None, content.digest):
                raise changed_meanwhile(source)
            attempt.content = content.digest
            given = await self.inputs.prepare(content, source, target)
        parts, attached = given.parts, target.attached
        if self._keeper is not None:
            attempt.kept = self._keeper.keep(source, target, given, attempt.content, attached)
        if target.capabilities.upload:
            if not self._may_send():
                raise NotSent
            number = len(parts)
            placed = await self._uploads.place(
                (*parts, *attached), target.wire, target.endpoint, target.capabilities, attempt.uploads
            )
            parts, attached = placed[:number], placed[number:]
        request = self._builder.request(
            target.model,
            parts,
            stream=attempt.stream,
            prompt=target.prompt,
            values=given.values,
            attached=attached,
            turns=attempt.turns,
        )
        attempt.characters = characters(request)
        attempt.outline = msgspec.structs.replace(request, messages=_NO_QUESTION)
        http = target.wire.encode(request, target.endpoint, attempt.dropped)
        attempt.prepared_s = time.perf_counter() - started_at
        if not self._may_send():
            raise NotSent
        return http

    def _cost(self, outcome: Outcome, target: Target, dropped: frozenset[str]) -> int | None:
        usage = outcome.usage
        if isinstance(outcome, Failure) and usage == _NOTHING_COUNTED:
            # Refused with an error status, or never sent: providers charge nothing. A reply that broke off
            # or came too late may well have been charged.
            refused = (outcome.status or 0) >= 400 or outcome.code in _NEVER_SENT
            return 0 if refused or target.endpoint.vendor.is_free else None
        if _is_uncounted(outcome):
            usage = msgspec.structs.replace(usage, input_tokens=None, output_tokens=None)
        if usage.service_tier is None and not _TIER_FIELDS.isdisjoint(dropped):
            usage = msgspec.structs.replace(usage, service_tier="standard")
        try:
            return self._price(usage, target.model)
        except Exception as error:  # noqa: BLE001 - the answer is there, and paid for
            if not self._has_no_prices:
                self._has_no_prices = True
                self._observer(Note(text=f"prices cannot be looked up: {error!r}", level=NoteLevel.WARNING))
            return None


def _is_uncounted(outcome: Outcome) -> bool:
    """Return whether counts of 0 stand beside a text: some servers put zeros for what they don't count."""
    text = outcome.text if isinstance(outcome, Reply) else outcome.partial
    return bool(text) and 0 in (outcome.usage.input_tokens, outcome.usage.output_tokens)


def _own_failure(message: str, code: str) -> Failure:
    return Failure(kind=FailureKind.BAD_REQUEST, message=message, code=code, retry=False)
