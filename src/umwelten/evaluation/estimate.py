"""What an evaluation will cost, judged by a few of its calls made first; their answers are kept."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.known_limits import Work, least_s
from umwelten.evaluation.preview import Span, wall_s
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.sampling import CostPart, DrawnSample, Range, Seen, draw, part, together
from umwelten.pricing import price_of
from umwelten.prompts.token_estimates import InputSize
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredCall, stored_call
from umwelten.types import Call, FrozenStruct, ModelRef

_USUAL_OUTPUT = 300
"""Tokens of an answer where nothing is known: only a weight, which the sample corrects."""

_USUAL_RATIO = 4.0
"""An output token's price in input tokens, where no price is listed."""


class Chosen(FrozenStruct):
    """The sample of one model: how it was drawn, and each call's id with its weight and sureness."""

    model: ModelRef
    drawn: DrawnSample
    calls: tuple[tuple[int, float, bool], ...]


class EstimateSample(FrozenStruct):
    """The calls to make first. `only` is what `Evaluation.run` takes."""

    only: CallSubset
    chosen: tuple[Chosen, ...]


class ModelEstimate(FrozenStruct):
    """Of one model. `calls` were pending, `sampled` of them were tried, `failed` of those gave nothing.

    `cost` in nano-USD for all `calls`, `None` where a price is not known or nothing came back;
    `spent` is the sample's. `input_tokens` and `output_tokens` for all calls. `busy_s` is the time in
    flight of the calls that are left, one after the other. `requests` are those of a call at the mean, `None`
    where no tools are offered.
    """

    model: ModelRef
    calls: int
    sampled: int
    succeeded: int
    failed: int
    spent: int
    cost: Range | None
    input_tokens: Range | None
    output_tokens: Range | None
    busy_s: Range | None
    requests: float | None = None

    @property
    def per_call(self) -> Range | None:
        """Nano-USD a call."""
        return self.cost.times(1 / self.calls) if self.cost is not None and self.calls else None


class Estimate(FrozenStruct):
    """Of a whole evaluation. `total` in nano-USD, `None` if any model's is unknown; `spent` is part of it.

    `seconds` is how long the rest may take, `None` if not known. `prices_of` is the day of the price list,
    where it is needed.
    """

    models: tuple[ModelEstimate, ...]
    total: Range | None
    spent: int
    seconds: Span | None
    prices_of: str | None = None

    @property
    def succeeded(self) -> int:
        """Sampled calls that were answered."""
        return sum(one.succeeded for one in self.models)


class _Cells:
    """A source of just these calls."""

    complete, problem = True, None

    def __init__(self, calls: Mapping[int, Sequence[Call]]) -> None:
        self._left = {model: list(some) for model, some in calls.items()}

    def lease(self, model: int, n: int) -> list[Call]:
        left = self._left.get(model, [])
        taken, self._left[model] = left[:n], left[n:]
        return taken


def least(models: int, repeats: int | None = None) -> int:
    """The fewest calls that allow an estimate: two a model, where a model has as many (`repeats`)."""
    return models * min(2, repeats or 2)


def choose(evaluation: Evaluation, n: int, *, seed: int = 0) -> EstimateSample:
    """Draw `n` of the pending calls, evenly over the models and over the sizes of the files."""
    dice = random.Random(f"{evaluation.store.spec.id} {seed}")
    to_do = evaluation.store.to_do()
    calls: dict[int, list[Call]] = {}
    chosen: list[Chosen] = []
    for number, share in _shares(to_do, n).items():
        calls[number], found = _choose(evaluation, number, share, dice.random)
        chosen.append(found)
    counts = {number: len(some) for number, some in calls.items()}
    return EstimateSample(
        only=CallSubset(source=_Cells(calls), calls=counts, sample=True), chosen=tuple(chosen)
    )


def _shares(to_do: Mapping[int, int], n: int) -> dict[int, int]:
    """Even shares; what a model has no calls for goes to the others."""
    shares: dict[int, int] = {}
    for target, number in enumerate(sorted(to_do, key=lambda one: (to_do[one], one))):
        shares[number] = min(to_do[number], n // (len(to_do) - target))
        n -= shares[number]
    return dict(sorted(shares.items()))


def _choose(
    evaluation: Evaluation, number: int, n: int, dice: Callable[[], float]
) -> tuple[list[Call], Chosen]:
    store, model = evaluation.store, evaluation.store.models[number]
    weigh = _weigher(evaluation, model)

    def weights() -> Iterable[float]:
        return (weigh(size, name) for _, _, name, size in store.by_size(number))

    drawn = draw(weights, n, dice)
    taken = {**drawn.sure, **drawn.picked}
    cells = {
        (cell[0], cell[1]): position
        for position, cell in enumerate(store.by_size(number))
        if position in taken
    }
    calls = store.pick(number, cells)
    positions = [cells[call.input.id if call.input else 0, call.repeat] for call in calls]
    rows = tuple((call.id, taken[at], at in drawn.sure) for call, at in zip(calls, positions, strict=True))
    return calls, Chosen(model=model, drawn=drawn, calls=rows)


def _weigher(evaluation: Evaluation, model: ModelRef) -> Callable[[int, str], float]:
    """A guess of a call's cost, in input tokens, by its file's size and name."""
    price = price_of(model, evaluation.prices, at=time.time())
    ratio = float(price.output / price.input) if price is not None and price.input else _USUAL_RATIO
    longest = evaluation.spec.request.of(model).parameters.max_tokens or _USUAL_OUTPUT
    answer = ratio * min(longest, _USUAL_OUTPUT)
    # The name of a row or an answer says nothing of what is in it.
    named = evaluation.spec.request.source == "files"

    def weigh(size: int, name: str) -> float:
        known = InputSize(file_bytes=size, name=name) if named else InputSize(text_bytes=size)
        return evaluation.builder.input_tokens(known, variant=model.variant) + answer

    return weigh


def estimate(evaluation: Evaluation, sample: EstimateSample) -> Estimate:
    """What all calls that were pending will come to, after the sample has run."""
    with Reader.open(evaluation.folder) as reader:
        found = [_model(chosen, reader) for chosen in sample.chosen]
    models = tuple(one for one, _ in found)
    parts = [cost for _, cost in found]
    known = [cost for cost in parts if cost is not None]
    return Estimate(
        models=models,
        total=together(known) if len(known) == len(parts) else None,
        spent=sum(one.spent for one in models),
        seconds=_seconds(evaluation, models),
        prices_of=evaluation.prices.list_day(evaluation.spec.models),
    )


def _model(chosen: Chosen, reader: Reader) -> tuple[ModelEstimate, CostPart | None]:
    ended = [
        (call, weight, sure)
        for number, weight, sure in chosen.calls
        if (call := stored_call(reader, number)) is not None
    ]
    answered = [weighted for weighted in ended if weighted[0].succeeded]
    # Failed calls are part of the cost, and may be expensive or free; they say nothing about tokens.
    priced = all(call.cost_nusd is not None for call, _, _ in answered) and bool(answered)
    cost = _part(ended, "cost_nusd", chosen.drawn) if priced else None
    if not chosen.drawn.calls:
        cost = CostPart(known=0.0)
    busy = _part(ended, "time_s", chosen.drawn) if answered else None
    made = ModelEstimate(
        model=chosen.model,
        calls=chosen.drawn.calls,
        sampled=len(chosen.calls),
        succeeded=len(answered),
        failed=len(ended) - len(answered),
        spent=sum(call.cost_nusd or 0 for call, _, _ in ended),
        cost=_range(cost),
        input_tokens=_range(_part(answered, "input_tokens", chosen.drawn)),
        output_tokens=_range(_part(answered, "output_tokens", chosen.drawn)),
        busy_s=None if busy is None else _left(busy),
        requests=_requests([call for call, _, _ in ended]),
    )
    return made, cost


def _requests(calls: Sequence[StoredCall]) -> float | None:
    steps = [call.steps for call in calls if call.steps]
    return round(sum(steps) / len(steps), 3) if steps else None


def _part(
    calls: Iterable[tuple[StoredCall, float, bool]], figure: str, drawn: DrawnSample
) -> CostPart | None:
    seen = [
        Seen(weight=weight, value=value, sure=sure)
        for call, weight, sure in calls
        if (value := getattr(call, figure)) is not None
    ]
    return part(seen, drawn)


def _range(found: CostPart | None) -> Range | None:
    return None if found is None else together([found])


def _left(busy: CostPart) -> Range:
    """Without the time that the sample took."""
    whole = together([busy])
    return Range(low=whole.low - busy.known, mean=whole.mean - busy.known, high=whole.high - busy.known)


def _seconds(evaluation: Evaluation, models: Sequence[ModelEstimate]) -> Span | None:
    busy: dict[str, Span] = {}
    for one in models:
        if one.busy_s is None and one.calls:
            return None
        low, high = busy.get(one.model.provider, (0.0, 0.0))
        if one.busy_s is not None:
            busy[one.model.provider] = (low + one.busy_s.low, high + one.busy_s.high)
    low, high = wall_s(busy, evaluation.spec, evaluation.vendors)
    least = least_s({one.model: _work_left(one) for one in models}, evaluation.spec, evaluation.vendors)
    return max(low, least), max(high, least)


def _work_left(one: ModelEstimate) -> Work:
    """What is left to do after the sample."""
    left = one.calls - one.sampled
    requests = round(left * (one.requests or 1))
    tokens = sum(found.mean for found in (one.input_tokens, one.output_tokens) if found is not None)
    return Work(calls=requests, tokens=tokens * left / max(1, one.calls))
