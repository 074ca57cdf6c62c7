"""One attempt from a call to its outcome: read the input, encode, send, decode, check, price."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import msgspec

from umwelten.attempts.price_loader import PriceLoader
from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.target import LocalAddress, Target
from umwelten.attempts.transport import Transport
from umwelten.attempts.upload_cache import FILE_GONE, CachedUpload, UploadCache, UploadFailed
from umwelten.engine.interfaces import AttemptResult
from umwelten.errors import InputError, LocalModelError
from umwelten.events import Note, NoteLevel, Observer
from umwelten.inputs import read
from umwelten.inputs.content import unframed
from umwelten.phrases import Spelling, by_name
from umwelten.pricing import FREE
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.protocol import HttpRequest
from umwelten.threads import run_in_thread
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    Input,
    Message,
    ModelRef,
    Outcome,
    Part,
    Reply,
    Text,
    Timing,
    Usage,
)

_NOTHING_COUNTED = Usage()
_NEVER_SENT = frozenset({"refused", "dns", "connect", "tls", "unsupported_input", "local_model", "internal"})

_LONG_ANSWER = 20_000
"""Characters."""

_LARGE_INPUT = 4_000_000
"""Bytes; reading that much and hashing it would keep the other calls waiting."""

Price = Callable[[Usage, ModelRef], int | None]


class _Sent(msgspec.Struct):
    """What an attempt goes out without; once the input was read, its hash and the time that took.

    `uploaded`: the files that the provider was given before. `asked` False: the question never went out.
    """

    dropped: frozenset[str]
    content: bytes = b""
    prepared_s: float = 0.0
    uploaded: list[CachedUpload] = []
    asked: bool = True


class HttpAttemptRunner:
    """Makes attempts; the engine's `Ask`. `targets` by the model's number in the evaluation.

    `structured` None: answers are words. `trace`: tell of every attempt how long its stages took and what was
    said about rate limits. `spelling` is how failures call the options.
    """

    def __init__(
        self,
        *,
        builder: RequestBuilder,
        targets: Mapping[int, Target],
        transport: Transport,
        price: Price,
        loading: PriceLoader,
        stream: bool,
        notify: Observer,
        structured: StructuredOutput | None = None,
        trace: bool = False,
        spelling: Spelling = by_name,
    ) -> None:
        self._builder, self._targets, self._transport = builder, targets, transport
        self._price, self._loading = price, loading
        self._stream, self._notify, self._trace = stream, notify, trace
        self._structured, self._spelling = structured, spelling
        self._uploading = UploadCache(transport)
        self._dropped: dict[int, frozenset[str]] = {}
        self._priceless = False

    async def close(self) -> None:
        """Take away what was left at providers. Before the transport is closed."""
        await self._uploading.close()

    async def __call__(
        self, call: Call, turns: tuple[Message, ...], on_text: Callable[[str], None] | None
    ) -> AttemptResult:
        target = self._targets[call.model]
        sent = _Sent(self._dropped.get(call.model, frozenset()))
        started = time.time()
        try:
            if target.local is None:
                answer, timing = await self._ask(call, turns, target, sent, on_text)
            else:
                answer, timing = await self._ask_local(call, turns, target, target.local, sent, on_text)
        except InputError as error:
            answer = _ours(error.spell(self._spelling).message, "unsupported_input")
            timing = Timing(started_at=started, latency_s=time.time() - started)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one call must not end the others
            answer = _ours(f"umwelten failed on this call: {error!r}", "internal")
            timing = Timing(started_at=started, latency_s=time.time() - started)
        outcome = await self._check(answer, turns)
        if not self._loading.done and self._loading.is_needed(answer.usage, target.model):
            # An answer that is there is kept, also from those who want an end at once.
            with suppress(asyncio.CancelledError):
                await self._loading.ready()
        if self._trace:
            self._notify(Note(text=_traced(call, target.model, sent, answer, timing), level=NoteLevel.DEBUG))
        return AttemptResult(
            outcome=outcome,
            timing=timing,
            key=self._builder.key(target.model, sent.content, call.repeat, target.prompt),
            content=sent.content,
            cost_nusd=self._cost(answer, target.model) if sent.asked else 0,
        )

    async def _check(self, answer: Outcome, turns: tuple[Message, ...]) -> AttemptOutcome:
        """What the attempt comes to: an answer that does not fit the schema needs a further request."""
        structured = self._structured
        if isinstance(answer, Reply):
            if structured is None:
                return answer
            # Repairing a long answer that is badly broken takes seconds.
            long = len(answer.text) > _LONG_ANSWER
            return (
                await run_in_thread(structured.read, answer, turns)
                if long
                else structured.read(answer, turns)
            )
        if answer.kind is not FailureKind.SCHEMA:
            return answer
        # The provider checks answers itself, maybe against a schema that only `--param` knows of.
        return (
            Continue(turns=turns, failure=answer)
            if structured is None
            else structured.read_rejected(answer, turns)
        )

    async def _ask_local(
        self,
        call: Call,
        turns: tuple[Message, ...],
        target: Target,
        local: LocalAddress,
        sent: _Sent,
        on_text: Callable[[str], None] | None,
    ) -> tuple[Outcome, Timing]:
        started = time.time()
        try:
            async with local.using(target.model.model) as (base_url, key):
                endpoint = msgspec.structs.replace(target.endpoint, base_url=base_url, api_key=key)
                target = msgspec.structs.replace(target, endpoint=endpoint)
                return await self._ask(call, turns, target, sent, on_text)
        except LocalModelError as error:
            down = Failure(kind=FailureKind.UNAVAILABLE, message=str(error), code="local_model", retry=False)
            return down, Timing(started_at=started, latency_s=time.time() - started)

    async def _ask(
        self,
        call: Call,
        turns: tuple[Message, ...],
        target: Target,
        sent: _Sent,
        on_text: Callable[[str], None] | None,
    ) -> tuple[Outcome, Timing]:
        began = time.time()
        try:
            outcome, timing = await self._transport.ask(
                # Held by nobody here: a large body is let go as soon as it is sent.
                await self._encode(call, turns, target, sent),
                target.wire,
                target.endpoint,
                stream=self._stream,
                on_text=on_text,
            )
        except UploadFailed as refused:
            sent.asked = False
            return refused.failure, Timing(started_at=began, latency_s=time.time() - began)
        finally:
            if sent.uploaded:
                self._uploading.release(sent.uploaded)
        if isinstance(outcome, Failure) and outcome.code == FILE_GONE:
            self._uploading.lose(sent.uploaded)
        if isinstance(outcome, Failure) and outcome.parameter is not None:
            outcome = self._drop(call.model, outcome.parameter, sent.dropped, outcome, target.model)
        return outcome, timing

    async def _encode(
        self, call: Call, turns: tuple[Message, ...], target: Target, sent: _Sent
    ) -> HttpRequest:
        """The request, with the input read now; of it nothing is kept but its hash."""
        began = time.perf_counter()
        if isinstance(target.attached, InputError):
            raise target.attached
        parts: tuple[Part, ...] = ()
        values: Mapping[str, str] | None = None
        if call.input is not None:
            parts, values = await self._read(call.input, target, sent)
        attached = target.attached
        if target.capabilities.upload:
            number = len(parts)
            placed = await self._uploading.placed(
                (*parts, *attached), target.wire, target.endpoint, target.capabilities, sent.uploaded
            )
            parts, attached = placed[:number], placed[number:]
        request = self._builder.request(
            target.model,
            parts,
            stream=self._stream,
            prompt=target.prompt,
            values=values,
            attached=attached,
            turns=turns,
        )
        http = target.wire.encode(request, target.endpoint, sent.dropped)
        sent.prepared_s = time.perf_counter() - began
        return http

    async def _read(
        self, source: Input, target: Target, sent: _Sent
    ) -> tuple[tuple[Part, ...], Mapping[str, str]]:
        reading = partial(
            read,
            source.path,
            name=source.name,
            stamp=source.stamp,
            part=source.part,
            capabilities=target.capabilities,
            pdf=self._builder.settings.pdf,
        )
        content = reading() if source.size < _LARGE_INPUT else await run_in_thread(reading)
        sent.content = content.digest
        if content.changed:
            self._notify(Note(text=f"{source.name} changed since the start; its present bytes are sent"))
        values = {"file.name": source.name, "file.path": source.path, **content.values}
        parts = content.parts
        if content.convert is not None:
            converted = await run_in_thread(content.convert)
            parts = converted.parts
            for text in converted.notes:
                self._notify(Note(text=text, level=NoteLevel.DETAIL))
        if self._builder.bare(target.prompt):
            # The prompt says itself where the content begins and ends.
            parts = tuple(Text(text=unframed(p.text)) if isinstance(p, Text) else p for p in parts)
        return parts, values

    def _drop(
        self, number: int, name: str, sent: frozenset[str], failure: Failure, model: ModelRef
    ) -> Failure:
        """A model refused an optional field: leave it out from now on, once, and say so."""
        if name in sent:
            return msgspec.structs.replace(failure, retry=False)
        known = self._dropped.get(number, frozenset())
        if name not in known:
            self._dropped[number] = known | {name}
            self._notify(
                Note(text=f"{model} does not take {name}; it is sent without", level=NoteLevel.WARNING)
            )
        return msgspec.structs.replace(failure, retry=True)

    def _cost(self, outcome: Outcome, model: ModelRef) -> int | None:
        usage = outcome.usage
        if isinstance(outcome, Failure) and usage == _NOTHING_COUNTED:
            # Refused with an error status, or never sent: providers charge nothing. A reply that broke off
            # or came too late may well have been charged.
            refused = (outcome.status or 0) >= 400 or outcome.code in _NEVER_SENT
            return 0 if refused or model.provider in FREE else None
        try:
            return self._price(usage, model)
        except Exception as error:  # noqa: BLE001 - the answer is there, and paid for
            if not self._priceless:
                self._priceless = True
                self._notify(Note(text=f"prices cannot be looked up: {error!r}", level=NoteLevel.WARNING))
            return None


def _traced(call: Call, model: ModelRef, sent: _Sent, outcome: Outcome, timing: Timing) -> str:
    """The stages of an attempt, and what its reply said about rate limits."""
    subject = f"{model} {call.input.name}" if call.input else str(model)
    stages = [f"prepared in {sent.prepared_s * 1e3:.1f} ms"]
    if timing.ttft_s is not None:
        stages.append(f"first text after {timing.ttft_s:.3f} s")
    stages.append(f"ended after {timing.latency_s:.3f} s")
    for budget in outcome.hints.budgets:
        left = "?" if budget.remaining is None else f"{budget.remaining:g}"
        whole = "?" if budget.limit is None else f"{budget.limit:g}"
        again = "" if budget.reset_s is None else f", again in {budget.reset_s:.3g} s"
        stages.append(f"{budget.resource} {left} of {whole} left{again}")
    if outcome.hints.retry_after_s is not None:
        stages.append(f"asked to wait {outcome.hints.retry_after_s:.3g} s")
    return f"{subject}: {'; '.join(stages)}"


def _ours(message: str, code: str) -> Failure:
    return Failure(kind=FailureKind.BAD_REQUEST, message=message, code=code, retry=False)
