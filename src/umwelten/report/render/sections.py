"""The sections of an HTML report that are written as they are read: all but the answers and the plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from umwelten.phrases import Spelling
from umwelten.providers.protocol import Vendor
from umwelten.report import recommendations
from umwelten.report.advice import advice, queues
from umwelten.report.columns import html_columns
from umwelten.report.models import Cost, Figures, LaneAttribution
from umwelten.report.queries import overviews
from umwelten.report.queries.status import UNFINISHED, EvaluationStatus
from umwelten.report.queries.stored_failures import MOST_IN_REPORTS, failures_by_message
from umwelten.report.queries.throttling import WAITED_FOR
from umwelten.report.render import (
    glossary,
    page,
    picks_section,
    schema_section,
    scores_section,
    settings_section,
)
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import section, table, text
from umwelten.report.render.tools_section import tools_as_html
from umwelten.report.render.worker_rows import HEAD, worker_rows
from umwelten.report.status_words import status_text
from umwelten.text import formatting


def all_of(
    parts: Sequence[ReportSection], vendors: Mapping[str, Vendor], spelling: Spelling, *, short: bool
) -> Iterator[str]:
    """The body, up to the data: a summary by model, then the answers, then the rest."""
    yield _header(parts, short)
    yield "<main>\n"
    yield _glance(parts, vendors)
    yield _recommendations(parts)
    yield section("models", "Models", _models(parts))
    yield "" if short else page.fragment("answers")
    yield section("scores", "Scores", *_scores(parts, short=short))
    yield section("records", "Records", *_records(parts))
    yield section(
        "failures", "Failures", *_failures(parts, partial(advice, vendors=vendors, spelling=spelling))
    )
    yield section("tools", "Tools", *tools_as_html([part.overview for part in parts]))
    yield section("plots", "Speed and cost", page.fragment("plots"))
    yield section(
        "time",
        "Over time",
        '<div id="timelines" class="plots"></div>\n',
        _throttling(parts),
        _attempts(parts),
        _workers(parts),
        _lane_waits(parts),
    )
    yield section("more", "What more would cost", _projection(parts))
    yield section(
        "settings",
        "What was sent",
        *(settings_section.as_html(part, spelling, opened=len(parts) == 1) for part in parts),
    )
    shaped, scored = any(part.validation for part in parts), any(part.scores for part in parts)
    used = any(part.overview.tools for part in parts)
    words = glossary.as_html(records=shaped, scores=scored, tools=used)
    yield section("words", "What the figures mean", words)
    yield "</main>\n<footer><p>Made by <b>umwelten</b> from what is stored. "
    yield "This file asks no server for anything. "
    yield '<button type="button" id="show-licences">Licences of its libraries</button></p>'
    yield '<pre id="licence-text" hidden tabindex="0"></pre></footer>\n'


# --- head ----------------------------------------------------------------------------------------


def _header(parts: Sequence[ReportSection], short: bool) -> str:
    links = [
        ("models", "Models", True),
        ("answers", "Answers", not short),
        ("scores", "Scores", any(part.scores for part in parts)),
        ("records", "Records", any(part.validation for part in parts)),
        ("failures", "Failures", any(part.overview.errors for part in parts)),
        ("tools", "Tools", any(part.overview.tools for part in parts)),
        ("plots", "Speed and cost", True),
        ("time", "Time", True),
        ("settings", "What was sent", True),
        ("words", "Terms", True),
    ]
    anchors = "".join(f'<a href="#{id_}">{title}</a>' for id_, title, there in links if there)
    first = "models" if short else "answers"
    return (
        f'<a class="skip" href="#{first}">Skip to the {first}</a>\n'
        '<div class="top"><header class="top"><span class="mark">umwelten</span>'
        f'<nav aria-label="Sections">{anchors}</nav>'
        '<button type="button" id="theme">Theme: auto</button></header></div>\n'
    )


def _glance(parts: Sequence[ReportSection], vendors: Mapping[str, Vendor]) -> str:
    return _one_glance(parts[0], vendors) if len(parts) == 1 else _several(parts)


def _one_glance(part: ReportSection, vendors: Mapping[str, Vendor]) -> str:
    overview = part.overview
    figures, evaluation = overview.summary, overview.evaluation
    dates = _date(evaluation.started_at)
    if evaluation.finished_at:
        dates += f" to {_date(evaluation.finished_at)}"
    providers = {model.partition(":")[0] for model in evaluation.models}
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
    return (
        f'<section id="glance"><p class="kind">{text(evaluation.type)} · {dates} UTC</p>'
        f"<h1>{text(part.id)} {_badge(part)}</h1>\n{_why(part)}"
        f'<p class="prompt">{text(_prompt(part))}</p>\n<dl class="figures">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in boxes
        )
        + "</dl></section>\n"
    )


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


# --- models --------------------------------------------------------------------------------------


def _recommendations(parts: Sequence[ReportSection]) -> str:
    several = len(parts) > 1
    names = [part.id if several else "" for part in parts]
    cards = "".join(
        picks_section.cards(part.overview, part.scores, of=name)
        for part, name in zip(parts, names, strict=True)
    )
    left = "".join(
        picks_section.left_out(part.overview, of=name) for part, name in zip(parts, names, strict=True)
    )
    return f'<section id="choice"><ul class="picks">{cards}</ul>\n{left}</section>\n' if cards else ""


def _scores(parts: Sequence[ReportSection], *, short: bool) -> Iterator[str]:
    for part in parts:
        if part.scores is not None:
            of = part.id if len(parts) > 1 else ""
            yield from scores_section.as_html(part.scores, part.score_details(), of=of, cells=not short)


def _models(parts: Sequence[ReportSection]) -> str:
    columns = html_columns()
    head = [*_evaluation_head(parts), "model", *(column.html for column in columns)]
    rows = [
        [*_evaluation_cell(part, parts), text(row.label), *(text(column.show(row)) for column in columns)]
        for part in parts
        for row in part.overview.models
    ]
    figures = [[column.value(row) for column in columns] for part in parts for row in part.overview.models]
    return table(head, rows, name="Models side by side", words=len(head) - len(columns), figures=figures)


def _projection(parts: Sequence[ReportSection]) -> str:
    rows = []
    for part in parts:
        projections = recommendations.projection(part.overview.models)
        for model in dict.fromkeys(row.model for row in projections):
            sums = [_projection_cell(row) for row in projections if row.model == model]
            rows.append([*_evaluation_cell(part, parts), text(model), *sums])
    head = [*_evaluation_head(parts), "model"]
    sizes = [f"{size:,} calls" for size in recommendations.SIZES]
    note = "<p>If further calls went like these, with as many in flight.</p>\n"
    body = table([*head, *sizes], rows, name="Projection", words=len(head))
    return note + body if body else ""


def _projection_cell(row: recommendations.Projection) -> str:
    return f"{formatting.money(row.cost_usd)} <small>{formatting.seconds(row.wall_s)}</small>"


# --- time ----------------------------------------------------------------------------------------


def _throttling(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(row.lane), f"{row.changes:,}", f"{row.cuts:,}",
         formatting.level(row.lowest), formatting.level(row.highest), formatting.level(row.last)]
        for part in parts
        for row in part.overview.throttling
    ]  # fmt: skip
    head = [*_evaluation_head(parts), "lane", "limit moved", "cut", "lowest", "highest", "at the end"]
    return _subsection("How the limits moved", table(head, rows, name="Limits", words=len(head) - 5))


def _attempts(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(row.label), text(row.outcome.replace("_", " ")),
         f"{row.attempts:,}", formatting.seconds(row.time_s), formatting.money(row.cost_usd)]
        for part in parts
        for row in part.overview.attempts
    ]  # fmt: skip
    head = [*_evaluation_head(parts), "model", "outcome", "attempts", "time in flight", "cost"]
    return _subsection(
        "What the time in flight went to", table(head, rows, name="Attempts", words=len(head) - 3)
    )


def _workers(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), *map(text, row)]
        for part in parts
        for row in worker_rows(part.overview.workers)
    ]
    head = [*_evaluation_head(parts), *HEAD]
    return _subsection("What each worker did", table(head, rows, name="Workers", words=len(head) - 3))


def _lane_waits(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(lane), _bar(own), "<br>".join(map(_wait, own))]
        for part in parts
        for lane, own in _by_lane(part).items()
    ]
    head = [*_evaluation_head(parts), "lane", "share of the wall time", "waited for"]
    return _subsection("What each lane waited for", table(head, rows, name="Waits", words=9))


def _by_lane(part: ReportSection) -> dict[str, list[LaneAttribution]]:
    lanes: dict[str, list[LaneAttribution]] = {}
    for row in part.overview.attributions:
        lanes.setdefault(row.lane, []).append(row)
    return lanes


def _bar(rows: Sequence[LaneAttribution]) -> str:
    """Shares as a bar; the words beside it say the same."""
    pieces, left = "", 0.0
    for row in rows:
        pieces += (
            f'<rect class="{_shade(row.reason)}" x="{left:.2f}" width="{row.share * 100:.2f}" height="6"/>'
        )
        left += row.share * 100
    return (
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{pieces}</svg>'
    )


def _wait(row: LaneAttribution) -> str:
    words = text(WAITED_FOR.get(row.reason, row.reason))
    figures = f"{formatting.seconds(row.seconds)}, {formatting.percent(row.share)}"
    return (
        f'<span class="dot {_shade(row.reason)}" aria-hidden="true"></span>{words} <small>{figures}</small>'
    )


def _shade(reason: str) -> str:
    """A class of the colours that the plots use; a reason has the same everywhere."""
    reasons = list(WAITED_FOR)
    return f"s{reasons.index(reason) % 8}" if reason in reasons else "s7"


def _subsection(title: str, body: str) -> str:
    return f"<h3>{title}</h3>\n{body}" if body else ""


def _evaluation_cell(part: ReportSection, parts: Sequence[ReportSection]) -> list[str]:
    return [text(part.id)] if len(parts) > 1 else []


def _evaluation_head(parts: Sequence[ReportSection]) -> list[str]:
    return ["evaluation"] if len(parts) > 1 else []


# --- records, failures and settings -----------------------------------------------------------------------


def _records(parts: Sequence[ReportSection]) -> Iterator[str]:
    for part in parts:
        if part.validation is not None:
            yield schema_section.as_html(part.validation, part.id if len(parts) > 1 else "")


def _failures(parts: Sequence[ReportSection], advise: Callable[..., str]) -> Iterator[str]:
    failed, stopped = [], []
    for part in parts:
        groups = failures_by_message(part.reader, MOST_IN_REPORTS) if part.overview.summary.failed else ()
        for group in groups:
            what = advise(group.kind, message=group.message, providers=group.providers)
            cells = [text(group.kind), f"{group.count:,}", text(group.message[:500]), text(what)]
            failed.append([*_evaluation_cell(part, parts), *cells])
        for row in overviews.refused_models(part.reader) if part.overview.summary.pending else ():
            what = advise("unavailable", message=row.message, providers=(row.provider,))
            stopped.append(
                [*_evaluation_cell(part, parts), text(row.model), text(row.message[:500]), text(what)]
            )
    head = _evaluation_head(parts)
    yield table([*head, "kind", "calls", "example", "what to do"], failed, name="Failures", words=9)
    head = [*head, "model", "reason", "what to do"]
    yield _subsection("Stopped: all calls refused", table(head, stopped, name="Stopped", words=9))


# --- words ---------------------------------------------------------------------------------------


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
    """The beginning of the prompt, or the names of several."""
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
