"""Scores as text that fits a terminal of 80 columns: a table a scorer, differences, gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import wrap

from umwelten.report.queries.score_columns import TOTAL
from umwelten.report.queries.score_overview import ScoreOverview
from umwelten.report.render.judges_text import judge_lines
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.differences import ScoreDifference
from umwelten.scoring.figures import ScoreFigures, Share
from umwelten.scoring.gate_outcomes import GateResult, GateValue
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_MOST_PAIRS = 3
"""Differences of which all are shown; of more, those to the best."""
_DASH = "–"
KINDS = {
    "no_answer": "no answer",
    "pending": "pending",
    "no_reference": "without a reference",
    "input_changed": "input changed",
    "judge_failed": "judge failed",
    "judge_declined": "judge cannot tell",
    "scorer_error": "scorer failed",
}
"""The kinds of unscored answers, in words."""


def score_lines(overview: ScoreOverview, width: int = 80) -> Iterator[str]:
    """Yield the lines, without ends of lines."""
    types = {scorer.name: scorer.type for scorer in overview.scorers}
    for number, (name, figures) in enumerate(overview.figures.items()):
        if number:
            yield ""
        title = name if name == TOTAL or types[name] == name else f"{name} ({types[name]})"
        yield from _table(one_line(title, width), figures, width)
        yield from _differences(shown_differences(overview, name), width)
        for judge in overview.judges:
            if judge.scorer == name:
                for line in judge_lines(judge):
                    yield from wrap(line, width, drop_whitespace=True, subsequent_indent="  ")
    picked = list(pick_lines(overview))
    if picked:
        yield ""
        yield from picked
    if overview.gates:
        yield ""
        for gate in overview.gates:
            yield from gate_lines(gate)


def share(value: float | None) -> str:
    """Return a share to three places, `–` if it is not known."""
    return _DASH if value is None else f"{value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Return both ends, `–` if they are not known."""
    return _DASH if low is None or high is None else f"{low:.3f} {_DASH} {high:.3f}"


def unscored_text(row: ScoreFigures) -> str | None:
    """Return how many answers have no score, why, and what they could change; None: all have one."""
    if not row.unscored:
        return None
    kinds = ", ".join(f"{count:,} {KINDS.get(kind, kind)}" for kind, count in row.unscored.items())
    could = "" if row.bounds is None else f": {interval(*row.bounds)}"
    return f"{sum(row.unscored.values()):,} unscored ({kinds}){could}"


def difference_text(row: ScoreDifference) -> str:
    """Return a difference in figures and words, without the names."""
    if row.mean is None:
        return row.words
    known = row.low is not None and row.high is not None
    figures = f"{row.mean:+.3f}" + f" ({_signed(row.low)} {_DASH} {_signed(row.high)})" * known
    adjusted = row.p_adjusted
    p = "" if adjusted is None else f", p = {p_text(adjusted)}"
    return f"{figures}{p}, {formatting.count(row.files, 'file')}: {row.words}"


def p_text(p: float) -> str:
    """Return a p-value."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def pick_lines(overview: ScoreOverview) -> Iterator[str]:
    """Yield which model to take, by the total or by the only scorer."""
    for found in overview.picks[:1]:
        if found.best is None:
            continue
        yield f"best by {found.scorer}: {found.best}"
        for row in found.as_good:
            behind = "" if row.behind_at_most is None else f" (at most {row.behind_at_most:.3f} behind)"
            yield f"as good, as far as can be told: {row.column}{behind}"
        if found.best_value is not None:
            yield f"best value: {found.best_value}"


def _table(title: str, figures: Mapping[ColumnName, ScoreFigures], width: int) -> Iterator[str]:
    head, cells = _columns(figures)
    rows = [[str(name), *(cell(row) for cell in cells)] for name, row in figures.items()]
    widths = [max(len(row[place]) for row in [[title, *head], *rows]) for place in range(len(head) + 1)]
    rest = sum(widths[1:]) + 2 * len(head)
    first = max(12, min(widths[0], width - rest))
    for row, name in zip([[title, *head], *rows], [None, *figures], strict=True):
        texts = (text.rjust(size) for text, size in zip(row[1:], widths[1:], strict=True))
        yield "  ".join([fit(row[0], first).ljust(first), *texts]).rstrip()
        text = None if name is None else unscored_text(figures[name])
        if text is not None:
            yield from wrap(text, width, initial_indent="  ", subsequent_indent="  ")


def fit(text: str, width: int) -> str:
    """Return the text, cut in its middle if it is wider."""
    if len(text) <= width:
        return text
    tail = width - width // 2
    return f"{text[: width - tail - 1]}…{text[-tail:]}"


_Cell = Callable[[ScoreFigures], str]


def _columns(figures: Mapping[ColumnName, ScoreFigures]) -> tuple[list[str], list[_Cell]]:
    """The titles and cells of the columns after the first."""
    rows = list(figures.values())
    level = f"{rows[0].level:.0%}".replace("%", " %")
    head = ["files", "scored", "mean", level]
    cells: list[_Cell] = [
        lambda row: f"{row.files:,}",
        lambda row: f"{row.scored:,}",
        lambda row: share(row.mean),
        lambda row: interval(row.low, row.high),
    ]
    repeats = max((max(row.pass_at, default=0) for row in rows), default=0)
    graded = any(row.pass_ is not None and row.pass_.mean != row.mean for row in rows)
    if graded and repeats < 2:
        head.append("pass")
        cells.append(lambda row: share_mean(row.pass_))
    if repeats > 1:
        head += ["pass@1", f"pass^{repeats}", "unsteady"]
        cells += [
            lambda row: share_mean(row.pass_at.get(1)),
            lambda row: share_mean(row.pass_all.get(repeats)),
            lambda row: formatting.percent(row.unsteady),
        ]
    return head, cells


def share_mean(found: Share | None) -> str:
    """Return the mean of a share to three places, `–` without one."""
    return share(None if found is None else found.mean)


def _signed(value: float | None) -> str:
    return _DASH if value is None else f"{value:+.3f}"


def _best(overview: ScoreOverview, scorer: str) -> ColumnName | None:
    return next((found.best for found in overview.picks if found.scorer == scorer), None)


def shown_differences(overview: ScoreOverview, scorer: str) -> Sequence[ScoreDifference]:
    """Return the differences to the best by a scorer, or all where there are few."""
    rows = [row for row in overview.differences if row.scorer == scorer]
    best = _best(overview, scorer)
    to_best = [row for row in rows if best in (row.first, row.second)]
    return to_best if len(rows) > _MOST_PAIRS and best is not None else rows


def _differences(rows: Sequence[ScoreDifference], width: int) -> Iterator[str]:
    for row in rows:
        text = difference_text(row)
        names = f"{row.first} − {row.second}"
        if len(names) + 2 + len(text) <= width:
            yield f"{names}  {text}"
        else:
            yield names
            yield from wrap(text, width, initial_indent="  ", subsequent_indent="  ")


def gate_lines(gate: GateResult) -> Iterator[str]:
    """Yield what a gate came to, and where it is not met."""
    yield f"gate {gate.gate}: {gate.outcome}"
    for value in gate.models:
        if value.outcome != "met":
            yield f"  {ColumnName(model=value.model, prompt=value.prompt)}: {gate_value_text(value)}"


def gate_value_text(value: GateValue) -> str:
    """Return what a gate found in a column: the outcome and the figures behind it."""
    figures = formatting.UNKNOWN if value.value is None else f"{value.value:.4g}"
    if value.low is not None and value.high is not None:
        figures += f" ({interval(value.low, value.high)})"
    if value.outcome == "undecided" and value.bounds[0] is not None:
        most = formatting.UNKNOWN if value.bounds[1] is None else f"{value.bounds[1]:.4g}"
        figures += f", could come to anything from {value.bounds[0]:.4g} to {most}"
    return f"{value.outcome}, {figures}"
