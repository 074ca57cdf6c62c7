"""What is known of judges, as lines of text: how they judged, whether they agree, what people say."""

from __future__ import annotations

from collections.abc import Iterator

from umwelten.report.queries.score_overview import JudgeReport
from umwelten.scoring.judge.diagnostics import JudgeFigures
from umwelten.scoring.judge.human_labels import HumanCheck, Rate
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_REASON = 120
_WORTH_SAYING = 0.3
"""Correlation of verdicts with the length of answers from which on it is told: weaker ones are common."""


def judge_lines(report: JudgeReport) -> Iterator[str]:
    """Yield the lines about the judges of one scorer."""
    for judge in report.figures.judges:
        yield f"judge {judge.judge}: {', '.join(_judge(judge))}"
    if report.figures.alpha is not None:
        yield f"agreement between judges: α = {report.figures.alpha:.2f} ({report.figures.metric})"
    yield judged_cost(report)
    if report.check is not None:
        yield from check_lines(report.check)


def judged_cost(report: JudgeReport) -> str:
    """Return what the verdicts cost."""
    known = formatting.money(report.cost_usd)
    if not report.unpriced:
        return f"judged: {known}"
    calls = formatting.count(report.unpriced, "call")
    return (
        f"judged: {known} + {calls} of unknown price"
        if report.cost_usd
        else f"judged: {calls} of unknown price"
    )


def check_lines(check: HumanCheck, worst: int = 3) -> Iterator[str]:
    """Yield how far a judge agrees with people; the gravest disagreements come last."""
    agreement, kappa = check.kappa.agreement, check.kappa
    parts = [f"checked against {formatting.count(check.labelled, 'label')}"]
    if check.unscored:
        parts[0] += f" ({check.unscored:,} without a score)"
    if agreement is not None:
        parts.append(f"agreement {formatting.percent(agreement)}")
    if kappa.kappa is not None:
        interval = "" if kappa.low is None or kappa.high is None else f" ({kappa.low:.2f} – {kappa.high:.2f})"
        parts.append(f"κ = {kappa.kappa:.2f}{interval}")
    yield ", ".join(parts)
    if check.true_pass.of or check.true_fail.of:
        passed, failed = _rate(check.true_pass), _rate(check.true_fail)
        yield f"passes {passed} that people pass, fails {failed} that people fail"
    if any(value not in (0, 1) for row in check.worst[:worst] for value in (row.person, row.judge)):
        # Grades of 1 to 5 are shares here, as all scores are.
        yield "  differ most, from 0 (the lowest grade) to 1 (the highest):"
    for row in check.worst[:worst]:
        reason = f": {one_line(row.reason, _REASON)}" if row.reason else ""
        yield f"  {one_line(row.key, _REASON)}: people {row.person:g}, judge {row.judge:g}{reason}"


def _judge(judge: JudgeFigures) -> Iterator[str]:
    yield formatting.count(judge.asked, "verdict")
    if judge.failed:
        yield f"{judge.failed:,} failed"
    if judge.declined:
        yield f"{judge.declined:,} cannot tell"
    if judge.pass_share is not None:
        yield f"{formatting.percent(judge.pass_share)} pass"
    if judge.repeated:
        yield f"contradicts itself on {judge.contradicted:,} of {judge.repeated:,}"
    if judge.agreement is not None:
        yield f"{formatting.percent(judge.agreement)} like the others"
    if judge.length_correlation is not None and abs(judge.length_correlation) >= _WORTH_SAYING:
        kind = "longer" if judge.length_correlation > 0 else "shorter"
        yield f"prefers {kind} answers (ρ = {judge.length_correlation:.2f})"
    if judge.own:
        yield f"judges {formatting.count(judge.own, 'answer')} of its own"


def _rate(rate: Rate) -> str:
    interval = "" if rate.low is None or rate.high is None else f" ({rate.low:.2f} – {rate.high:.2f})"
    return f"{rate.count:,} of {rate.of:,}{interval}"
