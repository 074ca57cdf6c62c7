"""The columns that contestants of a ranking have in CSV and Parquet when short: a row a contestant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from umwelten.report.columns import CellType, ReportColumn
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import RankedContestant, Ranking
from umwelten.types import FrozenStruct


class RankingRow(FrozenStruct):
    """A contestant; `ranked` is its line of the board, `None` where there is no common ranking."""

    contestant: Contestant
    ranked: RankedContestant | None
    of: str | None


def ranking_rows(ranking: Ranking) -> Iterator[RankingRow]:
    """Yield the contestants in the order of the board; without one, in that of the groups."""
    alone = ranking.of[0] if len(ranking.of) == 1 else None
    for ranked in ranking.board:
        yield _row(ranked.contestant, ranked, alone)
    if not ranking.board:
        for contestant in (each for group in ranking.groups for each in group):
            yield _row(contestant, None, alone)


def _row(contestant: Contestant, ranked: RankedContestant | None, alone: str | None) -> RankingRow:
    return RankingRow(contestant=contestant, ranked=ranked, of=contestant.evaluation or alone)


def _figure(name: str, type: CellType, read: Callable[[RankedContestant], Any]) -> ReportColumn[RankingRow]:
    return ReportColumn(
        name=name, type=type, value=lambda row: None if row.ranked is None else read(row.ranked)
    )


RANKING_COLUMNS: tuple[ReportColumn[RankingRow], ...] = (
    ReportColumn(name="of", type=str, value=lambda row: row.of),
    _figure("rank", int, lambda row: row.rank),
    _figure("best_rank", int, lambda row: row.best_rank),
    _figure("worst_rank", int, lambda row: row.worst_rank),
    _figure("points", float, lambda row: row.points),
    _figure("points_low", float, lambda row: row.low),
    _figure("points_high", float, lambda row: row.high),
    _figure("strength", float, lambda row: row.strength),
    _figure("se", float, lambda row: row.se),
    _figure("chance", float, lambda row: row.chance),
    _figure("win_share", float, lambda row: row.win_share),
    _figure("comparisons", int, lambda row: row.comparisons),
    _figure("wins", int, lambda row: row.wins),
    _figure("ties", int, lambda row: row.ties),
    _figure("losses", int, lambda row: row.losses),
    _figure("unscored", int, lambda row: sum(row.unscored.values())),
    _figure("undefeated", bool, lambda row: row.undefeated),
    _figure("winless", bool, lambda row: row.winless),
    _figure("bootstrap_low", float, lambda row: row.bootstrap_low),
    _figure("bootstrap_high", float, lambda row: row.bootstrap_high),
    _figure("mean_characters", float, lambda row: row.mean_characters),
    _figure("answers_cost_usd", float, lambda row: row.cost_usd),
)
"""`points_low` and `points_high` are empty where that end is open, or nothing is known."""


def has_prompts(rankings: Sequence[Ranking]) -> bool:
    """Return whether prompts are ranked in one of them."""
    return any(row.contestant.prompt is not None for ranking in rankings for row in ranking_rows(ranking))
