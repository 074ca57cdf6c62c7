"""The leaderboard of a suite as Markdown. Foreign text is inert, as everywhere in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from umwelten.report.comparison.comparison import Comparison
from umwelten.report.render.comparison_files import write_comparison_table
from umwelten.report.render.comparison_text import verdict
from umwelten.report.render.leaderboard_text import (
    lacks_text,
    level_text,
    note_lines,
    places,
    title,
    unscored_lines,
    value_text,
)
from umwelten.report.render.markdown_text import cell, table
from umwelten.report.render.scores_text import gate_value_text, interval, share
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.leaderboard import Leaderboard
from umwelten.text import formatting

_LINE = 2000  # characters


def write_markdown(board: Leaderboard, comparisons: Mapping[str, Comparison], out: TextIO) -> None:
    """Write the board, the gates, the tasks and what a baseline says of them."""
    out.write(f"# {cell(title(board), _LINE)}\n\n")
    _board(board, out)
    lines = [f"{row.name}: {text}" for row in board.rows if (text := lacks_text(board, row)) is not None]
    lines += [f"{row.name}, {text}" for row in board.rows for text in unscored_lines(row)]
    _list(out, [*lines, *note_lines(board)])
    _gates(board, out)
    out.write("## Tasks\n\n")
    head = ("task", "evaluation", "weight", "scorers", "judges")
    table(
        out,
        head,
        (
            (
                cell(task.name),
                cell(task.id),
                f"{task.weight:g}",
                cell(", ".join(task.scorers) or formatting.UNKNOWN),
                formatting.short_cost(task.judged_usd, task.judged_unpriced),
            )
            for task in board.tasks
        ),
    )
    if comparisons:
        out.write("## Against the baseline\n\n")
        for task, found in comparisons.items():
            out.write(f"### {cell(task)}\n\n**{verdict(found)}**, {cell(found.new)} against ")
            out.write(f"{cell(found.base)}.\n")
            write_comparison_table(found, out)
            out.write("\n")


def _board(board: Leaderboard, out: TextIO) -> None:
    if not board.rows:
        out.write("No task was begun.\n\n")
        return
    head = ["", "model", "mean", level_text(board), *(cell(task.name) for task in board.tasks), "cost", "p50"]
    table(
        out,
        head,
        (
            [
                place.strip(),
                cell(row.name),
                share(row.mean),
                interval(row.low, row.high),
                *(value_text(row, task.name) for task in board.tasks),
                formatting.short_cost(row.cost_usd, row.unpriced),
                formatting.duration(row.p50_s),
            ]
            for place, row in zip(places(board), board.rows, strict=True)
        ),
        numbers_from=2,
    )


def _gates(board: Leaderboard, out: TextIO) -> None:
    if not board.gates:
        return
    out.write("## Gates\n\n")
    for gate in board.gates:
        out.write(f"- {cell(gate.result.gate, _LINE)}: **{gate.result.outcome}**\n")
        for value in gate.result.models:
            if value.outcome != "met":
                name = ColumnName(model=value.model, prompt=value.prompt)
                out.write(f"  - {cell(str(name))}: {gate_value_text(value)}\n")
    out.write("\n")


def _list(out: TextIO, lines: Sequence[str]) -> None:
    out.writelines(f"- {cell(line, _LINE)}\n" for line in lines)
    out.write("\n" if lines else "")
