"""The leaderboard of a suite as text that fits a terminal of 80 columns, and the words of all its formats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from umwelten.report.render.scores_text import KINDS, fit, gate_lines, interval, share
from umwelten.scoring.leaderboard import Leaderboard, LeaderboardRow, LeaderboardTask
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe

_DASH = formatting.UNKNOWN
_TASK = 20
"""Characters of a task's name over a column; longer ones are cut in the middle."""
_NAME = 24
"""Characters of a model's name in the second table and later ones, where a number tells which it is."""
_MOST_NAME = 400  # characters of a name in any line


def leaderboard_lines(board: Leaderboard, width: int = 80) -> Iterator[str]:
    """Yield the lines, without ends of lines."""
    yield one_line(title(board), width)
    if board.rows:
        yield ""
        yield from _tables(board, width)
    for line in note_lines(board):
        yield from wrap(one_line(line, 10 * width), width, subsequent_indent="  ")
    if board.gates:
        yield ""
        for gate in board.gates:
            for line in gate_lines(gate.result):
                yield from wrap(safe(line), width, subsequent_indent="    ", drop_whitespace=True)


def title(board: Leaderboard) -> str:
    """Return the name of the suite and how much it is."""
    models = len({row.model for row in board.rows})
    return f"{board.suite}: {formatting.count(len(board.tasks), 'task')}, {formatting.count(models, 'model')}"


def places(board: Leaderboard) -> list[str]:
    """Return the place of each row; `–` for one without a mean."""
    size = len(str(len(board.rows)))
    return [(_DASH if place is None else str(place)).rjust(size) for place in board.places]


def value_text(row: LeaderboardRow, task: str) -> str:
    """Return a row's value in a task, `–` where it has none."""
    value = row.tasks.get(task)
    return share(None if value is None else value.mean)


def level_text(board: Leaderboard) -> str:
    """Return the level of the intervals, for the head of a column."""
    return f"{board.level * 100:g} %"


def lacks_text(board: Leaderboard, row: LeaderboardRow) -> str | None:
    """Return which tasks a row lacks, and why; None: it lacks none."""
    if not row.missing:
        return None
    missing = [task for task in board.tasks if task.name in row.missing]
    return "lacks " + ", ".join(f"{task.name} ({_why(row, task)})" for task in missing)


def _why(row: LeaderboardRow, task: LeaderboardTask) -> str:
    value = row.tasks.get(task.name)
    if task.state == "not_begun":
        return "not begun"
    if value is None:
        return "not asked there"
    if task.state == "unscored":
        return "no scorer is part of its total" if task.scorers else "never scored"
    if not value.unscored:
        return "there is nothing to score"
    return f"no answer is scored: {_kinds(value.unscored)}"


def unscored_lines(row: LeaderboardRow) -> Iterator[str]:
    """Yield which answers of a row have no score, why, and what they could change, by task."""
    for task, value in row.tasks.items():
        if value.unscored and value.mean is not None:
            could = "" if value.bounds is None else f": {interval(*value.bounds)}"
            number = f"{sum(value.unscored.values()):,} of {value.planned:,}"
            yield f"{task}: {number} unscored ({_kinds(value.unscored)}){could}"


def _kinds(unscored: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {KINDS.get(kind, kind)}" for kind, count in unscored.items())


def note_lines(board: Leaderboard) -> Iterator[str]:
    """Yield what stands below the board: weights, costs that are not known, judges, what is lacking."""
    if board.rows:
        weights = sorted({task.weight for task in board.tasks})
        if len(weights) > 1:
            each = ", ".join(f"{task.name} {task.weight:g}" for task in board.tasks)
            yield f"mean by weight: {each}"
    _, unpriced = cost_of_all(board)
    if unpriced:
        yield f"the cost of {formatting.count(unpriced, 'call')} is not known"
    judged = judged_text(board)
    if judged is not None:
        yield f"judges: {judged}"
    yield from board.notes


def cost_of_all(board: Leaderboard) -> tuple[float | None, int]:
    """Return what all answers cost in USD, as far as it is known, and how many calls are of unknown cost.

    What counts in several rows is paid once.
    """
    values = {id(value): value for row in board.rows for value in row.tasks.values()}.values()
    known = [value.cost_usd for value in values if value.cost_usd is not None]
    return (math.fsum(known) if known else None), sum(value.unpriced for value in values)


def judged_text(board: Leaderboard) -> str | None:
    """Return what the judges of all tasks cost; None: there are none."""
    tasks = [task for task in board.tasks if task.judged_usd is not None or task.judged_unpriced]
    if not tasks:
        return None
    known = [task.judged_usd for task in tasks if task.judged_usd is not None]
    total = formatting.cost(sum(known) if known else None, sum(task.judged_unpriced for task in tasks))
    each = ", ".join(
        f"{task.name} {formatting.short_cost(task.judged_usd, task.judged_unpriced)}" for task in tasks
    )
    return f"{total} ({each})" if len(tasks) > 1 else total


# --- tables --------------------------------------------------------------------------------------


def _tables(board: Leaderboard, width: int) -> Iterator[str]:
    """One table if it fits, else one of means and some of the tasks."""
    names = [
        f"{place}  {_name(row, _MOST_NAME)}" for place, row in zip(places(board), board.rows, strict=True)
    ]
    means = [["mean", *(share(row.mean) for row in board.rows)]]
    means.append([level_text(board), *(interval(row.low, row.high) for row in board.rows)])
    costs = [["cost", *(formatting.short_cost(row.cost_usd, row.unpriced) for row in board.rows)]]
    costs.append(["p50", *(formatting.duration(row.p50_s) for row in board.rows)])
    tasks = [
        [fit(one_line(task.name, _MOST_NAME), _TASK), *(value_text(row, task.name) for row in board.rows)]
        for task in board.tasks
    ]
    notes = [_row_notes(board, row, width) for row in board.rows]
    longest = max(map(len, names))
    if min(longest, _NAME) + _size([*means, *tasks, *costs]) <= width:
        yield from _table(names, [*means, *tasks, *costs], width, notes)
        return
    yield from _table(names, [*means, *costs], width, notes)
    short = [fit(name, _NAME) for name in names]
    room = width - max(map(len, short))
    for columns in _in_rows(tasks, room):
        yield ""
        yield from _table(short, columns, width, [[] for _ in short])


def _name(row: LeaderboardRow, width: int) -> str:
    return one_line(row.name, width)


def _row_notes(board: Leaderboard, row: LeaderboardRow, width: int) -> list[str]:
    lacks = lacks_text(board, row)
    notes = [*([lacks] if lacks else ()), *unscored_lines(row)]
    return [
        line
        for note in notes
        for line in wrap(one_line(note, 10 * width), width, initial_indent="   ", subsequent_indent="     ")
    ]


def _size(columns: Sequence[Sequence[str]]) -> int:
    """The width of columns, with the space before each."""
    return sum(2 + max(map(len, column)) for column in columns)


def _in_rows(columns: Sequence[list[str]], room: int) -> Iterator[list[list[str]]]:
    """As many columns as fit beside the names, then the next ones."""
    some: list[list[str]] = []
    for column in columns:
        if some and _size([*some, column]) > room:
            yield some
            some = []
        some.append(column)
    if some:
        yield some


def _table(
    names: Sequence[str], columns: Sequence[Sequence[str]], width: int, notes: Sequence[Sequence[str]]
) -> Iterator[str]:
    """Names and columns side by side; a name that leaves no room for them has a line of its own."""
    widths = [max(map(len, column)) for column in columns]
    first = min(max(map(len, names)), max(0, width - _size(columns)))
    for number, cells in enumerate(zip(*columns, strict=True)):
        name = names[number - 1] if number else ""
        figures = "  ".join(text.rjust(size) for text, size in zip(cells, widths, strict=True))
        if len(name) > first:
            yield from wrap(name, width, subsequent_indent="   ")
            name = ""
        yield f"{name.ljust(first)}  {figures}".rstrip()
        yield from notes[number - 1] if number else ()
