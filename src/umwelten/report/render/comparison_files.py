"""A comparison as a file: Markdown, JSON, CSV, and JUnit for CI.

JSON has the fields of `report.comparison.comparison.Comparison`, and "outcome". In JUnit a row is a test
case, which fails if it regressed; an unclear one is skipped, or fails where rows must be held.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

import msgspec

from umwelten.report.comparison.comparison import ComparedModel, Comparison
from umwelten.report.render.comparison_text import (
    MOST_FLIPS,
    adjusted_note,
    known,
    left_out_lines,
    measure_cells,
    measure_label,
    row_label,
    row_notes,
    score_cells,
    verdict,
)
from umwelten.report.render.csv import BOM, harmless
from umwelten.report.render.markdown_text import cell
from umwelten.report.render.xml_text import attribute, content
from umwelten.text.sanitize import json_safe

_COLUMNS = (
    *("scorer", "model", "base_model", "prompt", "base", "new", "difference", "low", "high", "p"),
    *("p_adjusted", "test", "files", "left_out", "broke", "mended", "outcome"),
)
_SCORES = ("Scorer", "Model", "Base", "New", "Change", "95 %", "p", "Files", "Outcome")
_FIGURES = ("base", "new", "difference", "interval", "p", "files", "outcome")
_MOST_TEXT = 8192  # characters of a line
_encoder = msgspec.json.Encoder()


def comparison_json(found: Comparison) -> str:
    """Return the comparison as JSON, over several lines."""
    values = {**msgspec.structs.asdict(found), "outcome": found.outcome}
    return json_safe(msgspec.json.format(_encoder.encode(values)).decode()) + "\n"


def _json(found: Comparison, out: TextIO, require_held: bool) -> None:
    out.write(comparison_json(found))


def _csv(found: Comparison, out: TextIO, require_held: bool) -> None:
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in found.rows:
        beside = {
            "left_out": sum(row.left_out.values()),
            "broke": len(row.flips.broke),
            "mended": len(row.flips.mended),
        }
        values = (beside[name] if name in beside else getattr(row, name) for name in _COLUMNS)
        writer.writerow(harmless(value) if isinstance(value, str) else value for value in values)


def _markdown(found: Comparison, out: TextIO, require_held: bool) -> None:
    out.write(
        f"# {cell(found.new)} against {cell(found.base)}\n\n**{verdict(found)}**, {found.files:,} files"
    )
    out.write(".\n\n")
    write_comparison_table(found, out)
    shown = known(found.measures)
    if shown:
        out.write("\n## Per answer\n\n")
        _table(
            out,
            ("Model", "", "Base", "New", "New ÷ base", "95 %", "Files"),
            ((cell(measure_label(row)), *measure_cells(row)) for row in shown),
        )
    if any(row.flips.broke or row.flips.mended for row in found.rows):
        out.write("\n## Files that changed sides\n\n")
        head = ("Scorer", "Model", "", "Files", "Names")
        _table(out, head, (cells for row in found.rows for cells in _flip_cells(row)))


def write_comparison_table(found: Comparison, out: TextIO) -> None:
    """Write the rows of a comparison as Markdown, with what they leave open."""
    out.writelines(f"- {cell(note, _MOST_TEXT)}\n" for note in found.notes)
    _table(out, _SCORES, ((cell(row.scorer), cell(row_label(row)), *score_cells(row)) for row in found.rows))
    lines = [f"{row.scorer}, {row_label(row)}: {note}" for row in found.rows for note in row_notes(row)]
    lines += [*adjusted_note(found), *left_out_lines(found)]
    out.writelines(f"- {cell(line, _MOST_TEXT)}\n" for line in lines)


def _flip_cells(row: ComparedModel) -> Iterable[Sequence[str]]:
    for files, words in ((row.flips.broke, "passed, now fail"), (row.flips.mended, "failed, now pass")):
        if files:
            more = ", …" if len(files) > MOST_FLIPS else ""
            names = ", ".join(map(cell, files[:MOST_FLIPS])) + more
            yield cell(row.scorer), cell(row_label(row)), words, f"{len(files):,}", names


def _table(out: TextIO, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out.write(f"\n| {' | '.join(head)} |\n|{' --- |' * len(head)}\n")
    out.writelines(f"| {' | '.join(row)} |\n" for row in rows)
    out.write("\n")


def _junit(found: Comparison, out: TextIO, require_held: bool) -> None:
    states = [_state(row, require_held) for row in found.rows]
    counts = Counter(states)
    sums = f'tests="{len(states)}" failures="{counts["failure"]}" errors="0"'
    name = f"{found.new} against {found.base}"
    out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {sums} time="0">\n')
    out.write(f'<testsuite name={attribute(name)} {sums} skipped="{counts["skipped"]}" time="0">\n')
    for row, state in zip(found.rows, states, strict=True):
        out.write(f"<testcase name={attribute(f'{row.scorer}, {row_label(row)}')} classname=")
        out.write(f'{attribute(found.new)} time="0"')
        if state is None:
            out.write("/>\n")
            continue
        message, lines = compared_text(row)
        text = content(lines)
        out.write(f"><{state} type={attribute(row.outcome)} message={attribute(message)}>{text}</{state}>")
        out.write("</testcase>\n")
    out.write("</testsuite>\n</testsuites>\n")


def compared_text(row: ComparedModel) -> tuple[str, str]:
    """Return what a row came to in a line, and all that is known of it."""
    figures = dict(zip(_FIGURES, score_cells(row), strict=True))
    lines = [f"{title}: {text}" for title, text in figures.items()]
    lines += [*row_notes(row), *(f"passed, now fails: {file}" for file in row.flips.broke[:MOST_FLIPS])]
    message = f"{row.outcome}: {figures['base']} is now {figures['new']} (p = {figures['p']})"
    return message, "\n".join(lines)


def _state(row: ComparedModel, require_held: bool) -> str | None:
    if row.outcome == "regressed" or (require_held and row.outcome == "unclear"):
        return "failure"
    return "skipped" if row.outcome == "unclear" else None


RENDERERS: Mapping[str, Callable[[Comparison, TextIO, bool], None]] = {
    ".csv": _csv,
    ".json": _json,
    ".junit.xml": _junit,
    ".md": _markdown,
}
"""By the ending of the file. The last argument: whether unclear rows fail, where that makes a difference."""
