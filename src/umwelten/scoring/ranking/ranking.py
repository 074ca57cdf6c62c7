"""What a ranking came to, as it is stored and as reports show it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from umwelten.scoring.ranking.contestants import Contestant
from umwelten.types import FrozenStruct

POINTS = 400 / math.log(10)
"""Points of one unit of log odds."""
MEAN_POINTS = 1000.0
"""The mean of all strengths, in points. A difference of 400 is odds of ten to one, as on LMArena's board."""


class Share(FrozenStruct):
    """A share of `of` cases with its interval; `None` is what cannot be known."""

    share: float | None
    low: float | None
    high: float | None
    count: float
    of: int


class RankedContestant(FrozenStruct):
    """One line of the board.

    `rank` is the place by points, equal ones share it; it can be told apart from the others from `best_rank`
    to `worst_rank`. `points` is 1000 + 400/ln 10 · `strength`, with its interval from `low` to `high`: `None`
    where that end is open, as for `undefeated` and `winless` ones, who got beaten by none, or beat none, but
    those of their own group; or where nothing is known, as with one file: then `se` is `None`, too. A `rank`
    of 1 says who has most points, `worst_rank` 1 that it is surely the best. `bootstrap_low` and
    `bootstrap_high` are percentiles over files, in points, where they were asked for. `chance` is that of
    winning against the mean of all. `win_share` counts ties half, of `comparisons` = `wins` + `ties` +
    `losses`; a comparison whose verdicts contradict each other is a tie. `unscored` counts the comparisons
    drawn without a value, by kind. `mean_characters` is the mean length of its answers, `cost_usd` what its
    answers cost (`None`: unknown).
    """

    contestant: Contestant
    rank: int
    best_rank: int
    worst_rank: int
    points: float
    low: float | None
    high: float | None
    strength: float
    se: float | None
    chance: float
    win_share: float | None
    comparisons: int
    wins: int
    ties: int
    losses: int
    unscored: Mapping[str, int] = {}
    undefeated: bool = False
    winless: bool = False
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    mean_characters: float | None = None
    cost_usd: float | None = None

    @property
    def name(self) -> str:
        """How it is called."""
        return str(self.contestant)


class RankedPair(FrozenStruct):
    """Two contestants: `first` has `points` more than `second`, on an interval from `low` to `high`.

    `p` is the probability of such a difference among equals, `p_adjusted` that by Holm over all pairs.
    `wins`, `ties` and `losses` are those of `first` against `second`.
    """

    first: Contestant
    second: Contestant
    points: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    comparisons: int
    wins: int
    ties: int
    losses: int


class RankingJudgeFigures(FrozenStruct):
    """How far one judge can be relied on.

    `asked` = `given` + `failed` + `pending` are its verdicts, `ties` those that name no winner. `first_seat`
    is the share of the decided verdicts that the answer shown first won. `flips` is the share of the
    comparisons judged in both orders and decided in both on which it named the two answers in turn;
    `chance_flips` is that share for a judge that does not read the answers and prefers seats as this one
    does. `longer` is the share of decided comparisons of answers of unlike length that the longer one won;
    `own_family` the share won by models of the judge's own maker, against those of others. `verdict` is a
    plain sentence where the judge cannot tell the answers apart, or it is too early to say; "" where it can.
    """

    judge: str
    asked: int
    given: int
    failed: int
    pending: int
    ties: int
    first_seat: Share
    flips: Share
    chance_flips: float | None
    longer: Share
    own_family: Share | None = None
    cost_usd: float | None = None
    unpriced: int = 0
    verdict: str = ""
    able: bool | None = None


class Cycles(FrozenStruct):
    """Triples of answers to one question in which A beats B, B beats C, and C beats A.

    `triples` are those with three decided comparisons, `expected` the cycles that the strengths would give.
    """

    count: int
    triples: int
    expected: float


class LengthEffect(FrozenStruct):
    """What length is worth to the judges, where it was controlled for.

    `points` are those that an answer twice as long gains, with its interval: `None` is an end that is open,
    for length alone explains the verdicts; both, with one file. `before` are the points of each contestant
    without control, in the order of the board.
    """

    points: float
    low: float | None
    high: float | None
    before: tuple[float, ...]


class Ranking(FrozenStruct):
    """A ranking: the board, best first, and what it was made from.

    `id` is its evaluation, `of` the evaluations whose answers are compared. `question` is what judges were
    asked to look at. `pairs`, `seats`, `against`, `samples` and `control` are the options as given.
    `all_comparisons` is every file, prompt and repeat times every pair of contestants; `drawn` are those that
    were to be judged, `judged` those with a value from verdicts, `equal` those of answers that are the same
    text, ties without a call; the rest is in `unscored`, by kind (`no_answer`, `judge_failed`, `pending`,
    `input_changed`). `files` and `clusters` are those with a value. `groups` are contestants that
    never met those of the others, which get no common ranking; then `board` is empty.
    """

    id: str
    of: tuple[str, ...]
    question: str
    judges: tuple[RankingJudgeFigures, ...]
    board: tuple[RankedContestant, ...]
    compared: tuple[RankedPair, ...]
    all_comparisons: int
    drawn: int
    judged: int
    equal: int
    unscored: Mapping[str, int]
    files: int
    clusters: int
    level: float = 0.95
    pairs: str = "all"
    seats: str = "both"
    against: str | None = None
    samples: int = 1
    control: str | None = None
    bootstrap: int = 0
    length: LengthEffect | None = None
    cycles: Cycles | None = None
    groups: tuple[tuple[Contestant, ...], ...] = ()
    notes: tuple[str, ...] = ()
