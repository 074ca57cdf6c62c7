"""What an evaluation would do, before it does it."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.api import check
from umwelten.config import Settings, price_overrides
from umwelten.pricing import cost_nusd
from umwelten.providers.protocol import Vendor
from umwelten.types import Frozen, ModelRef, Usage
from umwelten.wanted import Wanted

ASSUMED_OUTPUT = 1024
"""Tokens that an answer is taken to have at most when no `max_tokens` says so."""

_ANSWER_S = (2.0, 20.0)


class Preview(Frozen):
    """What an evaluation would do. Costs in nano-USD from (no answer text) to (longest answers)."""

    files: int
    file_bytes: int
    first: tuple[str, ...]
    calls: int
    input_tokens: int
    output_tokens: int
    costs: Mapping[ModelRef, tuple[int, int] | None]
    total: tuple[int, int] | None
    seconds: tuple[float, float]


def preview(wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor], *, at: float) -> Preview:
    """Count and price what `wanted` would do, without a call and without a trace on disk."""
    plan = check(wanted, settings, vendors)[1]
    files = size = tokens = 0
    first: list[str] = []
    for scanned in wanted.files() if wanted.files is not None else ():
        files, size = files + 1, size + scanned.size
        tokens += plan.input_tokens(scanned.size)
        if len(first) < 20:
            first.append(scanned.name)
    per_model = max(files, 1) if wanted.files is None else files
    tokens = tokens if wanted.files is not None else plan.input_tokens(0)
    answers = per_model * wanted.repeats
    tokens *= wanted.repeats
    most = (wanted.parameters.max_tokens or ASSUMED_OUTPUT) * answers
    overrides = price_overrides(settings)
    costs: dict[ModelRef, tuple[int, int] | None] = {}
    for model in wanted.models:
        low, high = (
            cost_nusd(Usage(input_tokens=tokens, output_tokens=out), model, overrides=overrides, at=at)
            for out in (0, most)
        )
        costs[model] = None if low is None or high is None else (low, high)
    known = [cost for cost in costs.values() if cost is not None]
    total = (
        (sum(low for low, _ in known), sum(high for _, high in known)) if len(known) == len(costs) else None
    )
    calls = answers * len(wanted.models)
    slots = 20 if wanted.max_concurrency == "auto" else min(wanted.max_concurrency, calls)
    rounds = -(-calls // max(1, slots))
    return Preview(
        files=files,
        file_bytes=size,
        first=tuple(first),
        calls=calls,
        input_tokens=tokens * len(wanted.models),
        output_tokens=most * len(wanted.models),
        costs=costs,
        total=total,
        seconds=(rounds * _ANSWER_S[0], rounds * _ANSWER_S[1]),
    )
