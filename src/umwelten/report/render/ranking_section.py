"""Rankings in an HTML report: what to know, the board with its intervals drawn, differences, judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from umwelten.report.queries.rankings import ShownRankings
from umwelten.report.render import ranking_words as words
from umwelten.report.render.markup import details, table, text
from umwelten.report.render.ranking_drawing import PointsScale, rank_slots
from umwelten.scoring.ranking.ranking import RankedContestant, RankedPair, Ranking
from umwelten.text import formatting

_OPEN_PAIRS = 6
"""Differences that are shown at once, those of four contestants; of more, those to the first."""
_WIDE = 8
"""Contestants from which on the table of win shares is folded: it is wider than a page."""
_FEW = 4
"""Contestants up to which the columns of win shares are named; of more they are numbered."""
_MOST = 40
"""Contestants up to which win shares are shown: of more, nobody reads a table of them."""


def as_html(found: ShownRankings, *, of: str = "") -> Iterator[str]:
    """Yield the pieces of the section. `of`: the evaluation's id, where there are several."""
    if of and (found.is_ranking or found.others or found.unread):
        yield f'<h3 class="of">{text(of)}</h3>\n'
    if found.own is not None:
        yield from _whole(found.own)
    elif found.is_ranking:
        yield f"<p>{text(words.NO_RANKING)}</p>\n"
    for line in words.unread(found.unread):
        yield f"<p>{text(line)}</p>\n"
    for ranking in found.others:
        yield from _pointer(ranking)


def _whole(ranking: Ranking) -> Iterator[str]:
    yield _sentences(ranking)
    if ranking.question:
        yield f'<p class="asked">Judges were asked: <q dir="auto">{text(ranking.question)}</q></p>\n'
    if ranking.board:
        yield _board(ranking)
        yield f'<p class="caption">{text(_caption(ranking))}</p>\n'
        yield from _pairs(ranking)
    yield _judges(ranking)
    lines = "".join(f"<li>{text(line)}</li>\n" for line in words.other_lines(ranking))
    yield f'<ul class="differences">\n{lines}</ul>\n' if lines else ""


def _pointer(ranking: Ranking) -> Iterator[str]:
    """A ranking of the answers that this report shows: the rest is in the report of its own."""
    yield f"<h3>{_name(ranking.id)}</h3>\n"
    yield _sentences(ranking)
    if ranking.board:
        yield _board(ranking)
    yield (
        f'<p class="caption">Differences, judges and verdicts are in the report of '
        f"<b>{_name(ranking.id)}</b>.</p>\n"
    )


def _sentences(ranking: Ranking) -> str:
    lines = "".join(f"<li>{text(line)}</li>\n" for line in words.sentences(ranking))
    return f'<ul class="told-first">\n{lines}</ul>\n'


def _caption(ranking: Ranking) -> str:
    resampled = " The bracket below is that by resampling files." if ranking.bootstrap else ""
    return (
        f"Dot and bar: points with their {words.level(ranking)} interval; an arrow: that end is open."
        f"{resampled} {words.CAPTION}"
    )


# --- the board -------------------------------------------------------------------------------------------


_Column = tuple[str, Callable[[RankedContestant], str], Callable[[RankedContestant], object]]


def _board(ranking: Ranking) -> str:
    scale = PointsScale(ranking.board)
    columns = list(_columns(ranking))
    before = ranking.length.before if ranking.length is not None else ()
    head = ["contestant", "ranks", scale.title, *(title for title, _, _ in columns)]
    rows, figures = [], []
    for n, row in enumerate(ranking.board):
        slots = rank_slots(row, len(ranking.board))
        first = f"{row.rank}. {_name(row.name)}{_remark(row, ranking)}"
        cells = [first, f"{slots}<span>{text(words.rank_range(row))}</span>", scale.drawn(row)]
        rows.append([*cells, *(text(show(row)) for _, show, _ in columns)])
        figures.append([key(row) for _, _, key in columns])
        if len(before) == len(ranking.board):
            rows[-1].append(text(words.points(before[n])))
            figures[-1].append(before[n])
    if len(before) == len(ranking.board):
        head.append("without control")
    return table(head, rows, name=f"Board of {ranking.id}", words=3, figures=figures)


def _columns(ranking: Ranking) -> Iterator[_Column]:
    yield "points", lambda row: words.points(row.points), lambda row: row.points
    yield words.level(ranking), words.interval, lambda row: row.low
    if ranking.bootstrap:
        yield "resampled", words.bootstrap, lambda row: row.bootstrap_low
    yield "against the mean", lambda row: formatting.percent(row.chance), lambda row: row.chance
    yield "won", lambda row: formatting.percent(row.win_share), lambda row: row.win_share
    yield "won / tied / lost", words.tally, lambda row: row.comparisons
    yield "characters", lambda row: words.points(row.mean_characters), lambda row: row.mean_characters
    yield "cost", lambda row: formatting.money(row.cost_usd), lambda row: row.cost_usd


def _remark(row: RankedContestant, ranking: Ranking) -> str:
    remarks = [words.never(row, ranking)] if row.undefeated or row.winless else []
    missing = words.unscored(row)
    remarks += [missing] if missing else []
    return f"<small>{text('; '.join(remarks))}</small>" if remarks else ""


def _name(name: str) -> str:
    """A name that may be written from right to left, and moves nothing beside it."""
    return f"<bdi>{text(name)}</bdi>"


# --- pairs and judges --------------------------------------------------------------------------------------


def _pairs(ranking: Ranking) -> Iterator[str]:
    if not ranking.compared:
        return
    yield "<h3>Differences</h3>\n"
    shown = words.shown_pairs(ranking, _OPEN_PAIRS)
    yield _differences(shown, ranking)
    if len(shown) < len(ranking.compared):
        rest = [pair for pair in ranking.compared if pair not in shown]
        others = formatting.count(len(rest), "other difference")
        yield details(others[:1].upper() + others[1:], _differences(rest, ranking))
    if 2 < len(ranking.board) <= _MOST:
        shares = _win_shares(ranking)
        yield details("Win shares", shares, opened=len(ranking.board) < _WIDE)


def _differences(pairs: Sequence[RankedPair], ranking: Ranking) -> str:
    items = "".join(
        f"<li><b>{_name(str(pair.first))}</b> − <b>{_name(str(pair.second))}</b> "
        f'<span class="{"told" if words.told_apart(pair, ranking) else "untold"}">'
        f"{text(words.difference(pair, ranking))}</span></li>\n"
        for pair in pairs
    )
    return f'<ul class="differences">\n{items}</ul>\n'


def _win_shares(ranking: Ranking) -> str:
    """A cell a pair: what the row won against the column; bold where the difference can be told."""
    found = words.win_shares(ranking)
    few = len(found) <= _FEW
    head = ["of row, against", *(f"{n}. {row.name}" if few else f"{n}" for n, row in enumerate(found, 1))]
    rows = [
        [
            f"{n}. {_name(row.name)}",
            *(f"<b>{cell}</b>" if told else cell for cell, told in zip(row.shares, row.told, strict=True)),
        ]
        for n, row in enumerate(found, 1)
    ]
    note = "Share of comparisons that the row won against the column, ties half. Bold: told apart."
    return f'<p class="caption">{note}</p>\n' + table(head, rows, name="Win shares")


def _judges(ranking: Ranking) -> str:
    columns = words.judge_columns(ranking)
    if not columns:
        return ""
    rows = []
    for judge in ranking.judges:
        values = dict(words.judge_parts(judge))
        rows.append([_name(judge.judge), *(text(values[name]) for name in columns)])
    return "<h3>Judges</h3>\n" + table(("judge", *columns), rows, name=f"Judges of {ranking.id}")
