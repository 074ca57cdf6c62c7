"""The section *Scores* of a Markdown report. Foreign text is inert, as everywhere in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from umwelten.report.models import Overview
from umwelten.report.queries.call_scores import open_scores
from umwelten.report.queries.score_details import MOST_LABELS, ScoreDetails, WorstFile, score_details
from umwelten.report.queries.score_overview import ScoreOverview, ScorerInfo, read_overview
from umwelten.report.render.judges_text import judge_lines
from umwelten.report.render.markdown_text import cell, table
from umwelten.report.render.scores_text import (
    difference_text,
    gate_value_text,
    interval,
    pick_lines,
    share,
    share_mean,
    shown_differences,
    unscored_text,
)
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.confusion import Confusion
from umwelten.scoring.figures import ScoreFigures
from umwelten.store.reader import Reader
from umwelten.text import formatting

_WORST = 10
"""Files of each model."""
_LABELS = 12
"""Labels of which a table is still read; of more, the most frequent mistakes are shown."""
_MISTAKES = 10
_REASON = 300  # characters
_OTHER = "other"


def write_scores(reader: Reader, overview: Overview, out: TextIO, *, short: bool) -> None:
    """Write the section; nothing for an evaluation that was never scored. Short: without single files."""
    with open_scores(reader) as scores:
        if scores is None:
            return
        found = read_overview(reader, scores, overview.models)
        details = score_details(reader, scores, worst=0 if short else _WORST)
    out.write("## Scores\n\n")
    scorers = {scorer.name: scorer for scorer in found.scorers}
    for name, figures in found.figures.items():
        out.write(f"### {_title(name, scorers.get(name))}\n\n")
        _figures(out, figures, details.no_choice.get(name))
        _differences(out, found, name)
        _judges(out, found, name)
        if name in details.confusions:
            _labels(out, details.confusions[name])
    picked = [f"- {cell(line, 500)}\n" for line in pick_lines(found)]
    if picked:
        out.write(f"### Which one to take\n\n{''.join(picked)}\n")
    _gates(out, found)
    _worst(out, details)


def _title(name: str, scorer: ScorerInfo | None) -> str:
    """A name with the type, unless that says the same; the total is of no type."""
    return cell(name if scorer is None or scorer.type == name else f"{name} ({scorer.type})")


# --- one scorer ----------------------------------------------------------------------------------


def _figures(
    out: TextIO, figures: Mapping[ColumnName, ScoreFigures], no_choice: Mapping[ColumnName, int] | None
) -> None:
    rows = list(figures.values())
    level = f"{rows[0].level:.0%}".replace("%", " %")
    passing = any(row.pass_ is not None for row in rows)
    repeats = max((max(row.pass_at, default=0) for row in rows), default=0)
    head = ["model", "files", "scored", "mean", level, *(("pass",) if passing else ())]
    if repeats > 1:
        head += [f"pass@{repeats}", f"pass^{repeats}", "unsteady"]
    head += ["no choice"] if no_choice is not None else []
    unscored = any(row.unscored for row in rows)
    head += ["unscored, and what that could change"] if unscored else []

    def cells(column: ColumnName, row: ScoreFigures) -> Iterator[str]:
        yield cell(str(column))
        yield from (f"{row.files:,}", f"{row.scored:,}", share(row.mean), interval(row.low, row.high))
        if passing:
            yield share_mean(row.pass_)
        if repeats > 1:
            yield from (share_mean(of.get(repeats)) for of in (row.pass_at, row.pass_all))
            yield formatting.percent(row.unsteady)
        if no_choice is not None:
            yield f"{no_choice.get(column, 0):,}"
        if unscored:
            yield unscored_text(row) or ""

    table(out, head, (list(cells(column, row)) for column, row in figures.items()), numbers_from=1)


def _differences(out: TextIO, found: ScoreOverview, name: str) -> None:
    rows = shown_differences(found, name)
    for row in rows:
        names = f"{row.first} − {row.second}"
        out.write(f"- {cell(names, 500)}: {cell(difference_text(row), 500)}\n")
    out.write("\n" if rows else "")


def _judges(out: TextIO, found: ScoreOverview, name: str) -> None:
    lines = [line for report in found.judges if report.scorer == name for line in judge_lines(report)]
    out.writelines(f"- {cell(line, 500)}\n" for line in lines)
    out.write("\n" if lines else "")


def _labels(out: TextIO, of_columns: Mapping[ColumnName, Confusion] | None) -> None:
    """What was taken for what, and how well that is, by model."""
    if of_columns is None:
        out.write(f"More than {MOST_LABELS} labels: no table of which was taken for which.\n\n")
        return
    rows = []
    for column, confusion in of_columns.items():
        kappa = confusion.kappa()
        figures = (share(kappa.agreement), share(confusion.macro_f1), share(kappa.kappa))
        rows.append((cell(str(column)), f"{confusion.answers:,}", *figures, interval(kappa.low, kappa.high)))
    head = ("model", "answers", "right", "macro-F1", "Cohen's κ", "95 % of κ")
    table(out, head, rows, numbers_from=1)
    for column, confusion in of_columns.items():
        if confusion.answers:
            out.write(f"{cell(str(column))}, what was wanted (rows) and what was said:\n\n")
            _confusion(out, confusion)


def _confusion(out: TextIO, confusion: Confusion) -> None:
    counts = confusion.counts
    if len(confusion.labels) > _LABELS:
        wrong = [pair for pair in counts if pair[0] != pair[1]]
        wrong.sort(key=lambda pair: (-counts[pair], str(pair)))
        rows = [
            (cell(one), cell(said or _OTHER), f"{counts[one, said]:,}") for one, said in wrong[:_MISTAKES]
        ]
        table(out, ("wanted", "said", "answers"), rows, numbers_from=2)
        return
    other = any(said is None for _, said in counts)
    said_labels: Sequence[str | None] = (*confusion.labels, *((None,) if other else ()))
    head = ("", *(_OTHER if label is None else cell(label) for label in said_labels))
    lines = (
        (cell(wanted), *(f"{counts.get((wanted, said), 0):,}" for said in said_labels))
        for wanted in confusion.labels
    )
    table(out, head, lines, numbers_from=1)


# --- all scorers ---------------------------------------------------------------------------------


def _gates(out: TextIO, found: ScoreOverview) -> None:
    if not found.gates:
        return
    out.write("### Gates\n\n")
    rows = [
        (
            cell(gate.gate) if not number else "",
            gate.outcome if not number else "",
            cell(str(ColumnName(model=value.model, prompt=value.prompt))),
            cell(gate_value_text(value)),
        )
        for gate in found.gates
        for number, value in enumerate(gate.models)
    ]
    table(out, ("gate", "outcome", "model", "value"), rows)


def _worst(out: TextIO, details: ScoreDetails) -> None:
    for column, files in details.worst.items():
        if files:
            out.write(f"### Lowest by {cell(details.worst_by)}: {cell(str(column))}\n\n")
            rows = ((cell(file.file), share(file.value), cell(_reasons(file), _REASON)) for file in files)
            table(out, ("file", cell(details.worst_by), "because"), rows)


def _reasons(file: WorstFile) -> str:
    return "; ".join(
        f"{name} {share(value)}" + (f": {reason}" if reason else "") for name, value, reason in file.reasons
    )
