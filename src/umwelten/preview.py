"""What an evaluation would do, before it does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from umwelten.api import ASSUMED_OUTPUT, check
from umwelten.config import Settings, price_overrides
from umwelten.errors import EvaluationExists
from umwelten.plan import Plan
from umwelten.pricing import cost_nusd
from umwelten.providers.protocol import Vendor
from umwelten.store import Reader
from umwelten.types import Frozen, ModelRef, Scanned, Usage
from umwelten.wanted import Wanted

_ANSWER_S = (2.0, 20.0)
_SHOWN = 20

# Of one input and one model: how many repeats have an answer that is still good.
_ANSWERED = """
    SELECT count(*) FROM calls c JOIN inputs i ON i.id = c.input_id JOIN models m ON m.id = c.model_id
    WHERE i.name = ? AND i.stamp = ? AND m.name = ? AND c.repeat <= ? AND c.status = 1
    AND c.input_version = i.version
"""


class Preview(Frozen):
    """What an evaluation would do. `calls` are those to make, `done` are answered already.

    Costs are in nano-USD, from (no answer text) to (the longest answers); `None`: no price is known.
    `seconds` is a rough range.
    """

    files: int
    file_bytes: int
    first: tuple[str, ...]
    calls: int
    done: int
    input_tokens: int
    output_tokens: int
    costs: Mapping[ModelRef, tuple[int, int] | None]
    total: tuple[int, int] | None
    seconds: tuple[float, float]


class _Sums:
    """Counts per model while the inputs pass by."""

    def __init__(self, models: tuple[ModelRef, ...]) -> None:
        self.files = self.file_bytes = self.done = 0
        self.first: list[str] = []
        self.calls = dict.fromkeys(models, 0)
        self.tokens = dict.fromkeys(models, 0)

    def add(self, model: ModelRef, calls: int, done: int, tokens: int) -> None:
        self.calls[model] += calls
        self.tokens[model] += calls * tokens
        self.done += done


def preview(wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor], *, at: float) -> Preview:
    """Count and price what `wanted` would do, without a call and without a trace on disk.

    Raises what preparing it would raise.
    """
    _, plan = check(wanted, settings, vendors)
    with _stored(wanted) as connection:
        sums = _count(wanted, plan, connection)
    longest = wanted.parameters.max_tokens or ASSUMED_OUTPUT
    overrides = price_overrides(settings)

    def cost(model: ModelRef, output: int) -> int | None:
        usage = Usage(input_tokens=sums.tokens[model], output_tokens=output)
        return cost_nusd(usage, model, overrides=overrides, at=at)

    costs = {
        model: _range(cost(model, 0), cost(model, longest * sums.calls[model])) for model in wanted.models
    }
    calls = sum(sums.calls.values())
    rounds = -(-calls // _slots(wanted, calls))
    return Preview(
        files=sums.files,
        file_bytes=sums.file_bytes,
        first=tuple(sums.first),
        calls=calls,
        done=sums.done,
        input_tokens=sum(sums.tokens.values()),
        output_tokens=longest * calls,
        costs=costs,
        total=_sum(list(costs.values())),
        seconds=(rounds * _ANSWER_S[0], rounds * _ANSWER_S[1]),
    )


def _count(wanted: Wanted, plan: Plan, connection: sqlite3.Connection | None) -> _Sums:
    sums = _Sums(wanted.models)
    for scanned in _inputs(wanted):
        if wanted.files is not None:
            sums.files += 1
            sums.file_bytes += scanned.size
            if len(sums.first) < _SHOWN:
                sums.first.append(scanned.name)
        tokens = plan.input_tokens(scanned.size, scanned.name)
        for model in wanted.models:
            done = _answered(connection, scanned, model, wanted.repeats)
            sums.add(model, wanted.repeats - done, done, tokens)
    return sums


def _inputs(wanted: Wanted) -> Iterator[Scanned]:
    if wanted.files is not None:
        yield from wanted.files()
    else:
        yield Scanned(name="", path="", size=0, stamp="")


def _answered(connection: sqlite3.Connection | None, scanned: Scanned, model: ModelRef, repeats: int) -> int:
    if connection is None:
        return 0
    wanted = (scanned.name, scanned.stamp, str(model), repeats)
    return int(connection.execute(_ANSWERED, wanted).fetchone()[0])


@contextmanager
def _stored(wanted: Wanted) -> Iterator[sqlite3.Connection | None]:
    """The evaluation's database where there is one that would be gone on with."""
    folder = wanted.output_dir / (wanted.id or "")
    if wanted.id is None or wanted.mode == "overwrite" or not (folder / "evaluation.db").exists():
        yield None
        return
    if wanted.mode == "new":
        raise EvaluationExists(
            f"the evaluation {wanted.id!r} exists already", "Give --resume, --overwrite or another --id."
        )
    with Reader.open(folder) as reader:
        yield reader.connection


def _slots(wanted: Wanted, calls: int) -> int:
    slots = 20 if wanted.max_concurrency == "auto" else wanted.max_concurrency
    return max(1, min(slots, calls))


def _range(low: int | None, high: int | None) -> tuple[int, int] | None:
    return None if low is None or high is None else (low, high)


def _sum(costs: list[tuple[int, int] | None]) -> tuple[int, int] | None:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    return sum(low for low, _ in known), sum(high for _, high in known)
