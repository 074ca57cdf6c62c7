"""How the judges of a scorer judged, in an HTML report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from umwelten.report.queries.score_overview import JudgeReport
from umwelten.report.render.judges_text import check_lines, judged_cost
from umwelten.report.render.markup import table, text
from umwelten.scoring.judge.diagnostics import JudgeFigures
from umwelten.text import formatting

_WORST = 10

_COLUMNS: Sequence[tuple[str, Callable[[JudgeFigures], str]]] = (
    ("verdicts", lambda judge: f"{judge.asked:,}"),
    ("failed", lambda judge: f"{judge.failed:,}"),
    ("cannot tell", lambda judge: f"{judge.declined:,}"),
    ("pass", lambda judge: formatting.percent(judge.pass_share)),
    ("contradicts itself", lambda judge: f"{judge.contradicted:,} of {judge.repeated:,}"),
    ("like the others", lambda judge: formatting.percent(judge.agreement)),
    ("ρ with length", lambda judge: _correlation(judge.length_correlation)),
    ("its own answers", lambda judge: f"{judge.own:,}"),
)


def as_html(report: JudgeReport) -> str:
    """A table of the judges, and in words how far they agree, what they cost, what people say."""
    judges = report.figures.judges
    # A column that says nothing of any judge is left out.
    empty = {
        "pass": all(judge.pass_share is None for judge in judges),
        "contradicts itself": not any(judge.repeated for judge in judges),
        "like the others": all(judge.agreement is None for judge in judges),
        "its own answers": not any(judge.own for judge in judges),
    }
    columns = [(title, show) for title, show in _COLUMNS if not empty.get(title)]
    rows = ([text(judge.judge), *(text(show(judge)) for _, show in columns)] for judge in judges)
    words = [judged_cost(report)]
    if report.pending:
        words.append(f"verdicts on {formatting.count(report.pending, 'answer')} pending")
    if report.figures.alpha is not None:
        words.append(f"agreement between judges: α = {report.figures.alpha:.2f} ({report.figures.metric})")
    checked = list(check_lines(report.check, _WORST)) if report.check is not None else []
    items = "".join(f"<li>{text(line.strip())}</li>\n" for line in [*words, *checked])
    head = ("judge", *(title for title, _ in columns))
    return table(head, rows, name=f"Judges of {report.scorer}") + f'<ul class="differences">\n{items}</ul>\n'


def _correlation(value: float | None) -> str:
    return formatting.UNKNOWN if value is None else f"{value:+.2f}"
