"""The board as rich shows it: a bar for all, a row for each model, and what lanes wait for.

What a width has room for is decided by the width and by the names, which stay as they are, so that nothing
jumps while a run goes on. Columns are left out by their weight before names are cut or reasons hidden.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from umwelten.cli.progress.names import shorten
from umwelten.report.progress.board import Board, LaneRow, ModelRow
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_ONE_LINE = 120
"""From this width on, all that is said of the whole run has room beside a bar of 20 columns."""

_LONGEST_BAR, _LEAST_BAR = 60, 10
_TIME = 22  # "ETA about 12 min 30 s"
_NAME, _STATE = 28, 14
"""What names and states have room for before there are further columns."""

_LINES_OF_A_REASON = 3


class _Entry(NamedTuple):
    """A row: its cells by column, what it says at its end, at length and in two words."""

    name: str
    cells: dict[str, str]
    state: str = ""
    brief: str = ""
    style: str = ""
    state_style: str = "yellow"
    weight: int = 0
    failed: bool = False


_COLUMNS = {"done": 0, "failed": 6, "cost": 9, "calls/s": 7, "in flight": 9, "tok/s": 6}
"""With the widths that they have at least, those first that are left out last."""

_SHOWN = ("done", "failed", "in flight", "calls/s", "tok/s", "cost")
_STOPPED, _WAITS, _WORKS, _QUEUED, _DONE = range(5)
_MORE = {_STOPPED: "stopped", _WAITS: "waiting", _WORKS: "in progress", _QUEUED: "not begun", _DONE: "done"}


def draw(board: Board, width: int, height: int = 40) -> RenderableType:
    """The board on so many columns and at most so many lines."""
    if board.starts:
        return Text(board.workers, style="cyan", no_wrap=True, overflow="ellipsis")
    head = _overall(board, width)
    if board.workers:
        head.append(Text(board.workers, style="dim", no_wrap=True, overflow="ellipsis"))
    # A line is left for what is printed above, one for the cursor.
    room = max(height - len(head) - 3, 1)
    return Group(*head, *_rows(board, width, room))


# --- the whole run -------------------------------------------------------------------------


def _overall(board: Board, width: int) -> list[RenderableType]:
    share = f"{board.done / board.total if board.total else 0.0:.0%}" if board.complete else "so far"
    count = Text(f"{board.done:,}/{board.total:,} {share}", style="bold")
    count.pad_right(max(0, len(f"{board.total:,}/{board.total:,} 100%") - len(count)))
    time = Text(f"ETA {board.left or '–'}", style="cyan")
    failed = Text(f"{board.failed:,} failed", style="red" if board.failed else "dim")
    rest = [failed, Text(f"{formatting.short(board.calls_per_s)} calls/s"), Text(board.money)]
    if width >= _ONE_LINE:
        # The money's room does not depend on whether the expected cost is known.
        for text, least in zip(rest, (9, 11, 26), strict=True):
            text.pad_right(max(0, least - len(text)))
        return [_line(board, width, [count, *rest, time])]
    rest.insert(2, Text(f"{formatting.short(board.tokens_per_s)} tok/s"))
    below = Text("  ").join(rest)
    below.truncate(width, overflow="ellipsis")
    return [_line(board, width, [count, time]), below]


def _line(board: Board, width: int, texts: Sequence[Text]) -> Table:
    texts[-1].pad_right(max(0, _TIME - len(texts[-1])))
    room = width - sum(len(text) + 2 for text in texts)
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(len(texts) + 1):
        grid.add_column(no_wrap=True, overflow="crop")
    good = "yellow" if board.failed else "green"
    bar = ProgressBar(
        total=max(board.total, 1),
        completed=board.done,
        width=min(max(room, _LEAST_BAR), _LONGEST_BAR),
        complete_style="yellow" if board.failed and board.done >= board.total else "cyan",
        finished_style=good if board.complete else "cyan",
    )
    grid.add_row(bar, *texts)
    return grid


# --- rows ----------------------------------------------------------------------------------


def _rows(board: Board, width: int, room: int) -> Iterator[RenderableType]:
    entries = list(_entries(board))
    if not entries:
        return
    shown, hidden = _chosen(entries, room - 1)
    columns, name_width, gap = _fitted(shown, width)
    if "in flight" not in columns:
        shown = [entry for entry in shown if entry.state or "done" in entry.cells] or shown
    used = name_width + sum(size + gap for size in columns.values())
    left = width - used - gap
    names = shorten([one_line(entry.name, 200) for entry in shown], name_width)
    yield _cells("model", {column: column for column in columns}, columns, name_width, gap, "dim")
    apart = []
    for entry, name in zip(shown, names, strict=True):
        line = _cells(name, entry.cells, columns, name_width, gap, entry.style or "bold", entry.failed)
        state = one_line(entry.state, 400)
        if cell_len(state) > left:
            apart += [(one_line(entry.name, 60), state)] if entry.state != entry.brief else []
            state = one_line(entry.brief, max(left, 4))
        line.append(" " * gap + state, style=entry.state_style)
        line.truncate(width, overflow="ellipsis")
        yield line
    if hidden:
        yield Text(_more(hidden), style="dim")
    yield from _reasons(apart, width, room - 1 - len(shown) - bool(hidden))


def _reasons(apart: Sequence[tuple[str, str]], width: int, room: int) -> Iterator[Text]:
    """What a row had no room for: in lines of their own, as long as there are some."""
    for name, state in apart:
        text = f"{name}: {state}"
        lines = textwrap.wrap(
            text, width, subsequent_indent="  ", max_lines=_LINES_OF_A_REASON, placeholder=" …"
        )
        room -= len(lines)
        if room < 0:
            return
        for line in lines:
            yield Text(line, style="yellow", no_wrap=True)


def _more(hidden: Sequence[_Entry]) -> str:
    counts = Counter(entry.weight for entry in hidden)
    of = ", ".join(f"{counts[weight]:,} {_MORE[weight]}" for weight in sorted(counts))
    return f"… and {formatting.count(len(hidden), 'model')} more: {of}"


def _chosen(entries: Sequence[_Entry], room: int) -> tuple[list[_Entry], list[_Entry]]:
    """Those that have room, in their order: first those that a user has to know of. And the other models."""
    if len(entries) > room:
        entries = [entry for entry in entries if entry.state or "done" in entry.cells]
    if len(entries) <= room:
        return list(entries), []
    by_weight = sorted(entries, key=lambda entry: entry.weight)
    kept = {id(entry) for entry in by_weight[: max(room - 1, 1)]}
    hidden = [entry for entry in entries if id(entry) not in kept and "done" in entry.cells]
    return [entry for entry in entries if id(entry) in kept], hidden


def _fitted(entries: Sequence[_Entry], width: int) -> tuple[dict[str, int], int, int]:
    """The columns with their widths, that of names, and the space between two columns."""
    sizes = {
        column: max(least, len(column), *(cell_len(entry.cells.get(column, "")) for entry in entries))
        for column, least in _COLUMNS.items()
    }
    longest = max(cell_len(one_line(entry.name, 200)) for entry in entries)
    state = max(_STATE, *(min(cell_len(entry.brief), 20) for entry in entries))
    anything_failed = any(entry.failed for entry in entries)
    for gap in (2, 1):
        room = width - min(longest, _NAME) - gap - state
        taken: set[str] = set()
        for column, size in sizes.items():
            if column == "done" or size + gap <= room or (column == "failed" and anything_failed):
                taken.add(column)
                room -= size + gap
            elif gap == 1:
                break
        if len(taken) == len(sizes):
            break
    columns = {column: sizes[column] for column in _SHOWN if column in taken}
    left = width - sum(size + gap for size in columns.values()) - gap - state
    return columns, max(min(longest, left), 12), gap


def _cells(
    name: str,
    cells: dict[str, str],
    columns: dict[str, int],
    name_width: int,
    gap: int,
    style: str,
    failed: bool = False,
) -> Text:
    line = Text(set_cell_size(name, name_width), style="" if style == "bold" else style, no_wrap=True)
    line.stylize(style)
    for column, size in columns.items():
        text = cells.get(column, "")
        line.append(" " * (gap + size - cell_len(text)))
        red = "not bold red" if failed and column == "failed" else "not bold"
        line.append(text, style=red)
    return line


def _entries(board: Board) -> Iterator[_Entry]:
    """Models in their order, each lane that several share after the last of them."""
    if not board.models:
        for lane in board.lanes:
            yield _lane(lane, alone=True)
        return
    shared = {lane.name: lane for lane in board.shared_lanes}
    limits = {lane.name: lane.limit for lane in board.lanes}
    for at, model in enumerate(board.models):
        alone = len(model.lanes) == 1 and model.lanes[0] not in shared
        yield _model(model, limits.get(model.lanes[0], 0) if alone else 0)
        later = {name for row in board.models[at + 1 :] for name in row.lanes}
        for name in model.lanes:
            if name in shared and name not in later:
                yield _lane(shared[name])


def _model(row: ModelRow, limit: int) -> _Entry:
    weight = _STOPPED if row.stopped else _WAITS if row.state else _WORKS if row.in_flight else _QUEUED
    quiet = row.ended or row.stopped
    in_flight = f"{row.in_flight}" + (f"/{limit}" if limit else "")
    done_style = "yellow" if row.failed else "green"
    return _Entry(
        name=row.name,
        cells={
            "done": f"{row.done:,}/{row.total:,}",
            "failed": f"{row.failed:,}",
            "in flight": "" if quiet and not row.in_flight else in_flight,
            "calls/s": formatting.short(row.calls_per_s),
            "tok/s": formatting.short(row.tokens_per_s),
            "cost": row.cost,
        },
        state=row.state,
        brief=row.brief,
        style="dim" if row.stopped else "",
        state_style=done_style if row.ended else "red" if row.stopped else "yellow",
        weight=_DONE if row.ended else weight,
        failed=bool(row.failed),
    )


def _lane(lane: LaneRow, *, alone: bool = False) -> _Entry:
    """A lane: `alone`, or below its models, whose own rows have their failures and cost."""
    return _Entry(
        name=lane.name if alone else f"lane {lane.name}",
        cells={
            "in flight": f"{lane.in_flight}/{lane.limit}",
            "calls/s": formatting.short(lane.calls_per_s),
            "tok/s": formatting.short(lane.tokens_per_s),
            "failed": f"{lane.failed:,}" if alone else "",
            "cost": lane.cost if alone else "",
        },
        state=lane.state,
        brief=lane.brief,
        style="dim",
        state_style="red" if lane.stopped else "yellow",
        weight=_STOPPED if lane.stopped else _WAITS if lane.state else _DONE,
        failed=bool(lane.failed) and alone,
    )
