"""What an evaluation would do, before it does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from umwelten.choices import PdfMode
from umwelten.config.endpoints import price_overrides
from umwelten.config.engine_types import LOCAL
from umwelten.config.members import members
from umwelten.config.settings import Settings
from umwelten.control.known_rate import KnownRate
from umwelten.errors import EvaluationExists
from umwelten.evaluation.call_estimates import ASSUMED_OUTPUT
from umwelten.evaluation.engine_choice import engine_name
from umwelten.evaluation.known_limits import Work, least_s, limits_of
from umwelten.evaluation.preflight import preflight
from umwelten.evaluation.request_terms import callable_tools, hedge_share, request_terms
from umwelten.evaluation.reuse import ReuseCount, reusable_answers
from umwelten.evaluation.spec import EvaluationSpec, hash_reader, stored_spec
from umwelten.file_types import type_by_name
from umwelten.inputs.media import looks_sendable
from umwelten.phrases import Phrase
from umwelten.pricing import cost_nusd
from umwelten.prompts.request_builder import RequestBuilder, is_nameless
from umwelten.prompts.token_estimates import input_size, text_tokens
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Vendor
from umwelten.records import StoredSpec
from umwelten.store.answered_cells import AnsweredCells
from umwelten.store.database import has_database
from umwelten.store.reader import Reader
from umwelten.store.variants import check_size, refuse_changes
from umwelten.types import FoundInput, FrozenStruct, ModelRef, Usage

Span = tuple[float, float]
"""From, to."""

ANSWER_S: Span = (2.0, 20.0)
"""Seconds that most answers take."""

_SHOWN = 20

_RESULT = text_tokens(16 * 1024, "")
"""Tokens of a tool's longest result (`tools.results.LONGEST_RESULT`, which would load all of tools)."""


class Preview(FrozenStruct):
    """What an evaluation would do. `calls` are those to make, `done` are answered already, and
    `reused` would be taken over from other evaluations, by their ids.

    `input_tokens` are `text_tokens` (words) and `picture_tokens`; `output_tokens` is the most there may be,
    or with `output_bounded` False (no `max_tokens`) a guess. Costs are in nano-USD, from (no answer text) to
    (the longest answers); `None`: no price is known. `by_model` are the calls of each. `unsendable` files
    look as if they can't be sent, `unsendable_first` names a few: their calls would fail and cost nothing.
    `seconds` is a rough range. `prices_of` is the day of the price list, where it is needed. Up to
    `hedged_calls` more may be made for the slowest ones, which costs up to `hedged_cost` more. `known_limits`
    are the rates that the user set, by provider or model, of all members together.

    A call has up to `max_steps` requests, as models may call `tools`. The upper costs are those of so many,
    each with the longest answer, and one result of a tool, as long as may be, after it; `most_input_tokens`
    likewise. `input_tokens` are those of the first requests, `output_tokens` of all. `source` is what the
    inputs are, which `files` counts. `engine` is the option's value; with "local" there are no `workers`.
    """

    files: int
    file_bytes: int
    first: tuple[str, ...]
    calls: int
    done: int
    input_tokens: int
    text_tokens: int
    picture_tokens: int
    output_tokens: int
    output_bounded: bool
    by_model: Mapping[ModelRef, int]
    costs: Mapping[ModelRef, tuple[int, int] | None]
    total: tuple[int, int] | None
    seconds: Span
    unsendable: int = 0
    unsendable_first: tuple[str, ...] = ()
    prices_of: str | None = None
    reused: Mapping[str, int] = {}
    hedged_calls: int = 0
    hedged_cost: int | None = 0
    known_limits: Mapping[str, tuple[KnownRate, ...]] = {}
    tools: tuple[str, ...] = ()
    max_steps: int = 1
    most_input_tokens: int = 0
    source: str = "files"
    engine: str = LOCAL
    workers: int | None = None


class _PreviewSums:
    """Counts per model while the inputs pass by."""

    def __init__(self, models: tuple[ModelRef, ...]) -> None:
        self.files = self.file_bytes = self.done = 0
        self.first: list[str] = []
        self.calls = dict.fromkeys(models, 0)
        self.answers = dict.fromkeys(models, 0)
        self.words = dict.fromkeys(models, 0)
        self.pictures = dict.fromkeys(models, 0)
        self.audio = dict.fromkeys(models, 0)
        self.unsendable = 0
        self.unsendable_first: list[str] = []

    def file(self, scanned: FoundInput) -> None:
        self.files += 1
        self.file_bytes += scanned.size
        if len(self.first) < _SHOWN:
            self.first.append(scanned.name)

    def refuse(self, scanned: FoundInput) -> None:
        self.unsendable += 1
        if len(self.unsendable_first) < _SHOWN:
            self.unsendable_first.append(scanned.name)

    def add(self, model: ModelRef, calls: int, done: int) -> None:
        self.calls[model] += calls
        self.done += done

    def ask(self, model: ModelRef, calls: int, words: int, pictures: int, audio: int) -> None:
        """Add calls, with the tokens of each; those of audio are part of the words."""
        self.answers[model] += calls
        self.words[model] += calls * words
        self.pictures[model] += calls * pictures
        self.audio[model] += calls * audio


def preview(spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor], *, at: float) -> Preview:
    """Count and price what the evaluation would do, without a call and without a trace on disk.

    Raises what preparing it would raise.
    """
    checked = preflight(spec, settings, vendors)
    stored = check_size(stored_spec(spec, spec.output.id or ""))
    with _own_reader(spec, stored) as own, reusable_answers(spec) as others:
        answers = None if own is None else _answered_cells(spec, own)
        reuse = None if others is None else ReuseCount(spec, checked.builder, others, own)
        sums = _count(spec, checked.builder, answers, reuse, checked.capabilities)
    bounds = {model: spec.request.of(model).parameters.max_tokens for model in spec.models}
    longest = {model: bound or ASSUMED_OUTPUT for model, bound in bounds.items()}
    prices = price_book(vendors, price_overrides(settings))

    tools = callable_tools(spec.request)
    max_steps = spec.request.tools.max_steps if spec.request.tools is not None and tools else 1
    steps = _Steps(spec, sums, longest, max_steps, partial(cost_nusd, prices=prices, at=at))
    costs = {model: _range(steps.cost(model, 0), steps.most(model)) for model in spec.models}
    words, pictures = sum(sums.words.values()), sum(sums.pictures.values())
    total, hedge = _sum(list(costs.values())), hedge_share(spec)
    return Preview(
        files=sums.files,
        source=spec.request.source,
        engine=engine_name(spec.engine),
        workers=None if spec.engine.kind == LOCAL else spec.engine.workers,
        file_bytes=sums.file_bytes,
        first=tuple(sums.first),
        calls=sum(sums.calls.values()),
        done=sums.done,
        reused={} if reuse is None else dict(reuse.counts),
        input_tokens=words + pictures,
        text_tokens=words,
        picture_tokens=pictures,
        output_tokens=max_steps * sum(longest[model] * number for model, number in sums.answers.items()),
        output_bounded=None not in bounds.values(),
        by_model=sums.calls,
        costs=costs,
        total=total,
        seconds=_seconds(sums, longest, spec, vendors, max_steps=max_steps),
        unsendable=sums.unsendable,
        unsendable_first=tuple(sums.unsendable_first),
        prices_of=prices.list_day(spec.models),
        hedged_calls=int(hedge * sum(sums.calls.values())),
        hedged_cost=None if total is None else int(hedge * total[1]),
        known_limits=limits_of(spec, vendors),
        tools=tools,
        max_steps=max_steps,
        most_input_tokens=max_steps * (words + pictures)
        + sum(number * steps.added(model) for model, number in sums.answers.items()),
    )


class _Steps:
    """What the requests of a call with tools, from one to `max_steps`, cost; without tools there is one."""

    def __init__(
        self,
        spec: EvaluationSpec,
        sums: _PreviewSums,
        longest: Mapping[ModelRef, int],
        max_steps: int,
        price: Callable[[Usage, ModelRef], int | None],
    ) -> None:
        self._spec, self._sums, self._longest = spec, sums, longest
        self._max_steps, self._price = max_steps, price

    def cost(self, model: ModelRef, output: int, turns: int = 0) -> int | None:
        """Return what all calls cost in the request that follows so many turns, `None` without a price."""
        # Prices may step up with the length of a request: one call's, times their number.
        sums = self._sums
        asked = max(sums.answers[model], 1)
        sent = sums.words[model] + sums.pictures[model]
        media = {"input_image": sums.pictures[model], "input_audio": sums.audio[model]}
        usage = Usage(
            input_tokens=sent // asked + turns * (output + _RESULT),
            output_tokens=output,
            service_tier=request_terms(self._spec.request.of(model)).tier,
            details={kind: tokens // asked for kind, tokens in media.items() if tokens},
        )
        one = self._price(usage, model)
        return None if one is None else one * sums.answers[model]

    def most(self, model: ModelRef) -> int | None:
        """Return what all calls cost with every request that they may have."""
        costs = [self.cost(model, self._longest[model], turns) for turns in range(self._max_steps)]
        known = [one for one in costs if one is not None]
        return sum(known) if len(known) == len(costs) else None

    def added(self, model: ModelRef) -> int:
        """Return the input tokens of a call's further requests, which repeat what came before them."""
        return sum(turns * (self._longest[model] + _RESULT) for turns in range(self._max_steps))


def _count(
    spec: EvaluationSpec,
    builder: RequestBuilder,
    answers: AnsweredCells | None,
    reuse: ReuseCount | None,
    capabilities: Mapping[ModelRef, Capabilities],
) -> _PreviewSums:
    sums = _PreviewSums(spec.models)
    cells = spec.repeats * len(spec.request.prompts)
    variants = {model.variant for model in spec.models}
    for scanned in _inputs(spec):
        if spec.inputs is not None:
            sums.file(scanned)
        size = input_size(scanned)
        tokens = {variant: builder.content_tokens(size, variant=variant) for variant in variants}
        is_audio = type_by_name(size.name).family == "audio"
        audio = text_tokens(size.file_bytes, size.name) if is_audio else 0
        for model in spec.models:
            done = answers.count(scanned, model) if answers is not None else 0
            left = cells - done - (reuse.of(scanned, model) if reuse is not None else 0)
            sums.add(model, left, done)
            if _sendable(scanned, capabilities[model], spec.request.pdf):
                sums.ask(model, left, *tokens[model.variant], audio)
        if not any(_sendable(scanned, one, spec.request.pdf) for one in capabilities.values()):
            sums.refuse(scanned)
    return sums


def _inputs(spec: EvaluationSpec) -> Iterator[FoundInput]:
    if spec.inputs is not None:
        yield from spec.inputs.files()
    else:
        yield FoundInput(name="", path="", size=0, stamp="")


@contextmanager
def _own_reader(spec: EvaluationSpec, stored: StoredSpec) -> Iterator[Reader | None]:
    """The evaluation where there is one that would be resumed. Raises EvaluationChanged."""
    output = spec.output
    folder = output.output_dir / (output.id or "")
    if output.id is None or output.mode == "overwrite" or not has_database(folder):
        yield None
        return
    if output.mode == "new":
        raise EvaluationExists(
            f"the evaluation {output.id!r} exists already",
            Phrase("Give {option:resume}, {option:overwrite} or another {option:id}."),
            argument="id",
        )
    with Reader.open(folder) as reader:
        refuse_changes(reader.connection, reader.spec(), stored)
        yield reader


def _answered_cells(spec: EvaluationSpec, own: Reader) -> AnsweredCells:
    prompts = {prompt.name for prompt in spec.request.prompts}
    return AnsweredCells(
        own.connection,
        prompts,
        spec.repeats,
        hash_reader(spec),
        is_nameless,
        again=own.spec().recall != spec.recall,
    )


def _sendable(scanned: FoundInput, capabilities: Capabilities, pdf: PdfMode) -> bool:
    name = input_size(scanned).name
    return not name or looks_sendable(name, capabilities, pdf)


def _seconds(
    sums: _PreviewSums,
    longest: Mapping[ModelRef, int],
    spec: EvaluationSpec,
    vendors: Mapping[str, Vendor],
    *,
    max_steps: int,
) -> Span:
    """From one request a call to so many; how long tools take is not known."""
    one_s = (ANSWER_S[0], max_steps * ANSWER_S[1])
    low, high = wall_s(_busy(sums.answers, one_s), spec, vendors, one_s=one_s)
    sent = {m: sums.words[m] + sums.pictures[m] for m in spec.models}
    few = {m: Work(calls=n, tokens=sent[m]) for m, n in sums.answers.items()}
    many = {
        m: Work(calls=max_steps * n, tokens=max_steps * (sent[m] + n * longest[m]))
        for m, n in sums.answers.items()
    }
    return max(low, least_s(few, spec, vendors)), max(high, least_s(many, spec, vendors))


def _busy(calls: Mapping[ModelRef, int], one_s: Span) -> dict[str, Span]:
    """Seconds that a provider's answers take one after the other."""
    busy: dict[str, Span] = {}
    for model, number in calls.items():
        low, high = busy.get(model.provider, (0.0, 0.0))
        busy[model.provider] = (low + number * one_s[0], high + number * one_s[1])
    return busy


def wall_s(
    busy: Mapping[str, Span],
    spec: EvaluationSpec,
    vendors: Mapping[str, Vendor],
    *,
    one_s: Span = (0.0, 0.0),
) -> Span:
    """How long it takes until providers have worked through so many seconds of calls, at the least and most.

    With `auto`, a provider is taken to bear what suits most accounts. `one_s`: a single call takes that.
    """
    limit = None if spec.limits.max_concurrency == "auto" else spec.limits.max_concurrency
    ends: list[float] = []
    for end in (0, 1):
        times = [spans[end] / _slots(name, 1 - end, limit, spec, vendors) for name, spans in busy.items()]
        together = sum(spans[end] for spans in busy.values()) / limit if limit is not None else 0.0
        longest = max([together, *times], default=0.0)
        ends.append(max(longest, one_s[end]) if longest else 0.0)
    return ends[0], ends[1]


def _slots(
    provider: str, end: int, limit: int | None, spec: EvaluationSpec, vendors: Mapping[str, Vendor]
) -> int:
    cap = spec.limits.provider_concurrency.get(provider)
    several = len(members(vendors[provider]))
    slots = limit if limit is not None else several * vendors[provider].recommended[end]
    return max(1, slots if cap is None else min(slots, cap) if limit is not None else cap)


def _range(low: int | None, high: int | None) -> tuple[int, int] | None:
    return None if low is None or high is None else (low, high)


def _sum(costs: list[tuple[int, int] | None]) -> tuple[int, int] | None:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    return sum(low for low, _ in known), sum(high for _, high in known)
