"""A ranking as text that fits a terminal: what to know, the board, differences, judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

from umwelten.report.render import ranking_words as words
from umwelten.scoring.ranking.ranking import RankedContestant, Ranking
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe

_MOST_PAIRS = 3
"""Differences of which all are shown; of more, those to the first."""
_NAME = 12
"""Characters of a name that are shown on the narrowest terminal."""
_LONGEST = 1_000
_RESAMPLED = "resampled"


def ranking_lines(ranking: Ranking, width: int = 80, *, short: bool = False) -> Iterator[str]:
    """Yield the lines, without ends of lines; nothing in them controls a terminal.

    `short`: what to know and the board.
    """
    yield from map(safe, _lines(ranking, max(width, 20), short=short))


def _lines(ranking: Ranking, width: int, *, short: bool) -> Iterator[str]:
    for line in words.sentences(ranking):
        yield from wrap(line, width, subsequent_indent="  ")
    if ranking.board:
        yield ""
        yield from _board(ranking, width)
    if short:
        yield f"All of it: the report of {_name(ranking.id)}."
        return
    if ranking.board:
        pairs = words.shown_pairs(ranking, _MOST_PAIRS)
        if pairs:
            yield ""
        for pair in pairs:
            yield from _fitted(f"{_name(str(pair.first))} − {_name(str(pair.second))}", width)
            yield from _indented(words.difference(pair, ranking), width)
    if ranking.judges and any(judge.asked for judge in ranking.judges):
        yield ""
        yield from _judges(ranking, width)
    others = list(words.other_lines(ranking))
    if others:
        yield ""
    for line in others:
        yield from wrap(one_line(line, _LONGEST), width, subsequent_indent="  ")


def _board(ranking: Ranking, width: int) -> Iterator[str]:
    columns = list(_columns(ranking))
    head = [title for title, _ in columns]
    rows = [[show(row) for _, show in columns] for row in ranking.board]
    # What there is no room for is in the reports.
    for left_out in ("cost", _RESAMPLED, "won", words.level(ranking), ""):
        size = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
        rest = sum(size) - size[1] + 2 * (len(head) - 1)
        if not left_out or width - rest >= min(size[1], 2 * _NAME):
            break
        if left_out in head:
            place = head.index(left_out)
            head, rows = _without(head, place), [_without(row, place) for row in rows]
    room = max(_NAME, min(size[1], width - rest))
    for cells, row in zip([head, *rows], [None, *ranking.board], strict=True):
        name = _cut(cells[1], room).ljust(room)
        others = (text.rjust(space) for text, space in zip(cells[2:], size[2:], strict=True))
        yield "  ".join([cells[0].rjust(size[0]), name, *others]).rstrip()
        missing = "" if row is None else words.unscored(row)
        if missing:
            yield from _indented(missing, width, size[0] + 2)


def _columns(ranking: Ranking) -> Iterator[tuple[str, Callable[[RankedContestant], str]]]:
    yield "rank", lambda row: f"{row.rank}"
    yield "contestant", lambda row: _name(row.name)
    yield "points", lambda row: words.points(row.points)
    yield words.level(ranking), words.interval
    if ranking.bootstrap:
        yield _RESAMPLED, words.bootstrap
    yield "ranks", words.rank_range
    yield "won", lambda row: formatting.percent(row.win_share)
    yield "cost", lambda row: formatting.money(row.cost_usd)


def _without(cells: Sequence[str], place: int) -> list[str]:
    return [cell for n, cell in enumerate(cells) if n != place]


def _judges(ranking: Ranking, width: int) -> Iterator[str]:
    columns = words.judge_columns(ranking)
    for judge in ranking.judges:
        values = dict(words.judge_parts(judge))
        parts = ", ".join(f"{name} {values[name]}" for name in columns)
        yield from wrap(f"judge {_name(judge.judge)}: {parts}", width, subsequent_indent="  ")


def _fitted(text: str, width: int) -> Iterator[str]:
    yield from wrap(text, width, subsequent_indent="  ") or [""]


def _indented(text: str, width: int, by: int = 2) -> Iterator[str]:
    yield from wrap(text, width, initial_indent=" " * by, subsequent_indent=" " * by)


def _name(text: str) -> str:
    return one_line(text, _LONGEST)


def _cut(text: str, width: int) -> str:
    """A name whose middle is left out where it is too long: models differ at their ends."""
    if len(text) <= width:
        return text
    tail = width - width // 2
    return f"{text[: width - tail - 1]}…{text[-tail:]}"
