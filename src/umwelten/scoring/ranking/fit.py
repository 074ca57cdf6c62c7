"""From comparisons to a ranking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import msgspec

from umwelten.scoring.ranking.comparison import Seats, Unit, value_of
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.cycles import Outcomes
from umwelten.scoring.ranking.diagnostics import JudgeCost, RankingDiagnostics
from umwelten.scoring.ranking.draw import ALL, Row, contestant_key
from umwelten.scoring.ranking.length import controlled
from umwelten.scoring.ranking.ranking import (
    MEAN_POINTS,
    POINTS,
    Cycles,
    LengthEffect,
    RankedContestant,
    RankedPair,
    Ranking,
)
from umwelten.statistics import Comparison, Disconnected, Strengths, bootstrap_strengths, clustered_strengths
from umwelten.statistics.paired_likelihood import chance
from umwelten.types import FrozenStruct

LENGTH = "length"
"""What can be controlled for."""
_EQUAL = 6
"""Decimals of points, beyond which a difference is the rounding of sums."""


class RankOptions(FrozenStruct):
    """The options of a ranking, as given. `level` is that of intervals and of rank ranges."""

    question: str
    judges: tuple[str, ...]
    samples: int = 1
    pairs: str = ALL
    seats: Seats = "both"
    against: str | None = None
    control: str | None = None
    bootstrap: int = 0
    level: float = 0.95


def rank(
    units: Iterable[Unit],
    contestants: Sequence[Contestant],
    options: RankOptions,
    *,
    id: str,
    of: Sequence[str],
    all_comparisons: int,
    answer_costs: Mapping[Contestant, float | None] | None = None,
    judge_costs: Mapping[str, JudgeCost] | None = None,
    seed: str | None = None,
    notes: Sequence[str] = (),
) -> Ranking:
    """Return the ranking that comes of the comparisons that were drawn, each once, valued or not.

    `contestants` are those that were to be compared; one without any comparison that has a value is not on
    the board, and a note says so. Where some never met the others, the board is empty and `groups` names
    them. `all_comparisons` is what `draw.comparisons` returns; costs are in dollars, of answers by contestant
    and of judges. `seed` is that of the bootstrap, the id where none is given. Errors: `KeyError` for a
    contestant or judge that is not among those given.
    """
    collected = _Collected(contestants, options)
    for unit in units:
        collected.add(unit)
    found = _Found(collected, options, answer_costs or {}, seed=id if seed is None else seed)
    return Ranking(
        id=id,
        of=tuple(of),
        question=options.question,
        judges=collected.diagnostics.figures(
            level=options.level, costs=judge_costs, separated=found.separated
        ),
        board=found.board,
        compared=found.compared,
        all_comparisons=all_comparisons,
        drawn=collected.drawn,
        judged=len(collected.comparisons) - collected.equal,
        equal=collected.equal,
        unscored=dict(collected.unscored),
        files=len({row.file for row in collected.questions}),
        clusters=len({each.cluster for each in collected.comparisons}),
        level=options.level,
        pairs=options.pairs,
        seats=options.seats,
        against=options.against,
        samples=options.samples,
        control=options.control,
        bootstrap=options.bootstrap,
        length=found.length,
        cycles=found.cycles,
        groups=found.groups,
        notes=(*notes, *found.notes),
    )


class _Collected:
    """What the comparisons are, contestants by their number."""

    def __init__(self, contestants: Sequence[Contestant], options: RankOptions) -> None:
        # In an order of their own, as comparisons are: sums in another order differ in the last digits.
        self.contestants = tuple(sorted(contestants, key=contestant_key))
        self.diagnostics = RankingDiagnostics(
            options.judges, contestants, samples=options.samples, seats=options.seats
        )
        self._comparisons: list[tuple[tuple[Any, ...], Comparison[int]]] = []
        self.pairs: dict[tuple[int, int], list[int]] = {}
        """Wins, ties and losses of the first, whose number is less."""
        self.outcomes = Outcomes()
        self.questions: dict[Row, int] = {}
        """Those with a value, by number."""
        self.lengths: list[dict[int, int]] = [{} for _ in contestants]
        self.unscored: Counter[str] = Counter()
        self.unscored_of: list[Counter[str]] = [Counter() for _ in contestants]
        self.drawn = self.equal = 0
        self._places = {each: place for place, each in enumerate(self.contestants)}
        self._seats, self._planned = options.seats, len(options.judges) * options.samples

    def add(self, unit: Unit) -> None:
        self.drawn += 1
        self.diagnostics.add(unit)
        value = value_of(unit, self._seats, self._planned)
        a, b = self._places[unit.a], self._places[unit.b]
        if isinstance(value, str):
            for counts in (self.unscored, self.unscored_of[a], self.unscored_of[b]):
                counts[value] += 1
            return
        self.equal += unit.state == "equal"
        question = self.questions.setdefault(unit.row, len(self.questions))
        self.lengths[a][question], self.lengths[b][question] = unit.a_characters, unit.b_characters
        row = unit.row
        # An answer without text is as long as one of a single character: twice of nothing is nothing.
        longer = math.log(max(1, unit.a_characters) / max(1, unit.b_characters))
        if a > b:
            a, b, value, longer = b, a, 1 - value, 0.0 - longer
        place = (row.file, row.prompt or "", row.repeat, a, b)
        self._comparisons.append((place, Comparison(a, b, value, unit.belongs, longer)))
        record = self.pairs.setdefault((a, b), [0, 0, 0])
        record[0 if value > 0.5 else 1 if value == 0.5 else 2] += 1
        if value > 0.5:
            self.outcomes.add(question, a, b)
        elif value < 0.5:
            self.outcomes.add(question, b, a)

    @cached_property
    def comparisons(self) -> list[Comparison[int]]:
        """Those with a value, once all are added."""
        return [each for _, each in sorted(self._comparisons, key=itemgetter(0))]


class _Found:
    """What follows from them."""

    def __init__(
        self,
        collected: _Collected,
        options: RankOptions,
        costs: Mapping[Contestant, float | None],
        *,
        seed: str,
    ) -> None:
        self._collected, self._options, self._costs = collected, options, costs
        self.board: tuple[RankedContestant, ...] = ()
        self.compared: tuple[RankedPair, ...] = ()
        self.length: LengthEffect | None = None
        self.cycles: Cycles | None = None
        self.groups: tuple[tuple[Contestant, ...], ...] = ()
        self.notes: list[str] = []
        self._note_absent()
        if not collected.comparisons:
            return
        try:
            plain = clustered_strengths(collected.comparisons, level=options.level)
        except Disconnected as error:
            self.groups = tuple(
                tuple(collected.contestants[one] for one in group if isinstance(one, int))
                for group in error.groups
            )
            return
        if len(plain.names) > 2:
            self.cycles = collected.outcomes.cycles(dict(zip(plain.names, plain.strengths, strict=True)))
        self._make_board(plain, seed)

    def _note_absent(self) -> None:
        there = {place for pair in self._collected.pairs for place in pair}
        for place, contestant in enumerate(self._collected.contestants):
            if place not in there:
                kinds = self._collected.unscored_of[place]
                why = f"none of its {kinds.total()} comparisons has a value" if kinds else "it was not drawn"
                self.notes.append(f"{contestant} is not ranked: {why}")

    def _make_board(self, plain: Strengths[int], seed: str) -> None:
        strengths = plain
        if self._options.control == LENGTH:
            found = controlled(self._collected.comparisons, self._options.level)
            if isinstance(found, str):
                self.notes.append(f"length is not controlled for: {found}")
            else:
                strengths, self.length, note = found.strengths, found.effect, found.note
                self.notes.extend([note] if note else [])
        drawn: Mapping[int, tuple[float | None, float | None]] = {}
        if self._options.bootstrap and strengths is not plain:
            self.notes.append("strengths at equal length have no intervals by bootstrap")
        elif self._options.bootstrap:
            drawn = bootstrap_strengths(
                self._collected.comparisons, self._options.bootstrap, seed, level=self._options.level
            )
        if strengths.clusters == 1:
            self.notes.append("all comparisons are about one file: how sure their order is cannot be known")
        order = sorted(strengths.names, key=lambda one: (-_rounded(strengths, one), self._key(one)))
        places = [_rounded(strengths, one) for one in order]
        ranges = strengths.rank_ranges(self._options.level)
        self.board = tuple(
            self._line(one, 1 + places.index(place), strengths, ranges[one], drawn.get(one, (None, None)))
            for one, place in zip(order, places, strict=True)
        )
        self.compared = self._compared(order, strengths)
        if self.length is not None:
            before = tuple(_point(plain.of(one).strength) for one in order)
            self.length = msgspec.structs.replace(self.length, before=before)

    @property
    def separated(self) -> bool:
        """Whether some contestant is surely better than another."""
        return any(line.best_rank > 1 for line in self.board)

    def _key(self, one: int) -> Any:
        return contestant_key(self._collected.contestants[one])

    def _line(
        self,
        one: int,
        rank: int,
        strengths: Strengths[int],
        ranks: tuple[int, int],
        drawn: tuple[float | None, float | None],
    ) -> RankedContestant:
        found, collected = strengths.of(one), self._collected
        wins, ties, losses = self._record(one)
        number = wins + ties + losses
        lengths = collected.lengths[one].values()
        contestant = collected.contestants[one]
        return RankedContestant(
            contestant=contestant,
            rank=rank,
            best_rank=ranks[0],
            worst_rank=ranks[1],
            points=_point(found.strength),
            low=_points(found.low),
            high=_points(found.high),
            strength=found.strength,
            se=found.se,
            chance=chance(found.strength),
            win_share=(wins + ties / 2) / number,
            comparisons=number,
            wins=wins,
            ties=ties,
            losses=losses,
            unscored=dict(collected.unscored_of[one]),
            undefeated=one in strengths.undefeated,
            winless=one in strengths.winless,
            bootstrap_low=_points(drawn[0]),
            bootstrap_high=_points(drawn[1]),
            mean_characters=sum(lengths) / len(lengths),
            cost_usd=self._costs.get(contestant),
        )

    def _record(self, one: int) -> tuple[int, int, int]:
        """Return wins, ties and losses of a contestant."""
        sums = [0, 0, 0]
        for (a, b), record in self._collected.pairs.items():
            if one in (a, b):
                for place, number in enumerate(record if one == a else reversed(record)):
                    sums[place] += number
        return sums[0], sums[1], sums[2]

    def _compared(self, order: Sequence[int], strengths: Strengths[int]) -> tuple[RankedPair, ...]:
        adjusted = strengths.adjusted_p()
        pairs = []
        for place, one in enumerate(order):
            for other in order[place + 1 :]:
                found = strengths.difference(one, other)
                record = self._collected.pairs.get((min(one, other), max(one, other)), [0, 0, 0])
                wins, ties, losses = record if one < other else reversed(record)
                p = adjusted[one, other] if (one, other) in adjusted else adjusted[other, one]
                pairs.append(
                    RankedPair(
                        first=self._collected.contestants[one],
                        second=self._collected.contestants[other],
                        points=found.estimate * POINTS,
                        low=None if found.low is None else found.low * POINTS,
                        high=None if found.high is None else found.high * POINTS,
                        p=found.p,
                        p_adjusted=p,
                        comparisons=sum(record),
                        wins=wins,
                        ties=ties,
                        losses=losses,
                    )
                )
        return tuple(pairs)


def _point(strength: float) -> float:
    return MEAN_POINTS + POINTS * strength


def _points(strength: float | None) -> float | None:
    return None if strength is None else _point(strength)


def _rounded(strengths: Strengths[int], one: int) -> float:
    return round(_point(strengths.of(one).strength), _EQUAL)
