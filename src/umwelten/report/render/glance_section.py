"""What an HTML report begins with: what was evaluated, and the figures of all calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from umwelten.providers.protocol import Vendor
from umwelten.report.advice import queues
from umwelten.report.models import Cost, Figures
from umwelten.report.queries import overviews
from umwelten.report.queries.status import UNFINISHED, EvaluationStatus
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import table, text
from umwelten.report.status_words import status_text
from umwelten.text import formatting


def as_html(parts: Sequence[ReportSection], vendors: Mapping[str, Vendor]) -> str:
    """Return what a page begins with: what the evaluation is and how it went, or all of them in a table."""
    return _one_glance(parts[0], vendors) if len(parts) == 1 else _several(parts)


def _one_glance(part: ReportSection, vendors: Mapping[str, Vendor]) -> str:
    evaluation = part.overview.evaluation
    dates = _date(evaluation.started_at)
    if evaluation.finished_at:
        dates += f" to {_date(evaluation.finished_at)}"
    body = "" if part.rankings.is_ranking else figures_of(part, vendors)
    return (
        f'<section id="glance"><p class="kind">{text(_kind(part))} · {dates} UTC</p>'
        f"<h1>{text(part.id)} {_badge(part)}</h1>\n{_why(part)}"
        f"{_asked(part)}{body}</section>\n"
    )


def _kind(part: ReportSection) -> str:
    """What the evaluation is: `run`, `batch`, `ranking of tips`."""
    own = part.rankings.own
    return part.overview.evaluation.type if own is None else f"ranking of {', '.join(own.of)}"


def _asked(part: ReportSection) -> str:
    """The prompt; of a ranking its own section says what judges were asked."""
    return "" if part.rankings.own else f'<p class="prompt">{text(_prompt(part))}</p>\n'


def figures_of(part: ReportSection, vendors: Mapping[str, Vendor]) -> str:
    """Return how many calls there were, how fast they were and what they cost, in figures."""
    overview = part.overview
    figures = overview.summary
    providers = {model.partition(":")[0] for model in overview.evaluation.models}
    ratio = formatting.speedup(figures.speedup, queues=queues(providers, vendors)) or ""
    boxes = [
        ("answered", formatting.percent(figures.success_rate), _counts(figures)),
        ("wall time", formatting.seconds(figures.wall_s), ratio),
        (
            "median answer",
            formatting.seconds(figures.p50_s),
            f"95% within {formatting.seconds(figures.p95_s)}",
        ),
        ("in flight", f"{figures.peak_in_flight:,}", _rate(figures)),
        ("tokens", _tokens(overview.cost, total=True), _tokens(overview.cost, total=False)),
        ("cost", formatting.money(overview.cost.total_usd), _unpriced_calls(overview.cost)),
    ]
    cells = (
        f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in boxes
    )
    return f'<dl class="figures">{"".join(cells)}</dl>\n'


def _several(parts: Sequence[ReportSection]) -> str:
    head = ("evaluation", "status", "prompt", "calls", "answered", "wall time", "tokens", "cost")
    rows = [
        (
            text(part.id),
            _badge(part),
            text(_prompt(part, 90)),
            f"{part.overview.summary.calls:,}",
            formatting.percent(part.overview.summary.success_rate),
            formatting.seconds(part.overview.summary.wall_s),
            _tokens(part.overview.cost, total=True),
            text(formatting.cost(part.overview.cost.total_usd, part.overview.cost.unpriced_calls)),
        )
        for part in parts
    ]
    body = table(head, rows, name="Evaluations", words=3)
    return f'<section id="glance"><h1>{len(parts)} evaluations</h1>\n{body}</section>\n'


def _why(part: ReportSection) -> str:
    runs = overviews.runs(part.reader)
    if part.overview.evaluation.status in UNFINISHED and runs and runs[-1].reason:
        return f'<p class="reason">{text(runs[-1].reason)}</p>\n'
    return ""


def _date(iso: str) -> str:
    return f'<time datetime="{text(iso)}">{text(iso[:16].replace("T", " "))}</time>'


def _badge(part: ReportSection) -> str:
    """The status in true words: where calls failed, the others were answered all the same."""
    status, figures = part.overview.evaluation.status, part.overview.summary
    some = status == EvaluationStatus.FAILED and figures.succeeded
    words = status_text(status, failed=figures.failed if some else 0, pending=0)
    words = words if some or status != EvaluationStatus.FAILED else status
    return f'<span class="badge {"some" if some else text(status)}">{text(words)}</span>'


def _prompt(part: ReportSection, width: int = 280) -> str:
    """The beginning of the prompt, or the names of several; of a ranking its question."""
    if part.rankings.own is not None:
        return _beginning(part.rankings.own.question, width)
    prompts = part.overview.evaluation.prompts
    if not prompts:
        return _beginning(part.overview.evaluation.prompt, width)
    return _beginning(f"{len(prompts)} prompts: {', '.join(prompt.name for prompt in prompts)}", width)


def _beginning(prompt: str, width: int = 280) -> str:
    line = " ".join(prompt[: width * 4].split())
    return line if len(line) <= width else line[:width].rstrip() + "…"


def _counts(figures: Figures) -> str:
    parts = [f"{figures.succeeded:,} of {figures.calls:,} calls"]
    parts += [f"{figures.failed:,} failed"] if figures.failed else []
    parts += [f"{figures.pending:,} pending"] if figures.pending else []
    return ", ".join(parts)


def _rate(figures: Figures) -> str:
    rate = figures.throughput_per_s
    return "" if rate is None else f"{formatting.short(rate)} calls/s"


def _tokens(cost: Cost, *, total: bool) -> str:
    usage = cost.usage
    if total:
        return formatting.tokens(usage.total_tokens)
    return f"{formatting.tokens(usage.input_tokens)} in, {formatting.tokens(usage.output_tokens)} out"


def _unpriced_calls(cost: Cost) -> str:
    return f"{formatting.count(cost.unpriced_calls, 'call')} of unknown price" if cost.unpriced_calls else ""
