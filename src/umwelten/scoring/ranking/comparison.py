"""What the verdicts on two answers amount to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import Row
from umwelten.scoring.ranking.reply import Winner
from umwelten.types import FrozenStruct

Seats = Literal["both", "one"]
UnitState = Literal["judged", "equal", "no_answer", "input_changed"]
UnitUnscored = Literal["no_answer", "input_changed", "pending", "judge_failed"]
"""Why a comparison has no value: the call of one of the two failed; the question is no longer what was asked;
verdicts are still to come; too few of them are usable."""
TIE = 0.5


class Vote(FrozenStruct):
    """What came of one call of a judge about two answers, `a` and `b`. `sample` counts from 1.

    `swapped`: `b` was shown first. `winner` is `None` where the call failed or its reply is of no use
    (`failed`), or it has not ended.
    """

    judge: str
    sample: int
    swapped: bool
    winner: Winner | None = None
    failed: bool = False

    @property
    def for_a(self) -> int | None:
        """What it is worth to `a` in halves: 2 for a win, 1 for a tie, 0; `None` without a verdict."""
        if self.winner is None:
            return None
        if self.winner == "tie":
            return 1
        return 2 if (self.winner == "first") != self.swapped else 0


class Unit(FrozenStruct):
    """Two answers to one question, `a`'s and `b`'s, that were drawn to be compared.

    `judged`: judges are asked about them. `equal`: they are the same text but for case and outer blanks, a
    tie without a call. `no_answer`: a call of one of them failed; `input_changed`: the row or file is no
    longer what was sent. `a_characters` and `b_characters` are their lengths. `cluster` says which files
    belong together; None for a file by itself.
    """

    row: Row
    a: Contestant
    b: Contestant
    state: UnitState = "judged"
    votes: tuple[Vote, ...] = ()
    a_characters: int = 0
    b_characters: int = 0
    cluster: Hashable = None

    @property
    def belongs(self) -> Hashable:
        """What it has in common with others: its cluster, the file where none is given."""
        return self.row.file if self.cluster is None else self.cluster


def value_of(unit: Unit, seats: Seats, planned: int) -> float | UnitUnscored:
    """Return what a comparison is worth to `a`, from 0 (lost) to 1 (won), or why it has no value.

    `planned` is the number of judges times samples. Each of them gives the mean of its two orders, so that
    one that prefers a seat gives ½; one of whose orders failed gives nothing. The value is the mean of them;
    at least half of those planned are needed, and none may still be to come. With `seats` `one` there is one
    order.
    """
    if unit.state == "equal":
        return TIE
    if unit.state != "judged":
        return unit.state
    given: dict[tuple[str, int], int] = {}
    orders = 1 if seats == "one" else 2
    if len(unit.votes) < planned * orders:
        return "pending"
    failed: set[tuple[str, int]] = set()
    for vote in unit.votes:
        key, worth = (vote.judge, vote.sample), vote.for_a
        if worth is not None:
            given[key] = given.get(key, 0) + worth
        elif vote.failed:
            failed.add(key)
        else:
            return "pending"
    usable = [worth for key, worth in given.items() if key not in failed]
    if not usable or 2 * len(usable) < planned:
        return "judge_failed"
    return sum(usable) / (2 * orders * len(usable))
