"""Comparisons as judges would have made them, for tests of rankings."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

from umwelten.scoring.ranking.comparison import Seats, Unit, UnitState, Vote
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import Row, seat
from umwelten.scoring.ranking.fit import RankOptions, rank
from umwelten.scoring.ranking.ranking import Ranking, RankingJudgeFigures

JUDGE = "p:judge"
Judging = Callable[[str, Contestant, Contestant], Any]
"""What a judge says of the answers of two to a question, by seat; None: it fails; "": it is to come."""


def contestants(*names: str) -> list[Contestant]:
    return [Contestant(model=f"p:{name}") for name in names]


def unit(
    file: str,
    a: Contestant,
    b: Contestant,
    says: Judging,
    *,
    judge: str = JUDGE,
    seats: Seats = "both",
    lengths: tuple[int, int] = (0, 0),
    state: UnitState = "judged",
) -> Unit:
    """A comparison that a judge was asked about in both orders, or in the one that the hash decides."""
    row = Row(file=file)
    votes = []
    for swapped in (False, True) if seats == "both" else (not seat(row, a, b, "seed"),):
        winner = says(file, b, a) if swapped else says(file, a, b)
        votes.append(
            Vote(judge=judge, sample=1, swapped=swapped, winner=winner or None, failed=winner is None)
        )
    return Unit(
        row=row,
        a=a,
        b=b,
        state=state,
        votes=tuple(votes) if state == "judged" else (),
        a_characters=lengths[0],
        b_characters=lengths[1],
        cluster=file,
    )


def units(
    ranked: Sequence[Contestant],
    files: int,
    says: Judging,
    *,
    seats: Seats = "both",
    length: Callable[[str, Contestant], int] = lambda file, of: 0,
) -> list[Unit]:
    """Every pair on every file."""
    return [
        unit(f"f{n}", a, b, says, seats=seats, lengths=(length(f"f{n}", a), length(f"f{n}", b)))
        for n in range(files)
        for a, b in combinations(ranked, 2)
    ]


def ranking(found: Iterable[Unit], ranked: Sequence[Contestant], **options: Any) -> Ranking:
    given = list(found)
    settings = RankOptions(**{"question": "?", "judges": (JUDGE,)} | options)
    return rank(given, ranked, settings, id="x.rank", of=("x",), all_comparisons=len(given))


def separated(draws: int, bias: float, seats: Seats, *, files: int = 12, always_a: bool = False) -> float:
    """The share of rankings of 8 equal contestants in which some pair is told apart.

    The judge takes the first answer with odds of e^bias. `always_a`: the same one of two is always first.
    """
    dice = random.Random(f"{bias} {seats} {always_a}")
    p = 1 / (1 + math.exp(-bias))
    equal = contestants(*"abcdefgh")

    def says(file: str, first: Contestant, second: Contestant) -> str:
        at_first = dice.random() < p
        return "first" if at_first else "second"

    found = 0
    for _ in range(draws):
        made = units(equal, files, says, seats=seats)
        if always_a:
            made = [
                Unit(
                    row=each.row, a=each.a, b=each.b, votes=(_unswapped(each.votes[0]),), cluster=each.cluster
                )
                for each in made
            ]
        board = ranking(made, equal, seats=seats).board
        found += any(line.best_rank > 1 or line.worst_rank < len(equal) for line in board)
    return found / draws


def _unswapped(vote: Vote) -> Vote:
    return Vote(judge=vote.judge, sample=vote.sample, swapped=False, winner=vote.winner)


def better(file: str, first: Contestant, second: Contestant) -> str:
    """Whose name comes first is better."""
    return "first" if first < second else "second"


def always_first(file: str, first: Contestant, second: Contestant) -> str:
    """As a judge that does not read says."""
    return "first"


def of_judge(found: Ranking) -> RankingJudgeFigures:
    """The figures of the only judge."""
    assert len(found.judges) == 1
    return found.judges[0]
