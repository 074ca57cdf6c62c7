"""Rankings in words and figures, as the page shows them."""

from __future__ import annotations

from umwelten.errors import StoreError
from umwelten.report.queries.rankings import made_to_rank, shown_rankings
from umwelten.report.render import ranking_words as words
from umwelten.report.render.ranking_drawing import DrawnInterval, PointsScale
from umwelten.scoring.ranking.ranking import RankedContestant, Ranking
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.types import FrozenStruct

_MOST_PAIRS = 15
"""Differences of which all are shown, those of six contestants; of more, those to the first."""


class BoardRow(FrozenStruct):
    """A contestant, in words; `drawn` is where its interval is."""

    rank: int
    name: str
    ranks: str
    points: str
    interval: str
    won: str
    tally: str
    unscored: str
    cost: str
    drawn: DrawnInterval


class ShownDifference(FrozenStruct):
    """The difference between two contestants in words; `told`: it is too large for chance."""

    first: str
    second: str
    words: str
    told: bool


class ShownBoard(FrozenStruct):
    """A ranking. `judge_columns` are the titles of what `judges` say, after their names."""

    id: str
    sentences: tuple[str, ...]
    question: str
    level: str
    scale: str
    rows: tuple[BoardRow, ...]
    differences: tuple[ShownDifference, ...]
    judge_columns: tuple[str, ...]
    judges: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    caption: str


class ShownBoards(FrozenStruct):
    """The rankings of an evaluation. `nothing` says why there is none in one that was made to rank; `unread`
    are sentences about rankings of its answers that cannot be read.
    """

    is_ranking: bool
    boards: tuple[ShownBoard, ...]
    nothing: str | None
    unread: tuple[str, ...] = ()


def shown_boards(reader: Reader) -> ShownBoards:
    """Return the ranking of an evaluation that was made to rank, or the rankings of its answers."""
    try:
        found = shown_rankings(reader)
    except StoreError as error:
        if not made_to_rank(reader):
            raise
        return ShownBoards(is_ranking=True, boards=(), nothing=error.message)
    own = (found.own,) if found.own is not None else ()
    return ShownBoards(
        is_ranking=found.is_ranking,
        boards=tuple(map(_board, own or found.others)),
        nothing=words.NO_RANKING if found.is_ranking and not own else None,
        unread=tuple(words.unread(found.unread)),
    )


def _board(ranking: Ranking) -> ShownBoard:
    scale = PointsScale(ranking.board) if ranking.board else None
    columns = tuple(words.judge_columns(ranking))
    judges = [(judge.judge, dict(words.judge_parts(judge))) for judge in ranking.judges]
    return ShownBoard(
        id=ranking.id,
        sentences=words.sentences(ranking),
        question=ranking.question,
        level=words.level(ranking),
        scale="" if scale is None else scale.title,
        rows=() if scale is None else tuple(_row(row, scale) for row in ranking.board),
        differences=tuple(
            ShownDifference(
                first=str(pair.first),
                second=str(pair.second),
                words=words.difference(pair, ranking),
                told=words.told_apart(pair, ranking),
            )
            for pair in words.shown_pairs(ranking, _MOST_PAIRS)
        ),
        judge_columns=columns,
        judges=tuple((name, *(values[column] for column in columns)) for name, values in judges),
        notes=tuple(words.other_lines(ranking)),
        caption=words.CAPTION,
    )


def _row(row: RankedContestant, scale: PointsScale) -> BoardRow:
    return BoardRow(
        rank=row.rank,
        name=row.name,
        ranks=words.rank_range(row),
        points=words.points(row.points),
        interval=words.interval(row),
        won=formatting.percent(row.win_share),
        tally=words.tally(row),
        unscored=words.unscored(row),
        cost=formatting.money(row.cost_usd),
        drawn=scale.places(row),
    )
