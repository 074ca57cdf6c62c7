"""The leaderboard of a suite as one HTML page without a script, which asks nobody for anything.

Every value is text; drawings and colours stand beside it. Foreign text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from umwelten.report.comparison.comparison import Comparison
from umwelten.report.render import page
from umwelten.report.render.comparison_text import (
    adjusted_note,
    left_out_lines,
    row_label,
    row_notes,
    score_cells,
    verdict,
)
from umwelten.report.render.interval_drawing import drawn_interval
from umwelten.report.render.leaderboard_text import (
    cost_of_all,
    lacks_text,
    level_text,
    note_lines,
    places,
    title,
    unscored_lines,
)
from umwelten.report.render.markup import section, table, text
from umwelten.report.render.scores_section import gates_list
from umwelten.report.render.scores_text import interval, share
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardRow, LeaderboardTask, TaskValue
from umwelten.text import formatting

_STYLES = ("shared/base.css", "page/page.css", "page/scores.css", "page/leaderboard.css")
_COMPARED = ("scorer", "model", "base", "new", "change", "95 %", "p", "files", "outcome")
_WORDS = {
    "value of a task": "The mean over its files of the total, which is of all its scorers by weight, or of "
    "the only one with a weight. From 0 to 1.",
    "mean": "That of the tasks by weight. A model that lacks the value of a task has none, and stands below.",
    "interval": "Where the true value would lie, at the level over the column. It is wider where "
    "tasks ask about the same inputs. Where intervals overlap, the order may be chance.",
    "bracket": "What a value could come to if all answers without a score were 0, and if all were 1.",
    "cost": "Of a model's answers to all tasks. What is not known is never counted as 0: +? says that it is "
    "more. What judges cost is apart.",
    "p50": "The time within which half of a model's answers to all tasks came.",
    "gate": "Met: it holds whatever the answers without a score come to. Missed: it fails whatever they are. "
    "Undecided: they decide.",
}


def write_page(board: Leaderboard, comparisons: Mapping[str, Comparison], out: TextIO) -> None:
    """Write the page. `comparisons`: those with a baseline, by task."""
    style = page.style(_STYLES)
    out.write(page.HEAD.format(policy=page.policy(style=style), title=text(board.suite), style=style))
    out.write(_header(board, comparisons))
    out.write(f"<main>\n{_glance(board)}")
    out.write(section("board", "Leaderboard", _board(board), _notes(board)))
    if board.gates:
        out.write(section("gates", "Gates", gates_list([gate.result for gate in board.gates])))
    if comparisons:
        out.write(section("baseline", "Against the baseline", *_comparisons(comparisons)))
    out.write(section("tasks", "Tasks", *_tasks(board)))
    words = "".join(
        f"<div><dt>{text(word)}</dt><dd>{text(what)}</dd></div>\n" for word, what in _WORDS.items()
    )
    out.write(section("words", "What the figures mean", f"<dl>\n{words}</dl>\n"))
    out.write("</main>\n<footer><p>Made by <b>umwelten</b> from what is stored. ")
    out.write("This file asks no server for anything.</p></footer>\n</body>\n</html>\n")


def _header(board: Leaderboard, comparisons: Mapping[str, Comparison]) -> str:
    links = [
        ("board", "Leaderboard", True),
        ("gates", "Gates", bool(board.gates)),
        ("baseline", "Baseline", bool(comparisons)),
        ("tasks", "Tasks", bool(board.tasks)),
        ("words", "Terms", True),
    ]
    anchors = "".join(f'<a href="#{id_}">{name}</a>' for id_, name, there in links if there)
    return (
        '<a class="skip" href="#board">Skip to the leaderboard</a>\n'
        '<div class="top"><header class="top"><span class="mark">umwelten</span>'
        f'<nav aria-label="Sections">{anchors}</nav></header></div>\n'
    )


def _glance(board: Leaderboard) -> str:
    best = next((row for row in board.rows if row.mean is not None), None)
    lacking = sum(row.mean is None for row in board.rows)
    boxes = []
    if best is not None:
        found = interval(best.low, best.high)
        alike = board.places.count(1)
        names = best.name if alike == 1 else f"{best.name} and {formatting.count(alike - 1, 'other')}"
        boxes.append(("highest mean", share(best.mean), f"{names}, {level_text(board)}: {found}"))
    if lacking:
        of = formatting.count(len(board.rows), "row")
        boxes.append(("without a mean", str(lacking), f"of {of}: values are lacking"))
    if board.gates:
        outcomes = [gate.result.outcome for gate in board.gates]
        met, missed = outcomes.count("met"), outcomes.count("missed")
        rest = f"{missed} missed, {len(outcomes) - met - missed} undecided"
        boxes.append(("gates met", f"{met} of {len(outcomes)}", rest))
    usd, unpriced = cost_of_all(board)
    if usd is not None or unpriced:
        more = f"and {formatting.count(unpriced, 'call')} of unknown cost" if unpriced else "of all answers"
        boxes.append(("cost", formatting.money(usd), more))
    figures = "".join(
        f"<div><dt>{name}</dt><dd>{text(figure)}<small>{text(more)}</small></dd></div>\n"
        for name, figure, more in boxes
    )
    return (
        f'<section id="glance"><p class="kind">Suite</p><h1>{text(board.suite)}</h1>\n'
        f'<p class="prompt">{text(title(board).removeprefix(board.suite + ": "))}</p>\n'
        + (f'<dl class="figures">\n{figures}</dl>\n' if figures else "")
        + "</section>\n"
    )


# --- the board -----------------------------------------------------------------------------------


def _board(board: Leaderboard) -> str:
    if not board.rows:
        return "<p>There is nothing to show: no task was begun.</p>\n"
    best = {task.name: _best(board, task.name) for task in board.tasks}
    titles = "".join(
        f'<th scope="col" class="value"><a href="#task-{n}">{text(task.name)}</a>{_weight(board, task)}</th>'
        for n, task in enumerate(board.tasks, start=1)
    )
    level = f"mean and {level_text(board)}"
    head = f'<th scope="col">model</th><th scope="col" class="mean">{level}</th>{titles}'
    head += '<th scope="col" class="n">cost</th><th scope="col" class="n">p50</th>'
    rows = "".join(
        f"<tr>{_row(board, row, place.strip(), best)}</tr>\n"
        for place, row in zip(places(board), board.rows, strict=True)
    )
    return (
        '<div class="scroll board" tabindex="0" role="region" aria-label="Leaderboard"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )


def _weight(board: Leaderboard, task: LeaderboardTask) -> str:
    several = len({one.weight for one in board.tasks}) > 1
    return f"<br><small>weight {task.weight:g}</small>" if several else ""


def _best(board: Leaderboard, task: str) -> float | None:
    values = [row.tasks[task].mean for row in board.rows if task in row.tasks]
    return max((value for value in values if value is not None), default=None)


def _row(board: Leaderboard, row: LeaderboardRow, place: str, best: Mapping[str, float | None]) -> str:
    lacks = lacks_text(board, row)
    more = "" if lacks is None else f"<small>{text(lacks)}</small>"
    mean = f"<b>{share(row.mean)}</b> <small>{interval(row.low, row.high)}</small>"
    drawn = "" if row.mean is None else drawn_interval(row.mean, row.low, row.high)
    if row.mean is None:
        mean = "<b>–</b> <small>no mean</small>"
    values = "".join(_value(row.tasks.get(task.name), best[task.name]) for task in board.tasks)
    cost = formatting.short_cost(row.cost_usd, row.unpriced)
    return (
        f'<th scope="row"><span class="named"><span class="place">{place}</span> '
        f"<span>{text(row.name)}{more}</span></span></th>"
        f'<td class="mean">{mean}{drawn}</td>{values}'
        f'<td class="n">{cost}</td><td class="n">{formatting.duration(row.p50_s)}</td>'
    )


def _value(value: TaskValue | None, best: float | None) -> str:
    if value is None or value.mean is None:
        return '<td class="value none">–</td>'
    marked = " best" if value.mean == best else ""
    ends = "" if value.low is None else f"<small>{interval(value.low, value.high)}</small>"
    if value.unscored:
        ends += f"<small>{value.scored:,} of {value.planned:,} scored</small>"
    return f'<td class="value v{round(value.mean * 10)}{marked}">{share(value.mean)}{ends}</td>'


def _notes(board: Leaderboard) -> str:
    lines = [f"{row.name}, {line}" for row in board.rows for line in unscored_lines(row)]
    items = "".join(f"<li>{text(line)}</li>\n" for line in [*lines, *note_lines(board)])
    return f'<ul class="notes">\n{items}</ul>\n' if items else ""


# --- tasks ---------------------------------------------------------------------------------------


def _tasks(board: Leaderboard) -> Iterator[str]:
    for number, task in enumerate(board.tasks, start=1):
        rows = [(row, row.tasks[task.name]) for row in board.rows if task.name in row.tasks]
        rows.sort(key=lambda pair: -1.0 if pair[1].mean is None else pair[1].mean, reverse=True)
        yield f'<div class="task" id="task-{number}"><h3>{text(task.name)} <small>{text(task.id)}</small>'
        yield f"</h3>\n<p>{text(_about(task))}</p>\n"
        head = ("model", "from 0 to 1", "value", level_text(board), "files", "scored", "cost", "p50")
        yield table(head, (_cells(row, value) for row, value in rows), name=f"Task {task.name}", words=2)
        yield "</div>\n"


def _about(task: LeaderboardTask) -> str:
    if task.state == "not_begun":
        return "It was not begun."
    scorers = f"Scored by {', '.join(task.scorers)}" if task.scorers else "It was never scored"
    judged = task.judged_usd is not None or task.judged_unpriced > 0
    cost = f"; judges: {formatting.cost(task.judged_usd, task.judged_unpriced)}" if judged else ""
    return f"{scorers}; weight {task.weight:g}{cost}."


def _cells(row: LeaderboardRow, value: TaskValue) -> Sequence[str]:
    unscored = sum(value.unscored.values())
    more = (
        f"<small>{unscored:,} unscored: {interval(*value.bounds)}</small>"
        if unscored and value.bounds
        else ""
    )
    return (
        text(row.name) + more,
        drawn_interval(value.mean, value.low, value.high, value.bounds if unscored else None),
        share(value.mean),
        interval(value.low, value.high),
        f"{value.files:,}",
        f"{value.scored:,} of {value.planned:,}",
        formatting.short_cost(value.cost_usd, value.unpriced),
        formatting.duration(value.p50_s),
    )


# --- baseline ------------------------------------------------------------------------------------


def _comparisons(comparisons: Mapping[str, Comparison]) -> Iterator[str]:
    for task, found in comparisons.items():
        yield f'<div class="task"><h3>{text(task)} <small>{text(found.new)} against {text(found.base)}'
        yield f'</small></h3>\n<p class="verdict">{text(verdict(found))}</p>\n'
        rows = ([text(row.scorer), text(row_label(row)), *map(text, score_cells(row))] for row in found.rows)
        yield table(_COMPARED, rows, name=f"Task {task} against the baseline", words=2)
        lines = [*found.notes]
        lines += [f"{row.scorer}, {row_label(row)}: {note}" for row in found.rows for note in row_notes(row)]
        lines += [*adjusted_note(found), *left_out_lines(found)]
        items = "".join(f"<li>{text(line)}</li>\n" for line in lines)
        yield (f'<ul class="notes">\n{items}</ul>\n' if items else "") + "</div>\n"
