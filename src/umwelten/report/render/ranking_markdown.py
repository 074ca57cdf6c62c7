"""Rankings in a Markdown report. Foreign text is inert, as everywhere in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TextIO

from umwelten.report.queries.rankings import ShownRankings
from umwelten.report.render import ranking_words as words
from umwelten.report.render.markdown_text import cell, table
from umwelten.scoring.ranking.ranking import RankedContestant, Ranking
from umwelten.text import formatting

_LONGEST = 1_000
_MOST_PAIRS = 15
"""Differences of which all are shown, those of six contestants; of more, those to the first."""
_MOST_SHARES = 20
"""Contestants of whom the table of win shares is still read."""


def write_own_ranking(found: ShownRankings, out: TextIO) -> None:
    """Write the ranking that an evaluation was made for, with which its report begins."""
    if found.is_ranking:
        out.write("## Ranking\n\n")
    if found.own is not None:
        _whole(found.own, out)
    elif found.is_ranking:
        out.write(f"{words.NO_RANKING}\n\n")
    if found.is_ranking:
        out.write("## Settings\n\n")  # which nothing else separates from it


def _whole(ranking: Ranking, out: TextIO) -> None:
    _sentences(ranking, out)
    if ranking.question:
        out.write(f"Judges were asked: {cell(ranking.question, _LONGEST)}\n\n")
    if ranking.board:
        _board(ranking, out)
        out.write(f"{words.CAPTION}\n\n")
        _pairs(ranking, out)
    _judges(ranking, out)
    lines = [f"- {cell(line, _LONGEST)}\n" for line in words.other_lines(ranking)]
    out.write("".join([*lines, "\n"]) if lines else "")


def write_rankings_of(found: ShownRankings, out: TextIO) -> None:
    """Write what there is to know of the rankings of an evaluation's answers, and where the rest is."""
    if found.others or found.unread:
        out.write("## Rankings\n\n")
    for line in words.unread(found.unread):
        out.write(f"{cell(line, _LONGEST)}\n\n")
    for ranking in found.others:
        out.write(f"### {cell(ranking.id)}\n\n")
        _sentences(ranking, out)
        if ranking.board:
            _board(ranking, out)
        out.write(f"Differences, judges and verdicts are in the report of {cell(ranking.id)}.\n\n")


def _sentences(ranking: Ranking, out: TextIO) -> None:
    for n, line in enumerate(words.sentences(ranking)):
        out.write(f"- **{cell(line, _LONGEST)}**\n" if n == 0 else f"- {cell(line, _LONGEST)}\n")
    out.write("\n")


_Column = tuple[str, Callable[[RankedContestant], str]]


def _board(ranking: Ranking, out: TextIO) -> None:
    columns = list(_columns(ranking))
    before = [] if ranking.length is None else [words.points(value) for value in ranking.length.before]
    head = ["rank", "contestant", *(title for title, _ in columns)]
    rows = [[f"{row.rank}", cell(row.name), *(show(row) for _, show in columns)] for row in ranking.board]
    if len(before) == len(rows):
        head.append("points without control")
        rows = [[*row, was] for row, was in zip(rows, before, strict=True)]
    table(out, head, rows, numbers_from=2)


def _columns(ranking: Ranking) -> Iterator[_Column]:
    yield "points", lambda row: words.points(row.points)
    yield words.level(ranking), words.interval
    if ranking.bootstrap:
        yield f"{words.level(ranking)} by resampling", words.bootstrap
    yield "ranks", words.rank_range
    yield "against the mean", lambda row: formatting.percent(row.chance)
    yield "won", lambda row: formatting.percent(row.win_share)
    yield "won / tied / lost", words.tally
    if any(words.unscored(row) for row in ranking.board):
        yield "without a value", lambda row: words.unscored_kinds(row) or "0"
    yield "characters", lambda row: words.points(row.mean_characters)
    yield "cost", lambda row: formatting.money(row.cost_usd)


def _pairs(ranking: Ranking, out: TextIO) -> None:
    pairs = words.shown_pairs(ranking, _MOST_PAIRS)
    for pair in pairs:
        names = f"{cell(str(pair.first))} − {cell(str(pair.second))}"
        out.write(f"- {names}: {cell(words.difference(pair, ranking), _LONGEST)}\n")
    out.write("\n" if pairs else "")
    if 2 < len(ranking.board) <= _MOST_SHARES:
        out.write("Share won by the contestant of the row against that of the column, ties half:\n\n")
        rows = words.win_shares(ranking)
        head = ["of row, against", *(str(n) for n in range(1, len(rows) + 1))]
        lines = ([f"{n} {cell(row.name)}", *row.shares] for n, row in enumerate(rows, 1))
        table(out, head, lines, numbers_from=1)


def _judges(ranking: Ranking, out: TextIO) -> None:
    columns = words.judge_columns(ranking)
    if not columns:
        return
    rows = []
    for judge in ranking.judges:
        values = dict(words.judge_parts(judge))
        rows.append([cell(judge.judge), *(values[name] for name in columns)])
    table(out, ("judge", *columns), rows, numbers_from=1)
