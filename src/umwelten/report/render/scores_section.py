"""What the scores come to, in an HTML report: tables with intervals drawn, differences, gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from umwelten.report.queries.score_columns import TOTAL
from umwelten.report.queries.score_details import ScoreDetails
from umwelten.report.queries.score_overview import ScoreOverview
from umwelten.report.render import judges_section, labels_section
from umwelten.report.render.interval_drawing import drawn_interval
from umwelten.report.render.markup import table, text
from umwelten.report.render.scores_text import (
    difference_text,
    gate_value_text,
    interval,
    share,
    share_mean,
    shown_differences,
    unscored_text,
)
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.differences import ScoreDifference, significant
from umwelten.scoring.figures import ScoreFigures
from umwelten.scoring.gate_outcomes import GateResult
from umwelten.text import formatting

_SIGNS = {"met": "✓", "missed": "✗", "undecided": "?"}


def as_html(
    overview: ScoreOverview, details: ScoreDetails | None, *, of: str = "", cells: bool = True
) -> Iterator[str]:
    """Yield the pieces of the section.

    `details`: of labels and choices, where there are any. `of`: the evaluation's id, where there are several.
    `cells`: the page has the scores of single calls as well.
    """
    if of:
        yield f'<h3 class="of">{text(of)}</h3>\n'
    if overview.gates:
        yield _gates(overview.gates)
    types = {scorer.name: scorer.type for scorer in overview.scorers}
    # What the picks are by comes first.
    names = sorted(overview.figures, key=lambda name: name != TOTAL)
    for name in names:
        kind = "" if name == TOTAL or types[name] == name else f" <small>{text(types[name])}</small>"
        of_all = " <small>mean of all scorers by weight</small>" if name == TOTAL else ""
        yield f"<h3>{text(name)}{kind}{of_all}</h3>\n"
        yield _figures(name, overview.figures[name], details.no_choice.get(name) if details else None)
        yield _differences(shown_differences(overview, name))
        if details is not None and name in details.confusions:
            yield labels_section.as_html(details.confusions[name])
        yield from (judges_section.as_html(report) for report in overview.judges if report.scorer == name)
    if cells:
        yield '<p class="to-cells"><a href="#calls">Scores of each file and model</a></p>\n'


# --- figures ---------------------------------------------------------------------------------------------


_Cell = Callable[[ScoreFigures], str]


def _figures(
    name: str, rows: Mapping[ColumnName, ScoreFigures], no_choice: Mapping[ColumnName, int] | None
) -> str:
    columns = dict(_columns(list(rows.values())))
    head = ["model", "from 0 to 1", *columns]
    body = [
        [
            text(str(column)) + _unscored(row),
            drawn_interval(row.mean, row.low, row.high, row.bounds if row.unscored else None),
            *(text(cell(row)) for cell in columns.values()),
        ]
        for column, row in rows.items()
    ]
    if no_choice is not None:
        head.append("no choice")
        for cells, column in zip(body, rows, strict=True):
            cells.append(f"{no_choice.get(column, 0):,}")
    return table(head, body, name=f"Scores by {name}", words=2)


def _columns(rows: Sequence[ScoreFigures]) -> Iterator[tuple[str, _Cell]]:
    """The columns of figures that these rows have something to say in."""
    yield "mean", lambda row: share(row.mean)
    yield f"{rows[0].level * 100:g}%", lambda row: interval(row.low, row.high)
    repeats = max((max(row.pass_at, default=0) for row in rows), default=0)
    if any(row.pass_ is not None and row.pass_.mean != row.mean for row in rows) and repeats < 2:
        yield "pass", lambda row: share_mean(row.pass_)
    if repeats > 1:
        yield "pass@1", lambda row: share_mean(row.pass_at.get(1))
        yield f"pass@{repeats}", lambda row: share_mean(row.pass_at.get(repeats))
        yield f"pass^{repeats}", lambda row: share_mean(row.pass_all.get(repeats))
        yield "unsteady", lambda row: formatting.percent(row.unsteady)
    yield "files", lambda row: f"{row.files:,}"
    yield "scored", lambda row: f"{row.scored:,} of {row.planned:,}"


def _unscored(row: ScoreFigures) -> str:
    words = unscored_text(row)
    return "" if words is None else f"<small>{text(words)}</small>"


# --- differences and gates -------------------------------------------------------------------------------


def _differences(rows: Sequence[ScoreDifference]) -> str:
    items = "".join(
        f'<li><b>{text(str(row.first))}</b> − <b>{text(str(row.second))}</b> <span class="{_way(row)}">'
        f"{text(difference_text(row))}</span></li>\n"
        for row in rows
    )
    return f'<ul class="differences">\n{items}</ul>\n' if items else ""


def _way(row: ScoreDifference) -> str:
    return "told" if significant(row.p_adjusted, row.level) else "untold"


def _gates(gates: Sequence[GateResult]) -> str:
    return f"<h3>Gates</h3>\n{gates_list(gates)}"


def gates_list(gates: Sequence[GateResult]) -> str:
    """Return what gates came to as a list: a sign and a word each, and the models where it is not met."""
    items = ""
    for gate in gates:
        others = [value for value in gate.models if value.outcome != "met"]
        lines = "".join(
            f"<li>{text(str(ColumnName(model=value.model, prompt=value.prompt)))}: "
            f"{text(gate_value_text(value))}</li>"
            for value in others
        )
        items += (
            f'<li><span class="outcome {gate.outcome}">'
            f'<span aria-hidden="true">{_SIGNS[gate.outcome]}</span> {gate.outcome}</span> '
            f"<code>{text(gate.gate)}</code>{f'<ul>{lines}</ul>' if lines else ''}</li>\n"
        )
    return f'<ul class="gates">\n{items}</ul>\n'
