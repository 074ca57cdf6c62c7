"""What judges said of pairs of answers so far, as the votes of a ranking."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from umwelten.evaluation.ranking.plan import Order
from umwelten.evaluation.scoring.verdicts import INPUT_CHANGED
from umwelten.scoring.ranking import reply
from umwelten.scoring.ranking.comparison import Vote
from umwelten.scoring.ranking.diagnostics import JudgeCost
from umwelten.scoring.score import Unscored
from umwelten.store.reader import Reader
from umwelten.store.stored_pairs import PairCall, pair_calls
from umwelten.types import NANO


class Verdicts(NamedTuple):
    """What judges said by what they were shown, what they could not be shown, and what it cost."""

    votes: Mapping[Order, list[Vote]]
    changed: Collection[Order]
    costs: Mapping[str, JudgeCost]


def read_verdicts(folder: Path, swapped: Mapping[Order, bool], judges: Iterable[str]) -> Verdicts:
    """Return what these judges said, by the verdicts in `folder`. Raises StoreError.

    `swapped` has the orders that count, and whether each is the other way round.
    """
    votes: dict[Order, list[Vote]] = {}
    changed: set[Order] = set()
    sums = {judge: _Sum() for judge in judges}
    with Reader.open(folder) as reader:
        for call in pair_calls(reader):
            cost, order = sums.get(call.model), (call.first, call.second)
            if cost is None or order not in swapped:
                continue
            cost.add(call.cost_nusd)
            votes.setdefault(order, []).append(_vote(call, swapped=swapped[order]))
            if call.error_code == INPUT_CHANGED:
                changed.add(order)
    return Verdicts(votes, changed, {judge: cost.total for judge, cost in sums.items()})


class _Sum:
    """What calls cost."""

    def __init__(self) -> None:
        self._nano = self._priced = self._unpriced = 0

    def add(self, nano_usd: int | None) -> None:
        if nano_usd is None:
            self._unpriced += 1
        else:
            self._priced, self._nano = self._priced + 1, self._nano + nano_usd

    @property
    def total(self) -> JudgeCost:
        known = self._priced or not self._unpriced
        return JudgeCost(cost_usd=self._nano / NANO if known else None, unpriced=self._unpriced)


def _vote(call: PairCall, *, swapped: bool) -> Vote:
    if call.succeeded:
        marks = call.marks.split(",") if call.marks else ()
        said = reply.read_winner(call.data, call.text or "", marks)
        if not isinstance(said, Unscored):
            return Vote(judge=call.model, sample=call.repeat, swapped=swapped, winner=said.winner)
    return Vote(judge=call.model, sample=call.repeat, swapped=swapped, failed=True)
