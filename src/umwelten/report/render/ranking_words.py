"""What a ranking says, in words and figures that all its forms share.

Names of contestants and judges come from users and providers: each form makes them safe in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from umwelten.report.render.scores_text import KINDS, p_text
from umwelten.scoring.differences import significant
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import (
    LengthEffect,
    RankedContestant,
    RankedPair,
    Ranking,
    RankingJudgeFigures,
    Share,
)
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.types import FrozenStruct

_DASH = formatting.UNKNOWN
_NAME = 60
"""Characters of a name in a sentence; tables have all of it."""
_NAMES = 4
"""Names in a sentence, of more the first and how many there are."""
_LONGEST_ID = 200
_NOTE = 1_000
"""Characters of a note, which may name several contestants."""

CAPTION = (
    "1,000 points are the mean of all contestants; 400 points more are odds of ten to one to win. Ranks: "
    "those that cannot be ruled out. They, p and what is told apart are corrected for the number of pairs "
    "(Holm), intervals are not. A comparison whose two orders contradict each other is a tie."
)
NO_RANKING = "No ranking yet: it is made when its run ends. Repeat the command, which goes on where it was."
"""What is said of an evaluation that was made to rank and has no ranking."""


def unread(ids: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each ranking that cannot be read."""
    for id_ in ids:
        name = one_line(id_, _LONGEST_ID)
        yield f"Ranking {name} is left out, for it cannot be read: asking for the report of {name} says why."


# --- sentences -------------------------------------------------------------------------------------------


def sentences(ranking: Ranking) -> tuple[str, ...]:
    """Return what a reader must know, one sentence each: best, judges, cost, what is missing, notes.

    Where no judge can tell the answers apart, that comes first.
    """
    best, judged = list(_best(ranking)), [judge_sentence(judge, ranking) for judge in ranking.judges]
    useless = bool(ranking.judges) and all(judge.able is False for judge in ranking.judges)
    first = [*judged, *best] if useless else [*best, *judged]
    return (*first, *_open_ends(ranking), *_basis(ranking), *_missing(ranking), *_notes(ranking))


def _best(ranking: Ranking) -> Iterator[str]:
    if ranking.groups:
        groups = "; ".join(listed(group) for group in ranking.groups)
        yield f"No common ranking: these groups were never compared with each other: {groups}."
        return
    if not ranking.board:
        yield _nothing(ranking)
        return
    at = f"at {level(ranking)}"
    first = [row for row in ranking.board if row.rank == 1]
    rest = [row for row in ranking.board if row.rank != 1]
    untold = as_good(ranking)
    names = listed([row.contestant for row in first])
    place, it = (f"{names} ranks first", "it") if len(first) == 1 else (f"{names} share rank 1", "them")
    if not rest:
        yield f"{place}: no contestant can be told apart from another."
    elif not untold:
        yield f"{place}; every other contestant can be told apart from {it}, {at}."
    elif 1 < len(untold) == len(rest):
        yield f"{place}, but no other contestant can be told apart from {it}, {at}."
    else:
        yield f"{place}; {listed(untold)} cannot be told apart from {it}, {at}."


def _open_ends(ranking: Ranking) -> Iterator[str]:
    for row in ranking.board:
        name = _short(row.contestant)
        if row.undefeated or row.winless:
            far = "ahead" if row.undefeated else "behind"
            yield f"{name} {never(row, ranking)}: how far {far} it is has no limit in these data."
        elif row.se is not None and (row.low is None or row.high is None):
            what = " and ".join(
                ["never lost to some"] * (row.high is None) + ["never won against some"] * (row.low is None)
            )
            far = "how far it is from them has no limit in these data"
            yield f"{name} {what}, nor by way of others: {far}."


def never(row: RankedContestant, ranking: Ranking) -> str:
    """Return what an undefeated or winless contestant never did, with those of its group left out."""
    what, to, counted = ("lost", "to", row.losses) if row.undefeated else ("won", "against", row.wins)
    group = [
        other.contestant
        for other in ranking.board
        if other.contestant != row.contestant and (other.undefeated if row.undefeated else other.winless)
    ]
    return f"{what} {to} none but {listed(group)}" if counted and group else f"never {what}"


def _nothing(ranking: Ranking) -> str:
    if not ranking.drawn:
        return "Nothing to rank: there is no question that two contestants were asked."
    missing = unscored_kinds(ranking)
    if set(ranking.unscored) <= {"pending"}:
        return f"Nothing has been judged yet: {formatting.count(ranking.drawn, 'comparison')} pending."
    return f"No ranking: none of {formatting.count(ranking.drawn, 'comparison')} has a value ({missing})."


def judge_sentence(judge: RankingJudgeFigures, ranking: Ranking) -> str:
    """Return whether a judge can be relied on, in a sentence with its name."""
    name = f"Judge {one_line(judge.judge, _NAME)}"
    if judge.verdict:
        return f"{name}: {judge.verdict.rstrip('.')}."
    if not judge.asked:
        return f"{name} was not asked."
    if not judge.given:
        kinds = [f"{judge.failed:,} failed"] * bool(judge.failed)
        kinds += [f"{judge.pending:,} pending"] * bool(judge.pending)
        return f"{name} gave no verdict{': ' if kinds else ''}{', '.join(kinds)}."
    flips = judge.flips
    if not flips.of:
        why = "each comparison was shown in one order only" if ranking.seats == "one" else "none was decided"
        return f"{name}: how often it flips when the order is swapped is unknown, because {why}."
    can = " can tell these answers apart: it" if judge.able else ""
    by_chance = (
        ""
        if judge.chance_flips is None
        else f"; without reading the answers it would be {formatting.percent(judge.chance_flips)}"
    )
    return (
        f"{name}{can} flipped on {flips.count:,.0f} of {formatting.count(flips.of, 'comparison')} when the "
        f"order was swapped ({_range(flips)}{by_chance})."
    )


def _basis(ranking: Ranking) -> Iterator[str]:
    """How much was judged, and what that cost."""
    given = sum(judge.given for judge in ranking.judges)
    verdicts = (
        f"{formatting.count(given, 'verdict')} of {formatting.count(len(ranking.judges), 'judge')}, "
        f"which cost {judging_cost(ranking)}"
    )
    if not ranking.judged and not ranking.equal:
        yield f"{verdicts}."
        return
    parts = [f"{formatting.count(ranking.judged, 'comparison')} judged"]
    if ranking.equal:
        parts.append(f"{formatting.count(ranking.equal, 'tie')} of equal answers without a verdict")
    files = f"{formatting.count(ranking.files, 'file')}"
    if ranking.clusters != ranking.files:
        files += f" in {formatting.count(ranking.clusters, 'cluster')}"
    yield f"{' and '.join(parts)}, over {files}: {verdicts}."
    if ranking.drawn < ranking.all_comparisons:
        against = f", all against {one_line(ranking.against, _NAME)}" if ranking.against else ""
        yield f"{ranking.drawn:,} of {ranking.all_comparisons:,} possible comparisons were drawn{against}."


def judging_cost(ranking: Ranking) -> str:
    """Return what all verdicts cost; an unknown price is never shown as 0."""
    known = [judge.cost_usd for judge in ranking.judges if judge.cost_usd is not None]
    unpriced = sum(judge.unpriced for judge in ranking.judges)
    if not known and not unpriced:
        return "nothing" if not ranking.judges or not any(judge.asked for judge in ranking.judges) else _DASH
    return formatting.cost(sum(known) if known else None, unpriced)


def _missing(ranking: Ranking) -> Iterator[str]:
    missing = sum(ranking.unscored.values())
    if missing and (ranking.board or ranking.groups):
        yield (
            f"Missing: {missing:,} of {formatting.count(ranking.drawn, 'drawn comparison')} have no value "
            f"({unscored_kinds(ranking)}); they count neither as ties nor as losses."
        )


def _notes(ranking: Ranking) -> Iterator[str]:
    for note in ranking.notes:
        yield f"{one_line(note, _NOTE).rstrip('.')}."


# --- contestants -----------------------------------------------------------------------------------------


def listed(names: Sequence[Contestant]) -> str:
    """Return names as a phrase: `A`, `A and B`, `A, B, C and 5 more`."""
    shown = [_short(name) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        return f"{', '.join(shown)} and {len(names) - _NAMES:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _short(name: Contestant) -> str:
    return one_line(str(name), _NAME)


def as_good(ranking: Ranking) -> list[Contestant]:
    """Return those after the first that cannot be told apart from it; of several, from one of them."""
    first = {row.contestant for row in ranking.board if row.rank == 1}
    untold = {
        one
        for pair in ranking.compared
        if not told_apart(pair, ranking)
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        if other in first
    }
    return [row.contestant for row in ranking.board if row.rank != 1 and row.contestant in untold]


def told_apart(pair: RankedPair, ranking: Ranking) -> bool:
    """Return whether a difference is too large for chance, corrected for the number of pairs."""
    return significant(pair.p_adjusted, ranking.level)


def level(ranking: Ranking) -> str:
    """Return the level of intervals and ranks: `95%`."""
    return f"{ranking.level * 100:g}%"


def points(value: float | None) -> str:
    """Return points: `1,043`, `–` if they are not known."""
    return _DASH if value is None else f"{value:,.0f}"


def interval(row: RankedContestant) -> str:
    """Return the interval of the points; an open end is said. `–`: it is not known."""
    if row.se is None:
        return _DASH
    low, high = ("open" if end is None else points(end) for end in (row.low, row.high))
    return f"{low} {_DASH} {high}"


def bootstrap(row: RankedContestant) -> str:
    """Return the interval by resampling files; an end that is open is said. `–` without one."""
    if row.bootstrap_low is None and row.bootstrap_high is None:
        return _DASH
    low, high = ("open" if end is None else points(end) for end in (row.bootstrap_low, row.bootstrap_high))
    return f"{low} {_DASH} {high}"


def rank_range(row: RankedContestant) -> str:
    """Return the ranks that cannot be ruled out: `2`, `1 – 3`."""
    best, worst = row.best_rank, row.worst_rank
    return f"{best}" if best == worst else f"{best} {_DASH} {worst}"


def tally(row: RankedContestant | RankedPair) -> str:
    """Return wins, ties and losses."""
    return f"{row.wins:,} / {row.ties:,} / {row.losses:,}"


def unscored(row: RankedContestant) -> str:
    """Return how many comparisons of a contestant have no value, and why; "": all have one."""
    kinds = unscored_kinds(row)
    return f"{sum(row.unscored.values()):,} without a value ({kinds})" if kinds else ""


def unscored_kinds(row: RankedContestant | Ranking) -> str:
    """Return how many comparisons have no value, by what is missing; "": all have one."""
    return ", ".join(f"{count:,} {KINDS.get(kind, kind)}" for kind, count in row.unscored.items() if count)


class WinShares(FrozenStruct):
    """What a contestant won against each, in the order of the board: `–` against itself, or if never met."""

    name: str
    shares: tuple[str, ...]
    told: tuple[bool, ...]


def win_shares(ranking: Ranking) -> list[WinShares]:
    """Return the share that each contestant won against each other, ties half, and which can be told."""
    shares: dict[tuple[Contestant, Contestant], float] = {}
    told = set()
    for pair in ranking.compared:
        if pair.comparisons:
            won = (pair.wins + pair.ties / 2) / pair.comparisons
            shares[pair.first, pair.second], shares[pair.second, pair.first] = won, 1 - won
        if told_apart(pair, ranking):
            told |= {(pair.first, pair.second), (pair.second, pair.first)}
    names = [row.contestant for row in ranking.board]
    return [
        WinShares(
            name=str(one),
            shares=tuple(formatting.percent(shares.get((one, two))) for two in names),
            told=tuple((one, two) in told for two in names),
        )
        for one in names
    ]


def difference(pair: RankedPair, ranking: Ranking) -> str:
    """Return the difference of a pair in figures and words, without the names."""
    figures = f"{pair.points:+z,.0f} points{_ends(pair)}"
    p = "" if pair.p_adjusted is None else f", p = {p_text(pair.p_adjusted)}"
    words = "told apart" if told_apart(pair, ranking) else "cannot be told apart"
    if words != "told apart" and significant(pair.p, ranking.level):
        # The interval is that of the pair alone: without this it would say the opposite.
        words += f" once p is corrected for {formatting.count(len(ranking.compared), 'difference')}"
    met = (
        f"won, tied, lost {tally(pair)} of {pair.comparisons:,}"
        if pair.comparisons
        else "never met: by way of the others"
    )
    return f"{figures}{p}, {met}: {words}"


def _ends(found: RankedPair | LengthEffect) -> str:
    """Return an interval of points in brackets; "" where nothing is known."""
    if found.low is None and found.high is None:
        return ""
    low, high = ("open" if end is None else f"{end:+z,.0f}" for end in (found.low, found.high))
    return f" ({low} {_DASH} {high})"


def shown_pairs(ranking: Ranking, most: int) -> Sequence[RankedPair]:
    """Return all pairs, of more than `most` those with the first of the board."""
    if len(ranking.compared) <= most or not ranking.board:
        return ranking.compared
    first = ranking.board[0].contestant
    return [pair for pair in ranking.compared if first in (pair.first, pair.second)]


# --- judges, cycles, length --------------------------------------------------------------------------------


def share(found: Share | None) -> str:
    """Return a share with its interval and cases: `5.0% (1.7% – 13.7%) of 60`."""
    if found is None or found.share is None:
        return _DASH
    return f"{formatting.percent(found.share)} ({_range(found)}) of {found.of:,}"


def _range(found: Share) -> str:
    if found.low is None or found.high is None:
        return "interval unknown"
    return f"{formatting.percent(found.low)} {_DASH} {formatting.percent(found.high)}"


def judge_parts(judge: RankingJudgeFigures) -> Iterator[tuple[str, str]]:
    """Yield (figure, value) of what is known of a judge."""
    yield "verdicts", f"{judge.given:,} of {judge.asked:,}"
    yield "failed", f"{judge.failed:,}"
    yield "pending", f"{judge.pending:,}"
    yield "ties", f"{judge.ties:,}"
    yield "first shown wins", share(judge.first_seat)
    yield "flips", share(judge.flips)
    yield "flips by chance", formatting.percent(judge.chance_flips)
    yield "longer wins", share(judge.longer)
    yield "own family wins", share(judge.own_family)
    yield (
        "cost",
        _DASH if not judge.asked else formatting.short_cost(judge.cost_usd, judge.unpriced),
    )


def judge_columns(ranking: Ranking) -> list[str]:
    """Return the figures that some judge has something to say in."""
    rows = [dict(judge_parts(judge)) for judge in ranking.judges]
    quiet = dict.fromkeys(("failed", "pending"), "0")
    quiet |= dict.fromkeys(("flips", "flips by chance", "own family wins"), _DASH)
    return [name for name in rows[0] if any(row[name] != quiet.get(name) for row in rows)] if rows else []


def other_lines(ranking: Ranking) -> Iterator[str]:
    """Yield what there is to say of cycles and length."""
    cycles = ranking.cycles
    if cycles is not None and cycles.triples:
        yield (
            f"Cycles (one answer beats a second, that a third, and that the first): {cycles.count:,} of "
            f"{formatting.count(cycles.triples, 'triple')} of answers; {cycles.expected:,.1f} are expected "
            "from the points."
        )
    if ranking.length is not None:
        found = ranking.length
        figures = _ends(found)
        yield (
            f"Points are at equal length. An answer twice as long gains {found.points:+z,.0f}{figures} "
            "points with the judges."
        )
