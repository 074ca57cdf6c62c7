"""How far a judge of comparisons can be relied on: seats, contradictions, length, its own maker's models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from umwelten.scoring.judge.makers import same_maker
from umwelten.scoring.ranking.comparison import Seats, Unit, Vote
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import RankingJudgeFigures, Share
from umwelten.scoring.ranking.shares import clustered_share
from umwelten.statistics import wilson
from umwelten.types import FrozenStruct

NEARLY_ALL = 0.9
"""The share of ties from which what is left says little about a judge."""


class JudgeCost(FrozenStruct):
    """What a judge's calls cost: `None` where no price is known; `unpriced` calls are not in it."""

    cost_usd: float | None = None
    unpriced: int = 0


class _Count:
    """Cases of a kind by cluster."""

    def __init__(self) -> None:
        self._of: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, cluster: Hashable, hit: bool) -> None:
        entry = self._of[cluster]
        entry[0] += hit
        entry[1] += 1

    def share(self, level: float) -> Share:
        return clustered_share({cluster: (hits, of) for cluster, (hits, of) in self._of.items()}, level)

    @property
    def clusters(self) -> int:
        return len(self._of)


class _Tally:
    def __init__(self, judge: str, contestants: Sequence[Contestant]) -> None:
        self.planned = self.given = self.failed = self.ties = 0
        self.first_seat, self.flips, self.longer, self.own = _Count(), _Count(), _Count(), _Count()
        self.family = {each for each in contestants if same_maker(judge, each.model)}


class RankingDiagnostics:
    """Collects what judges said, a comparison at a time; keeps a few counts for each judge and cluster."""

    def __init__(
        self, judges: Sequence[str], contestants: Sequence[Contestant], *, samples: int, seats: Seats
    ) -> None:
        self._tallies = {judge: _Tally(judge, contestants) for judge in judges}
        self._samples, self._seats = samples, seats
        self._orders = 1 if seats == "one" else 2

    def add(self, unit: Unit) -> None:
        """Add what was said about two answers. Errors: `KeyError` for a judge that is none of `judges`."""
        if unit.state != "judged":
            return
        for tally in self._tallies.values():
            tally.planned += self._samples * self._orders
        votes: dict[tuple[str, int], list[Vote]] = {}
        for vote in unit.votes:
            votes.setdefault((vote.judge, vote.sample), []).append(vote)
        worth: dict[str, list[int]] = {}
        for (judge, _), given in votes.items():
            total = self._said(self._tallies[judge], unit.belongs, given)
            if total is not None:
                entry = worth.setdefault(judge, [0, 0])
                entry[0] += total
                entry[1] += self._orders
        for judge, (halves, most) in worth.items():
            if halves != most:  # not a tie
                _won(self._tallies[judge], unit, halves > most)

    def _said(self, tally: _Tally, cluster: Hashable, votes: Sequence[Vote]) -> int | None:
        """Count the verdicts of one sample; return what they are worth to `a` in halves, if all are there."""
        halves, first = [], []
        for vote in votes:
            worth = vote.for_a
            if worth is None:
                tally.failed += vote.failed
                continue
            tally.given += 1
            halves.append(worth)
            if worth == 1:
                tally.ties += 1
            else:
                first.append(vote.winner == "first")
                tally.first_seat.add(cluster, first[-1])
        if len(first) == 2:
            tally.flips.add(cluster, first[0] == first[1])
        return sum(halves) if len(halves) == self._orders else None

    def figures(
        self, *, level: float, costs: Mapping[str, JudgeCost] | None = None, separated: bool = False
    ) -> tuple[RankingJudgeFigures, ...]:
        """Return the figures of each judge. `level` is that of their intervals.

        `separated`: all verdicts together tell some contestants apart. A single judge that does not read the
        answers tells none apart, as seats are taken in turn or drawn: then nothing is said that denies it.
        """
        known = costs or {}
        reads = separated and len(self._tallies) == 1
        return tuple(
            self._figures(judge, tally, level, known.get(judge, JudgeCost()), reads)
            for judge, tally in self._tallies.items()
        )

    def _figures(
        self, judge: str, tally: _Tally, level: float, cost: JudgeCost, reads: bool
    ) -> RankingJudgeFigures:
        first_seat, flips = tally.first_seat.share(level), tally.flips.share(level)
        p = first_seat.share
        chance = None if p is None or not flips.of else p**2 + (1 - p) ** 2
        own = tally.own.share(level)
        able, verdict = _ability(tally, self._seats, first_seat, flips, chance, level)
        if able is False and reads:
            able, verdict = None, verdict.replace(CANNOT, _MOSTLY).replace(_NOTHING, _TOLD)
        return RankingJudgeFigures(
            judge=judge,
            asked=tally.planned,
            given=tally.given,
            failed=tally.failed,
            pending=max(0, tally.planned - tally.given - tally.failed),
            ties=tally.ties,
            first_seat=first_seat,
            flips=flips,
            chance_flips=chance,
            longer=tally.longer.share(level),
            own_family=own if own.of else None,
            cost_usd=cost.cost_usd,
            unpriced=cost.unpriced,
            verdict=verdict,
            able=able,
        )


def _won(tally: _Tally, unit: Unit, a_won: bool) -> None:
    """Count a comparison that a judge decided."""
    if unit.a_characters != unit.b_characters:
        tally.longer.add(unit.belongs, a_won == (unit.a_characters > unit.b_characters))
    a_own, b_own = unit.a in tally.family, unit.b in tally.family
    if a_own != b_own:
        tally.own.add(unit.belongs, a_won == a_own)


# --- the sentence ---

CANNOT = "this judge cannot tell these answers apart"
_NOTHING = "nothing shows that this judge can tell these answers apart"
_MOSTLY = "this judge mostly goes by the order of the answers; what is told apart rests on the other verdicts"
_TOLD = "only that its verdicts tell some contestants apart speaks for this one"


def _ability(
    tally: _Tally, seats: Seats, first_seat: Share, flips: Share, chance: float | None, level: float
) -> tuple[bool | None, str]:
    """Return whether the judge can tell the answers apart, `None` where that is open, and what to say."""
    if not tally.given:
        return None, _silent(tally)
    if tally.ties >= NEARLY_ALL * tally.given:
        return None, (
            f"called {tally.ties} of {tally.given} verdicts a tie: this judge finds next to no difference "
            "between these answers"
        )
    if seats == "one":
        return _ability_by_seats(first_seat)
    if chance is None:
        return None, (
            "decided no comparison in both orders: whether this judge can tell these answers apart is not "
            "known"
        )
    flipped = f"flipped on {flips.count:.0f} of {flips.of}"
    if flips.low is not None and flips.low > 0.5:
        return False, f"{flipped}: {CANNOT}"
    if flips.high is not None and flips.high < chance:
        return True, ""
    return _against_chance(flipped, flips, chance, tally.flips.clusters, level)


def _against_chance(
    flipped: str, flips: Share, chance: float, clusters: int, level: float
) -> tuple[bool | None, str]:
    """Return what to say where a judge did not flip surely less than one that does not read the answers.

    Where so few comparisons could not tell even a judge that never flips from that one, nothing is known; nor
    is it where they could not tell one that flips half as often, and this one flipped less.
    """
    by_chance = f"a judge that does not read the answers flips on {chance:.0%}"
    if clusters < 2 or wilson(0, clusters, level).high >= chance:
        files = "1 file" if clusters == 1 else f"{clusters} files"
        return None, f"{flipped}, in {files}: too few to say whether this judge can tell these answers apart"
    assert flips.share is not None
    if flips.share < chance and wilson(clusters * chance / 2, clusters, level).high >= chance:
        return None, f"{flipped}, and {by_chance}: more files are needed to say whether this one does better"
    # No proof that it cannot: of judges that are right in 80 %, half show no more in 20 comparisons.
    return False, f"{flipped}, and {by_chance}: {_NOTHING}"


def _ability_by_seats(first_seat: Share) -> tuple[bool | None, str]:
    """Return what the seats say where each comparison was asked in one order, drawn by chance.

    A judge that names one seat in more than three of four decides more than half of its verdicts by the seat.
    """
    low, high = first_seat.low, first_seat.high
    if low is not None and high is not None and (low > 0.75 or high < 0.25):
        seat = "first" if low > 0.75 else "second"
        count = first_seat.count if seat == "first" else first_seat.of - first_seat.count
        return False, f"named the {seat} answer in {count:.0f} of {first_seat.of}, whichever it was: {CANNOT}"
    return None, "was asked in one order: whether it contradicts itself in the other one is not known"


def _silent(tally: _Tally) -> str:
    if not tally.planned:
        return ""
    if tally.failed >= tally.planned:
        return f"gave no usable verdict: all {tally.failed} failed"
    return "has given no verdict yet"
